"""One case from its files to arrays: decoded, checked against the card, resized or cropped."""

import io
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from benchmark.data import pool, volumes
from benchmark.data.cards import Card
from benchmark.data.readers import Case
from benchmark.data.source import Source

# UA-MT draws its margins from 10 to 20 voxels, without a seed, and keeps at least 112.
_CROP_MARGIN, _CROP_LEAST = 15, 112


class Decoded(NamedTuple):
    """A case as it is stored; mean and std of a volume."""

    image: UInt8[ndarray, "*s c"]
    mask: UInt8[ndarray, "*s"]
    mean: float | None = None
    std: float | None = None


def decode(source: Source, card: Card, case: Case) -> Decoded:
    """Image and mask of a case, checked, at the card's size.

    Raises ValueError or OSError that says what is wrong with which file.
    """
    return (_decode_volume if card.is_volume else _decode_image)(source, card, case)


def _decode_image(source: Source, card: Card, case: Case) -> Decoded:
    image = _image(_open(source, case.image), card)
    values = _grey(_open(source, case.mask), card.mask_channel)
    _require_equal_size(image.shape[:2], values.shape, case)
    mask = _classes(values, card)
    return Decoded(pool.resize_image(image, card.size), pool.resize_mask(mask, card.size))


def _decode_volume(source: Source, card: Card, case: Case) -> Decoded:
    values, labels = (
        volumes.read_array(name, source.read(volumes.split_key(name)[0]))
        for name in (case.image, case.mask)
    )
    _require_equal_size(values.shape, labels.shape, case)
    mask = _classes(labels, card)
    volume = volumes.compact(values, is_standardised=bool(volumes.split_key(case.image)[1]))
    box = (slice(None),) * 3
    if card.crop == "label_box":
        box = volumes.label_box(mask, _CROP_MARGIN, _CROP_LEAST)
    return Decoded(volume.image[box], mask[box], volume.mean, volume.std)


def _require_equal_size(image: tuple[int, ...], mask: tuple[int, ...], case: Case) -> None:
    if image != mask:
        raise ValueError(
            f"the mask has another size than the image: {_by(mask)} in {case.mask}, "
            f"{_by(image)} in {case.image}"
        )


def _by(shape: tuple[int, ...]) -> str:
    """Width × height of images, x × y × z of volumes."""
    return "×".join(map(str, shape if len(shape) == 3 else shape[::-1]))


def _open(source: Source, name: str) -> Image.Image:
    content = source.read(name)
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except UnidentifiedImageError:
        raise ValueError(f"{name} is not an image ({len(content):,} bytes)") from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    return image


def _image(image: Image.Image, card: Card) -> UInt8[ndarray, "h w c"]:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"the image has more than 8 bits per channel (mode {image.mode})")
    array = np.asarray(image.convert("RGB" if card.channels == 3 else "L"))
    return array.reshape(*array.shape[:2], card.channels)


def _classes(values: ndarray, card: Card) -> UInt8[ndarray, "*s"]:
    """Classes 0 … k-1 by the card's rule; ValueError for values that the rule does not expect."""
    present = np.unique(values)
    listed = ", ".join(map(str, present[:6])) + (" …" if len(present) > 6 else "")
    if card.mask == "labels":
        if present.max() >= len(card.classes):
            raise ValueError(
                f"mask values {listed}, but classes 0 … {len(card.classes) - 1} ({card.name}.yaml)"
            )
        return values.astype(np.uint8)
    if card.mask == "binary" and len(present[present > 0]) > 1:
        raise ValueError(
            f'mask values {listed}, but the card says "mask: binary" (0 and one other); '
            'use "nonzero" for instance numbers or "> 127" for grey levels'
        )
    above = 0 if card.mask in ("binary", "nonzero") else int(card.mask.removeprefix(">"))
    return (values > above).astype(np.uint8)


def _grey(image: Image.Image, channel: int | None) -> ndarray:
    """The one channel that holds the classes; bits are 0 and 255."""
    if channel is not None:
        return np.asarray(image.convert("RGB"))[..., channel]
    values = np.asarray(image.convert("L") if image.mode == "1" else image)
    if values.ndim == 3:
        values = values[..., :3] if values.shape[-1] > 2 else values[..., :1]
        if (values != values[..., :1]).any():
            raise ValueError("a colour mask; name its channel with mask_channel in the card")
        values = values[..., 0]
    return values
