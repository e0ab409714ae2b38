"""Pictures (PNG, BMP, JPEG, TIFF): opened upright, to grey values or colours, and resized."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt, UInt8
from numpy import ndarray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from benchmark.data.card import Card
from benchmark.data.decoding import greys, masks, volumes

_MOST_PIXELS = 2**30
_ALPHA = 3
# Where the files say how many bits a channel has: a byte of a PNG's header, a TIFF's BitsPerSample.
_PNG_DEPTH, _TIFF_DEPTH = 24, 258


class Picture(NamedTuple):
    """values: bytes, or 16-bit numbers where the file has such."""

    values: UInt[ndarray, "h w c"]
    was_colour: bool = False
    """And is grey now, because the card says so."""


def read_image(name: str, content: bytes, card: Card) -> Picture:
    """The picture with the card's channels; ValueError that says what is wrong with the file."""
    raw = _opened(name, content)
    if _has_deep_colours(raw, content):
        if raw.getexif().get(ExifTags.Base.Orientation, 1) != 1:
            raise ValueError(f"{name} has 16 bits per colour and an EXIF orientation: turn it")
        return Picture(_of_deep_colours(name, content, card))
    image = _upright(raw)
    if image.mode.startswith(("I", "F")):
        values = _of_numbers(name, np.asarray(image), card)
        return Picture(np.repeat(values[..., None], card.channels, -1))
    array = np.asarray(image.convert("RGB" if card.channels == 3 else "L"))
    array = array.reshape(*array.shape[:2], card.channels)
    was_colour = card.channels == 1 and _is_coloured(image)
    if card.window or card.clip:
        within = greys.limits(array, card.window, card.clip)
        array = greys.stored(array, within).values
    return Picture(array, was_colour)


def _is_coloured(image: Image.Image) -> bool:
    if image.mode in ("1", "L", "LA"):
        return False
    colours = np.asarray(image.convert("RGB"))
    return bool((colours != colours[..., :1]).any())


def _of_numbers(name: str, values: ndarray, card: Card) -> UInt[ndarray, "h w"]:
    """One channel of more than 8 bits: 16-bit numbers as they are, others within the card's limits.

    As they are, or the brightness of one picture could not be compared with another's.
    """
    greys.require_numbers(values, name)
    if card.window or card.clip:
        return greys.stored(values, greys.limits(values, card.window, card.clip)).values
    if values.min() < 0 or values.max() > 65535 or values.dtype.kind == "f":
        low, high = (float(f"{v:.4g}") for v in (values.min(), values.max()))
        raise ValueError(
            f"{name} holds grey values from {low:g} to {high:g}, of {values.dtype}: which of them "
            f"are black and white the card must say, such as window: [{low:g}, {high:g}] (the same "
            "for all images) or clip: [0.5, 99.5] (percentiles of each)"
        )
    return values.astype(np.uint16)


def _has_deep_colours(image: Image.Image, content: bytes) -> bool:
    """Several channels of 16 bits: Pillow would take the upper 8 of each."""
    if image.mode.startswith(("I", "F")):
        return False
    if image.format == "PNG":
        return content[_PNG_DEPTH] == 16
    return image.format == "TIFF" and max(image.tag_v2.get(_TIFF_DEPTH, (8,))) == 16


def _of_deep_colours(name: str, content: bytes, card: Card) -> UInt[ndarray, "h w c"]:
    """Those channels; where the card has one, they must be equal."""
    values = volumes.with_simpleitk(name, content)[0]
    values = values[..., :1] if values.shape[-1] < 3 else values[..., :3]
    if card.channels == 1 and (values != values[..., :1]).any():
        raise ValueError(
            f"{name} is a colour picture of 16 bits per channel, and the card has channels: 1"
        )
    channels = [_of_numbers(name, channel, card) for channel in np.moveaxis(values, -1, 0)]
    return np.stack([channels[c % len(channels)] for c in range(card.channels)], -1)


def read_mask(name: str, content: bytes, card: Card) -> tuple[UInt8[ndarray, "h w"], bool]:
    """Classes, and whether it holds something that is all below the card's rule."""
    image = _upright(_opened(name, content))
    if any(isinstance(key, str) for key in card.values):
        return masks.of_colours(np.asarray(image.convert("RGB")), card, name), False
    values = _one_channel(name, image, card)
    return masks.classes(values, card, name), masks.is_below_rule(values, card)


