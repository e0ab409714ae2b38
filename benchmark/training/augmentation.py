"""How images are changed before a step, and their masks with them; obeys the card's `symmetry`."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

_ANGLES = (-20, 20)  # degrees, the last one excluded: HiLab-git/SSL4MIS's np.random.randint

Pair = tuple[Tensor, Tensor | None]


def augmented(
    x: Float[Tensor, "b c *s"],
    y: Int[Tensor, " b *s"] | None,
    how: str,
    symmetry: str,
    rng: Generator,
    outside: Float[Tensor, "b c"],
) -> Pair:
    """Each image (and mask) changed at random.

    how: none; symmetries, those that the card allows; ssl4mis. outside: of each image, what a
    rotation brings in from beyond its edge. Of a mask that is the background.
    """
    if how == "none":
        return x, y
    if how == "symmetries":
        return random_symmetry(x, y, symmetry, rng)
    return ssl4mis(x, y, symmetry, rng, outside)


def random_symmetry(
    x: Float[Tensor, "b c *s"], y: Int[Tensor, " b *s"] | None, allowed: str, rng: Generator
) -> Pair:
    """Each image (and mask) after one of the symmetries that are allowed, all equally likely.

    allowed: none; flips along each axis; all: also permutations of axes that are equally long. A
    flip and a permutation that are drawn apart give every symmetry once: 8 of a square, as in
    ciampluca/hebbian-bootstraping@e18ce3f data/online_aug.py; 48 of a cube; 16 of a volume that is
    longer in two directions than in the third. Nothing is interpolated.
    """
    axes = range(2 - x.ndim, 0)
    for axis in axes if allowed != "none" else ():
        x, y = _where(rng.random(len(x)) < 0.5, x, y, lambda v, axis=axis: v.flip(axis))
    for axis in axes if allowed == "all" else ():
        # Fisher and Yates: an axis changes places with one of those before it, or with none.
        before = [other for other in axes if other < axis and x.shape[other] == x.shape[axis]]
        drawn = np.floor(rng.random(len(x)) * (len(before) + 1)) if before else None
        for place, other in enumerate(before):
            x, y = _where(drawn == place, x, y, lambda v, a=axis, o=other: v.transpose(o, a))
    return x, y


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
            x, y = _where(does_turn & (turns == k), x, y, lambda v, k=k: _turned(v, k, plane))
        for one in plane:
            x, y = _where(does_turn & (axis == one), x, y, lambda v, one=one: v.flip(one))
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


def _where(
    chosen: Bool[ndarray, " b"], x: Tensor, y: Tensor | None, change: Callable[[Tensor], Tensor]
) -> Pair:
    """Image and mask, changed where they are chosen."""
    condition = torch.from_numpy(chosen)
    if x.device.type == "cuda":  # a copy that nobody waits for
        condition = condition.pin_memory().to(x.device, non_blocking=True)

    def apply(v: Tensor) -> Tensor:
        return torch.where(condition.reshape(-1, *[1] * (v.ndim - 1)), change(v), v)

    return apply(x), None if y is None else apply(y)
