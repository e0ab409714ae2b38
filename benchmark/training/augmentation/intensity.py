"""Changes of grey values, each picture by a number of its own; a picture is a channel of an image.

Standardised values in, such values out; masks stay as they are. Formulas: MIC-DKFZ/
batchgeneratorsv2@3cb4f07, transforms/intensity and transforms/noise.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

_RADIUS = 3  # of the widest kernel
_TINY = 1e-7


def kernels(sigmas: Float[ndarray, "*n"]) -> Float[ndarray, "*n 7"]:
    """Gaussians of the widths σ, in pixels, at most 1, which add up to 1.

    Each is as long as the odd number nearest to 6 σ + ½ and 0 beyond.
    """
    places = np.arange(-_RADIUS, _RADIUS + 1)
    radius = np.rint((6 * sigmas + 0.5 - 1) / 2)[..., None]
    values = np.exp(-0.5 * (places / sigmas[..., None]) ** 2) * (abs(places) <= radius)
    return values / values.sum(-1, keepdims=True)


def blurred(v: Float[Tensor, " n *s"], weights: Float[Tensor, "n d 7"]) -> Float[Tensor, " n *s"]:
    """Along each axis by a kernel of its own; reflected at the edges, which come once."""
    for axis, side in enumerate(v.shape[1:]):
        wide = v.index_select(axis + 1, _reflected(side, v.device))
        parts = (
            wide.narrow(axis + 1, k, side) * each(weights[:, axis, k], v)
            for k in range(weights.shape[-1])
        )
        v = sum(parts)
    return v


def _reflected(side: int, device: torch.device) -> Tensor:
    """Indices of an axis with `_RADIUS` more at each end: 3 2 1 | 0 1 2 3 …"""
    period = max(1, 2 * (side - 1))
    places = torch.arange(-_RADIUS, side + _RADIUS, device=device) % period
    return torch.minimum(places, period - places) if side > 1 else places


def contrasted(v: Float[Tensor, " n *s"], factors: Float[Tensor, " n"]) -> Float[Tensor, " n *s"]:
    """Away from the mean or towards it, within the range that the picture had."""
    mean, low, high = _mean(v), each(_flat(v).amin(1), v), each(_flat(v).amax(1), v)
    return ((v - mean) * each(factors, v) + mean).clamp(low, high)


def gamma_corrected(
    v: Float[Tensor, " n *s"], gammas: Float[Tensor, " n"]
) -> Float[Tensor, " n *s"]:
    """((v - min) / range)^γ · range + min, brought to the mean and standard deviation of before."""
    low = each(_flat(v).amin(1), v)
    extent = each(_flat(v).amax(1), v) - low
    curved = ((v - low) / extent.clamp(min=_TINY)) ** each(gammas, v) * extent + low
    return (curved - _mean(curved)) * (_std(v) / _std(curved).clamp(min=_TINY)) + _mean(v)


def coarse(v: Float[Tensor, "*s"], zoom: float, axes: Sequence[int]) -> Float[Tensor, "*s"]:
    """One picture, as if taken at a lower resolution along these axes: nearest pixels, enlarged."""
    sides = list(v.shape)
    fewer = [max(1, round(n * zoom)) if axis in axes else n for axis, n in enumerate(sides)]
    small = functional.interpolate(v[None, None], fewer, mode="nearest-exact")
    linear = {1: "linear", 2: "bilinear", 3: "trilinear"}[v.ndim]
    return functional.interpolate(small, sides, mode=linear, align_corners=False)[0, 0]


def each(values: Float[Tensor, " n"], v: Float[Tensor, " n *s"]) -> Tensor:
    """A number for each picture, in a shape that goes with the pictures."""
    return values.reshape(-1, *[1] * (v.ndim - 1))


def _flat(v: Tensor) -> Tensor:
    return v.flatten(1)


def _mean(v: Tensor) -> Tensor:
    return each(_flat(v).mean(1), v)


def _std(v: Tensor) -> Tensor:
    return each(_flat(v).std(1), v)
