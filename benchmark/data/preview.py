"""A contact sheet: cases with their masks drawn on them, so that a person sees what is wrong."""

import io
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from benchmark.data.card import Card
from benchmark.data.decoding.greys import as_bytes, stretched
from benchmark.data.prepared import SPLITS, CaseEntry, Prepared
from benchmark.toolkit.distances import boundary

_COLUMNS, _ROWS = 6, 4
_SIDE, _CAPTION, _GAP = 180, 18, 6
_FILL = 0.25
_COLOURS = (
    (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0), (204, 121, 167),
)  # fmt: skip
"""Of the classes, in turn: told apart by colour-blind eyes too (Okabe and Ito)."""


def contact_sheet(prepared: Prepared) -> bytes:
    """A PNG of up to 24 cases, taken evenly from each split; of volumes one slice.

    The slice across the last axis that shows most classes, of these the one with most foreground;
    of a volume without a mask the middle.
    """
    card, cases = prepared.manifest.card, prepared.manifest.cases
    rows = _chosen([case.split for case in cases])
    height = _CAPTION + _SIDE + _GAP
    lines = -(-len(rows) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * (_SIDE + _GAP), lines * height + _CAPTION), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for place, row in enumerate(rows):
        x, y = place % _COLUMNS * (_SIDE + _GAP), place // _COLUMNS * height
        caption = _fitting(f"{cases[row].split}  {cases[row].id}", draw, font)
        draw.text((x + 2, y + 2), caption, "black", font)
        height_of_pixel = _height_of_pixel(cases[row])
        tile = _tile(*_picture(prepared, row), height_of_pixel)
        sheet.paste(tile, (x + (_SIDE - tile.width) // 2, y + _CAPTION))
    _legend(draw, font, card, lines * height)
    stream = io.BytesIO()
    sheet.save(stream, "png")
    return stream.getvalue()


def _chosen(splits: Sequence[str]) -> list[int]:
    """Rows at even distances: as many of each split, or all that there are of it."""
    of = {name: [i for i, s in enumerate(splits) if s == name] for name in SPLITS if name in splits}
    counts, places = dict.fromkeys(of, 0), _COLUMNS * _ROWS
    for left in range(len(of), 0, -1):  # what the smallest leaves goes to the others
        name = min((n for n in of if not counts[n]), key=lambda n: len(of[n]))
        counts[name] = min(len(of[name]), places // left)
        places -= counts[name]
    return [
        of[name][i * len(of[name]) // count] for name, count in counts.items() for i in range(count)
    ]


def _picture(prepared: Prepared, row: int) -> tuple[UInt8[ndarray, "h w c"], UInt8[ndarray, "h w"]]:
    image, mask = prepared.images[row], prepared.masks[row]
    if not prepared.manifest.cases[row].has_mask:
        mask = np.zeros_like(mask)
    if mask.ndim == 3:
        at = _slice_to_show(mask)
        # The second axis goes to the front or upwards: on paper that is up.
        image, mask = (np.flip(array[:, :, at].swapaxes(0, 1), 0) for array in (image, mask))
        image = stretched(image[..., :1])  # a slice has few of a scan's grey levels
    return as_bytes(image), mask


def _slice_to_show(mask: UInt8[ndarray, "x y z"]) -> int:
    slices = np.moveaxis(mask, -1, 0)
    if not mask.any():
        return len(slices) // 2
    seen = [(len(np.unique(one)), int((one > 0).sum())) for one in slices]
    return max(range(len(seen)), key=seen.__getitem__)


def _height_of_pixel(case: CaseEntry) -> float:
    """In widths, of volumes."""
    return case.spacing[1] / case.spacing[0] if case.spacing else 1.0


def _tile(
    image: UInt8[ndarray, "h w c"], mask: UInt8[ndarray, "h w"], height_of_pixel: float
) -> Image.Image:
    """Enlarged or reduced first, so that outlines are one pixel wide."""
    height, width = mask.shape[0] * height_of_pixel, mask.shape[1]
    scale = _SIDE / max(height, width)
    size = tuple(max(1, round(side * scale)) for side in (width, height))
    colours = np.repeat(image, 3, -1) if image.shape[-1] == 1 else image
    shown = np.asarray(Image.fromarray(colours).resize(size))
    classes = np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))
    return Image.fromarray(painted(shown, classes))


def painted(image: UInt8[ndarray, "h w 3"], mask: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w 3"]:
    """The image with each class's colour laid over it, and its outline in that colour."""
    shown = image.astype(np.float32)
    for number in np.unique(mask[mask > 0]).tolist():
        inside, of_class = mask == number, np.array(colour(number), np.float32)
        shown[inside] = (1 - _FILL) * shown[inside] + _FILL * of_class
        shown[boundary(inside, edge_is_boundary=True)] = of_class
    return np.rint(shown).astype(np.uint8)


def colour(number: int) -> tuple[int, int, int]:
    """Of a class, 1 being the first of the foreground."""
    return _COLOURS[(number - 1) % len(_COLOURS)]


def _legend(draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont, card: Card, y: int) -> None:
    x = 2
    for number, name in list(enumerate(card.classes))[1:]:
        draw.rectangle((x, y + 3, x + 10, y + 13), colour(number))
        draw.text((x + 14, y + 2), name, "black", font)
        x += 30 + round(draw.textlength(name, font))


def _fitting(text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> str:
    """The text, its middle cut where it is wider than a tile: names differ at their ends."""
    kept = len(text)
    shown = text
    while draw.textlength(shown, font) > _SIDE - 4:
        kept -= 1
        shown = f"{text[: kept // 2]}…{text[len(text) - (kept - kept // 2) :]}"
    return shown
