"""FixMatch: where a weak view is sure of its class, a strong view of the image must learn it.

    L = S(f(x), y)  +  weight · S(f(s), h) over the pixels with c ≥ threshold
    c, h = max and argmax of softmax f(u), without gradient;  u is the weak view
    s    = u with other grey levels, then CutMix: with a chance of 1/2 a box of each image, of its
           h and of its c is another image's

Paper:   Sohn et al., NeurIPS 2020, arXiv:2001.07685 (of whole images)
Code:    LiheYoung/UniMatch@0324f3d fixmatch.py, LiheYoung/UniMatch-V2@f6afb4d fixmatch.py:171-193
Differs: S is the run's criterion in both terms (theirs cross entropy: fixmatch[paper]; also with a
         teacher's labels: fixmatch[unimatch_v2]); the sum is not halved; streams pass apart
         (theirs x with s); boxes come from the batch in reverse order, as in V2 (UniMatch: from a
         second batch), by a slightly other law (toolkit/views.py); s is jittered and blurred, a
         volume stretched and grained (paper: RandAugment, cutout); f is tested (paper: its
         average). Not what HiLab-git/SSL4MIS@06df604 calls FixMatch:
         code/train_fixmatch_standard_augs.py:284-286 teaches unsure pixels as background, here
         they are ignored; train_fixmatch_cta.py has no threshold
Options: weight: of the pseudo-labels
         ramp: none (the weight is whole from the first step, as theirs) or run (the run's ramp)
         threshold: probability from which a pixel's label counts
         labels: whose labels, the student's (f, in training mode) or its average's (teacher, in
         evaluation mode)
         decay: of labels=teacher, limit of the average's rate
         tested: network that is tested, student or teacher
         unsupervised: criterion of the pseudo-labels: the run's (criterion), ce, dice or ce_dice
         average: cross entropy is averaged over all pixels (all) or over those that count (kept)
         jitter: s has other grey levels; without it CutMix alone makes s
         cutmix: chance of an image to have a box
         views_leave_statistics: batch norms do not remember s
Cost:    1 network in training (1 pass of x, 2 of u: weak without gradient, strong with), 1 at test;
         labels=teacher: 2 networks in training, as many passes
"""

import copy
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from benchmark.toolkit import schedules, views
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import CRITERIA, masked
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.teachers import (
    Clock,
    average_rate,
    follow,
    in_eval_mode,
    running_statistics_kept,
    without_gradient,
)

_CHOICES = {
    "ramp": ("none", "run"),
    "labels": ("student", "teacher"),
    "tested": ("student", "teacher"),
    "unsupervised": ("criterion", *CRITERIA),
}
_PAPER = {
    "weight": 1.0, "ramp": "none", "threshold": 0.95, "labels": "student", "unsupervised": "ce",
    "average": "all",
}  # fmt: skip


class FixMatch(Method):
    FAMILY = "pseudo-labels"
    BUNDLES: ClassVar = {
        "paper": _PAPER,
        "unimatch_v2": _PAPER | {"labels": "teacher", "decay": 0.996, "cutmix": 0.5},
    }

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 1.0,
        ramp: str = "none",
        threshold: float = 0.95,
        labels: str = "student",
        decay: float = 0.996,
        tested: str = "student",
        unsupervised: str = "criterion",
        average: str = "all",
        jitter: bool = True,
        cutmix: float = 0.5,
        views_leave_statistics: bool = False,
    ):
        _check(ramp=ramp, labels=labels, tested=tested, unsupervised=unsupervised)
        if tested == "teacher" and labels != "teacher":
            raise ValueError("tested=teacher needs labels=teacher: there is no average without it")
        super().__init__()
        self.network = build()
        self.teacher = None
        if labels == "teacher":
            self.teacher = copy.deepcopy(self.network).requires_grad_(False)
        self.criterion, self.scale = build.criterion, build.scale
        self.pseudo = masked(CRITERIA.get(unsupervised, build.criterion), average=average)
        self.growth = build.ramp if ramp == "run" else partial(schedules.ramp, how="none")
        self.clock = Clock("steps", build.epochs)
        self.weight, self.ramp, self.threshold = weight, ramp, threshold
        self.labels, self.decay, self.tested = labels, decay, tested
        self.unsupervised, self.average = unsupervised, average
        self.jitter, self.cutmix = jitter, cutmix
        self.views_leave_statistics = views_leave_statistics

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.network(batch.x), batch.y)}
        view, label, sureness = self._strong(batch.u, *self._weak(batch.u))
        is_sure = sureness >= self.threshold
        with running_statistics_kept(self.network, kept=self.views_leave_statistics):
            z = self.network(view)
        weight = self.weight * self.growth(progress)
        yield {"pseudo": weight * self.pseudo(z, label, is_sure)}
        self.diagnostics = {
            "kept": is_sure.float().mean(),
            "pseudo_foreground": (label > 0).float().mean(),
        }

    def after_step(self, progress: float) -> None:
        if self.teacher is not None:
            rate = average_rate(self.clock.tick(progress), self.decay)
            follow(self.teacher, self.network, rate, buffers="average")

    def forward(self, x):
        return (self.teacher if self.tested == "teacher" else self.network)(x)

    def _weak(self, u: Float[Tensor, "m c *s"]) -> tuple[Tensor, Tensor]:
        """The class of each pixel and its probability, (m, *s) each."""
        with without_gradient():
            z = self.network(u) if self.teacher is None else self._of_teacher(u)
            sureness, label = z.softmax(1).max(1)
        return label, sureness

    def _of_teacher(self, u: Float[Tensor, "m c *s"]) -> Tensor:
        with in_eval_mode(self.teacher):
            return self.teacher(u)

    def _strong(
        self,
        u: Float[Tensor, "m c *s"],
        label: Int[Tensor, " m *s"],
        sureness: Float[Tensor, " m *s"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The strong view, its labels and how sure they are: pasted in the same boxes."""
        view = views.strong(u, self.scale) if self.jitter else u
        view, label, sureness = views.cutmix(view, label, sureness, p=self.cutmix)
        return view, label, sureness


def _check(**chosen: str) -> None:
    for name, value in chosen.items():
        if value not in _CHOICES[name]:
            raise ValueError(f'{name} is {" or ".join(_CHOICES[name])}, got "{value}"')
