"""What strong views do to the grey levels of one image, as pure functions of image and amount.

v (c, *s) is in [0, 1], and what leaves it is for the caller to cut off; colours are red, green and
blue. Nothing here is a convolution: those would be computed in the precision of the run.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue


def brightened(v: Float[Tensor, " c *s"], factor: float) -> Float[Tensor, " c *s"]:
    """Away from black, or nearer to it."""
    return factor * v


def contrasted(v: Float[Tensor, " c *s"], factor: float) -> Float[Tensor, " c *s"]:
    """Away from the mean of each channel, or nearer to it."""
    return factor * v + (1 - factor) * _mean(v)


def contrasted_colours(v: Float[Tensor, " 3 *s"], factor: float) -> Float[Tensor, " 3 *s"]:
    """Away from the mean grey of the image, or nearer to it."""
    return factor * v + (1 - factor) * _mean(_grey(v))


def saturated(v: Float[Tensor, " 3 *s"], factor: float) -> Float[Tensor, " 3 *s"]:
    """Away from the grey of each pixel, or nearer to it."""
    return factor * v + (1 - factor) * _grey(v)


def hue_turned(v: Float[Tensor, " 3 *s"], turn: float) -> Float[Tensor, " 3 *s"]:
    """The hue of HSV turned by a share of the circle; red becomes green at a third."""
    (red, green, blue), high = v, v.amax(0)
    chroma = high - v.amin(0)
    divisor = chroma.clamp(min=torch.finfo(v.dtype).tiny)  # a grey pixel may have any hue
    hue = torch.where(
        high == red,
        (green - blue) / divisor,
        torch.where(high == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )  # in sixths of the circle
    places = [(hue + 6 * turn + start) % 6 for start in (5, 3, 1)]
    return torch.stack([high - chroma * torch.minimum(k, 4 - k).clamp(0, 1) for k in places])


def stretched(v: Float[Tensor, " c *s"], factor: float, shift: float) -> Float[Tensor, " c *s"]:
    """Times factor, plus `shift` of the mean that each channel then has."""
    v = factor * v
    return v + shift * _mean(v)


def blurred(image: Float[Tensor, " c *s"], sigma: float) -> Float[Tensor, " c *s"]:
    """Gaussian along every axis, to three deviations (in pixels), the image mirrored at its ends.

    On any scale of grey levels.
    """
    for axis in range(1, image.ndim):
        side = image.shape[axis]
        radius = min(math.ceil(3 * sigma), side - 1)  # it is mirrored once
        weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(-radius, radius + 1)]
        last = image.movedim(axis, -1)
        lines = F.pad(last.flatten(0, -2), (radius, radius), mode="reflect")
        mixed = sum(w * lines[:, i : i + side] for i, w in enumerate(weights)) / sum(weights)
        image = mixed.unflatten(0, last.shape[:-1]).movedim(-1, axis)
    return image


def _grey(v: Float[Tensor, " 3 *s"]) -> Float[Tensor, " 1 *s"]:
    return sum(share * channel for share, channel in zip(_LUMA, v, strict=True))[None]


def _mean(v: Float[Tensor, " c *s"]) -> Float[Tensor, " c *ones"]:
    return v.mean(tuple(range(1, v.ndim)), keepdim=True)
