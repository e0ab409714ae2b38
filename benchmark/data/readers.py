"""Readers: which file is which case's image or mask, for each layout in which data come.

A reader looks at names only (and at small tables); decoding and checking is `prepare`'s. Adding
a layout: write a `Reader`, list it in `READERS`, name it in a card.
"""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmark.data.source import Source


class Case(NamedTuple):
    """One image with its mask. split: "train", "test", or "" if the files come without split."""

    id: str
    split: str
    group: str
    image: str
    mask: str


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
    patients = _glas_patients(source.read(grades)) if grades else {}
    layout = _paired(images, masks, stray)
    layout.cases = [
        case._replace(split=splits[case.id], group=patients.get(case.id, ""))
        for case in layout.cases
    ]
    if not grades:
        layout.notes.append("no Grade.csv: patients unknown")
    return layout


def _glas_patients(table: bytes) -> dict[str, str]:
    """Case → patient. The released file ends lines with CR alone and has blanks after commas."""
    text = io.StringIO(table.decode("utf-8-sig"), newline=None)
    rows = csv.DictReader((line.strip() for line in text if line.strip()), skipinitialspace=True)
    return {row["name"].strip(): row["patient ID"].strip() for row in rows}


_FOLDERS = {
    **dict.fromkeys(("image", "images"), "image"),
    **dict.fromkeys(("mask", "masks", "label", "labels"), "mask"),
}
_SPLITS = {"train": "train", "test": "test", "val": "test"}
_IMAGE_FILES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")


def read_pairs(source: Source) -> Layout | None:
    """Equal file names under image/ and mask/, optionally beneath train/ and test/ (or val/)."""
    found: dict[str, dict[str, str]] = {"image": {}, "mask": {}}
    splits, stray, problems, parts = {}, [], [], set()
    for name in source.files:
        *folders, file = name.split("/")
        kind = _FOLDERS.get(folders[-1].lower()) if folders else None
        stem, dot, extension = file.rpartition(".")
        if kind is None or dot + extension.lower() not in _IMAGE_FILES:
            stray.append(name)
            continue
        part = folders[-2].lower() if len(folders) > 1 and folders[-2].lower() in _SPLITS else ""
        if found[kind].setdefault(stem, name) != name:
            problems.append(f"two files for the {kind} of {stem}: {found[kind][stem]}, {name}")
        if kind == "image":
            splits[stem] = _SPLITS.get(part, "")
            parts.add(part)
    if not (found["image"] and found["mask"]):
        return None
    layout = _paired(found["image"], found["mask"], stray)
    layout.problems = problems + layout.problems
    if {"val", "test"} <= parts:
        layout.problems.append("both val/ and test/ are there: keep the one that is the test set")
    elif "val" in parts:
        layout.notes.append("val/ is taken as the test set")
    layout.cases = [case._replace(split=splits[case.id]) for case in layout.cases]
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
    subjects = _hmeps_subjects(source.read(table))
    layout.cases = [case._replace(group=subjects.get(case.id, "")) for case in layout.cases]
    unknown = [case.id for case in layout.cases if not case.group]
    if unknown:
        named = f"{', '.join(unknown[:3])}{' …' if len(unknown) > 3 else ''}"
        layout.problems.append(f"annotations.csv gives no subject for {len(unknown)}: {named}")
    return layout


def _hmeps_subjects(table: bytes) -> dict[str, str]:
    """Stem of the frame → subject; a number may be written 3 or 3.0."""
    rows = csv.DictReader(io.StringIO(table.decode("utf-8-sig")), skipinitialspace=True)
    return {
        row["filename"].rpartition(".")[0]: row["sub"].strip().removesuffix(".0") for row in rows
    }


def _paired(images: dict[str, str], masks: dict[str, str], stray: list[str]) -> Layout:
    problems = [f"no mask for {images[case]}" for case in sorted(images.keys() - masks.keys())]
    problems += [f"no image for {masks[case]}" for case in sorted(masks.keys() - images.keys())]
    both = sorted(images.keys() & masks.keys())
    cases = [Case(case, "", "", images[case], masks[case]) for case in both]
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
    "pairs": Reader(
        "image/NAME.png with mask/NAME.png, optionally beneath train/ and test/", read_pairs
    ),
}
