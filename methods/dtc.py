"""Dual-task consistency: a segmentation must agree with the signed distance map beside it.

    L = S(f(x), y)  +  distance_weight · mean (s(x) - SDF(y))²
        +  weight · ramp · mean over x and u of (σ(-steepness s) - softmax f)²
    s = tanh of a second head, one channel per foreground class (of softmax f these channels alone
    are compared with it); SDF is negative inside

Paper:   Luo et al., AAAI 2021, arXiv:2009.04448
Code:    HiLab-git/DTC@2525b9c code/train_la_dtc.py, code/utils/util.py:123-150
Differs: weight rising linearly to 5 (theirs 1, sigmoid ramp); S is the run's criterion on K classes
         (theirs Dice of a sigmoid); 2D as well as 3D; the second head is a 3×3 convolution (theirs
         1×1×1); a patch that is all foreground has distance 0 or -1 as sdf_empty says (theirs NaN).
         unlabelled_only=true is what the benchmark's authors do, who also compare a channel that
         nothing supervises, and with a sigmoid instead of the softmax
Options: weight: of the consistency once it is grown, by the run's ramp (from 0, linearly)
         distance_weight: of the second head's error on labelled images
         steepness: of the sigmoid that makes a mask of a distance
         unlabelled_only: consistency on u alone
         sdf_empty: distance of a side that fills a patch, zeros or ones
Cost:    1 network with 1 more head in training (1 pass of x, 1 of u), 1 at test (segmentation)
"""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.distances import signed_distances
from benchmark.toolkit.losses import consistency, foreground_share
from benchmark.toolkit.method import Batch, Method, Terms

ABSENT = {"zeros": 0.0, "ones": 1.0}


class DTC(Method):
    FAMILY = "consistency"

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 5.0,
        distance_weight: float = 0.3,
        steepness: float = 1500.0,
        unlabelled_only: bool = False,
        sdf_empty: str = "zeros",
    ):
        if sdf_empty not in ABSENT:
            raise ValueError(f"sdf_empty is zeros or ones, got {sdf_empty}")
        super().__init__()
        self.network = build()
        self.distance_head = self.network.new_head(0, build.classes - 1)
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight, self.distance_weight, self.steepness = weight, distance_weight, steepness
        self.unlabelled_only, self.sdf_empty = unlabelled_only, sdf_empty

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        # Mean over the pixels of both streams: each stream counts by its number of images.
        share = len(batch.u) / (len(batch.u) + len(batch.x) * (not self.unlabelled_only))
        weight = self.weight * self.ramp(progress)

        z, s = self._both(batch.x)
        true = signed_distances(batch.y, z.shape[1], ABSENT[self.sdf_empty])
        terms = {
            "supervised": self.criterion(z, batch.y),
            "distance": self.distance_weight * (s - true).square().mean(),
        }
        if not self.unlabelled_only:
            agree = heads_agree(z, s, self.steepness)
            terms["consistency_labelled"] = weight * (1 - share) * agree
        yield terms

        z, s = self._both(batch.u)
        yield {"consistency": weight * share * heads_agree(z, s, self.steepness)}
        self.diagnostics = {
            "predicted_foreground": foreground_share(z),
            "distance_size": s.detach().abs().mean(),
        }

    def forward(self, x):
        return self.network(x)

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (b, k, *s) and signed distances (b, k - 1, *s) of one pass."""
        finest = self.network.decode(self.network.encode(images))[-1]
        return self.network.head(finest), self.distance_head(finest).tanh()


def heads_agree(
    z: Float[Tensor, "b k *s"], s: Float[Tensor, "b c *s"], steepness: float
) -> Float[Tensor, ""]:
    """Mean squared difference of the foreground's probabilities by both heads, c = k - 1.

    Beyond |s| of about 5 / steepness the sigmoid is flat: only a narrow band learns from it.
    """
    return consistency(torch.sigmoid(-steepness * s), z.softmax(1)[:, 1:])
