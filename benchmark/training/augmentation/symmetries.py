"""Symmetries that a card allows: flips, permutations of equal axes; nothing is interpolated."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

from benchmark.training.layout import sent

Pair = tuple[Tensor, Tensor | None]
"""Images (b c *s) and their masks (b *s), if they have any."""


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
        x, y = where_chosen(rng.random(len(x)) < 0.5, x, y, lambda v, axis=axis: v.flip(axis))
    for axis in axes if allowed == "all" else ():
        # Fisher and Yates: an axis changes places with one of those before it, or with none.
        before = [other for other in axes if other < axis and x.shape[other] == x.shape[axis]]
        drawn = np.floor(rng.random(len(x)) * (len(before) + 1)) if before else None
        for place, other in enumerate(before):
            x, y = where_chosen(drawn == place, x, y, lambda v, a=axis, o=other: v.transpose(o, a))
    return x, y


def where_chosen(
    chosen: Bool[ndarray, " b"], x: Tensor, y: Tensor | None, change: Callable[[Tensor], Tensor]
) -> Pair:
    """Image and mask, changed where they are chosen."""
    condition = sent(torch.from_numpy(chosen), x.device)

    def apply(v: Tensor) -> Tensor:
        return torch.where(condition.reshape(-1, *[1] * (v.ndim - 1)), change(v), v)

    return apply(x), None if y is None else apply(y)
