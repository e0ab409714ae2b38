"""Readers: which file is which case's image or mask, for each layout in which data come.

A reader looks at names only (and at small tables); decoding and checking is `prepare`'s. Adding
a layout: write a `Reader`, list it in `READERS`, name it in a card.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmark.data.source import Source
from benchmark.wording import shortened


class Case(NamedTuple):
    """One image with its mask. split: "train", "test", or "" if the files come without split.

    images: one file, or one for each of the card's modalities. masks: one file, or several whose
    foregrounds belong to one mask.
    """

    id: str
    split: str
    group: str
    images: tuple[str, ...]
    masks: tuple[str, ...]


@dataclass
class Layout:
    """What a reader found."""

    cases: list[Case]
    stray: list[str] = field(default_factory=list)
    """Files that belong to no case: tolerated, and named."""
    problems: list[str] = field(default_factory=list)
    """What must be mended first."""
    notes: list[str] = field(default_factory=list)


class Reader(NamedTuple):
    """description: the layout, for messages; read returns None if the files are not in it."""

    description: str
    read: Callable[[Source], Layout | None]


_GLAS = re.compile(r"(?:.*/)?((train|testA|testB)_\d+)(_anno)?\.(?:bmp|png)")


def read_glas(source: Source) -> Layout | None:
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
    layout = _paired(images, masks, stray)
    patients = _column(source, grades, "name", "patient ID", layout) if grades else {}
    layout.cases = [
        case._replace(split=splits[case.id], group=patients.get(case.id, ""))
        for case in layout.cases
    ]
    if not grades:
        layout.notes.append("no Grade.csv: patients unknown")
    return layout


def _column(source: Source, table: str, key: str, value: str, layout: Layout) -> dict[str, str]:
    """Two columns of a CSV table as a dictionary; what is wrong with it becomes a problem.

    Line ends may be CR alone, and blanks may follow commas: the released Grade.csv has both.
    """
    try:
        text = source.read(table).decode("utf-8-sig")
        lines = (line.strip() for line in io.StringIO(text, newline=None) if line.strip())
        rows = list(csv.DictReader(lines, skipinitialspace=True))
        return {row[key].strip(): row[value].strip() for row in rows}
    except (OSError, UnicodeDecodeError, KeyError, AttributeError) as error:
        layout.problems.append(
            f'{table} is no table with the columns "{key}" and "{value}" in every line '
            f"({type(error).__name__}: {error})"
        )
        return {}


_FOLDERS = {
    **dict.fromkeys(("image", "images"), "image"),
    **dict.fromkeys(("mask", "masks", "label", "labels"), "mask"),
}
_SPLITS = {
    "train": "train",
    "test": "test",
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
}
_VOLUME_FILES = (".nii", ".nii.gz", ".nrrd")
_IMAGE_FILES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")


def read_pairs(source: Source) -> Layout | None:
    """Equal names of images under image/ and mask/, beneath train/ and test/ (or val/) or not."""
    return _read_pairs(source, _IMAGE_FILES)


def read_volume_pairs(source: Source) -> Layout | None:
    """The same layout with NIfTI or NRRD volumes."""
    return _read_pairs(source, _VOLUME_FILES)


def _read_pairs(source: Source, extensions: tuple[str, ...]) -> Layout | None:
    found: dict[str, dict[tuple[str, str], str]] = {"image": {}, "mask": {}}
    stray, problems, above = [], [], set()
    for name in source.files:
        *folders, file = name.split("/")
        kind = _FOLDERS.get(folders[-1].lower()) if folders else None
        extension = next((e for e in extensions[::-1] if file.lower().endswith(e)), "")
        if kind is None or not extension:
            stray.append(name)
            continue
        split = _SPLITS.get(folders[-2].lower(), "") if len(folders) > 1 else ""
        above.add("/".join(folders[: -2 if split else -1]))
        # Equal names may be spelled in two ways: a Mac writes ä as a and two dots.
        stem = unicodedata.normalize("NFC", file[: -len(extension)])
        if found[kind].setdefault((split, stem), name) != name:
            other = found[kind][split, stem]
            problems.append(f"two files for the {kind} of {stem}: {other}, {name}")
    if not (found["image"] and found["mask"]):
        return None
    found["mask"] = _without_suffix(found["mask"], set(found["image"]))
    if len(above) > 1:
        problems.append(
            f"images and masks lie in {len(above)} places, {shortened(sorted(above))}: these names "
            f"do not say which are for training. Known are {', '.join(_SPLITS)} (as in "
            "train/image/NAME.png); or put all in one image/ and one mask/, and the test set's "
            "names into the card (test_ids)"
        )
    return _split_layout(found, stray, problems)


_SUFFIX = re.compile(r"[_-](mask|segmentation|seg|label|gt|anno)$", re.IGNORECASE)


def _without_suffix(
    masks: dict[tuple[str, str], str], images: set[tuple[str, str]]
) -> dict[tuple[str, str], str]:
    """Masks under the names of their images, as ISIC's NAME_segmentation.png beside NAME.jpg."""
    named = {}
    for (split, stem), file in masks.items():
        short = (split, _SUFFIX.sub("", stem))
        is_taken = short in masks or short in named or (split, stem) in images
        named[short if short in images and not is_taken else (split, stem)] = file
    return named


