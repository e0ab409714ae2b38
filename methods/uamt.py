"""Uncertainty-aware mean teacher: agree with the teacher only where the teacher is sure.

    L = S(f(x), y)  +  weight · ramp · Σ m |softmax f(u) - softmax g(u + noise)|² / (K Σ m)
    m = [H(P) < (0.75 + 0.25 exp(-5 (1 - progress)²)) ln K],   P = mean of softmax g(u + noiseₜ)
    g ← aₖ g + (1 - aₖ) f after step k = 0, 1, …,   aₖ = min(1 - 1/(k + 1), decay)

Paper:   Yu et al., MICCAI 2019, arXiv:1907.07034
Code:    yulequan/UA-MT@88ed29a code/train_LA_meanteacher_certainty_unlabel.py
Differs: weight rising linearly to 5 as in this benchmark (theirs 0.1, sigmoid ramp); any number of
         classes: ln K and K Σ m (theirs ln 2 and 2 Σ m of two classes, which SSL4MIS's copy keeps
         for four); the average counts steps, as there (of the benchmark's authors epochs:
         average_counts=epochs); the teacher starts as a copy (theirs: as another network that the
         first average overwrites); its samples leave its batch-norm statistics alone
Options: weight: of the consistency once it is grown, by the run's ramp (from 0, linearly)
         decay: limit of the average's rate aₖ
         noise: standard deviation of the noise on the teacher's images, in z-scores
         noise_limit: where that noise is cut off
         samples: passes of the teacher whose mean tells how sure it is
         tested: network that is tested, teacher or student
         average_counts: what k counts, steps or epochs
Cost:    2 networks in training (1 pass of x, 10 of u: the student's with gradient, the teacher's
         target and 8 samples without), 1 at test
"""

import copy
import math
from collections.abc import Iterator
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import agreement
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.teachers import Clock, average_rate, follow, noisy, running_statistics_kept

_SMOOTH = (
    1e-6  # in the logarithm, as in the source: it lets a uniform pixel pass the last threshold
)


class UAMT(Method):
    FAMILY = "consistency"
    BEFORE: ClassVar = {"average_counts": "steps"}

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 5.0,
        decay: float = 0.99,
        noise: float = 0.1,
        noise_limit: float = 0.2,
        samples: int = 8,
        tested: str = "student",
        average_counts: str = "steps",
    ):
        if tested not in ("teacher", "student") or samples < 1:
            raise ValueError(
                f"tested is teacher or student, samples at least 1; got {tested}, {samples}"
            )
        super().__init__()
        self.student = build()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight, self.decay = weight, decay
        self.noise, self.noise_limit = noise, noise_limit
        self.samples, self.tested = samples, tested
        self.average_counts, self.clock = average_counts, Clock(average_counts, build.epochs)

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.student(batch.x), batch.y)}
        z = self.student(batch.u)
        with torch.no_grad():
            target = self.teacher(self._noisy(batch.u))
            is_sure = uncertainty(self._mean_of_samples(batch.u)) < threshold(progress, z.shape[1])
        weight = self.weight * self.ramp(progress)
        yield {"consistency": weight * masked_consistency(z, target, is_sure)}
        self.diagnostics = {"agreement": agreement(z, target), "sure": is_sure.float().mean()}

    def after_step(self, progress: float) -> None:
        rate = average_rate(self.clock.tick(progress), self.decay)
        follow(self.teacher, self.student, rate)

    def forward(self, x):
        return (self.teacher if self.tested == "teacher" else self.student)(x)

    def _noisy(self, images: Tensor) -> Tensor:
        return noisy(images, self.noise, self.noise_limit)

    def _mean_of_samples(self, images: Tensor) -> Tensor:
        """Mean of the teacher's probabilities; dropout and fresh noise make each sample another."""
        with running_statistics_kept(self.teacher):
            total = sum(self.teacher(self._noisy(images)).softmax(1) for _ in range(self.samples))
        return total / self.samples


def uncertainty(p: Float[Tensor, "b k *s"]) -> Float[Tensor, " b *s"]:
    """Entropy of each pixel in nats."""
    return -(p * (p + _SMOOTH).log()).sum(1)


def threshold(progress: float, classes: int) -> float:
    """From 0.75 of the largest entropy up to all of it, mostly in the second half of the run."""
    return (0.75 + 0.25 * math.exp(-5 * (1 - progress) ** 2)) * math.log(classes)


def masked_consistency(
    z: Float[Tensor, "b k *s"], target: Float[Tensor, "b k *s"], is_sure: Bool[Tensor, " b *s"]
) -> Float[Tensor, ""]:
    """Mean over the sure pixels and the classes of the squared difference of the probabilities.

    0 where no pixel is sure.
    """
    squared = (z.softmax(1) - target.softmax(1)).square().sum(1)
    return (squared * is_sure).sum() / (z.shape[1] * is_sure.sum() + 1e-16)
