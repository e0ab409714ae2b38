"""Distances between masks and to their boundaries: pure functions, scipy's distance transform.

Masks are boolean arrays (h, w) or (x, y, z). Their boundary are the foreground pixels with a
background pixel beside them (across a face); the edge of the image is no boundary of signed
distances, but is one of surfaces, where an object that is cut off ends.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import binary_erosion, distance_transform_edt, find_objects
from torch import Tensor


def signed_distance(mask: Bool[ndarray, "*s"], absent: float = 0.0) -> Float[ndarray, "*s"]:
    """Distance to the other side, negative inside, 0 on the inner boundary, scaled to [-1, 1].

    Each side is divided by its own maximum, in pixels whatever their spacing
    (HiLab-git/DTC@2525b9c code/utils/util.py:123-150). absent: value of a side that fills the
    mask, which has no boundary: 0 for "everywhere", 1 for far away (-1 if it is the inside).
    """
    if not mask.any():
        return np.full(mask.shape, absent)
    if mask.all():
        return np.full(mask.shape, -absent)
    outside, inside = distance_transform_edt(~mask), distance_transform_edt(mask)
    distance = outside / outside.max() - inside / inside.max()
    distance[_boundary(mask, edge_is_boundary=False)] = 0
    return distance


def signed_distances(
    y: Int[Tensor, " b *s"], classes: int, absent: float = 0.0
) -> Float[Tensor, "b c *s"]:
    """`signed_distance` of each image and each of the classes 1 … classes - 1."""
    labels = y.cpu().numpy()
    maps = [[signed_distance(image == k, absent) for k in range(1, classes)] for image in labels]
    return torch.from_numpy(np.array(maps, dtype=np.float32)).to(y.device)


class SurfaceDistances(NamedTuple):
    """How far two surfaces are apart, in the unit of the spacing; both readings of each figure.

    The literature mixes them under one name. "directed": each direction by itself (HD95 of MONAI
    is the larger 95th percentile, ASD of MedPy the mean of the two means); "joint": the distances
    of both directions in one heap (HD95 of MedPy, ASD of MONAI).
    """

    hd95_directed: float
    hd95_joint: float
    asd_directed: float
    asd_joint: float


def surface_distances(
    predicted: Bool[ndarray, "*s"], true: Bool[ndarray, "*s"], spacing: Sequence[float]
) -> SurfaceDistances:
    """Distances between the boundaries of two masks.

    spacing: of the pixels, one number per axis. Both masks empty: 0, as they agree. One of them
    empty: the diagonal of the image, a distance that no pair of pixels exceeds; never NaN, which
    would leave failures out of a mean.
    """
    if not predicted.any() and not true.any():
        return SurfaceDistances(0.0, 0.0, 0.0, 0.0)
    if not predicted.any() or not true.any():
        return SurfaceDistances(*[diagonal(true.shape, spacing)] * 4)
    box = _box(predicted | true)  # beyond it there is no surface: the same, but faster
    surfaces = [_boundary(mask[box], edge_is_boundary=True) for mask in (predicted, true)]
    to_true, to_predicted = (
        distance_transform_edt(~b, sampling=spacing)[a] for a, b in (surfaces, surfaces[::-1])
    )
    both = np.concatenate([to_true, to_predicted])
    return SurfaceDistances(
        hd95_directed=float(max(np.percentile(to_true, 95), np.percentile(to_predicted, 95))),
        hd95_joint=float(np.percentile(both, 95)),
        asd_directed=float((to_true.mean() + to_predicted.mean()) / 2),
        asd_joint=float(both.mean()),
    )


def diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """From corner to corner of an image, in the unit of the spacing."""
    return float(np.linalg.norm(np.multiply(shape, spacing)))


def _box(mask: Bool[ndarray, "*s"]) -> tuple[slice, ...]:
    """The smallest box around the foreground."""
    return find_objects(mask.astype(np.uint8))[0]


def _boundary(mask: Bool[ndarray, "*s"], *, edge_is_boundary: bool) -> Bool[ndarray, "*s"]:
    return mask & ~binary_erosion(mask, border_value=not edge_is_boundary)
