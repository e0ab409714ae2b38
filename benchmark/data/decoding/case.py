"""One case from its files to the arrays that are stored: checked, resized or cropped."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Shaped, UInt, UInt8
from numpy import ndarray
from PIL import Image

from benchmark.data.arrays import is_row
from benchmark.data.card import Card
from benchmark.data.decoding import greys, images, masks, rasters, volumes
from benchmark.data.decoding.greys import Limits, Stored
from benchmark.data.decoding.masks import Mask
from benchmark.data.decoding.volumes import InSpace, split_key
from benchmark.data.layouts import Case
from benchmark.data.prepared import NO_MASK
from benchmark.data.source import Source
from benchmark.wording import counted

# UA-MT draws its margins from 10 to 20 voxels, without a seed, and keeps at least 112.
_CROP_MARGIN, _CROP_LEAST = 15, 112
_IN_MEMORY = "the array"
_MUCH_SHARED = 0.1  # of the masks of one image, together


class Seen(StrEnum):
    """What a user should know of a case."""

    LOST_CLASS = "lost class"
    """By resizing: what there was of it is too small."""
    CLIPPED_CLASS = "clipped class"
    """Most of a class is beyond the grey values that are kept."""
    CRUSHED = "crushed"
    """Few grey levels are left, and there were many more."""
    CONSTANT = "constant"
    """One grey value everywhere."""
    WAS_COLOUR = "was colour"
    """Grey now, because the card says so."""
    BY_ORDER = "by order"
    """An affine is the identity and does not fit: mask and image are paired voxel by voxel."""
    OTHER_SPACING = "other spacing"
    """The file, which names no unit, has another voxel size than the card."""
    IMAGE_AGAIN = "image again"
    """The mask is the image, pixel for pixel."""
    FILLED_UP = "filled up"
    """The mask's file holds a part of the image, and where it lies."""
    TURNED = "turned"
    """By its EXIF orientation, which its mask lacks, and the sizes fit with and without."""
    NO_BACKGROUND = "no background"
    """No pixel of the mask is background."""
    BELOW_RULE = "below rule"
    """The mask holds something, and nothing above the N of the card's "> N"."""
    LOW_RULE = "low rule"
    """The mask is soft and of a range in which that N is next to nothing."""
    HAS_RIM = "has rim"
    """The mask is soft, and its rule takes the faintest shade for the object."""
    UNITED = "united"
    """Several masks were taken together, and much of them is the same."""


class Decoded(NamedTuple):
    """A case as it is stored. The further fields are as of `prepared.CaseEntry`."""

    image: UInt[ndarray, "*s c"]
    mask: UInt8[ndarray, "*s"]
    source_shape: tuple[int, ...]
    levels: int
    seen: frozenset[Seen] = frozenset()
    mean: float | list[float] | None = None
    std: float | list[float] | None = None
    spacing: tuple[float, ...] = ()
    affine: ndarray | None = None
    start: tuple[int, ...] = ()
    values: tuple[float, ...] = ()
    """Of the foreground in the mask's files, where the card says "binary"."""


def decode(source: Source, card: Card, case: Case) -> Decoded:
    """Image and mask of a case, checked, at the card's size.

    Raises ValueError or OSError that says what is wrong with which file.
    """
    names = (*case.images, *case.masks)
    if card.is_volume:
        return _volume({name: _read(source, name, case.axes) for name in names}, card, case)
    return _image({name: _raster(source, name) for name in names}, card, case)


def decode_array(
    array: Shaped[ndarray, "..."], card: Card, affine: Float[ndarray, "4 4"] | None = None
) -> Decoded:
    """The same of an image in memory, without a mask: raw grey values, as its file would hold them.

    array: (h, w) or (h, w, channel); of volumes (x, y, z) or (x, y, z, channel), which lie as the
    affine says, or nobody knows how. Raises ValueError that says what is wrong with it.
    """
    case = Case("", "", "", (_IN_MEMORY,), ())
    if card.is_volume:
        if array.ndim not in (3, 4) or not array.size:
            raise ValueError(f"a volume is (x, y, z) or (x, y, z, channel), got {array.shape}")
        return _volume({_IN_MEMORY: volumes.in_space(_IN_MEMORY, array, affine)}, card, case)
    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(f"an image is (h, w) or (h, w, channel), got {array.shape}")
    return _image({_IN_MEMORY: _Raster(b"", rasters.of_row(array))}, card, case)


def _image(rasters_of: Mapping[str, "_Raster"], card: Card, case: Case) -> Decoded:
    picture = _picture({name: rasters_of[name] for name in case.images}, card)
    image = picture.values
    parts = [images.as_mask(name, rasters_of[name].opened, card) for name in case.masks]
    for part in parts:
        _require_equal_size(image.shape[:2], part.classes.shape, case)
    mask = _united(parts, card, image.shape[:2])
    small = images.resize_mask(mask, card.size)
    has_object = bool(parts) and bool(mask.any())
    seen = {
        Seen.LOST_CLASS: bool(parts) and bool(images.lost_classes(mask, small)),
        Seen.WAS_COLOUR: picture.was_colour,
        Seen.CONSTANT: _is_constant(image),
        Seen.IMAGE_AGAIN: has_object and _is_image_again(rasters_of, case),
        Seen.TURNED: has_object and _is_turned_alone(rasters_of, case, image.shape[:2]),
        **_seen_in_masks(parts, mask),
    }
    resized = images.resize_image(image, card.size)
    return Decoded(
        image=resized,
        mask=small,
        source_shape=image.shape[:2],
        levels=greys.in_use(resized),
        seen=_those(seen),
        values=_values(parts),
    )


