"""Uncertainty rectified pyramid consistency: predictions at four scales must agree with their mean.

    L = mean over s of S(zₛ(x), y)  +  weight · ramp · mean over scales s of
        [ mean ((p_c - pₛ)² wₛ) / mean wₛ  +  mean Dₛ ]   on u
    pₛ = softmax zₛ at full resolution, p_c = mean of pₛ, Dₛ = KL(pₛ ‖ p_c), wₛ = exp(-Dₛ)

Paper:   Luo et al., MICCAI 2021, arXiv:2012.07042
Code:    HiLab-git/SSL4MIS@06df604 code/train_uncertainty_rectified_pyramid_consistency_2D.py (same
         first author), code/networks/unet.py (UNet_URPC)
Differs: weight rising linearly to 5 as in this benchmark (theirs 0.1, sigmoid ramp); the divergence
         is the paper's (theirs the other way round: kl=pc_ps), computed in log space, finite at any
         confidence; no perturbation before the coarse heads (pyramid_perturb=true for theirs in
         2D; in 3D theirs has dropout after each decoder block instead, which cannot be set); heads
         are 3×3 convolutions, in 3D too (theirs 1×1×1), and their logits are enlarged with corners
         aligned there, as in the benchmark's authors' copy (theirs, UnetDsv3, not)
Options: weight: of both terms on u once it is grown, by the run's ramp (from 0, linearly)
         kl: direction of the divergence, ps_pc: KL(pₛ ‖ p_c), or pc_ps
         pyramid_perturb: the coarse heads get perturbed features
         supervise_auxiliary: the coarse heads learn from the labels too
Cost:    1 network with 3 more heads in training (1 pass of x, 1 of u), 1 at test (full resolution)
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import foreground_share
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.perturbations import feature_dropout, feature_noise

# Of the coarse heads at 1/2, 1/4 and 1/8 of the resolution.
PERTURBATIONS = (feature_noise, feature_dropout, F.dropout)


class URPC(Method):
    FAMILY = "consistency"

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 5.0,
        kl: str = "ps_pc",
        pyramid_perturb: bool = False,
        supervise_auxiliary: bool = True,
    ):
        if kl not in ("ps_pc", "pc_ps"):
            raise ValueError(f"kl is ps_pc or pc_ps, got {kl}")
        super().__init__()
        self.network = build()
        levels = range(1, min(len(self.network.widths) - 1, 1 + len(PERTURBATIONS)))
        self.heads = nn.ModuleList(self.network.new_head(level, build.classes) for level in levels)
        if not self.heads:
            raise ValueError("a pyramid needs a network of at least three levels (network.widths)")
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight, self.kl = weight, kl
        self.pyramid_perturb, self.supervise_auxiliary = pyramid_perturb, supervise_auxiliary

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        z = self._pyramid(batch.x)
        if not self.supervise_auxiliary:
            z = z[:1]
        yield {"supervised": sum(self.criterion(zs, batch.y) for zs in z) / len(z)}

        z = self._pyramid(batch.u)
        agree, differ, certainty = pyramid_terms(z, self.kl)
        weight = self.weight * self.ramp(progress)
        yield {"consistency": weight * agree, "divergence": weight * differ}
        self.diagnostics = {
            "predicted_foreground": foreground_share(z[0]),
            "certainty": certainty.detach(),
        }

    def forward(self, x):
        return self.network(x)

    def _pyramid(self, images: Tensor) -> list[Tensor]:
        """Logits of each scale at full resolution, the finest first."""
        maps = self.network.decode(self.network.encode(images))
        z = [self.network.head(maps[-1])]
        coarser = zip(maps[-2::-1], self.heads, PERTURBATIONS, strict=False)
        for features, head, perturb in coarser:
            if self.pyramid_perturb:
                features = perturb(features)
            z.append(_enlarged(head(features), images.shape[2:]))
        return z


def _enlarged(z: Tensor, sides: torch.Size) -> Tensor:
    """Logits at the image's resolution: nearest in 2D as in the source; trilinear in 3D."""
    if len(sides) == 2:
        return F.interpolate(z, sides, mode="nearest")
    return F.interpolate(z, sides, mode="trilinear", align_corners=True)


def pyramid_terms(
    z: list[Float[Tensor, "b k *s"]], kl: str
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Both unsupervised terms, and the mean of wₛ. Nothing is detached: p_c and wₛ learn too.

    In logarithms throughout: a softmax that underflows to 0 would make the divergence infinite, or
    its gradient NaN.
    """
    log_p = torch.stack([zs.log_softmax(1) for zs in z])  # (scales, b, k, *s)
    log_mean = log_p.logsumexp(0) - math.log(len(z))
    p, mean = log_p.exp(), log_mean.exp()
    difference = log_p - log_mean
    divergence = (p * difference if kl == "ps_pc" else -mean * difference).sum(2)
    certainty = (-divergence).exp()  # (scales, b, *s)
    classes, over = z[0].shape[1], tuple(range(1, certainty.ndim))
    squared = (mean - p).square().sum(2) / classes
    agree = (squared * certainty).mean(over) / (certainty.mean(over) + 1e-8)
    return agree.mean(), divergence.mean(), certainty.mean()
