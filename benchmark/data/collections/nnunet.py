"""A card from a dataset.json: channels, classes, and what kind of files they are."""

import re
from collections import Counter

import numpy as np
import pydantic

from benchmark.data.card import Card
from benchmark.data.decoding import rasters
from benchmark.data.layouts import dataset_json, pairs
from benchmark.data.layouts.dataset_json import Description
from benchmark.data.layouts.nnunet import TRAINING, in_folder
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError
from benchmark.wording import shortened

READER = "nnunet"
_OWN_CARD = "write a card of your own, with readers: [nnunet]"
_LONGEST = 200  # characters of a title
_LARGEST, _MULTIPLE = 512, 32  # pixels of a side as prepared
_DEFAULT_SIZE = (128, 128)


def card(name: str, source: Source) -> Card:
    """The card of the dataset.json in the source, under the name that the user gives it.

    `UserError` for what a card cannot say, with what to write instead.
    """
    about = dataset_json.find(source)
    if about is None:
        raise UserError(
            f"{source.path} holds no dataset.json, which says what channels and classes there are "
            "(a folder of images and masks without one needs a card: docs/own-dataset.md)",
            ExitCode.DATA,
        )
    is_volume = _is_volume(about, source)
    channels = dataset_json.channels(about)
    if not channels:
        raise about.refusal(
            'it names no channels: channel_names (or modality), such as {"0": "CT"}, says how many '
            "there are"
        )
    fields = {
        "name": _card_name(name),
        "title": about.text("description", "name")[:_LONGEST],
        "readers": [READER],
        "is_volume": is_volume,
        **(_of_volumes if is_volume else _of_pictures)(about, source, channels),
        **_classes(about),
        "terms": about.text("licence", "license"),
        "citation": about.text("reference"),
    }
    try:
        return Card(**fields)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        said = first["msg"].removeprefix("Value error, ")
        raise about.refusal(f"{'.'.join(map(str, first['loc']))}: {said}") from error


def _card_name(name: str) -> str:
    """In the letters of a dataset's name."""
    made = re.sub(r"[-. ]", "_", name.lower())
    if not re.fullmatch(r"[a-z0-9_]{1,100}", made):
        raise UserError(
            f'nnunet:NAME names the dataset as you like, in letters, digits and _; got "{name}"'
        )
    return made


def _is_volume(about: Description, source: Source) -> bool:
    """By file_ending, or by the files where that is not said."""
    known = (*pairs.VOLUMES, *pairs.PICTURES)
    ending = about.text("file_ending").lower()
    if about.fields.get("overwrite_image_reader_writer") == "Tiff3DIO":
        raise about.refusal("three-dimensional TIFF is not read: convert the files to NIfTI")
    if ending and ending not in known:
        raise about.refusal(f"its file_ending is {ending}, and read are {', '.join(known)}")
    if not ending:
        files = [file for folder in TRAINING for file in in_folder(source, about, folder)]
        files = files or source.files
        endings = Counter(next((e for e in known if f.lower().endswith(e)), "") for f in files)
        ending = max(known, key=lambda one: endings[one])
    return ending in pairs.VOLUMES


def _of_volumes(about: Description, source: Source, channels: dict[int, str]) -> dict:
    """A file for each channel if their names end in numbers, or one for all."""
    ends = [f"_{number:04}" for number in channels]
    has_numbers = _ends_in(about, source, ends)
    return {"channels": len(channels), "modalities": ends if has_numbers else []}


def _of_pictures(about: Description, source: Source, channels: dict[int, str]) -> dict:
    """Grey, or coloured: in one file (NAME_0000.png may have colours), or in one for each colour.

    Of four channels in one file the last is the alpha channel.
    """
    ends = [f"_{number:04}" for number in channels]
    size = _size(about, source)
    if len(channels) in (3, 4) and not _ends_in(about, source, ends[1:]):
        return {"channels": 3, "size": size}
    if len(channels) not in (1, 3):
        raise about.refusal(
            f"it names {len(channels)} channels ({', '.join(channels.values())}), and pictures "
            f"have 1 (grey) or 3 (colour). To take some of them, {_OWN_CARD} and those you mean, "
            f"such as channels: 1 and modalities: [{ends[0]}]"
        )
    modalities = ends if _ends_in(about, source, ends) else []
    return {"channels": len(channels), "modalities": modalities, "size": size}


def _size(about: Description, source: Source) -> list[int]:
    """Height and width of the first picture, or smaller: what every network can halve five times.

    The default where it cannot be read, which will be said of it as of any other.
    """
    pictures = [
        name
        for name in in_folder(source, about, TRAINING[0])
        if pairs.stem_of(name, pairs.PICTURES) is not None
    ]
    try:
        first = np.asarray(rasters.opened(pictures[0], source.read(pictures[0])))
    except (IndexError, OSError, ValueError):
        return list(_DEFAULT_SIZE)
    scale = min(1.0, _LARGEST / max(first.shape[:2]))
    return [max(1, round(side * scale / _MULTIPLE)) * _MULTIPLE for side in first.shape[:2]]


def _ends_in(about: Description, source: Source, ends: list[str]) -> bool:
    """Does a training image have the name of a mask and one of these ends?

    Not that its own name ends so: cases may be numbered.
    """
    known = (*pairs.VOLUMES, *pairs.PICTURES)
    images, masks = (
        {pairs.stem_of(name, known) for name in in_folder(source, about, folder)} - {None}
        for folder in TRAINING
    )
    return any(f"{mask}{end}" in images for mask in masks for end in ends)


def _classes(about: Description) -> dict:
    """Names of the classes, and which numbers of masks are which class, if these are others."""
    labels = dataset_json.labels(about)
    for name, numbers in labels.items():
        if name.lower() == "ignore":
            raise about.refusal(
                f"its label {numbers[0]} is called ignore, and pixels that are to be ignored are "
                f"not supported. If no mask holds it, take it out; else {_OWN_CARD} and a class "
                f"for it, such as values: {{{numbers[0]}: 0}}"
            )
    _refuse_regions(about, labels)
    if not any(0 in numbers for numbers in labels.values()):
        labels = {"background": (0,), **labels}
    order = sorted(labels, key=lambda name: (0 not in labels[name], min(labels[name])))
    numbers = {number: place for place, name in enumerate(order) for number in labels[name]}
    if min(numbers) < 0:
        raise about.refusal(
            f"its label {min(numbers)} is negative. If that is to be a class or the background, "
            f"{_OWN_CARD} and values: {{{min(numbers)}: 0}}"
        )
    is_same = all(number == place for number, place in numbers.items())
    return {"classes": order, "mask": "labels", "values": {} if is_same else numbers}


def _refuse_regions(about: Description, labels: dict[str, tuple[int, ...]]) -> None:
    """Regions are classes if no pixel is in two of them."""
    numbers = [number for its in labels.values() for number in its]
    shared = {number for number in numbers if numbers.count(number) > 1}
    regions = [
        f"{name}: {', '.join(map(str, its))}" for name, its in labels.items() if shared & {*its}
    ]
    if not regions:
        return
    outer = max(labels, key=lambda name: len(labels[name]))
    values = {number: int(number in labels[outer]) for number in sorted({*numbers} - {0})}
    raise about.refusal(
        f"its labels are regions that overlap ({shortened(regions, 6)}), and here a pixel is of "
        f"one class. {_OWN_CARD[0].upper()}{_OWN_CARD[1:]}, mask: labels, and the single labels as "
        f"classes; or one region, such as classes: [background, {outer}] with values: {values}"
    )
