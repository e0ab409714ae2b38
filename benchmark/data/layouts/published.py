"""Readers of datasets as they are released."""

import re
from collections import defaultdict

from benchmark.data.card import Card
from benchmark.data.layouts.layout import Case, Layout, column, paired
from benchmark.data.source import Source
from benchmark.wording import shortened

_GLAS = re.compile(r"(?:.*/)?((train|testA|testB)_\d+)(_anno)?\.(?:bmp|png)")


def read_glas(source: Source, card: Card) -> Layout | None:
    """GlaS as released: train_1.bmp, train_1_anno.bmp, …, testA_*, testB_*, Grade.csv, flat."""
    images, masks, splits, stray, grades = {}, {}, {}, [], ""
    for name in source.files:
        match = _GLAS.fullmatch(name)
        if match:
            case, part, anno = match.groups()
            (masks if anno else images)[case] = name
            splits[case] = "train" if part == "train" else "test"
        elif name.rsplit("/", 1)[-1] == "Grade.csv":
            grades = name
        else:
            stray.append(name)
    if not masks:
        return None
    layout = paired(images, masks, stray)
    patients = column(source, grades, "name", "patient ID", layout) if grades else {}
    layout.cases = [
        case._replace(split=splits[case.id], group=patients.get(case.id, ""))
        for case in layout.cases
    ]
    if not grades:
        layout.notes.append("no Grade.csv: patients unknown")
    return layout


_PH2 = re.compile(
    r"(?:.*/)?(?:(IMD\d+)_Dermoscopic_Image/\1|(IMD\d+)_lesion/\2_lesion)\.bmp", re.IGNORECASE
)


def read_ph2(source: Source, card: Card) -> Layout | None:
    """PH2 as released: IMD002/IMD002_Dermoscopic_Image/IMD002.bmp, IMD002_lesion/IMD002_lesion.bmp.

    Regions of interest (IMD002_roi/) and the tables beside the images belong to the release and
    are not read; neither is the lossy copy IMD002_lesion.jpg of some mirrors.
    """
    images, masks, stray = {}, {}, []
    for name in source.files:
        match = _PH2.fullmatch(name)
        if match and match[1]:
            images[match[1].upper()] = name
        elif match:
            masks[match[2].upper()] = name
        elif "_roi/" not in name and not name.rsplit("/", 1)[-1].lower().startswith("ph2_dataset"):
            stray.append(name)
    return paired(images, masks, stray) if masks else None


def read_hmeps(source: Source, card: Card) -> Layout | None:
    """HMEPS as released: fullFrames/NAME.jpg, annotation/png/NAME.png, annotation/annotations.csv.

    Images end in .jpg or .jpeg and are matched by stem. The table gives the subject of each frame:
    frames of one subject stay together in every split.
    """
    images, masks, stray, table = {}, {}, [], ""
    for name in source.files:
        stem, _, extension = name.rsplit("/", 1)[-1].rpartition(".")
        if "fullFrames/" in name and extension.lower() in ("jpg", "jpeg"):
            images[stem] = name
        elif "annotation/png/" in name and extension.lower() == "png":
            masks[stem] = name
        elif name.endswith("annotation/annotations.csv"):
            table = name
        else:
            stray.append(name)
    if not masks:
        return None
    layout = paired(images, masks, stray)
    if not table:
        layout.problems.append("annotation/annotations.csv is missing: it names each subject")
        return layout
    subjects = column(source, table, "filename", "sub", layout)
    # A number may be written 3 or 3.0; the frame's extension varies.
    groups = {n.rpartition(".")[0]: sub.removesuffix(".0") for n, sub in subjects.items()}
    layout.cases = [case._replace(group=groups.get(case.id, "")) for case in layout.cases]
    unknown = [case.id for case in layout.cases if not case.group]
    if subjects and unknown:
        layout.problems.append(
            f"{table} gives no subject for {len(unknown)} frames: {shortened(unknown)}"
        )
    return layout


_LA_CASE = re.compile(r"(?:(.*)/)?([A-Z0-9]{20})/([^/]+)")
_LA_H5 = re.compile(r"(?:.*/)?(?:([A-Z0-9]{20})/mri_norm2|([A-Z0-9]{20}))\.h5")


def read_la(source: Source, card: Card) -> Layout | None:
    """LA as released: Training Set/ID/lgemri.nrrd with laendo.nrrd (lawall.nrrd is not read).

    The 54 cases of its Testing Set are left out, as in the literature, which splits the 100.
    """
    images, masks, stray, unused = {}, {}, [], set()
    for name in source.files:
        match = _LA_CASE.fullmatch(name)
        file = match[3] if match else ""
        if match and "Testing Set" in (match[1] or ""):
            unused.add(match[2])
        elif file in ("lgemri.nrrd", "laendo.nrrd"):
            (images if file == "lgemri.nrrd" else masks)[match[2]] = name
        elif file != "lawall.nrrd":
            stray.append(name)
    if not masks:
        return None
    layout = paired(images, masks, stray)
    if unused:
        layout.notes.append(f"{len(unused)} cases of the Testing Set are not used")
    return layout


def read_la_h5(source: Source, card: Card) -> Layout | None:
    """LA as prepared by UA-MT, standardised and cropped: image and label in one file.

    That is ID/mri_norm2.h5, or ID.h5 where others passed it on.
    """
    cases, stray = [], []
    for name in source.files:
        match = _LA_H5.fullmatch(name)
        if match:
            keys = ((f"{name}:image",), (f"{name}:label",))
            cases.append(Case(match[1] or match[2], "", "", *keys, is_standardised=True))
        elif not name.endswith((".list", ".txt")):
            stray.append(name)
    notes = ["x and y were cropped around the label before, in test volumes too"]
    return Layout(sorted(cases), stray=stray, notes=notes) if cases else None


_BRATS = re.compile(r"(?:.*/)?(BraTS\w+)/\1(_\w+)\.nii(?:\.gz)?", re.IGNORECASE)
_BRATS_ENDS = ("_flair", "_t1", "_t1ce", "_t2")


def read_brats(source: Source, card: Card) -> Layout | None:
    """BraTS as released: HGG/ID/ID_flair.nii.gz, ID_t1, ID_t1ce, ID_t2, with ID_seg; and LGG/.

    The card's modalities are read, in their order; the others belong to the release.
    """
    images, masks, stray = defaultdict(dict), {}, []
    for name in source.files:
        match = _BRATS.fullmatch(name)
        end = match[2].lower() if match else ""
        if end == "_seg":
            masks[match[1]] = name
        elif end in card.modalities:
            images[match[1]][end] = name
        elif end not in _BRATS_ENDS and not name.endswith(".csv"):
            stray.append(name)
    if not masks:
        return None
    whole = {id: its for id, its in images.items() if len(its) == len(card.modalities)}
    layout = paired({id: its[card.modalities[0]] for id, its in whole.items()}, masks, stray)
    for cases in (layout.cases, layout.without_mask):
        cases[:] = [
            case._replace(images=tuple(whole[case.id][end] for end in card.modalities))
            for case in cases
        ]
    return layout