class _Raster(NamedTuple):
    """Of a file of an image or mask: its content, and as `rasters.opened`."""

    content: bytes
    opened: Image.Image | Shaped[ndarray, "h w c"]


def _raster(source: Source, name: str) -> _Raster:
    if is_row(name):
        row = source.arrays.row(name)
        return _Raster(row.tobytes(), rasters.of_row(row))
    content = source.read(name)
    return _Raster(content, rasters.opened(name, content))


def _picture(files: Mapping[str, _Raster], card: Card) -> images.Picture:
    """Of one file, or of one for each channel."""
    one = card if len(files) == 1 else card.model_copy(update={"channels": 1})
    found = [images.as_picture(name, raster.opened, one) for name, raster in files.items()]
    return found[0] if len(found) == 1 else images.joined(", ".join(files), found)


def _is_image_again(files: Mapping[str, _Raster], case: Case) -> bool:
    """Also where the one is stored as PNG, and the other as BMP."""
    return any(
        files[mask].content == files[image].content
        or np.array_equal(np.asarray(files[mask].opened), np.asarray(files[image].opened))
        for mask in case.masks
        for image in case.images
    )


def _is_turned_alone(files: Mapping[str, _Raster], case: Case, sides: tuple[int, ...]) -> bool:
    """Was the image turned and the mask not, or otherwise, in a way that sizes do not tell?"""
    of_image, of_mask = (
        {rasters.orientation(files[name].opened) for name in names}
        for names in (case.images, case.masks)
    )
    fit_shows = bool((of_image | of_mask) & rasters.SWAP_SIDES) and sides[0] != sides[1]
    return of_image != of_mask and not fit_shows


def _values(parts: Sequence[Mask]) -> tuple[float, ...]:
    return tuple(sorted({part.value for part in parts} - {0.0}))


def _volume(volumes_of: Mapping[str, InSpace], card: Card, case: Case) -> Decoded:
    files = [volumes_of[name] for name in case.images]
    image = _joined(files, card)
    sides = image.array.shape[:3]
    layers = [volumes_of[name] for name in case.masks]
    for layer in layers:
        if layer.array.ndim > 3:
            n = layer.array.shape[3]
            raise ValueError(f"{layer.name} holds {n} layers: export one map of labels")
    fitted = [volumes.turned_like(layer, files[0], is_mask=True) for layer in layers]
    for one in fitted:
        _require_equal_size(sides, one.array.shape, case)
    pairs = zip(fitted, case.masks, strict=True)
    parts = [masks.read(one.array, card, name) for one, name in pairs]
    mask = _united(parts, card, sides)
    box = (slice(None),) * 3
    if card.crop == "label_box" and parts:
        box = volumes.label_box(mask, _CROP_MARGIN, _CROP_LEAST)
    channels = np.moveaxis(image.array, -1, 0)
    within = [_limits(channel, card) for channel in channels]
    kept = [
        greys.stored(channel, limits, is_standardised=case.is_standardised)
        for channel, limits in zip(channels, within, strict=True)
    ]
    spacing = _spacing(image, card, case)
    seen = {
        Seen.BY_ORDER: any(one.by_order for one in fitted),
        Seen.FILLED_UP: any(one.was_part for one in fitted),
        Seen.IMAGE_AGAIN: bool(mask.any())
        and any(np.array_equal(mine.array, file.array) for mine in layers for file in files),
        Seen.OTHER_SPACING: bool(image.spacing) and not _are_close(spacing, image.spacing),
        Seen.CLIPPED_CLASS: bool(parts)
        and any(map(_clips_a_class, channels, within, [mask] * len(kept))),
        Seen.CRUSHED: any(one.was_crushed for one in kept),
        Seen.CONSTANT: any(one.levels == 1 for one in kept),
        **_seen_in_masks(parts, mask),
    }
    return Decoded(
        image=_together(kept)[box],
        mask=mask[box],
        source_shape=files[0].array.shape[:3],
        levels=min(one.levels for one in kept),
        seen=_those(seen),
        mean=_one_or_all([one.mean for one in kept]),
        std=_one_or_all([one.std for one in kept]),
        spacing=spacing,
        affine=files[0].affine,
        values=_values(parts),
        start=() if card.crop == "none" else tuple(side.start or 0 for side in box),
    )


def _read(source: Source, name: str, axes: str) -> InSpace:
    found = volumes.read_volume(name, source.read(split_key(name)[0]))
    return found if axes == "xyz" else volumes.of_simpleitk(found)


