"""Pairs of images and masks whose names belong together.

Either image/ and mask/ hold them, beneath or above train/, val/ and test/ or in no split; or they
lie side by side, and the mask's name says that it is one: NAME.png, NAME_mask.png. Images in a
folder unlabelled/ need no masks.
"""

import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmark.data.card import Card
from benchmark.data.layouts.layout import Case, Layout, lone_masks
from benchmark.data.layouts.names import (
    IMAGE,
    KINDS,
    MASK,
    NOT_READ,
    SPLITS,
    UNLABELLED,
    channel,
    image_name,
    is_other_channel,
    mask_name,
    matched,
)
from benchmark.data.source import Source
from benchmark.wording import counted, shortened

_KINDS_WITH_SPLIT = {  # of nnU-Net and the Medical Segmentation Decathlon
    "imagestr": (IMAGE, "train"),
    "labelstr": (MASK, "train"),
    "imagests": (IMAGE, "test"),
    "labelsts": (MASK, "test"),
}
_FURTHER = re.compile(r"test(?:ing)?[_-](\w+)")
_SEEM_SPLITS = ("train", "test", "valid", "unlabel", "fold", "set", "split", "part", "seen")
_DIGITS = re.compile(r"\d+")
VOLUMES = (".nii.gz", ".nii", ".nrrd", ".mha")
PICTURES = (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff")


class _File(NamedTuple):
    """A file by what its path says; place: its folder, without what names kind and split."""

    path: str
    stem: str
    place: str
    split: str
    kind: str


@dataclass
class _Folder:
    """What lies in one place and split. images: name → modality → path; masks: stem → path."""

    images: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    masks: dict[str, str] = field(default_factory=dict)

    def add(self, file: _File, modalities: Sequence[str]) -> None:
        if file.kind == MASK:
            self.masks[file.stem] = file.path
        else:
            name, modality = channel(file.stem, modalities)
            self.images[name][modality] = file.path


def read_pairs(source: Source, card: Card) -> Layout | None:
    """Pictures, whose channels may be files of their own."""
    return of_files(source.files, PICTURES, card.modalities)


def read_volume_pairs(source: Source, card: Card) -> Layout | None:
    """Volumes, whose channels may be files of their own."""
    return of_files(source.files, VOLUMES, card.modalities)


def of_files(
    paths: Sequence[str],
    endings: Sequence[str],
    modalities: Sequence[str],
    without_masks: Collection[str] = (),
) -> Layout | None:
    """The cases of these files, as far as they have one of the endings; None if there are none.

    without_masks: those of the files that are unlabelled images, wherever they lie.
    """
    stems = {path: name for path in paths if (name := stem_of(path, endings)) is not None}
    unlabelled = _unlabelled(stems)
    unlabelled += [_File(p, stems[p], "", UNLABELLED, IMAGE) for p in without_masks if p in stems]
    left_out = {file.path for file in unlabelled} | set(filter(_says_unlabelled, stems))
    stems = {path: name for path, name in stems.items() if path not in left_out}
    files = _in_kinds(stems)
    places: set[str] = set()
    if {file.kind for file in files} == {IMAGE, MASK}:
        places = {file.place for file in files}
        problems = [] if _are_numbered(places) else _several_places(places)
        if len(places) == 1:
            files = [file._replace(place="") for file in files]
    else:
        files = _side_by_side(stems, modalities)
        problems = _seeming_splits({file.place for file in files})
    if not files and not without_masks:
        return None
    files = [f for f in (*files, *unlabelled) if f.kind == MASK or channel(f.stem, modalities)]
    used = {file.path for file in files}
    stray = [path for path in paths if path not in used]
    layout = Layout([], stray=stray, problems=problems)
    if len(places) > 1 and not problems:
        layout.notes.append(
            f"{len(places)} numbered folders ({shortened(sorted(places))}) are taken together: if "
            "they are patients or centres, the card's group (a pattern for the names, or for the "
            "paths) keeps each on one side of the split"
        )
    _pair(_distinct(files, layout), modalities, layout)
    settle_splits(layout)
    is_wrong = layout.problems or layout.without_mask
    (layout.problems if is_wrong else layout.notes).extend(_other_endings(layout))
    layout.notes += _as_many(layout, endings)
    if several := [case.id for case in layout.cases if len(case.masks) > 1]:
        layout.notes.append(
            f"{counted(len(several), 'image')} with several masks, which are taken together: "
            f"{shortened(several)}"
        )
    return layout


def stem_of(path: str, endings: Sequence[str]) -> str | None:
    """The file's name without its ending; None if that is another.

    Equal names may be spelled in two ways: a Mac writes ä as a and two dots.
    """
    name = path.rsplit("/", 1)[-1]
    ending = next((one for one in endings if name.lower().endswith(one)), None)
    return unicodedata.normalize("NFC", name[: -len(ending)]) if ending else None


def _split_named(folder: str) -> str:
    """The split that a folder's name says: train, test_b (a further test set); "" if none."""
    word = folder.lower()
    further = _FURTHER.fullmatch(word)
    if further and further[1] not in (*KINDS, "set", "data", "dataset", "split"):
        return f"test_{further[1]}"
    return SPLITS.get(word, "")


def _says_unlabelled(path: str) -> bool:
    return any(_split_named(part) == UNLABELLED for part in path.split("/")[:-1])


def _unlabelled(stems: Mapping[str, str]) -> list[_File]:
    """The images in folders that are called so; masks in them, which nothing reads, are left out.

    Within such a folder only what is called a mask is one: unlabelled/1.png is an image.
    """
    found = []
    for path, stem in stems.items():
        folders = path.split("/")[:-1]
        kinds = {KINDS.get(folder.lower(), IMAGE) for folder in folders}
        if _says_unlabelled(path) and MASK not in kinds and not mask_name(stem).word:
            known = (*KINDS, *SPLITS)
            place = "/".join(folder for folder in folders if folder.lower() not in known)
            found.append(_File(path, stem, place, UNLABELLED, IMAGE))
    return found


def _in_kinds(stems: Mapping[str, str]) -> list[_File]:
    """Files in image/ or mask/, with the split that the folder above or below names, if one does.

    A folder within image/ or mask/ is a place of its own, if both have it. The others are left out.
    """
    found, deeper = [], []
    for path, stem in stems.items():
        folders = path.split("/")[:-1]
        above, last = ["", "", *(folder.lower() for folder in folders)][-2:]
        split, depth = "", 1
        if last in _KINDS_WITH_SPLIT:
            kind, split = _KINDS_WITH_SPLIT[last]
        elif last in KINDS:
            kind, split = KINDS[last], _split_named(above)
            depth = 2 if split else 1
        elif _split_named(last) and above in KINDS:
            kind, split, depth = KINDS[above], _split_named(last), 2
        elif above in KINDS:  # images/patient01/00.png
            deeper.append(_File(path, stem, "/".join([*folders[:-2], last]), "", KINDS[above]))
            continue
        else:
            continue
        found.append(_File(path, stem, "/".join(folders[:-depth]), split, kind))
    kinds = defaultdict(set)
    for file in deeper:
        kinds[file.place].add(file.kind)
    return found + [file for file in deeper if len(kinds[file.place]) == 2]


def _are_numbered(places: set[str]) -> bool:
    """Such as patient01, patient02, …: no split, for they are called alike but for a number."""
    name, *others = {_DIGITS.sub("", place).lower() for place in places}
    has_number = all(_DIGITS.search(place) for place in places)
    return has_number and not others and not any(word in name for word in _SEEM_SPLITS)


def _side_by_side(stems: Mapping[str, str], modalities: Sequence[str]) -> list[_File]:
    """Files of folders in which masks, told by their names, lie beside images; none without pairs.

    Folders are splits if they are called so, and else only tell equal names apart.
    """
    folders = defaultdict(dict)
    for path, stem in stems.items():
        folders[path.rpartition("/")[0]][path] = stem
    found, is_paired = [], False
    for folder, inside in folders.items():
        parts = folder.split("/") if folder else []
        split = next(filter(None, map(_split_named, parts)), "")
        place = "/".join(part for part in parts if not _split_named(part))
        channels = [channel(stem, modalities) for stem in inside.values()]
        names = [name for name, _ in filter(None, channels)]
        images = {name.casefold() for name in (*names, *map(image_name, names))}
        with_mask = {mask_name(stem).name.casefold() for stem in inside.values()}
        for path, stem in inside.items():
            name, word, _ = mask_name(stem)
            has_image = bool(word) and name.casefold() in images
            # face_mask.png beside face_mask_mask.png is an image.
            is_mask = has_image or (bool(word) and stem.casefold() not in with_mask)
            is_paired |= has_image
            found.append(_File(path, stem, place, split, MASK if is_mask else IMAGE))
    return found if is_paired else []


def _several_places(places: set[str]) -> list[str]:
    if len(places) < 2:
        return []
    known = [word for word, split in SPLITS.items() if split != UNLABELLED]
    return [
        f"images and masks lie in {len(places)} places, {shortened(sorted(places))}: these names "
        f"do not say which are for training. Known are {', '.join(known)} (as in "
        "train/image/NAME.png); or put all in one image/ and one mask/, and the test set's "
        "names into the card (test_ids)"
    ]


def _seeming_splits(places: set[str]) -> list[str]:
    """The problem with folders such as TrainDataset: no split, but who made it may mean one."""
    seeming = [place for place in places if any(word in place.lower() for word in _SEEM_SPLITS)]
    return _several_places(places) if seeming else []


def _distinct(files: Sequence[_File], layout: Layout) -> list[_File]:
    """Without those that have the name of another, but for its ending: which a problem names."""
    found, twice = {}, []
    for file in files:
        first = found.setdefault(file._replace(path=""), file)
        if first is not file:
            twice.append(f"{first.path} and {file.path}")
    if twice:
        layout.problems.append(f"files of equal names, {shortened(twice)}: keep one of them")
    return list(found.values())


def _pair(files: Sequence[_File], modalities: Sequence[str], layout: Layout) -> None:
    """Cases of the files; those that find no partner become problems."""
    placed = _cases(files, modalities, layout)
    layout.cases = _told_apart(placed)
    layout.without_mask = [c for c in layout.cases if not c.masks and c.split != UNLABELLED]
    layout.cases = [case for case in layout.cases if case not in layout.without_mask]
    used = {path for case in layout.cases for path in case.masks}
    images, masks = ([f for f in files if f.kind == kind] for kind in (IMAGE, MASK))
    layout.problems += lone_masks([f.path for f in masks if f.path not in used], len(masks))
    if modalities and not images:
        layout.problems.append(f"no name ends in {', '.join(modalities)}, the card's modalities")
    if not modalities and any(is_other_channel(case.id) for case in layout.without_mask):
        layout.problems.append(
            "names such as NAME_0001 are channels beside NAME_0000: the card says so (modalities: "
            "[_0000, _0001])"
        )


def _other_endings(layout: Layout) -> list[str]:
    """A note on files in image/ or mask/ that are called as others there, and not read."""
    cases = (*layout.cases, *layout.without_mask)
    folders = {path.rpartition("/")[0] for c in cases for path in (*c.images, *c.masks)}
    others = [
        path
        for path in layout.stray
        if path.rpartition("/")[0] in folders and path.lower().endswith(tuple(NOT_READ))
    ]
    if not others:
        return []
    hint = next(text for ending, text in NOT_READ.items() if others[0].lower().endswith(ending))
    return [
        f"{counted(len(others), 'file')} among images and masks not read ({shortened(others)}): "
        f"{hint}"
    ]


def _as_many(layout: Layout, endings: Sequence[str]) -> list[str]:
    """A note on folders that are not read, and hold as many pictures as there are masks."""
    n = sum(len(case.masks) for case in layout.cases)
    stray = (path for path in layout.stray if stem_of(path, endings) is not None)
    folders = Counter(path.rpartition("/")[0].rpartition("/")[2] for path in stray)
    found = sorted(name for name, times in folders.items() if name and times == n > 1)
    return [
        f"{name}/ is not read, and holds as many files as there are masks ({n}): if it has the "
        "masks, call it mask/, and the other folder otherwise"
        for name in found
    ]


def _cases(
    files: Sequence[_File], modalities: Sequence[str], layout: Layout
) -> list[tuple[str, Case]]:
    """Each with its place; what lacks a modality becomes a problem."""
    folders: dict[tuple[str, str], _Folder] = defaultdict(_Folder)
    for file in files:
        folders[file.place, file.split].add(file, modalities)
    placed, lacking = [], defaultdict(list)
    for (place, split), folder in sorted(folders.items()):
        found = {name: (name if image_name(name) else "", []) for name in folder.images}
        found |= matched(folder.images, folder.masks)
        for name, (id, masks) in sorted(found.items()):
            id = id or place.rpartition("/")[2]  # CASE/image.png, CASE/mask.png
            channels = folder.images[name]
            for modality in set(modalities) - channels.keys():
                lacking[modality].append(id)
            images = [channels[one] for one in modalities or [""] if one in channels]
            its_masks = [folder.masks[mask] for mask in masks]
            placed.append((place, Case(id, split, "", tuple(images), tuple(its_masks))))
    layout.problems += [
        f"no {modality} for {shortened(ids)} ({len(ids)} of {len(placed)} cases): the card's "
        f"modalities are {', '.join(modalities)}"
        for modality, ids in sorted(lacking.items())
    ]
    return placed


def _told_apart(placed: Sequence[tuple[str, Case]]) -> list[Case]:
    """Cases with ids of their own: numbering may restart in each place and split.

    If it does so in any place, all ids have their place, or the last frame of the longest sequence
    would lack its patient. Those of a further test set are apart anyway: it changes no name of the
    others.
    """
    top = os.path.commonpath([place for place, _ in placed]) if placed else ""
    often = Counter((case.further, case.id) for _, case in placed)
    places = defaultdict(set)
    for place, case in placed:
        places[case.further, case.id].add(place)
    by_place = {further for (further, _), where in places.items() if len(where) > 1}
    cases = []
    for place, case in placed:
        is_own = often[case.further, case.id] == 1
        split = "" if case.further or is_own else case.split
        where = place.removeprefix(top).split("/") if case.further in by_place or not is_own else ()
        cases.append(case._replace(id="_".join(filter(None, (*where, split, case.id)))))
    return cases


def settle_splits(layout: Layout) -> None:
    """The folders' splits as train and test, or none; what cannot be meant becomes a problem."""
    splits = {case.split for case in layout.cases} & {"", "train", "val", "test"}
    if "" in splits and len(splits) > 1:
        named = ", ".join(sorted(splits - {""}))
        layout.problems.insert(
            0, f"some images lie in {named}/ and others in no split: move them into one"
        )
    elif splits == {"train", "val"}:
        layout.notes.append("the validation folder is taken as the test set")
    elif splits == {"train"}:
        layout.notes.append("there is no test folder: the test set is drawn from the train folder")
    settled = {
        "val": "val" if "test" in splits else "test",
        "train": "" if splits == {"train"} else "train",
    }
    for cases in (layout.cases, layout.without_mask):
        cases[:] = [case._replace(split=settled.get(case.split, case.split)) for case in cases]
