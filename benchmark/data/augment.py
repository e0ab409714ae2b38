"""Augmentation of whole batches on the device: the symmetries of the pixel grid.

A random element of the dihedral group for each image (flips and quarter turns), as in
ciampluca/hebbian-bootstraping@e18ce3f data/online_aug.py; nothing is interpolated.
"""

from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def random_symmetry(
    x: Float[Tensor, "b c *s"], y: Int[Tensor, " b *s"] | None, rng: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Flip each axis of each image, and swap each two axes that are equally long, at even odds.

    In 2D on squares these are the eight symmetries, each with probability 1/8; in 3D, where
    patches are longer in two directions than in the third, flips and quarter turns about it.
    """
    axes = range(2 - x.ndim, 0)
    for axis in axes:
        x, y = _where(rng, x, y, lambda v, axis=axis: v.flip(axis))
    for one, two in combinations(axes, 2):
        if x.shape[one] == x.shape[two]:
            x, y = _where(rng, x, y, lambda v, one=one, two=two: v.transpose(one, two))
    return x, y


def _where(rng, x, y, change):
    chosen = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)

    def apply(v):
        return torch.where(chosen.reshape(-1, *[1] * (v.ndim - 1)), change(v), v)

    return apply(x), None if y is None else apply(y)
