"""Grey values of any kind as the bytes, or 16-bit numbers, that are stored.

A hundred uncropped heart scans are 3 GB as bytes, and 12 GB as floats. What standardises them is
kept beside: (stored / most - mean) / std, where most is 255 or 65,535.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, UInt, UInt8
from numpy import ndarray

DEFAULT_CLIP = (0.5, 99.5)
"""Percentiles: one hot voxel, or the range of CT, would leave little between."""
FEW = 64
"""Levels, of the 256 of a byte, below which an image has lost what can be seen in it."""


class Limits(NamedTuple):
    """Of grey values: what lies beyond is clipped."""

    low: float
    high: float


class Stored(NamedTuple):
    """values: as they are stored. mean, std: see above."""

    values: UInt[ndarray, "*s"]
    mean: float
    std: float
    levels: int
    """How many different ones are in use."""
    was_crushed: bool = False
    """Few are left, and there were many more."""


def require_numbers(values: ndarray, what: str) -> None:
    """ValueError for what holds no finite numbers, such as colours or NaN."""
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{what} holds no grey values, but {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        n = int(values.size - np.isfinite(values).sum())
        raise ValueError(
            f"{what} holds {n:,} values that are not finite (NaN or infinite): give them a grey"
        )


def limits(values: ndarray, window: Sequence[float], clip: Sequence[float]) -> Limits:
    """What to keep: a window as it is, or percentiles of these values; of neither, all.

    Percentiles that are equal, as of a volume that is empty for the most part, keep all as well.
    """
    if window:
        return Limits(*map(float, window))
    whole = Limits(float(values.min()), float(values.max()))
    if not clip or tuple(clip) == (0, 100):
        return whole
    # No interpolation: the limits are in the keys of trials, through the data.
    low, high = (float(v) for v in np.percentile(values, clip, method="nearest"))
    return Limits(low, high) if low < high else whole


def stored(values: ndarray, within: Limits, *, is_standardised: bool = False) -> Stored:
    """Mapped linearly from the limits to bytes, or to 16 bits where bytes would lose much.

    is_standardised: the values are z-scores already, such as those of a scan before it was cropped,
    and mean and std give them back; else these are of the stored values.
    """
    kind = _wide(values.dtype)
    width = float(kind.type(within.high) - kind.type(within.low)) or 1.0
    if values.dtype != np.uint8 or within != (0, 255):
        values, kept = _mapped(values, within, width, np.uint8), values
        if _loses(values, kept, within):
            values = _mapped(kept, within, width, np.uint16)
        was_crushed = _is_crushed(values, kept)
    else:
        was_crushed = False
    mean, std = (-within.low / width, 1 / width) if is_standardised else moments(values)
    return Stored(values, mean, std, in_use(values), was_crushed)


def _mapped(values: ndarray, within: Limits, width: float, dtype: type) -> ndarray:
    """Clipped to the limits, which become 0 and the greatest of the type."""
    wide = values.astype(_wide(values.dtype), copy=False)
    scale = np.iinfo(dtype).max / width
    return np.rint((wide.clip(*within) - within.low) * scale).astype(dtype)


def _wide(dtype: np.dtype) -> np.dtype:
    """In which differences of all its values can be taken: not in itself, for most."""
    return np.dtype(np.float64) if dtype.kind != "f" else np.promote_types(dtype, np.float32)


def _loses(mapped: UInt[ndarray, "*s"], values: ndarray, within: Limits) -> bool:
    """Are values merged, and so many pixels in so few levels that it matters?"""
    share = np.bincount(mapped.ravel()) / mapped.size
    share = share[share > 0]
    effective = math.exp(-float((share * np.log(share)).sum()))
    return effective < FEW and len(np.unique(values.clip(*within))) > 2 * len(share)


def _is_crushed(mapped: UInt[ndarray, "*s"], values: ndarray) -> bool:
    left = in_use(mapped)
    return left < FEW and len(np.unique(values)) > 2 * left


def in_use(values: UInt[ndarray, "*s"]) -> int:
    """How many different values there are."""
    return int((np.bincount(values.ravel()) > 0).sum())


def moments(values: UInt[ndarray, "*s"]) -> tuple[float, float]:
    """Mean and standard deviation (at least 1e-6) of bytes or 16-bit numbers as [0, 1]."""
    return moments_of_counts(counts(values))


def counts(values: UInt[ndarray, "*s"]) -> Int[ndarray, " levels"]:
    """How often each level of the type occurs."""
    return np.bincount(values.ravel(), minlength=np.iinfo(values.dtype).max + 1)


def moments_of_counts(counts: Int[ndarray, " levels"]) -> tuple[float, float]:
    """As `moments`, from the count of each level: as floats a dataset would need many times its
    memory.

    In whole numbers up to the last step: the moments are in the keys of trials, which must not
    depend on how a processor sums.
    """
    most = len(counts) - 1
    levels = np.flatnonzero(counts).tolist()
    n = int(counts.sum())
    total = sum(level * int(counts[level]) for level in levels)
    squares = sum(level**2 * int(counts[level]) for level in levels)
    variance = (n * squares - total**2) / (most * n) ** 2
    return total / (most * n), max(math.sqrt(variance), 1e-6)


def as_bytes(image: UInt[ndarray, "*s"]) -> UInt8[ndarray, "*s"]:
    """For looking at: 16-bit numbers, of which a file may use a small part, are stretched."""
    return image if image.dtype == np.uint8 else stretched(image)


def stretched(image: UInt[ndarray, "*s"]) -> UInt8[ndarray, "*s"]:
    """From its darkest to its brightest as bytes, for looking at."""
    low, high = int(image.min()), int(image.max())
    return ((image.astype(np.float32) - low) * (255 / max(high - low, 1))).astype(np.uint8)


def widened(values: UInt[ndarray, "*s"], dtype: np.dtype) -> UInt[ndarray, "*s"]:
    """Bytes among 16-bit images: 255 becomes 65,535, so that 1 stays 1."""
    return values if values.dtype == dtype else values.astype(dtype) * dtype.type(257)