def _one_channel(name: str, image: Image.Image, card: Card) -> ndarray:
    """The one channel that holds the classes; bits are 0 and 1 of classes, 0 and 255 of greys."""
    if (channel := card.mask_channel) is not None:
        return np.asarray(image.convert("RGBA" if channel == _ALPHA else "RGB"))[..., channel]
    if image.mode in ("P", "PA"):
        return _of_palette(name, image, card.mask)
    if image.mode == "1":
        return np.asarray(image if card.mask == "labels" else image.convert("L"))
    values = np.asarray(image)
    if values.ndim == 2:
        return values
    colours = values[..., :3] if values.shape[-1] > 2 else values[..., :1]
    if (colours != colours[..., :1]).any():
        raise ValueError(
            f"{name} is coloured: name its channel with mask_channel in the card, or the class of "
            'each colour, as in values: {"#000000": 0, "#ff0000": 1} (with mask: labels)'
        )
    if values.shape[-1] in (2, 4) and np.ptp(colours) == 0 and np.ptp(values[..., -1]) > 0:
        raise ValueError(
            f"{name} has one colour everywhere, and the object in the alpha channel: "
            f"mask_channel: {_ALPHA} in the card reads that"
        )
    return colours[..., 0]


def _of_palette(name: str, image: Image.Image, rule: str) -> ndarray:
    """The greys of a grey palette, whose entries a quantiser orders as it likes.

    Of a palette of colours the numbers of its entries, as of PASCAL VOC's, where each class has a
    colour; also of greys that are classes ("labels") and ascend with their numbers.
    """
    colours = np.asarray(image.convert("RGB"))
    numbers = np.asarray(image if image.mode == "P" else image.getchannel(0))
    is_grey = bool((colours == colours[..., :1]).all())
    if rule.startswith(">") and not is_grey:
        raise ValueError(
            f'{name} has a palette of colours, and the card a rule for greys; "labels" takes the '
            "numbers of its entries"
        )
    _, first = np.unique(numbers, return_index=True)
    shades = colours[..., 0].ravel()[first].tolist()
    are_classes = rule == "labels" and shades == sorted(shades)
    return colours[..., 0] if is_grey and not are_classes else numbers


def _opened(name: str, content: bytes) -> Image.Image:
    try:
        with _without_limit():
            image = Image.open(io.BytesIO(content))
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError(f"{name} has {image.width:,}×{image.height:,} pixels: cut it to tiles")
        # A photograph may hold a smaller copy of itself (MPO).
        if (pages := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
            raise ValueError(f"{name} has {pages} pages, and which of them counts is not said")
        image.load()
    except UnidentifiedImageError:
        raise ValueError(f"{name} is not an image ({len(content):,} bytes)") from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    return image


def _upright(image: Image.Image) -> Image.Image:
    """As its EXIF orientation says, which cameras write and every viewer follows."""
    return ImageOps.exif_transpose(image)


@contextlib.contextmanager
def _without_limit() -> Iterator[None]:
    """Without Pillow's guard against small files of large pictures, which slides are."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def resize_image(image: UInt[ndarray, "h w c"], size: Sequence[int]) -> UInt[ndarray, "H W c"]:
    """Bilinear, antialiased where it shrinks."""
    if image.dtype == np.uint8:
        squeezed = image[..., 0] if image.shape[-1] == 1 else image
        return np.asarray(_bilinear(squeezed, size)).reshape(*size, image.shape[-1])
    channels = [
        np.asarray(_bilinear(c.astype(np.float32), size)) for c in np.moveaxis(image, -1, 0)
    ]
    return np.rint(np.stack(channels, -1)).astype(image.dtype)


def _bilinear(image: ndarray, size: Sequence[int]) -> Image.Image:
    return Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)


def resize_mask(mask: UInt8[ndarray, "h w"], size: Sequence[int]) -> UInt8[ndarray, "H W"]:
    """Nearest neighbour: classes stay classes."""
    return np.asarray(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))
