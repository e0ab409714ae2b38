"""Rotation and scaling about the centre, in pixels or voxels; image and mask by the same places."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from benchmark.training.augmentation.symmetries import Pair

_FLAT = 3  # a volume whose longest side is more than so many shortest ones: a stack of slices
_LONG = 1.5  # an image whose long side is more than so many short ones


class Turns(NamedTuple):
    """Which rotations an image may have."""

    planes: list[tuple[int, int]]
    """Pairs of spatial axes."""
    most: float
    """Degrees in each of them, either way."""

    @property
    def axes(self) -> list[int]:
        """Those that lie in a plane: all, but in a stack of slices for the one across them."""
        return sorted({axis for plane in self.planes for axis in plane})


def allowed_turns(sides: Sequence[int], symmetry: str) -> Turns:
    """By the shape of images or patches, and by the card's symmetry.

    ±180 degrees take quarter turns among them: only of an image (or a slice) that is not long, and
    of which the card allows them, else ±15. Of other volumes ±30 about each axis; 15 where the card
    allows no symmetry.
    """
    axes = list(range(len(sides)))
    if len(sides) == 3 and max(sides) <= _FLAT * min(sides):
        return Turns([(0, 1), (0, 2), (1, 2)], 15.0 if symmetry == "none" else 30.0)
    if len(sides) == 3:
        axes.remove(min(axes, key=lambda axis: sides[axis]))
    long, short = sorted((sides[axis] for axis in axes), reverse=True)
    is_free = symmetry == "all" and long <= _LONG * short
    return Turns([(axes[0], axes[1])], 180.0 if is_free else 15.0)


def matrices(
    angles: Float[ndarray, "b p"], scales: Float[ndarray, " b"], turns: Turns, dims: int
) -> Float[ndarray, "b d d"]:
    """From places in the new image to places in the old one, both from the centre.

    angles: degrees in each plane; those of a volume one after the other, R_01 R_02 R_12. scales: of
    the axes in a plane; above 1 objects shrink.
    """
    found = np.tile(np.eye(dims), (len(angles), 1, 1))
    for (i, j), angle in zip(turns.planes, np.deg2rad(angles).T, strict=True):
        turn = np.tile(np.eye(dims), (len(angles), 1, 1))
        turn[:, i, i] = turn[:, j, j] = np.cos(angle)
        turn[:, i, j], turn[:, j, i] = -np.sin(angle), np.sin(angle)
        found = found @ turn
    found[:, :, turns.axes] *= scales[:, None, None]
    return found


def warped(
    x: Float[Tensor, "b c *s"], y: Int[Tensor, " b *s"] | None, places: Float[Tensor, "b d d"]
) -> Pair:
    """Each image (and mask) as its matrix of `matrices` says; beyond the edge mirrored.

    Linear; of a mask each class is interpolated by itself, and the largest share wins.
    """
    grid = _grid(places, x.shape[2:])
    return _sampled(x, grid), None if y is None else _warped_mask(y, grid)


def _warped_mask(y: Int[Tensor, " b *s"], grid: Float[Tensor, "b *s d"]) -> Int[Tensor, " b *s"]:
    labels = torch.bincount(y.flatten()).nonzero().flatten()  # sorting takes longer
    others = labels[1:].reshape(-1, *[1] * (y.ndim - 1))
    if len(others) == 0:
        return y
    shares = _sampled((y[:, None] == others).float(), grid)
    first = 1 - shares.sum(1, keepdim=True)  # of equal shares the lowest class wins
    return labels[torch.cat([first, shares], 1).argmax(1)]


def _grid(places: Float[Tensor, "b d d"], sides: Sequence[int]) -> Float[Tensor, "b *s d"]:
    """As `grid_sample` takes places: the last axis first, the outer edges of an image at ±1.

    Written out, as a matrix product is rounded to TF32 on some GPUs.
    """
    centred = [torch.arange(side, device=places.device) - (side - 1) / 2 for side in sides]
    along = torch.meshgrid(*centred, indexing="ij")
    shares = places.reshape(*places.shape, *[1] * len(sides))
    parts = [
        sum(shares[:, i, j] * one for j, one in enumerate(along)) * (2 / side)
        for i, side in enumerate(sides)
    ]
    return torch.stack(parts[::-1], -1)


def _sampled(v: Float[Tensor, "b c *s"], grid: Float[Tensor, "b *s d"]) -> Float[Tensor, "b c *s"]:
    return functional.grid_sample(
        v, grid, mode="bilinear", padding_mode="reflection", align_corners=False
    )
