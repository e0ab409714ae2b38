"""Random patches: the part of a volume that one step sees."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray


def random_patch(
    image: UInt8[ndarray, "x y z c"],
    mask: UInt8[ndarray, "x y z"] | None,
    size: Sequence[int],
    rng: np.random.Generator,
) -> tuple[ndarray, ndarray | None]:
    """Image and mask at a place drawn uniformly; a volume that is too small is mirrored."""
    short = [max(0, side - have) for side, have in zip(size, image.shape, strict=False)]
    if any(short):
        around = [(s // 2, s - s // 2) for s in short]
        image = np.pad(image, [*around, (0, 0)], mode="symmetric")
        mask = None if mask is None else np.pad(mask, around, mode="symmetric")
    starts = [
        int(rng.integers(0, have - side + 1)) for side, have in zip(size, image.shape, strict=False)
    ]
    box = tuple(slice(start, start + side) for start, side in zip(starts, size, strict=True))
    return image[box], None if mask is None else mask[box]
