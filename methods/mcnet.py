"""Mutual consistency: decoders that enlarge their maps differently match each other's sharp masks.

    L = mean over i of S(dᵢ(e(x)), y)
        +  weight · ramp / n · Σ over i ≠ j of mean over x and u of (pᵢ - sharp(pⱼ))²
    pᵢ = softmax dᵢ(e(·)), i = 1..n;   sharp(p) = p^(1/T) / (p^(1/T) + (1 - p)^(1/T)), T temperature

    e encoder, d₁ the network's own decoder, d₂ one with transposed convolutions, d₃ one with the
    interpolation that d₁ has not (nearest beside linear, linear beside nearest).

Paper:   Wu et al. (MC-Net+), Medical Image Analysis 2022, arXiv:2109.09960; with decoders=2 Wu et
         al. (MC-Net), MICCAI 2021, arXiv:2103.02911
Code:    ycwu1997/MC-Net@fee453c code/train_mcnet_2d.py:132-139, code/train_mcnet_3d.py:151-158,
         code/networks/unet.py:46-55
Differs: weight by the run's ramp (theirs a sigmoid over the run, in 3D over 0.4 of it: ramp_share);
         S is the run's criterion (theirs Dice), its mean over decoders (theirs the sum, in 3D half
         of it: paper and paper_3d are converted); d₁ of volumes enlarges linearly as in the network
         that all methods share (theirs transposed convolutions); x and u are passed apart, each
         with its own batch-norm statistics. As theirs, sharp masks keep their gradient, up to 1/T
         times that of p (detach_target=true takes it away), and more than two classes are sharpened
         one by one: where none reaches 1/2 all of them go to 0 (sharpen=softmax: they add up to 1)
Options: weight: of the agreement once it is grown
         temperature: T, the sharper the smaller
         ramp_share: of the run, over which a sigmoid ramp of its own grows; 0: the run's ramp
         detach_target: no gradient through the sharp masks
         consistency_on: images that must agree, both (one mean over all of them) or unlabelled
         sharpen: class (each class for itself) or softmax (of logits / T)
         decoders: n, 3 or 2
Cost:    1 network with 2 more decoders in training (1 pass of x, 1 of u; decoders: 3 of x, 3 of u),
         1 at test (d₁)
"""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import agreement, consistency, foreground_share
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.networks import UPSAMPLINGS
from benchmark.toolkit.schedules import ramp


class MCNet(Method):
    FAMILY = "consistency"
    BUNDLES: ClassVar = {
        "paper": {"weight": 0.1, "ramp_share": 1.0},
        "paper_3d": {
            "weight": 2.0,
            "ramp_share": 0.4,
        },
    }

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 0.1,
        temperature: float = 0.1,
        ramp_share: float = 0.0,
        detach_target: bool = False,
        consistency_on: str = "both",
        sharpen: str = "class",
        decoders: int = 3,
    ):
        _check(temperature, ramp_share, consistency_on, sharpen, decoders)
        super().__init__()
        self.network = build()
        others = [up for up in reversed(UPSAMPLINGS) if up != self.network.upsampling]
        self.others = nn.ModuleList(
            self.network.new_decoder(up=up) for up in others[: decoders - 1]
        )
        self.criterion = build.criterion
        self.ramp = partial(ramp, how="sigmoid", share=ramp_share) if ramp_share else build.ramp
        self.weight, self.temperature, self.ramp_share = weight, temperature, ramp_share
        self.detach_target, self.consistency_on = detach_target, consistency_on
        self.sharpen, self.decoders = sharpen, decoders

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        # Mean over the images of both streams, where both must agree.
        on_both = self.consistency_on == "both"
        share = len(batch.u) / (len(batch.u) + len(batch.x) * on_both)
        weight = self.weight * self.ramp(progress) / self.decoders

        zs = self._all(batch.x)
        terms = {"supervised": sum(self.criterion(z, batch.y) for z in zs) / len(zs)}
        if on_both:
            terms["agreement_labelled"] = weight * (1 - share) * self._disagreement(zs)
        yield terms

        zs = self._all(batch.u)
        yield {"agreement": weight * share * self._disagreement(zs)}
        self.diagnostics = {
            "predicted_foreground": foreground_share(zs[0]),
            "agreement": sum(agreement(zs[0], z) for z in zs[1:]) / len(zs[1:]),
        }

    def forward(self, x):
        return self.network(x)

    def _all(self, images: Tensor) -> list[Tensor]:
        """Logits of each decoder, the tested one first."""
        features = self.network.encode(images)
        own = self.network.head(self.network.decode(features)[-1])
        return [own, *(decode(features) for decode in self.others)]

    def _disagreement(self, zs: list[Tensor]) -> Tensor:
        sharp = [SHARPEN[self.sharpen](z, self.temperature) for z in zs]
        if self.detach_target:
            sharp = [target.detach() for target in sharp]
        return disagreement([z.softmax(1) for z in zs], sharp)


def disagreement(
    ps: list[Float[Tensor, "b k *s"]], sharp: list[Float[Tensor, "b k *s"]]
) -> Float[Tensor, ""]:
    """Σ over i ≠ j of the mean squared difference of pᵢ and the sharp pⱼ.

    Not 0 where all decoders are equal: it asks of each to be as sure as the others' sharp masks.
    """
    return sum(
        consistency(p, target) for i, p in enumerate(ps) for j, target in enumerate(sharp) if i != j
    )


def sharpened(z: Float[Tensor, "b k *s"], temperature: float) -> Float[Tensor, "b k *s"]:
    """p^(1/T) / (p^(1/T) + (1 - p)^(1/T)) of each class for itself, p = softmax(z).

    As σ(ln(p / (1 - p)) / T), the logarithm taken of logits, where nothing underflows.
    """
    odds = [z[:, k] - _without(z, k).logsumexp(1) for k in range(z.shape[1])]
    return (torch.stack(odds, 1) / temperature).sigmoid()


def _without(z: Float[Tensor, "b k *s"], k: int) -> Float[Tensor, "b others *s"]:
    """The logits of the other classes."""
    return torch.cat([z[:, :k], z[:, k + 1 :]], 1)


def sharpened_together(z: Float[Tensor, "b k *s"], temperature: float) -> Float[Tensor, "b k *s"]:
    """p^(1/T) / Σ p^(1/T) over the classes, p = softmax(z)."""
    return (z / temperature).softmax(1)


SHARPEN = {"class": sharpened, "softmax": sharpened_together}


def _check(
    temperature: float, ramp_share: float, consistency_on: str, sharpen: str, decoders: int
) -> None:
    """ValueError for what no run could have."""
    if temperature <= 0 or not 0 <= ramp_share <= 1:
        raise ValueError(
            f"temperature is above 0, ramp_share in [0, 1]; got {temperature}, {ramp_share}"
        )
    if consistency_on not in ("both", "unlabelled") or sharpen not in SHARPEN:
        raise ValueError(
            "consistency_on is both or unlabelled, sharpen class or softmax; "
            f"got {consistency_on}, {sharpen}"
        )
    if decoders not in (2, len(UPSAMPLINGS)):
        raise ValueError(f"decoders is 2 or 3, got {decoders}")
