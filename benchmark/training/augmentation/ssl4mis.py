"""The augmentation of HiLab-git/SSL4MIS: right angles and a flip, or a rotation by few degrees."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

from benchmark.training.augmentation.symmetries import Pair, where_chosen

_ANGLES = (-20, 20)  # degrees, the last one excluded: HiLab-git/SSL4MIS's np.random.randint


def ssl4mis(
    x: Float[Tensor, "b c *s"],
    y: Int[Tensor, " b *s"] | None,
    allowed: str,
    rng: Generator,
    outside: Float[Tensor, "b c"],
) -> Pair:
    """The augmentation of HiLab-git/SSL4MIS, code/dataloaders/dataset.py and brats2019.py.

    Images: with p ½ a turn by 0, 90, 180 or 270 degrees and one flip; else, with p ½, a rotation by
    a whole number of -20 … 19 degrees, nearest neighbour. Volumes: always the turn, about the last
    axis, and the flip. Where the card forbids quarter turns, or the sides differ, turns are by 0 or
    180 degrees; where it forbids flips there is neither turn nor flip.
    """
    n, first = len(x), 2 - x.ndim  # the first axis of the image
    is_volume = x.ndim == 5
    turns, axis = rng.integers(0, 4, n), first + rng.integers(0, 2, n)
    does_turn = np.ones(n, bool) if is_volume else rng.random(n) < 0.5
    does_rotate = ~does_turn & (rng.random(n) < 0.5)
    angles = rng.integers(*_ANGLES, n)
    if allowed != "none":
        plane = (first, first + 1)
        if allowed == "flips" or x.shape[first] != x.shape[first + 1]:
            turns -= turns % 2
        for k in (1, 2, 3):
            x, y = where_chosen(does_turn & (turns == k), x, y, lambda v, k=k: _turned(v, k, plane))
        for one in plane:
            x, y = where_chosen(does_turn & (axis == one), x, y, lambda v, one=one: v.flip(one))
    if not is_volume:
        x, y = _rotated(x, y, np.where(does_rotate, angles, 0), outside)
    return x, y


def _turned(v: Tensor, k: int, plane: tuple[int, int]) -> Tensor:
    """By k quarters; of sides that differ only by two, which keeps the shape."""
    return v.rot90(k, plane) if v.shape[plane[0]] == v.shape[plane[1]] or k == 2 else v


def _rotated(
    x: Float[Tensor, "b c h w"],
    y: Int[Tensor, "b h w"] | None,
    angles: Int[ndarray, " b"],
    outside: Float[Tensor, "b c"],
) -> Pair:
    """Each about its centre by so many degrees, nearest neighbour.

    As scipy.ndimage.rotate(order=0) of the source, but for its edge: there what comes from less
    than half a pixel outside is black already.
    """
    if not angles.any():
        return x, y
    from torchvision.transforms.v2.functional import rotate  # seconds, and seldom asked for

    images, masks = list(x), None if y is None else list(y)
    for i in np.flatnonzero(angles):
        images[i] = rotate(x[i], float(angles[i]), fill=outside[i].tolist())
        if masks is not None:
            masks[i] = rotate(y[i][None], float(angles[i]), fill=0)[0]
    return torch.stack(images), None if masks is None else torch.stack(masks)