def _split_layout(found, stray: list[str], problems: list[str]) -> Layout:
    """Cases of the folders' splits; equal names in two splits are told apart as split_name."""
    keys = sorted({*found["image"], *found["mask"]})
    stems = [stem for _, stem in keys]
    ids = {
        (split, stem): f"{split}_{stem}" if stems.count(stem) > 1 else stem for split, stem in keys
    }
    images, masks = ({ids[key]: n for key, n in found[kind].items()} for kind in ("image", "mask"))
    layout = _paired(images, masks, stray)
    splits = {split for split, _ in keys}
    if "" in splits and len(splits) > 1:
        named = ", ".join(sorted(splits - {""}))
        problems.append(f"some images lie in {named}/ and others in no split: move them into one")
    elif splits == {"train", "validation"}:
        layout.notes.append("the validation folder is taken as the test set")
    elif "validation" in splits:
        problems.append(
            "there is a validation folder beside train/ and test/: nothing would use it. Move its "
            "images into train/ (a development set is drawn from there)"
        )
    taken = {"validation": "test"}
    of = {ids[key]: taken.get(key[0], key[0]) for key in keys}
    layout.cases = [case._replace(split=of[case.id]) for case in layout.cases]
    layout.problems = problems + layout.problems
    return layout


_PH2 = re.compile(
    r"(?:.*/)?(?:(IMD\d+)_Dermoscopic_Image/\1|(IMD\d+)_lesion/\2_lesion)\.bmp", re.IGNORECASE
)


def read_ph2(source: Source) -> Layout | None:
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
    return _paired(images, masks, stray) if masks else None


def read_hmeps(source: Source) -> Layout | None:
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
    layout = _paired(images, masks, stray)
    if not table:
        layout.problems.append("annotation/annotations.csv is missing: it names each subject")
        return layout
    subjects = _column(source, table, "filename", "sub", layout)
    # A number may be written 3 or 3.0; the frame's extension varies.
    groups = {n.rpartition(".")[0]: sub.removesuffix(".0") for n, sub in subjects.items()}
    layout.cases = [case._replace(group=groups.get(case.id, "")) for case in layout.cases]
    unknown = [case.id for case in layout.cases if not case.group]
    if subjects and unknown:
        named = f"{', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}"
        layout.problems.append(f"{table} gives no subject for {len(unknown)} frames: {named}")
    return layout


_LA_CASE = re.compile(r"(?:(.*)/)?([A-Z0-9]{20})/([^/]+)")


def read_la(source: Source) -> Layout | None:
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
    layout = _paired(images, masks, stray)
    if unused:
        layout.notes.append(f"{len(unused)} cases of the Testing Set are not used")
    return layout


def read_la_h5(source: Source) -> Layout | None:
    """LA as prepared by UA-MT: ID/mri_norm2.h5 with image and label, standardised and cropped."""
    cases, stray = [], []
    for name in source.files:
        match = _LA_CASE.fullmatch(name)
        if match and match[3] == "mri_norm2.h5":
            cases.append(Case(match[2], "", "", (f"{name}:image",), (f"{name}:label",)))
        elif not name.endswith((".list", ".txt")):
            stray.append(name)
    notes = ["x and y were cropped around the label before, in test volumes too"]
    return Layout(sorted(cases), stray, notes=notes) if cases else None


def _paired(images: dict[str, str], masks: dict[str, str], stray: list[str]) -> Layout:
    problems = [f"no mask for {images[case]}" for case in sorted(images.keys() - masks.keys())]
    problems += [f"no image for {masks[case]}" for case in sorted(masks.keys() - images.keys())]
    both = sorted(images.keys() & masks.keys())
    cases = [Case(case, "", "", (images[case],), (masks[case],)) for case in both]
    return Layout(cases, stray, problems)


READERS: dict[str, Reader] = {
    "glas": Reader("train_1.bmp with train_1_anno.bmp, testA_1.bmp, … and Grade.csv", read_glas),
    "ph2": Reader(
        "IMD002/IMD002_Dermoscopic_Image/IMD002.bmp with IMD002/IMD002_lesion/IMD002_lesion.bmp",
        read_ph2,
    ),
    "hmeps": Reader(
        "fullFrames/NAME.jpg with annotation/png/NAME.png and annotation/annotations.csv",
        read_hmeps,
    ),
    "la": Reader("Training Set/ID/lgemri.nrrd with Training Set/ID/laendo.nrrd", read_la),
    "la_h5": Reader("ID/mri_norm2.h5, as prepared by UA-MT", read_la_h5),
    "volume_pairs": Reader(
        "image/NAME.nii.gz with mask/NAME.nii.gz, optionally beneath train/ and test/",
        read_volume_pairs,
    ),
    "pairs": Reader(
        "image/NAME.png with mask/NAME.png, optionally beneath train/ and test/", read_pairs
    ),
}
