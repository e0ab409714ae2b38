"""UniMatch: FixMatch with two strong views and, of the weak view, one with dropped features.

    L = S(f(x), y)  +  weight · (½ S(d(drop e(u)), h) + ¼ S(f(s₁), h₁) + ¼ S(f(s₂), h₂)),
        each over the pixels with c, c₁, c₂ ≥ threshold
    c, h = max and argmax of softmax f(u), without gradient;  f = d ∘ e;  u is the weak view
    sᵢ   = u with other grey levels, then CutMix: with a chance of 1/2 a box of each image, of its
           h and of its c is another image's; each view has draws and boxes of its own
    drop: of each image's channels half are dropped, at every level, and the others doubled

Paper:   Yang et al., CVPR 2023, arXiv:2208.09910
Code:    LiheYoung/UniMatch@0324f3d more-scenarios/medical/unimatch.py:129-177, unimatch.py
Differs: S is the run's criterion in all terms (theirs of the pseudo-labels Dice alone in medical
         images: unimatch[paper]; cross entropy in natural ones: unimatch[natural]), its Dice of
         each image (theirs of the batch, with a smoothing of 1e-5: a class without a sure pixel
         costs nearly 1); the sum is not halved; u, dropped features and x pass apart (theirs
         together, so that they share batch statistics); boxes come from the batch in reverse order
         (theirs from a second batch, labelled in evaluation mode), by a slightly other law
         (toolkit/views.py); a volume is stretched and grained, theirs are images
Options: weight: of the three terms without labels together
         ramp: none (the weight is whole from the first step, as theirs) or run (the run's ramp)
         threshold: probability from which a pixel's label counts
         unsupervised: criterion of the pseudo-labels: the run's (criterion), ce, dice or ce_dice
         average: cross entropy is averaged over all pixels (all) or over those that count (kept)
         feature_dropout: chance of a channel to be dropped
         jitter: the strong views have other grey levels; without it CutMix alone makes them
         cutmix: chance of an image to have a box in a view
         views_leave_statistics: batch norms remember neither strong views nor dropped features
Cost:    1 network in training (1 pass of x, 3 of u: weak and two strong; decoders: 1 of x, 4 of u),
         1 at test
"""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from benchmark.toolkit import schedules, views
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import CRITERIA, masked
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.teachers import running_statistics_kept, without_gradient

_PAPER = {
    "weight": 1.0, "ramp": "none", "threshold": 0.95, "unsupervised": "dice",
    "feature_dropout": 0.5, "cutmix": 0.5,
}  # fmt: skip


class UniMatch(Method):
    FAMILY = "pseudo-labels"
    BUNDLES: ClassVar = {
        "paper": _PAPER,
        "natural": _PAPER | {"unsupervised": "ce", "average": "all"},
    }

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 1.0,
        ramp: str = "none",
        threshold: float = 0.95,
        unsupervised: str = "criterion",
        average: str = "all",
        feature_dropout: float = 0.5,
        jitter: bool = True,
        cutmix: float = 0.5,
        views_leave_statistics: bool = False,
    ):
        if ramp not in ("none", "run") or unsupervised not in ("criterion", *CRITERIA):
            raise ValueError(
                f"ramp is none or run, unsupervised is criterion or {' or '.join(CRITERIA)}; "
                f"got {ramp}, {unsupervised}"
            )
        super().__init__()
        self.network = build()
        self.criterion, self.scale = build.criterion, build.scale
        self.pseudo = masked(CRITERIA.get(unsupervised, build.criterion), average=average)
        self.growth = build.ramp if ramp == "run" else partial(schedules.ramp, how="none")
        self.weight, self.ramp, self.threshold = weight, ramp, threshold
        self.unsupervised, self.average = unsupervised, average
        self.feature_dropout, self.jitter, self.cutmix = feature_dropout, jitter, cutmix
        self.views_leave_statistics = views_leave_statistics

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.network(batch.x), batch.y)}
        weight = self.weight * self.growth(progress)

        features = self.network.encode(batch.u)
        with without_gradient():
            sureness, label = self._logits(features).softmax(1).max(1)
        dropped = views.channel_dropout(features, self.feature_dropout)
        is_sure = sureness >= self.threshold
        with running_statistics_kept(self.network, kept=self.views_leave_statistics):
            z = self._logits(dropped)
        yield {"feature": weight / 2 * self.pseudo(z, label, is_sure)}
        self.diagnostics = {
            "kept": is_sure.float().mean(),
            "pseudo_foreground": (label > 0).float().mean(),
        }

        (view1, *target1), (view2, *target2) = (
            self._strong(batch.u, label, sureness) for _ in range(2)
        )
        with running_statistics_kept(self.network, kept=self.views_leave_statistics):
            z1, z2 = self.network(torch.cat([view1, view2])).chunk(2)
        yield {"strong": weight / 4 * (self.pseudo(z1, *target1) + self.pseudo(z2, *target2))}

    def forward(self, x):
        return self.network(x)

    def _logits(self, features: list[Tensor]) -> Tensor:
        return self.network.head(self.network.decode(features)[-1])

    def _strong(
        self,
        u: Float[Tensor, "m c *s"],
        label: Int[Tensor, " m *s"],
        sureness: Float[Tensor, " m *s"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """A strong view, its labels and where they are sure: pasted in the same boxes."""
        view = views.strong(u, self.scale) if self.jitter else u
        view, label, sureness = views.cutmix(view, label, sureness, p=self.cutmix)
        return view, label, sureness >= self.threshold
