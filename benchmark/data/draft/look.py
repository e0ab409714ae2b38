"""What a folder of images and masks holds, as far as a card has to say it."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pydantic
from numpy import ndarray
from PIL import Image

from benchmark.data.card import Card
from benchmark.data.decoding import images, masks, rasters, volumes
from benchmark.data.draft import mask_rule
from benchmark.data.draft.mask_rule import Values
from benchmark.data.layouts import Case, Layout, dataset_json, read
from benchmark.data.layouts.pairs import PICTURES, VOLUMES, stem_of
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError
from benchmark.wording import command, counted, shortened, times

_LOOKED_AT = 20  # images; masks are all read, for a class may stand in one of them
_MOST_COLOURS = 50
_MULTIPLE, _LEAST, _LARGEST = 32, 128, 512  # pixels of a side as prepared
_CHANNEL = re.compile(r".*(_\d{4})")
_ALPHA = 3
_THICK = 3  # times as far from slice to slice as within one


class Found(NamedTuple):
    """Fields of a card, a remark on some of them, and what to know besides."""

    fields: dict[str, Any]
    remarks: dict[str, str]
    notes: list[str]


def found(name: str, path: Path) -> Found:
    """What the folder (zip, tar) holds. `UserError` (exit code 3) where that is no card's matter.

    name: of the dataset.
    """
    source = Source(path)
    if dataset_json.find(source) is not None:
        typed = command("bench", "data", "prepare", f"nnunet:{name}", "--from", path)
        raise UserError(f"{path} has a dataset.json and needs no card: {typed}", ExitCode.DATA)
    kinds = Counter(_kind(file) for file in source.files)
    is_volume = kinds["volume"] > kinds["picture"]
    fields: dict[str, Any] = {"name": name} | ({"is_volume": True} if is_volume else {})
    if modalities := _modalities(source.files):
        fields |= {"modalities": modalities, "channels": len(modalities)}
    layout = read(source, _card(fields | {"unlabelled": "missing"}, path))
    if layout.problems:
        lines = (f"\n  {problem}" for problem in layout.problems)
        raise UserError(f"{path} must be mended first:{''.join(lines)}", ExitCode.DATA)
    masked = [case for case in layout.cases if case.masks]
    look = _look_at_volumes if is_volume else _look_at_pictures
    fields["readers"] = ["volume_pairs" if is_volume else "pairs"]
    try:
        made = look(source, masked, bool(modalities))
        rule = mask_rule.of(_mask_values(source, masked, is_volume=is_volume))
    except ValueError as error:  # it names the file
        raise UserError(f"{path}: {error}: mend or remove it", ExitCode.DATA) from error
    fields |= made.fields | rule.fields
    remarks = made.remarks | {"mask": rule.remark, "readers": _endings(masked)}
    fields |= _splits(layout, remarks)
    _card(fields, path)  # or it could not be read again
    return Found(fields, remarks, [*made.notes, *_groups(masked)])


def _card(fields: dict[str, Any], path: Path) -> Card:
    try:
        return Card(**fields)
    except pydantic.ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise UserError(f"no card can say what lies in {path}: {said}", ExitCode.DATA) from error


def _endings(cases: Sequence[Case]) -> str:
    """How many images and masks, and of which endings."""
    of = {"images": [c.images[0] for c in cases], "masks": [m for c in cases for m in c.masks]}
    return ", ".join(
        f"{len(files)} {what} ({', '.join(sorted({_ending(file) for file in files}))})"
        for what, files in of.items()
    )


def _ending(file: str) -> str:
    stem = stem_of(file, (*VOLUMES, *PICTURES))
    return file.rpartition("/")[2][len(stem) :] if stem else ""


def _kind(file: str) -> str:
    if stem_of(file, VOLUMES) is not None:
        return "volume"
    return "picture" if stem_of(file, PICTURES) is not None else ""


def _modalities(files: Sequence[str]) -> list[str]:
    """_0000, _0001, … where files end so, as nnU-Net numbers channels; [] without a second one."""
    stems = (stem_of(file, (*VOLUMES, *PICTURES)) for file in files)
    ends = {match[1] for stem in stems if stem and (match := _CHANNEL.fullmatch(stem))}
    return sorted(ends) if {"_0000", "_0001"} <= ends else []


def _splits(layout: Layout, remarks: dict[str, str]) -> dict[str, Any]:
    """Whether a test set is drawn, and what becomes of images without masks."""
    fields: dict[str, Any] = {}
    if any(not case.split for case in layout.cases if case.masks):
        fields["test_share"] = 0.2
        remarks["test_share"] = "drawn by a hash of names; no folder says which are for testing"
    lone = [c for c in layout.cases if not c.masks and not _in_unlabelled(c)]
    if lone:
        fields["unlabelled"] = "missing"
        remarks["unlabelled"] = (
            f"{counted(len(lone), 'image')} without a mask: leave this out, and they are refused, "
            "for most often a mask is missing by mistake"
        )
    return fields


def _in_unlabelled(case: Case) -> bool:
    folders = {part.lower() for path in case.images for part in path.split("/")[:-1]}
    return bool(folders & {"unlabelled", "unlabeled"})


def _look_at_pictures(source: Source, cases: Sequence[Case], has_modalities: bool) -> Found:
    opened = [
        rasters.opened(name, source.read(name)) for case in _some(cases) for name in case.images[:1]
    ]
    sides = [_sides(one) for one in opened]
    size = [_as_prepared(float(median(side))) for side in zip(*sides, strict=True)]
    fields: dict[str, Any] = {"size": size}
    came = sorted(set(sides))
    remarks = {
        "size": f"images are {times(came[0])}" + (f" to {times(came[-1])}" if len(came) > 1 else "")
    }
    if not has_modalities:
        is_coloured = any(map(_is_coloured, opened))
        fields["channels"] = 3 if is_coloured else 1
        remarks["channels"] = "colour" if is_coloured else "grey"
    if any(isinstance(one, ndarray) and _needs_limits(one) for one in opened):
        fields["clip"] = [0.5, 99.5]
        remarks["clip"] = "percentiles that are kept; or a window: [least, greatest] of greys"
    return Found(fields, remarks, [])


def _sides(image: Image.Image | ndarray) -> tuple[int, int]:
    return image.shape[:2] if isinstance(image, ndarray) else (image.height, image.width)


def _as_prepared(side: float) -> int:
    return min(_LARGEST, max(_LEAST, _MULTIPLE * round(side / _MULTIPLE)))


def _is_coloured(image: Image.Image | ndarray) -> bool:
    values = image if isinstance(image, ndarray) else np.asarray(image.convert("RGB"))
    return values.shape[-1] > 2 and bool((values[..., :1] != values[..., 1:3]).any())


def _needs_limits(values: ndarray) -> bool:
    """Are these no grey values that can be stored as they are?"""
    return values.dtype.kind == "f" or values.min() < 0 or values.max() > np.iinfo(np.uint16).max


def _look_at_volumes(source: Source, cases: Sequence[Case], has_modalities: bool) -> Found:
    opened = [
        volumes.turned(volumes.read_volume(name, source.read(name)))
        for case in _some(cases)
        for name in case.images[:1]
    ]
    shapes = sorted({one.array.shape[:3] for one in opened})
    fields: dict[str, Any] = {}
    if not has_modalities:
        first = opened[0].array
        fields["channels"] = first.shape[3] if first.ndim > 3 else 1
    spacings = sorted({one.spacing for one in opened if one.spacing})
    said = f"{times(shapes[0])}" + (f" to {times(shapes[-1])}" if len(shapes) > 1 else "")
    remarks = {"is_volume": f"{said} voxels"}
    notes = []
    if spacings:
        mm = " × ".join(f"{side:g}" for side in spacings[0])
        remarks["is_volume"] += f" of {mm} mm" + (" and others" if len(spacings) > 1 else "")
    else:
        notes.append("spacing: [1, 1, 1]   # mm per voxel: the files do not say it")
    if any(one[2] > _THICK * max(one[:2]) for one in spacings):
        notes.append("dims: 2   # slices are thick: train on them, and evaluate volumes")
    return Found(fields, remarks, notes)


def _some(cases: Sequence[Case]) -> Sequence[Case]:
    """From all over the cases."""
    return cases[:: max(1, len(cases) // _LOOKED_AT)][:_LOOKED_AT]


def _mask_values(source: Source, cases: Sequence[Case], *, is_volume: bool) -> Values:
    """Of all masks."""
    numbers: set[float] = set()
    colours: set[str] = set()
    channel, are_lossy, most = None, False, 1
    for name in (name for case in cases for name in case.masks):
        content = source.read(name)
        if is_volume:
            array = volumes.read_volume(name, content).array
            masks.require_numbers(array, name)
            own = set(np.unique(array).tolist())
            numbers, most = numbers | own, max(most, len(own - {0}))
            continue
        image = rasters.opened(name, content)
        are_lossy |= getattr(image, "format", None) in ("JPEG", "MPO")
        plain = Card(name="x", mask="labels", mask_channel=channel)
        try:
            own = set(np.unique(images.one_channel(name, image, plain)).tolist())
            numbers, most = numbers | own, max(most, len(own - {0}))
        except ValueError:  # no grey mask: coloured, or with its object in the alpha channel
            if _is_coloured(image):
                colours |= _colours(name, image)
            else:
                channel = _ALPHA
                numbers |= set(np.unique(np.asarray(image)[..., -1]).tolist())
    return Values(frozenset(numbers), frozenset(colours), channel, are_lossy, most)


def _colours(name: str, image: Image.Image | ndarray) -> set[str]:
    values = image if isinstance(image, ndarray) else np.asarray(image.convert("RGB"))
    found = np.unique(values[..., :3].reshape(-1, 3), axis=0)
    if len(found) > _MOST_COLOURS:
        raise UserError(
            f"{name} has {len(found)} colours, too many for a mask of classes: save masks without "
            "loss, as PNG, one colour or number for each class",
            ExitCode.DATA,
        )
    return {"#" + "".join(f"{value:02x}" for value in one) for one in found.tolist()}


def _groups(cases: Sequence[Case]) -> list[str]:
    """A pattern for patients, where ids begin alike."""
    starts = Counter(re.split(r"[_-]", case.id)[0] for case in cases)
    has_both = all(re.search(r"[_-]", case.id) for case in cases)
    if not has_both or not 1 < len(starts) < len(cases):
        return []
    return [
        f"group: '^([^_-]+)'   # if {shortened(sorted(starts))} are patients, of whom each stays "
        "on one side of the split"
    ]
