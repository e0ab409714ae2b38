"""All readers, and the one for a card and its files."""

from collections import Counter

from benchmark.data.card import Card
from benchmark.data.layouts import cine, medsegbench, nnunet, pairs, published
from benchmark.data.layouts.groups import add_groups
from benchmark.data.layouts.layout import Layout, Reader, settle_lone_images
from benchmark.data.layouts.names import NOT_READ
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError
from benchmark.wording import shortened

_SHOWN = 5  # files of an unknown layout

READERS: dict[str, Reader] = {
    "glas": Reader(
        "train_1.bmp with train_1_anno.bmp, testA_1.bmp, … and Grade.csv", published.read_glas
    ),
    "ph2": Reader(
        "IMD002/IMD002_Dermoscopic_Image/IMD002.bmp with IMD002/IMD002_lesion/IMD002_lesion.bmp",
        published.read_ph2,
    ),
    "hmeps": Reader(
        "fullFrames/NAME.jpg with annotation/png/NAME.png and annotation/annotations.csv",
        published.read_hmeps,
    ),
    "la": Reader("Training Set/ID/lgemri.nrrd with Training Set/ID/laendo.nrrd", published.read_la),
    "la_h5": Reader("ID/mri_norm2.h5 or ID.h5, as prepared by UA-MT", published.read_la_h5),
    "acdc": Reader(
        "patient001/patient001_frame01.nii.gz with patient001/patient001_frame01_gt.nii.gz and "
        "patient001/Info.cfg",
        cine.read_acdc,
    ),
    "ssl4mis": Reader(
        "data/NAME.h5 with image and label, as prepared by SSL4MIS (and train.list, val.list, "
        "test.list)",
        cine.read_ssl4mis,
    ),
    "brats19": Reader(
        "HGG/ID/ID_flair.nii.gz (or _t1, _t1ce, _t2) with HGG/ID/ID_seg.nii.gz, and LGG/",
        published.read_brats,
    ),
    "medsegbench": Reader(
        "train_images.npy with train_label.npy, and of val and test, in one .npz",
        medsegbench.read_medsegbench,
    ),
    "nnunet": Reader(
        "dataset.json with imagesTr/NAME_0000.nii.gz (or .png, …) and labelsTr/NAME.nii.gz",
        nnunet.read_nnunet,
    ),
    "volume_pairs": Reader(
        "image/NAME.nii.gz with mask/NAME.nii.gz, optionally beneath train/, val/ and test/; or "
        "NAME.nii.gz with NAME_seg.nii.gz in one folder (also .nii, .nrrd, .mha; if channels are "
        "files of their own, the card names their endings: modalities)",
        pairs.read_volume_pairs,
    ),
    "pairs": Reader(
        "image/NAME.png with mask/NAME.png, optionally beneath train/, val/ and test/; or NAME.png "
        "with NAME_mask.png in one folder (also .bmp, .jpg, .tif); images without masks in "
        "unlabelled/",
        pairs.read_pairs,
    ),
}


def read(source: Source, card: Card) -> Layout:
    """The cases of the files, by the first of the card's readers that knows their layout.

    `UserError` if none does.
    """
    unknown = [name for name in card.readers if name not in READERS]
    if unknown:
        raise UserError(f"card {card.name} names an unknown reader: {', '.join(unknown)}")
    for name in card.readers:
        layout = READERS[name].read(source, card)
        if layout is not None:
            settle_lone_images(layout, card)
            layout.problems += _repeated(layout)
            add_groups(layout, source, card)
            return layout
    wanted = "\n".join(f"  {name}: {READERS[name].description}" for name in card.readers)
    found = ", ".join(source.files[:_SHOWN]) or "no files"
    more = " …" if len(source.files) > _SHOWN else ""
    broken = f"\nnot readable: {shortened(source.unreadable)}" if source.unreadable else ""
    raise UserError(
        f"{source.path} is not in a layout of {card.name}. Expected one of\n{wanted}\n"
        f"found {len(source.files)} files: {found}{more}{broken}{_hint(source, card)}",
        ExitCode.DATA,
    )


def _hint(source: Source, card: Card) -> str:
    """What to do about files of a kind that is not read, or not by this card's readers."""
    endings = Counter("." + name.lower().rpartition(".")[2] for name in source.files)
    if "volume_pairs" not in card.readers and endings.keys() & {".gz", ".nii", ".nrrd", ".mha"}:
        return "\nvolumes need is_volume: true and readers: [volume_pairs] in the card"
    if endings.keys() & {".zip", ".tar", ".tgz", ".rar", ".7z"}:
        return "\narchives inside are not opened: unpack them"
    return next((f"\n{text}" for ending, text in NOT_READ.items() if endings[ending]), "")


def _repeated(layout: Layout) -> list[str]:
    often = Counter((case.further, case.id) for case in layout.cases)
    repeated = [id for (_, id), times in often.items() if times > 1]
    if not repeated:
        return []
    return [f"several cases are called {shortened(repeated)}: rename their files"]
