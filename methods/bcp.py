"""Bidirectional copy-paste: labelled boxes in unlabelled images, and unlabelled boxes in labelled.

    L = R(f(M u + (1-M) x); ĥ, y; alpha, 1)  +  R(f(M x + (1-M) u'); y, ĥ'; 1, alpha)
    R(z; a, b; α, β) = α S_M(z, a) + β S_{1-M}(z, b),   M = 0 in a box, 1 outside
    ĥ = argmax g(u), bcp[paper]: its largest components;   u', ĥ': the same in another order
    Before, for `first` of the run, from labels alone:  L = R(f(M x + (1-M) x'); y, y'; 1, 1)
    g ← f in that phase, g ← decay · g + (1 - decay) · f after it

    S_M is S on the pixels of M. The box, of `side` of each side, is one for all images of a step.

Paper:   Bai et al., CVPR 2023, arXiv:2305.00673
Code:    DeepMed-Lab-ECNU/BCP@7879f98 code/ACDC_BCP_train.py (first phase 243-251),
         code/LA_BCP_train.py (155-161), code/utils/BCP_utils.py
Differs: the first phase is a part of the same run, and the second goes on from its last step and
         optimiser (theirs a run before it, of which the step that is best on the validation set of
         ACDC, on the test set of LA, is continued). Every image is mixed with one of the other
         stream in both directions (theirs half the batch one way, half the other: pairs=halves).
         S is the run's criterion (theirs the mean of cross entropy and Dice, as ce_dice, but with
         a Dice over the batch in 2D and without squares in 3D); the box may lie at the far edges
         (theirs never); the average is that of the batch-norm statistics too (theirs in 2D only).
         Without a ramp, as there: the first phase is in its place (ramp=run for the run's).
         Pseudo-labels keep all that the teacher found: theirs, of single organs, keep the largest
         component of each class, which takes from glands or nuclei all but one
Options: first: share of the run that is the first phase (1: labelled copy-paste, without u at all)
         side: of the box, as a share of the image's
         alpha: weight of pseudo-labelled pixels in the second phase; labelled ones have 1
         ramp: of alpha, none (whole from the second phase's first step) or run (the run's ramp)
         decay: rate of the teacher's average
         components: of each class the pseudo-labels keep the largest component alone
         pairs: all, or halves: the first half of each batch is mixed with labelled boxes, the
         second with unlabelled ones
         first_loss: of the first phase, regions (R) or whole (S of the mixed image, theirs in 3D)
Cost:    2 networks in training (1 pass of u: the teacher, without gradient; 2 of mixed: the
         student), 1 at test; in the first phase as the baseline
"""

import copy
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from benchmark.toolkit import schedules
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.components import largest
from benchmark.toolkit.losses import masked
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.teachers import follow
from benchmark.toolkit.views import paste, shared_box

_CHOICES = {"ramp": ("none", "run"), "pairs": ("all", "halves"), "first_loss": ("regions", "whole")}


