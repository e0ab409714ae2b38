"""Fully supervised training on the labelled images alone: the control that every method must beat.

    L = S(f(x), y)

Paper:   Ronneberger et al., MICCAI 2015, arXiv:1505.04597
Code:    none: the criterion is the run's
Differs: the unlabelled images are not looked at
Options: none
Cost:    1 network in training (1 pass of x), 1 at test
"""

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Batch, Method, Terms


class Supervised(Method):
    FAMILY = "supervised"

    def __init__(self, build: NetworkBuilder):
        super().__init__()
        self.network = build()
        self.criterion = build.criterion

    def loss(self, batch: Batch, progress: float) -> Terms:
        return {"supervised": self.criterion(self.network(batch.x), batch.y)}

    def forward(self, x):
        return self.network(x)
