"""Pictures: from what their files hold to grey values or colours and to classes; resized."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Shaped, UInt, UInt8
from numpy import ndarray
from PIL import Image

from benchmark.data.card import Card
from benchmark.data.decoding import greys, masks
from benchmark.data.decoding.masks import Mask

_ALPHA = 3


class Picture(NamedTuple):
    """values: bytes, or 16-bit numbers where the file has such."""

    values: UInt[ndarray, "h w c"]
    was_colour: bool = False
    """And is grey now, because the card says so."""


def as_picture(name: str, image: Image.Image | Shaped[ndarray, "h w n"], card: Card) -> Picture:
    """The opened picture with the card's channels; ValueError that says what is wrong with it."""
    if isinstance(image, ndarray) or image.mode.startswith(("I", "F")):
        return Picture(_of_numbers(name, np.atleast_3d(np.asarray(image)), card))
    array = np.asarray(image.convert("RGB" if card.channels == 3 else "L"))
    array = array.reshape(*array.shape[:2], card.channels)
    was_colour = card.channels == 1 and _is_coloured(image)
    if card.window or card.clip:
        within = greys.limits(array, card.window, card.clip)
        array = greys.stored(array, within).values
    return Picture(array, was_colour)


def joined(name: str, channels: Sequence[Picture]) -> Picture:
    """One picture of several that are a channel each; name: of its files, for messages."""
    sizes = {channel.values.shape[:2] for channel in channels}
    if len(sizes) > 1:
        raise ValueError(f"{name} are channels of one image, and have several sizes")
    dtype = np.result_type(*(channel.values for channel in channels))
    values = np.concatenate([greys.widened(channel.values, dtype) for channel in channels], -1)
    return Picture(values, any(channel.was_colour for channel in channels))


def _is_coloured(image: Image.Image) -> bool:
    if image.mode in ("1", "L", "LA"):
        return False
    colours = np.asarray(image.convert("RGB"))
    return bool((colours != colours[..., :1]).any())


def _of_numbers(name: str, values: Shaped[ndarray, "h w n"], card: Card) -> UInt[ndarray, "h w c"]:
    """Channels of more than 8 bits: 16-bit numbers as they are, others within the card's limits.

    As they are, or the brightness of one picture could not be compared with another's.
    """
    colours = _without_alpha(values)
    greys.require_numbers(colours, name)
    if card.channels == 1 and (colours != colours[..., :1]).any():
        raise ValueError(
            f"{name} is a colour picture of {colours.dtype} per channel, and the card has "
            "channels: 1"
        )
    if card.window or card.clip:
        found = greys.stored(colours, greys.limits(colours, card.window, card.clip)).values
    elif colours.min() >= 0 and colours.max() <= 65535 and colours.dtype.kind != "f":
        found = colours.astype(np.uint16)
    else:
        low, high = (float(f"{v:.4g}") for v in (colours.min(), colours.max()))
        raise ValueError(
            f"{name} holds grey values from {low:g} to {high:g}, of {colours.dtype}: which of them "
            f"are black and white the card must say, such as window: [{low:g}, {high:g}] (the same "
            "for all images) or clip: [0.5, 99.5] (percentiles of each)"
        )
    return found[..., [c % found.shape[-1] for c in range(card.channels)]]


def _without_alpha(values: Shaped[ndarray, "h w n"]) -> Shaped[ndarray, "h w c"]:
    return values[..., :3] if values.shape[-1] > 2 else values[..., :1]


def as_mask(name: str, image: Image.Image | Shaped[ndarray, "h w n"], card: Card) -> Mask:
    """What the opened picture says of each pixel; ValueError for what the card does not expect."""
    if any(isinstance(key, str) for key in card.values):
        if isinstance(image, ndarray):
            raise ValueError(f"{name} has colours of {image.dtype}: save it with 8 bits")
        _require_no_object_in_alpha(name, np.atleast_3d(np.asarray(image)))
        return Mask(masks.of_colours(np.asarray(image.convert("RGB")), card, name))
    values = one_channel(name, image, card)
    _require_lossless(name, image, values, card)
    return masks.read(values, card, name)


def _require_lossless(name: str, image: Image.Image | ndarray, values: ndarray, card: Card) -> None:
    """JPEG adds shades around each edge, which "nonzero" and "labels" would take for objects."""
    is_jpeg = getattr(image, "format", None) in ("JPEG", "MPO")
    takes_shades = card.mask in ("nonzero", "labels") or (
        card.mask.startswith(">") and masks.threshold(card) < 1
    )
    if is_jpeg and takes_shades and len(np.unique(values)) > 2:
        raise ValueError(
            f"{name} is a JPEG, which changes values near edges: masks must be lossless, or, of "
            'one class, read by mask: "> 127"'
        )