class BCP(Method):
    FAMILY = "copy-paste"
    BUNDLES: ClassVar = {
        "paper": {
            "first": 0.25, "side": 2 / 3, "alpha": 0.5, "ramp": "none", "decay": 0.99,
            "components": True, "pairs": "halves", "first_loss": "regions",
        },
        "paper_3d": {
            "first": 2 / 17, "side": 2 / 3, "alpha": 0.5, "ramp": "none", "decay": 0.99,
            "components": True, "pairs": "halves", "first_loss": "whole",
        },
    }  # fmt: skip

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        first: float = 0.25,
        side: float = 2 / 3,
        alpha: float = 0.5,
        ramp: str = "none",
        decay: float = 0.99,
        components: bool = False,
        pairs: str = "all",
        first_loss: str = "regions",
    ):
        _check(first, side, ramp=ramp, pairs=pairs, first_loss=first_loss)
        super().__init__()
        self.student = build()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.criterion, self.on_region = build.criterion, masked(build.criterion)
        self.growth = build.ramp if ramp == "run" else partial(schedules.ramp, how="none")
        self.first, self.side, self.alpha, self.ramp = first, side, alpha, ramp
        self.decay, self.components = decay, components
        self.pairs, self.first_loss = pairs, first_loss
        if pairs == "halves":
            self.LEAST_BATCH = (2, 2)

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        if progress <= self.first:
            yield self._labelled_in_labelled(batch.x, batch.y)
            return
        h = self._pseudo_labels(batch.u)
        n = min(len(batch.x), len(batch.u))
        # "all" takes the pairs (xᵢ, uᵢ) one way and (xᵢ, uᵢ₋₁) the other.
        (x, x2), (y, y2) = (in_two(t[:n], self.pairs, shift=0) for t in (batch.x, batch.y))
        (u, u2), (h, h2) = (in_two(t[:n], self.pairs) for t in (batch.u, h))
        box, alpha = shared_box(u, self.side), self.alpha * self.growth(progress)

        outside, inside = self._on_regions(paste(u, x, box), h, y, box)
        yield {"pseudo_outside": alpha * outside, "supervised_inside": inside}
        outside, inside = self._on_regions(paste(x2, u2, box), y2, h2, box)
        yield {"supervised_outside": outside, "pseudo_inside": alpha * inside}

    def after_step(self, progress: float) -> None:
        rate = 0.0 if progress <= self.first else self.decay
        follow(self.teacher, self.student, rate, buffers="average")

    def forward(self, x):
        return self.student(x)

    def panel(self, x: Float[Tensor, "b c *s"]) -> Terms:
        return {"pseudo_label": self.teacher(x)}

    def _labelled_in_labelled(self, x: Tensor, y: Tensor) -> Terms:
        """The first phase: each image with a box of another one."""
        (x, x2), (y, y2) = in_two(x, self.pairs), in_two(y, self.pairs)
        box = shared_box(x, self.side)
        mixed = paste(x, x2, box)
        if self.first_loss == "whole":
            return {"supervised": self.criterion(self.student(mixed), paste(y, y2, box))}
        outside, inside = self._on_regions(mixed, y, y2, box)
        return {"supervised_outside": outside, "supervised_inside": inside}

    def _on_regions(
        self, mixed: Tensor, outside: Tensor, inside: Tensor, box: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The criterion outside the box and inside it, each against the classes that it has."""
        z = self.student(mixed)
        return self.on_region(z, outside, ~box), self.on_region(z, inside, box)

    @torch.no_grad()
    def _pseudo_labels(self, u: Float[Tensor, "m c *s"]) -> Int[Tensor, " m *s"]:
        """The teacher's classes; its dropout is on, as in the source."""
        z = self.teacher(u)
        found = z.argmax(1)
        kept = largest(found, z.shape[1]) if self.components else found
        self.diagnostics = {
            "pseudo_foreground": (kept > 0).float().mean(),
            "removed": (kept != found).float().mean(),
        }
        return kept


def in_two(
    batch: Shaped[Tensor, " b *any"], pairs: str, shift: int = 1
) -> tuple[Shaped[Tensor, " n *any"], Shaped[Tensor, " n *any"]]:
    """Two parts, equally long: halves (of odd batches without the last), or for "all" the whole
    batch twice, the second time shifted.
    """
    if pairs == "all":
        return batch, batch.roll(shift, 0)
    half = len(batch) // 2
    return batch[:half], batch[half : 2 * half]


def _check(first: float, side: float, **chosen: str) -> None:
    if not 0 <= first <= 1 or not 0 < side <= 1:
        raise ValueError(f"first is in [0, 1] and side in (0, 1], got {first} and {side}")
    for key, value in chosen.items():
        if value not in _CHOICES[key]:
            raise ValueError(f"{key} is {' or '.join(_CHOICES[key])}, got {value}")
