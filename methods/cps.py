"""Cross pseudo supervision: two networks teach each other by their hard labels.

    L = Σᵢ S(fᵢ(x), y)  +  weight · ramp · Σᵢ S(fᵢ(u), argmax fⱼ(u)),   j ≠ i

Paper:   Chen et al., CVPR 2021, arXiv:2106.01226
Code:    charlesCXK/TorchSemiSeg@5e0c29c exp.voc/voc8.res50v3+.CPS/train.py:184-220
Differs: the cross term on unlabelled images only (theirs on both: consistency_on=both), weight
         rising linearly to 5 (theirs 1.5 throughout), S is the run's criterion (theirs cross
         entropy), one optimiser over both networks (theirs two: the same for SGD and Adam)
Options: weight: of the cross term once it is grown, by the run's ramp (from 0, linearly)
         consistency_on: images with a cross term, unlabelled or both (one mean over all of them)
Cost:    2 networks in training (2 passes of x, 2 of u), 1 at test (f₁, never the better one)
"""

from collections.abc import Iterator

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import agreement, cross_supervision, foreground_share
from benchmark.toolkit.method import Batch, Method, Terms


class CPS(Method):
    FAMILY = "pseudo-labels"

    def __init__(
        self, build: NetworkBuilder, *, weight: float = 5.0, consistency_on: str = "unlabelled"
    ):
        if consistency_on not in ("unlabelled", "both"):
            raise ValueError(f'consistency_on is "unlabelled" or "both", got "{consistency_on}"')
        super().__init__()
        self.f1, self.f2 = build(), build()  # equal shapes, different initial weights
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight = weight
        self.consistency_on = consistency_on

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        # Mean over the images of both streams, where there is a term on both.
        on_both = self.consistency_on == "both"
        share = len(batch.u) / (len(batch.u) + len(batch.x) * on_both)
        weight = self.weight * self.ramp(progress)

        z1, z2 = self.f1(batch.x), self.f2(batch.x)
        terms = {"supervised": self.criterion(z1, batch.y) + self.criterion(z2, batch.y)}
        if on_both:
            cross = cross_supervision(z1, z2, self.criterion)
            terms["cross_labelled"] = weight * (1 - share) * cross
        yield terms

        z1, z2 = self.f1(batch.u), self.f2(batch.u)
        yield {"cross": weight * share * cross_supervision(z1, z2, self.criterion)}
        self.diagnostics = {
            "pseudo_foreground": foreground_share(z1),
            "agreement": agreement(z1, z2),
        }

    def forward(self, x):
        return self.f1(x)
