"""Mean teacher: the student must agree with the moving average of itself on noisy images.

    L = S(f(x), y)  +  weight · ramp · mean (softmax f(u) - softmax g(u + noise))²
    g ← aₖ g + (1 - aₖ) f after step k = 0, 1, …,   aₖ = min(1 - 1/(k + 1), decay)

Paper:   Tarvainen & Valpola, NeurIPS 2017, arXiv:1703.01780
Code:    HiLab-git/SSL4MIS@06df604 code/train_mean_teacher_2D.py:80-89, 154-179
Differs: weight rising linearly to 5 (theirs 0.1, sigmoid ramp over 200 · 150 steps, nothing at all
         in the first 1000); noise of the same size on z-scores (theirs on images from 0 to 1); the
         average counts steps, as there (copies of it count epochs: average_counts=epochs); the
         teacher starts as a copy (theirs: as another network that the first average overwrites)
         and is tested, as in the paper (tested=student for theirs)
Options: weight: of the consistency once it is grown, by the run's ramp (from 0, linearly)
         decay: limit of the average's rate aₖ
         noise: standard deviation of the noise on the teacher's images, in z-scores
         noise_limit: where that noise is cut off
         tested: network that is tested, teacher or student
         buffers: the teacher's batch-norm statistics are its own (own) or the student's (copy)
         average_counts: what k counts, steps or epochs
Cost:    2 networks in training (1 pass of x, 2 of u: student with gradient, teacher without), 1 at
         test
"""

import copy
from collections.abc import Iterator
from typing import ClassVar

import torch

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import agreement, consistency
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.teachers import Clock, average_rate, follow, noisy


class MeanTeacher(Method):
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
        tested: str = "teacher",
        buffers: str = "own",
        average_counts: str = "steps",
    ):
        if tested not in ("teacher", "student") or buffers not in ("own", "copy"):
            raise ValueError(
                f"tested is teacher or student, buffers own or copy; got {tested}, {buffers}"
            )
        super().__init__()
        self.student = build()
        self.teacher = copy.deepcopy(self.student).requires_grad_(False)
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight, self.decay = weight, decay
        self.noise, self.noise_limit = noise, noise_limit
        self.tested, self.buffers = tested, buffers
        self.average_counts, self.clock = average_counts, Clock(average_counts, build.epochs)

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.student(batch.x), batch.y)}
        z = self.student(batch.u)
        with torch.no_grad():
            target = self.teacher(noisy(batch.u, self.noise, self.noise_limit))
        weight = self.weight * self.ramp(progress)
        yield {"consistency": weight * consistency(z.softmax(1), target.softmax(1))}
        self.diagnostics = {"agreement": agreement(z, target)}

    def after_step(self, progress: float) -> None:
        rate = average_rate(self.clock.tick(progress), self.decay)
        follow(self.teacher, self.student, rate, buffers=self.buffers)

    def forward(self, x):
        return (self.teacher if self.tested == "teacher" else self.student)(x)
