"""Losses that methods share: supervised criteria, cross supervision, consistency.

Notation: z logits (b, k, *s), y classes (b, *s), p = softmax(z), q = one-hot(y).
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

Criterion = Callable[[Tensor, Tensor], Tensor]
MaskedCriterion = Callable[[Tensor, Tensor, Tensor], Tensor]


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
    return _dice_loss((p * q).sum(space), p.square().sum(space), q.sum(space))  # q² = q


def _dice_loss(
    overlap: Float[Tensor, "b k"], predicted: Float[Tensor, "b k"], true: Float[Tensor, "b k"]
) -> Float[Tensor, ""]:
    """Mean over images and classes; overlap Σ p q, predicted Σ p², true Σ q."""
    return (1 - (2 * overlap + 1) / (predicted + true + 1)).mean()


def cross_entropy_and_dice(
    z: Float[Tensor, "b k *s"], y: Int[Tensor, " b *s"]
) -> Float[Tensor, ""]:
    """The mean of `cross_entropy` and `dice_loss`."""
    return 0.5 * (cross_entropy(z, y) + dice_loss(z, y))


def masked(criterion: Criterion, *, average: str = "kept") -> MaskedCriterion:
    """The run's criterion on some of the pixels: a function of z, y and keep, which is (b, *s).

    Where nothing is kept it is 0, with a gradient of 0; where everything is, the criterion itself.
    average: what the cross entropy is divided by, the number of kept pixels (kept) or, as FixMatch
    has it, of all pixels (all). Dice has its own sizes, those of what is kept. ValueError for
    another criterion than those of `CRITERIA`.
    """
    if average not in ("kept", "all"):
        raise ValueError(f"average is kept or all, got {average}")
    if criterion is cross_entropy:
        return partial(_masked_cross_entropy, average=average)
    if criterion is dice_loss:
        return _masked_dice_loss
    if criterion is cross_entropy_and_dice:
        return partial(_masked_cross_entropy_and_dice, average=average)
    raise ValueError(f"only {', '.join(CRITERIA)} can be masked, got {criterion}")


def _masked_cross_entropy(
    z: Float[Tensor, "b k *s"],
    y: Int[Tensor, " b *s"],
    keep: Bool[Tensor, " b *s"],
    *,
    average: str,
) -> Float[Tensor, ""]:
    """Σ keep · (-log p at y) / the number of kept pixels, or of all."""
    pixels = keep.sum().clamp(min=1) if average == "kept" else keep.numel()
    return (F.cross_entropy(z, y, reduction="none") * keep).sum() / pixels


def _masked_dice_loss(
    z: Float[Tensor, "b k *s"], y: Int[Tensor, " b *s"], keep: Bool[Tensor, " b *s"]
) -> Float[Tensor, ""]:
    """`dice_loss` with sums over the kept pixels; a class that has none costs nothing for it."""
    p = z.softmax(1) * keep[:, None]  # keep² = keep
    q = one_hot(y, z.shape[1]).to(p.dtype) * keep[:, None]
    space = tuple(range(2, z.ndim))
    return _dice_loss((p * q).sum(space), p.square().sum(space), q.sum(space))


def _masked_cross_entropy_and_dice(
    z: Float[Tensor, "b k *s"],
    y: Int[Tensor, " b *s"],
    keep: Bool[Tensor, " b *s"],
    *,
    average: str,
) -> Float[Tensor, ""]:
    entropy = _masked_cross_entropy(z, y, keep, average=average)
    return 0.5 * (entropy + _masked_dice_loss(z, y, keep))


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