def one_channel(name: str, image: Image.Image | ndarray, card: Card) -> ndarray:
    """The one channel that holds the classes; bits are 0 and 1 of classes, 0 and 255 of greys."""
    if isinstance(image, Image.Image):
        if (channel := card.mask_channel) is not None:
            has_alpha = "A" in image.getbands() or "transparency" in image.info
            _require_alpha(name, channel, is_there=has_alpha)
            return np.asarray(image.convert("RGBA" if channel == _ALPHA else "RGB"))[..., channel]
        if image.mode in ("P", "PA"):
            return _of_palette(name, image, card)
        if image.mode == "1":
            are_classes = card.mask == "labels" and not card.values
            return np.asarray(image if are_classes else image.convert("L"))
    values = np.atleast_3d(np.asarray(image))
    if card.mask_channel is not None:
        _require_alpha(name, card.mask_channel, is_there=values.shape[-1] in (2, 4))
        return values[..., min(card.mask_channel, values.shape[-1] - 1)]
    colours = _without_alpha(values)
    if colours.shape[-1] > 1 and (colours != colours[..., :1]).any():
        raise ValueError(
            f"{name} is coloured: name its channel with mask_channel in the card, or the class of "
            'each colour, as in values: {"#000000": 0, "#ff0000": 1} (with mask: labels)'
        )
    _require_no_object_in_alpha(name, values)
    return colours[..., 0]


def _require_alpha(name: str, channel: int, *, is_there: bool) -> None:
    if channel == _ALPHA and not is_there:
        raise ValueError(f"{name} has no alpha channel, which the card's mask_channel names")


def _require_no_object_in_alpha(name: str, values: Shaped[ndarray, "h w n"]) -> None:
    if values.shape[-1] not in (2, 4) or np.ptp(values[..., -1]) == 0:
        return
    colours = _without_alpha(values)
    if (colours == colours[:1, :1]).all():
        raise ValueError(
            f"{name} has one colour everywhere, and the object in the alpha channel: "
            f"mask_channel: {_ALPHA} in the card reads that"
        )


def _of_palette(name: str, image: Image.Image, card: Card) -> ndarray:
    """The greys of a grey palette, whose entries a quantiser orders as it likes.

    Of a palette of colours the numbers of its entries, as of PASCAL VOC's, where each class has a
    colour and the background, black, is the first: of classes ("labels") also in a mask that
    happens to hold none but grey entries. Also of greys that are classes and ascend with their
    numbers, unless the card gives values a class.
    """
    colours = np.asarray(image.convert("RGB"))
    numbers = np.asarray(image if image.mode == "P" else image.getchannel(0))
    entries = np.array(image.getpalette("RGB")).reshape(-1, 3)
    used, first = np.unique(numbers, return_index=True)
    found = colours.reshape(-1, 3)[first]
    is_grey = _are_grey(entries) or (_are_grey(found) and len(used) > 1 and card.mask != "labels")
    if is_grey:
        shades = found[:, 0].tolist()
        are_classes = card.mask == "labels" and not card.values and shades == sorted(shades)
        return numbers if are_classes else colours[..., 0]
    if card.mask.startswith(">"):
        raise ValueError(
            f'{name} has a palette of colours, and the card a rule for greys; "labels" takes the '
            "numbers of its entries"
        )
    black = used[(found == 0).all(1)]
    if len(black) and black[0] != 0 and 0 in used:
        raise ValueError(
            f"{name} has a palette in which black is entry {black[0]} and entry 0 another colour: "
            "which is the background? Name the class of each colour in the card, as in mask: "
            'labels with values: {"#000000": 0, "#ff0000": 1}'
        )
    return numbers


def _are_grey(colours: UInt8[ndarray, "n 3"] | Shaped[ndarray, "n 3"]) -> bool:
    return bool((colours == colours[:, :1]).all())


def resize_image(image: UInt[ndarray, "h w c"], size: Sequence[int]) -> UInt[ndarray, "H W c"]:
    """Bilinear, antialiased where it shrinks."""
    if image.dtype == np.uint8 and image.shape[-1] in (1, 3):
        squeezed = image[..., 0] if image.shape[-1] == 1 else image
        return np.asarray(_bilinear(squeezed, size)).reshape(*size, image.shape[-1])
    if image.dtype == np.uint8:  # of two or four Pillow takes the last one for alpha
        return np.stack([np.asarray(_bilinear(c, size)) for c in np.moveaxis(image, -1, 0)], -1)
    channels = [
        np.asarray(_bilinear(c.astype(np.float32), size)) for c in np.moveaxis(image, -1, 0)
    ]
    return np.rint(np.stack(channels, -1)).astype(image.dtype)


def _bilinear(image: ndarray, size: Sequence[int]) -> Image.Image:
    return Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BILINEAR)


def lost_classes(mask: UInt8[ndarray, "h w"], resized: UInt8[ndarray, "H W"]) -> set[int]:
    """Foreground classes that resizing has taken out of a mask."""
    before, after = (set(np.flatnonzero(np.bincount(m.ravel())).tolist()) for m in (mask, resized))
    return before - after - {0}


def resize_mask(mask: UInt8[ndarray, "h w"], size: Sequence[int]) -> UInt8[ndarray, "H W"]:
    """Nearest neighbour: classes stay classes."""
    return np.asarray(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))
