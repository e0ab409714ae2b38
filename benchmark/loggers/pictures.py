"""A job's `panel.npz` as pictures that a logger shows: pure functions."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont

from benchmark.data.preview import painted

_MASKS = ("target", "prediction", "pseudo_label")
_COLUMNS = 3  # more become too small in a browser
_CAPTION, _GAP = 16, 4  # pixels
_SMALLEST = 128  # pixels of a picture's side: small ones are enlarged


def sheets(panel: Mapping[str, ndarray]) -> dict[str, UInt8[ndarray, "_ _ 3"]]:
    """One picture a case: its image, its masks drawn over it, and the method's own pictures.

    panel: as `panel.npz` holds it, `image_0`, `target_0`, …; with the names of its cases, of a
    trial.
    """
    cases = panel.get("case", ())
    n = sum(name.startswith("image_") for name in panel)
    kinds = [name.removesuffix("_0") for name in panel if name.endswith("_0")]
    return {
        f"panel/{cases[i] if len(cases) else i}": _sheet(
            {kind: _shown(panel, kind, i) for kind in kinds}
        )
        for i in range(n)
    }


def _shown(panel: Mapping[str, ndarray], kind: str, i: int) -> UInt8[ndarray, "h w 3"]:
    picture = panel[f"{kind}_{i}"]
    if kind in _MASKS:
        return painted(_coloured(panel[f"image_{i}"]), picture)
    return _coloured(picture)


def _coloured(picture: ndarray) -> UInt8[ndarray, "h w 3"]:
    """Of neither grey nor colours the first channel."""
    flat = picture if picture.ndim == 2 else picture[..., 0]
    is_coloured = picture.ndim == 3 and picture.shape[-1] == 3
    return picture if is_coloured else np.repeat(flat[..., None], 3, -1)


def _sheet(pictures: Mapping[str, UInt8[ndarray, "h w 3"]]) -> UInt8[ndarray, "rows columns 3"]:
    """Side by side, each beneath its name."""
    height, width = next(iter(pictures.values())).shape[:2]
    scale = -(-_SMALLEST // min(height, width))
    height, width = scale * height, scale * width
    columns = min(len(pictures), _COLUMNS)
    lines = -(-len(pictures) // columns)
    size = columns * (width + _GAP) - _GAP, lines * (_CAPTION + height)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for i, (kind, picture) in enumerate(pictures.items()):
        x, y = i % columns * (width + _GAP), i // columns * (_CAPTION + height)
        draw.text((x + 2, y), kind.replace("_", " "), "black", font)
        enlarged = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
        sheet.paste(enlarged, (x, y + _CAPTION))
    return np.array(sheet)
