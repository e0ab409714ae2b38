"""nnU-Net's default augmentation: how often each change happens, and how strong it is.

MIC-DKFZ/nnUNet@0e49508, nnUNetTrainer.get_training_transforms, with batchgeneratorsv2@3cb4f07: its
transforms in its order; the card's symmetries, which stand for its mirroring, come first.

    spatial         rotation p .2, scaling p .2 by U(.7, 1.4), drawn apart
    noise           p .1   σ U(0, .1), one map of noise for all channels
    blur            p .2   each channel p .5: σ U(.5, 1) along each axis
    brightness      p .15  each channel × f, f ½ U(.75, 1), ½ U(1, 1.25)
    contrast        p .15  each channel, f the same
    low resolution  p .25  each channel p .5: zoom U(.5, 1)
    gamma of -x     p .1   each channel, γ ½ U(.7, 1), ½ U(1, 1.5)
    gamma           p .3   each channel, γ the same

Differs: nnU-Net cuts the middle out of a larger patch, so that what a rotation or a scale above 1
brings in from beyond the edge are data, and 0 and background where there are none. Here images are
seen whole, and of volumes nothing but the patch: image and mask are both mirrored at the edge, as a
volume is that is smaller than a patch, so corners hold data that are labelled. Values are
standardised as the harness has them: images by constants of the dataset, volumes by case. The axis
across a stack of slices is the shortest one. A full turn needs a card that allows quarter turns,
and an image or slice that is not long; rotations are else smaller (`allowed_turns`). Nothing is
done at test time.
"""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

from benchmark.training.augmentation.intensity import (
    blurred,
    coarse,
    contrasted,
    each,
    gamma_corrected,
    kernels,
)
from benchmark.training.augmentation.spatial import allowed_turns, matrices, warped
from benchmark.training.augmentation.symmetries import Pair, random_symmetry
from benchmark.training.layout import sent

Images = Float[Tensor, "b c *s"]


def nnunet(x: Images, y: Int[Tensor, " b *s"] | None, symmetry: str, rng: Generator) -> Pair:
    """Each image (and mask) after one of the symmetries that are allowed, and then changed."""
    x, y = random_symmetry(x, y, symmetry, rng)
    x, y = random_warp(x, y, symmetry, rng)
    for change in (
        random_noise,
        random_blur,
        random_brightness,
        random_contrast,
        random_low_resolution,
        random_inverse_gamma,
        random_gamma,
    ):
        x = change(x, rng)
    return x, y


def random_warp(x: Images, y: Int[Tensor, " b *s"] | None, symmetry: str, rng: Generator) -> Pair:
    n, turns = len(x), allowed_turns(x.shape[2:], symmetry)
    does_turn, does_scale = rng.random(n) < 0.2, rng.random(n) < 0.2
    angles = rng.uniform(-turns.most, turns.most, (n, len(turns.planes))) * does_turn[:, None]
    scales = np.where(does_scale, rng.uniform(0.7, 1.4, n), 1.0)
    chosen = np.flatnonzero(does_turn | does_scale)
    if len(chosen) == 0:
        return x, y
    places = _numbers(matrices(angles[chosen], scales[chosen], turns, x.ndim - 2), x)
    rows = sent(torch.from_numpy(chosen), x.device)
    new_x, new_y = warped(x[rows], None if y is None else y[rows], places)
    return x.index_copy(0, rows, new_x), None if y is None else y.index_copy(0, rows, new_y)


def random_noise(x: Images, rng: Generator) -> Images:
    chosen = np.flatnonzero(rng.random(len(x)) < 0.1)
    if len(chosen) == 0:
        return x
    sigmas = rng.uniform(0, 0.1, (len(chosen), *[1] * (x.ndim - 1)))
    noise = sigmas * rng.standard_normal((len(chosen), 1, *x.shape[2:]), np.float32)
    rows = sent(torch.from_numpy(chosen), x.device)
    return x.index_copy(0, rows, x[rows] + _numbers(noise, x))


def random_blur(x: Images, rng: Generator) -> Images:
    chosen = _channels(x, rng, 0.2, 0.5)
    weights = kernels(rng.uniform(0.5, 1, (chosen.sum(), x.ndim - 2)))
    return _changed(x, chosen, lambda v: blurred(v, _numbers(weights, v)))


def random_brightness(x: Images, rng: Generator) -> Images:
    chosen = _channels(x, rng, 0.15)
    factors = _around_one(rng, 0.75, 1.25, chosen.sum())
    return _changed(x, chosen, lambda v: v * each(_numbers(factors, v), v))


def random_contrast(x: Images, rng: Generator) -> Images:
    chosen = _channels(x, rng, 0.15)
    factors = _around_one(rng, 0.75, 1.25, chosen.sum())
    return _changed(x, chosen, lambda v: contrasted(v, _numbers(factors, v)))


def random_low_resolution(x: Images, rng: Generator) -> Images:
    """Not across a stack of slices."""
    chosen = _channels(x, rng, 0.25, 0.5)
    zooms = rng.uniform(0.5, 1, chosen.sum()).tolist()
    axes = allowed_turns(x.shape[2:], "all").axes

    def change(v: Float[Tensor, " n *s"]) -> Float[Tensor, " n *s"]:
        # One by one: each has another size in between.
        return torch.stack([coarse(one, zoom, axes) for one, zoom in zip(v, zooms, strict=True)])

    return _changed(x, chosen, change)


def random_inverse_gamma(x: Images, rng: Generator) -> Images:
    chosen = _channels(x, rng, 0.1)
    gammas = _around_one(rng, 0.7, 1.5, chosen.sum())
    return _changed(x, chosen, lambda v: -gamma_corrected(-v, _numbers(gammas, v)))


def random_gamma(x: Images, rng: Generator) -> Images:
    chosen = _channels(x, rng, 0.3)
    gammas = _around_one(rng, 0.7, 1.5, chosen.sum())
    return _changed(x, chosen, lambda v: gamma_corrected(v, _numbers(gammas, v)))


def _channels(x: Images, rng: Generator, p: float, p_channel: float = 1.0) -> Bool[ndarray, "b c"]:
    """Which are changed: with p an image, and of it each channel with p_channel."""
    of_image, of_channel = rng.random((len(x), 1)) < p, rng.random(x.shape[:2]) < p_channel
    return of_image & of_channel


def _around_one(
    rng: Generator, low: float, high: float, n: int | np.integer
) -> Float[ndarray, " n"]:
    """Half of them uniform below 1, half above."""
    is_below, share = rng.random(n) < 0.5, rng.random(n)
    return np.where(is_below, low + (1 - low) * share, 1 + (high - 1) * share)


def _changed(x: Images, chosen: Bool[ndarray, "b c"], change: Callable[[Tensor], Tensor]) -> Images:
    """The channels that are chosen, as pictures (n *s), changed; the others as they are."""
    if not chosen.any():
        return x
    rows = sent(torch.from_numpy(np.flatnonzero(chosen)), x.device)
    pictures = x.flatten(0, 1)
    return pictures.index_copy(0, rows, change(pictures[rows])).unflatten(0, x.shape[:2])


def _numbers(values: Float[ndarray, "*n"], like: Tensor) -> Float[Tensor, "*n"]:
    """On the device of the images."""
    return sent(torch.from_numpy(values.astype(np.float32)), like.device)
