"""Entropy minimisation: the network is pushed to decide on every unlabelled pixel.

    L = S(f(x), y)  +  weight · ramp · mean over pixels of H(softmax f(u)) / ln K

Paper:   Vu et al. (ADVENT, its direct variant "MinEnt"), CVPR 2019, arXiv:1811.12833; Grandvalet &
         Bengio, NeurIPS 2004
Code:    valeoai/ADVENT@3e58d45 advent/utils/loss.py, advent/domain_adaptation/train_UDA.py
Differs: weight rising linearly to 5 as in this benchmark (theirs 0.001 throughout, and 0.0002 for
         the entropy of a second, coarser head, which is not there); the entropy in log space, exact
         at any confidence (theirs log(p + 1e-30))
Options: weight: of the entropy once it is grown, by the run's ramp (from 0, linearly)
Cost:    1 network in training (1 pass of x, 1 of u), 1 at test
"""

import math
from collections.abc import Iterator

from jaxtyping import Float
from torch import Tensor

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import foreground_share
from benchmark.toolkit.method import Batch, Method, Terms


class EntropyMinimisation(Method):
    FAMILY = "entropy"

    def __init__(self, build: NetworkBuilder, *, weight: float = 5.0):
        super().__init__()
        self.network = build()
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight = weight

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        yield {"supervised": self.criterion(self.network(batch.x), batch.y)}
        z = self.network(batch.u)
        yield {"entropy": self.weight * self.ramp(progress) * normalised_entropy(z)}
        # A large weight can make the network choose one class everywhere.
        self.diagnostics = {"predicted_foreground": foreground_share(z)}

    def forward(self, x):
        return self.network(x)


def normalised_entropy(z: Float[Tensor, "b k *s"]) -> Float[Tensor, ""]:
    """Mean over pixels of -Σ p ln p / ln K: 0 where decided, 1 where all classes are equal."""
    log_p = z.log_softmax(1)
    return -(log_p.exp() * log_p).sum(1).mean() / math.log(z.shape[1])
