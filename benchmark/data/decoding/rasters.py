"""Files of pictures (PNG, BMP, JPEG, TIFF) opened: upright, and with the numbers that they hold."""

import contextlib
import io
import struct
import warnings
from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped
from numpy import ndarray
from PIL import ExifTags, Image, UnidentifiedImageError

from benchmark.data.decoding import volumes

_MOST_PIXELS = 2**30
_TIFFS = (b"II*\0", b"MM\0*")
# Where the files say what a channel is: a byte of a PNG's header; tags of a TIFF.
_PNG_DEPTH = 24
_DEPTH, _MEANING, _SAMPLE = 258, 262, 339
_WHITE_IS_ZERO = 0
_UNSIGNED, _SIGNED = 1, 2
_TURNS = dict(enumerate(
    (
        Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90,
    ),
    start=2,
))  # fmt: skip
"""What an EXIF orientation asks for."""
SWAP_SIDES = frozenset({5, 6, 7, 8})
"""Orientations after which the width is the height."""
_ORIENTATION = "orientation that was followed"
_AS_RGB = ("CMYK", "YCbCr", "HSV", "RGBX")
"""Modes whose channels are no colours of light: of CMYK 255 is dark."""


def opened(name: str, content: bytes) -> Image.Image | Shaped[ndarray, "h w c"]:
    """The picture; an array where Pillow would change its numbers. ValueError if it is none."""
    image = _loaded(name, content)
    numbers = _numbers(name, content, image)
    if numbers is None:
        return _upright(_in_light(name, image))
    if orientation(image) in _TURNS:
        raise ValueError(f"{name} has an EXIF orientation and {numbers.dtype} per channel: turn it")
    return numbers


def _upright(image: Image.Image) -> Image.Image:
    """As every viewer turns it; mostly it is so already."""
    turn = _TURNS.get(_orientation(image))
    upright = image if turn is None else image.transpose(turn)
    upright.format = image.format
    return upright


def orientation(picture: Image.Image | Shaped[ndarray, "h w c"]) -> int:
    """Of an opened picture: 1, or the orientation in its EXIF, by which it has been turned."""
    return picture.info.get(_ORIENTATION, 1) if isinstance(picture, Image.Image) else 1


def _orientation(image: Image.Image) -> int:
    """What its EXIF says, as far as that can be read."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # of damaged tags there are many kinds
        return 1


def _in_light(name: str, image: Image.Image) -> Image.Image:
    """In colours of light, as what is white is the greatest number."""
    if image.mode not in _AS_RGB:
        if image.mode == "LAB":
            raise ValueError(f"{name} has L*a*b* colours, which are not read: save it as RGB")
        return image
    changed = image.convert("RGB")
    changed.format = image.format
    changed.info = image.info
    return changed


def of_row(row: Shaped[ndarray, "..."]) -> Image.Image | Shaped[ndarray, "h w c"]:
    """The same of a row of an array: (h, w), or (h, w, channel)."""
    values = row.view(np.uint8) if row.dtype == bool else row
    values = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    if values.ndim not in (2, 3):
        raise ValueError(f"a row of shape {row.shape} is no picture")
    is_picture = values.dtype == np.uint8 and (values.ndim == 2 or values.shape[-1] in (3, 4))
    return Image.fromarray(np.ascontiguousarray(values)) if is_picture else np.atleast_3d(values)


def _loaded(name: str, content: bytes) -> Image.Image:
    try:
        with _plainly():
            image = Image.open(io.BytesIO(content))
            _require_one(name, image)
            before = _orientation(image)  # a TIFF is turned by Pillow, which then says so no more
            image.load()
            image.info[_ORIENTATION] = before if before in _TURNS else _orientation(image)
    except UnidentifiedImageError:
        if content.startswith(_TIFFS):
            raise ValueError(
                f"{name} is a TIFF of a kind that is not read, such as float64 or five channels: "
                "save it with 8 or 16 bits, or as float32 with one channel"
            ) from None
        raise ValueError(f"{name} is not an image ({len(content):,} bytes)") from None
    except (OSError, SyntaxError, TypeError, struct.error) as error:  # of what is cut off
        raise ValueError(f"{name} cannot be read: {error}") from error
    return image


def _require_one(name: str, image: Image.Image) -> None:
    """Of a size that memory holds, and with one page."""
    if image.width * image.height > _MOST_PIXELS:
        raise ValueError(f"{name} has {image.width:,}×{image.height:,} pixels: cut it to tiles")
    # A photograph may hold a smaller copy of itself (MPO).
    if (pages := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
        raise ValueError(f"{name} has {pages} pages, and which of them counts is not said")


def _numbers(name: str, content: bytes, image: Image.Image) -> Shaped[ndarray, "h w c"] | None:
    """What Pillow would change: colours of 16 bits, of which it takes 8; signed bytes; …"""
    tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
    depth = max(tags.get(_DEPTH, (1,))) if tags else 0
    sample = tags.get(_SAMPLE, (_UNSIGNED,))[0]
    is_one_channel = image.mode in ("L", "I") or image.mode.startswith("I;16")
    if image.format == "PNG" and content[_PNG_DEPTH] == 16 and not is_one_channel:
        return _deep_colours(name, content)
    if depth == 16 and not is_one_channel and image.mode != "F":
        return _deep_colours(name, content)
    if depth == 8 and sample == _SIGNED and is_one_channel:
        return np.asarray(image).view(np.int8)[..., None]
    if depth == 32 and sample == _UNSIGNED and image.mode == "I":
        return np.asarray(image).view(np.uint32)[..., None]
    if depth == 16 and is_one_channel and tags.get(_MEANING) == _WHITE_IS_ZERO:
        return (65535 - np.asarray(image).astype(np.uint16))[..., None]
    return None


def _deep_colours(name: str, content: bytes) -> Shaped[ndarray, "h w c"]:
    try:
        values, _ = volumes.with_simpleitk(name, content)
    except RuntimeError:
        values = np.zeros((0, 0, 1), np.uint8)
    if values.dtype != np.uint16:
        raise ValueError(
            f"{name} has 16 bits per channel in a form that is not read (alpha beside grey, "
            "channels apart, turned): save it as a plain PNG"
        )
    return values


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Without Pillow's guard against small files of large pictures, which slides are.

    Nor its warnings of tags that it leaves out: what a picture lacks becomes an error.
    """
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = limit
