"""Losses that methods share: supervised criteria, cross supervision, consistency.

Notation: z logits (b, k, *s), y classes (b, *s), p = softmax(z), q = one-hot(y).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

Criterion = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(z: Float[Tensor, "b k *s"], y: Int[Tensor, " b *s"]) -> Float[Tensor, ""]:
    """Mean over all pixels of -log p at the true class."""
    return F.cross_entropy(z, y)


def dice_loss(z: Float[Tensor, "b k *s"], y: Int[Tensor, " b *s"]) -> Float[Tensor, ""]:
    """Mean over images and classes of 1 - (2 Σ p q + 1) / (Σ p² + Σ q² + 1).

    The background is a class like the others, and the number of classes is that of z: a batch
    without foreground keeps every term. (Inferring it from y drops terms and rewards
    all-background pseudo-labels: ciampluca/hebbian-bootstraping@e18ce3f loss/loss_function.py:119.)
    """
    p = z.softmax(1)
    q = one_hot(y, z.shape[1]).to(p.dtype)
    space = tuple(range(2, z.ndim))
    overlap = (p * q).sum(space)  # (b, k)
    size = p.square().sum(space) + q.sum(space)  # q² = q
    return (1 - (2 * overlap + 1) / (size + 1)).mean()


def cross_entropy_and_dice(
    z: Float[Tensor, "b k *s"], y: Int[Tensor, " b *s"]
) -> Float[Tensor, ""]:
    """The mean of `cross_entropy` and `dice_loss`."""
    return 0.5 * (cross_entropy(z, y) + dice_loss(z, y))


def cross_supervision(
    z1: Float[Tensor, "b k *s"], z2: Float[Tensor, "b k *s"], criterion: Criterion
) -> Float[Tensor, ""]:
    """S(z₁, argmax z₂) + S(z₂, argmax z₁); the hard labels carry no gradient, ties are class 0."""
    return criterion(z1, z2.argmax(1)) + criterion(z2, z1.argmax(1))


def consistency(p: Float[Tensor, "b k *s"], q: Float[Tensor, "b k *s"]) -> Float[Tensor, ""]:
    """Mean over pixels and classes of the squared difference of two probabilities."""
    return (p - q).square().mean()


def agreement(z1: Float[Tensor, "b k *s"], z2: Float[Tensor, "b k *s"]) -> Float[Tensor, ""]:
    """Share of pixels at which both choose the same class; a diagnostic, without gradient."""
    return (z1.argmax(1) == z2.argmax(1)).float().mean()


def foreground_share(z: Float[Tensor, "b k *s"]) -> Float[Tensor, ""]:
    """Share of pixels at which not the background is chosen; a diagnostic, without gradient."""
    return (z.argmax(1) > 0).float().mean()


def one_hot(y: Int[Tensor, " b *s"], classes: int) -> Int[Tensor, "b {classes} *s"]:
    """Classes (b, *s) as indicators (b, k, *s)."""
    return torch.movedim(F.one_hot(y, classes), -1, 1)


CRITERIA: dict[str, Criterion] = {
    "ce": cross_entropy,
    "dice": dice_loss,
    "ce_dice": cross_entropy_and_dice,
}