def _joined(files: Sequence[InSpace], card: Card) -> InSpace:
    """All channels (x, y, z, c), turned, whether of one file or of a file each."""
    first = volumes.turned(files[0])
    arrays = [first.array, *(volumes.turned_like(file, files[0]).array for file in files[1:])]
    for file, array in zip(files, arrays, strict=True):
        greys.require_numbers(array, file.name)
        if array.shape[:3] != first.array.shape[:3]:
            raise ValueError(f"{file.name} has another size than {first.name}")
    arrays = [array if array.ndim == 4 else array[..., None] for array in arrays]
    joined = np.concatenate(arrays, -1)
    if joined.shape[-1] != card.channels:
        raise ValueError(
            f"{counted(joined.shape[-1], 'channel')} in {', '.join(file.name for file in files)} "
            f"({_by(joined.shape)}, channels last), and channels: {card.channels} in the card"
        )
    return first._replace(array=joined)


def _limits(channel: ndarray, card: Card) -> Limits:
    """Bytes are kept as they are, unless the card says otherwise."""
    if channel.dtype == np.uint8 and not (card.window or card.clip):
        return Limits(0.0, 255.0)
    return greys.limits(channel, card.window, card.clip or greys.DEFAULT_CLIP)


def _clips_a_class(channel: ndarray, within: Limits, mask: UInt8[ndarray, "x y z"]) -> bool:
    """Does most of a foreground class lie beyond what is kept, and show nothing then?"""
    beyond = (channel < within.low) | (channel > within.high)
    return any(beyond[mask == number].mean() > 0.5 for number in _present(mask) if number)


def _together(kept: Sequence[Stored]) -> UInt[ndarray, "x y z c"]:
    dtype = np.result_type(*(one.values for one in kept))
    return np.stack([greys.widened(one.values, dtype) for one in kept], -1)


def _one_or_all(values: list[float]) -> float | list[float]:
    return values[0] if len(values) == 1 else values


def _spacing(image: InSpace, card: Card, case: Case) -> tuple[float, ...]:
    """Of the file, or the card's where the file says nothing or no unit.

    ValueError where a file that names its unit contradicts the card.
    """
    found, said = image.spacing, tuple(card.spacing)
    if not (found and said):
        return found or said
    if image.names_unit and not _are_close(found, said):
        raise ValueError(
            f"voxels of {_by(found)} mm in {case.images[0]}, {_by(said)} mm in the card: take "
            "spacing out of it, and the files' own counts"
        )
    return found if image.names_unit else said


def _are_close(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return len(one) == len(other) and np.allclose(one, other, rtol=0.01)


def _united(parts: Sequence[Mask], card: Card, shape: tuple[int, ...]) -> UInt8[ndarray, "*s"]:
    """One mask of several files; of classes it is not said which of two would win.

    Of an image without a mask `NO_MASK` everywhere.
    """
    if not parts:
        return np.full(shape, NO_MASK, np.uint8)
    if len(parts) > 1 and card.mask == "labels":
        raise ValueError(
            f"{len(parts)} masks for one image, and mask: labels: put the classes into one file"
        )
    return np.maximum.reduce([part.classes for part in parts])


def _seen_in_masks(parts: Sequence[Mask], united: UInt8[ndarray, "*s"]) -> dict[Seen, bool]:
    """Of the masks of one image, and of all together."""
    sizes = [int((part.classes > 0).sum()) for part in parts]
    shared = sum(sizes) - int((united > 0).sum()) if len(parts) > 1 else 0
    return {
        Seen.NO_BACKGROUND: bool(parts) and bool(united.all()),
        Seen.BELOW_RULE: bool(parts) and all(part.is_below_rule for part in parts),
        Seen.LOW_RULE: any(part.is_low_rule for part in parts),
        Seen.HAS_RIM: any(part.has_rim for part in parts),
        Seen.UNITED: shared > _MUCH_SHARED * sum(sizes),
    }


def _require_equal_size(image: tuple[int, ...], mask: tuple[int, ...], case: Case) -> None:
    if image != mask:
        is_turned = len(image) == 2 and image == mask[::-1]
        why = (
            " (was the image or the mask turned, perhaps by an EXIF orientation?)"
            if is_turned
            else ""
        )
        raise ValueError(
            f"the mask has another size than the image: {_by(mask)} in {', '.join(case.masks)}, "
            f"{_by(image)} in {', '.join(case.images)}{why}"
        )


def _by(shape: tuple[int | float, ...]) -> str:
    """Width × height of images, x × y × z of volumes."""
    return "×".join(f"{side:g}" for side in (shape[::-1] if len(shape) == 2 else shape))


def _present(mask: UInt8[ndarray, "*s"]) -> list[int]:
    return np.flatnonzero(np.bincount(mask.ravel())).tolist()


def _is_constant(image: ndarray) -> bool:
    return bool((image == image.ravel()[0]).all())


def _those(seen: dict[Seen, bool]) -> frozenset[Seen]:
    return frozenset(what for what, is_so in seen.items() if is_so)
