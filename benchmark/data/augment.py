"""Augmentation of whole batches on the device: the symmetries of the pixel grid.

A random element of the dihedral group for each image (flips and quarter turns), as in
ciampluca/hebbian-bootstraping@e18ce3f data/online_aug.py; nothing is interpolated.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def random_symmetry(
    x: Float[Tensor, "b c *s"], y: Int[Tensor, " b *s"] | None, rng: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Flip each axis of each image, and swap its last two axes if equally long, at even odds.

    In 2D on squares these are the eight symmetries, each with probability 1/8.
    """
    dims = x.ndim - 2
    for axis in range(-dims, 0):
        x, y = _where(rng, x, y, lambda v, axis=axis: v.flip(axis))
    if x.shape[-1] == x.shape[-2]:
        x, y = _where(rng, x, y, lambda v: v.transpose(-1, -2))
    return x, y


def _where(rng, x, y, change):
    chosen = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)

    def apply(v):
        return torch.where(chosen.reshape(-1, *[1] * (v.ndim - 1)), change(v), v)

    return apply(x), None if y is None else apply(y)
