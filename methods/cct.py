"""Cross-consistency training: decoders fed perturbed features must agree with the main decoder.

    L = mean over j = 0..3 of S(dⱼ(e(x)), y)
        +  weight · ramp · mean over i = 1..3 of mean (softmax d₀(e(u)) - softmax dᵢ(e(u)))²

    e encoder, d₀ main decoder; d₁, d₂, d₃ get all features times uniform noise in 1 ± 0.3, with
    dropout 0.3, without their most active places; each feature map is perturbed by its own draw.

Paper:   Ouali et al., CVPR 2020, arXiv:2003.09005
Code:    HiLab-git/SSL4MIS@06df604 code/train_cross_consistency_training_2D.py,
         code/networks/unet.py (UNet_CCT); original yassouali/CCT@65d4e5b
Differs: weight rising linearly to 5 (SSL4MIS 0.1, sigmoid ramp; original 30, reached after a tenth
         of the run). As in SSL4MIS and unlike the original: 3 auxiliary decoders (original 30 of
         seven kinds), which learn from the labels too (supervise_auxiliary=false for the original),
         skip connections perturbed as well (original: the encoder's last output), gradient through
         the target (detach_target=true for the original). aux_share_weights=true is what XNet's 3D
         copy and the benchmark's authors do: the main decoder in the place of the auxiliary ones
Options: weight: of the consistency once it is grown, by the run's ramp (from 0, linearly)
         detach_target: no gradient through d₀(e(u))
         aux_share_weights: the main decoder in the place of the auxiliary ones
         supervise_auxiliary: the auxiliary decoders learn from the labels too
Cost:    1 network with 3 more decoders in training (1 pass of x, 1 of u; decoders: 4 of x, 4 of u),
         1 at test (d₀)
"""

from collections.abc import Iterator
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import agreement, consistency, foreground_share
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.perturbations import feature_dropout, feature_noise

PERTURBATIONS = (
    partial(feature_noise, limit=0.3),
    partial(F.dropout, p=0.3),
    partial(feature_dropout, lowest=0.7, highest=0.9),
)


class CCT(Method):
    FAMILY = "consistency"

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 5.0,
        detach_target: bool = False,
        aux_share_weights: bool = False,
        supervise_auxiliary: bool = True,
    ):
        super().__init__()
        self.network = build()
        self.auxiliary = nn.ModuleList(
            self.network.new_decoder() for _ in PERTURBATIONS if not aux_share_weights
        )
        self.criterion, self.ramp = build.criterion, build.ramp
        self.weight = weight
        self.detach_target, self.aux_share_weights = detach_target, aux_share_weights
        self.supervise_auxiliary = supervise_auxiliary

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        features = self.network.encode(batch.x)
        z = [self._main(features)]
        if self.supervise_auxiliary:
            z += self._perturbed(features)
        yield {"supervised": sum(self.criterion(zj, batch.y) for zj in z) / len(z)}

        features = self.network.encode(batch.u)
        z0, others = self._main(features), self._perturbed(features)
        target = z0.detach() if self.detach_target else z0
        yield {"consistency": self.weight * self.ramp(progress) * mean_consistency(target, others)}
        self.diagnostics = {
            "predicted_foreground": foreground_share(z0),
            "agreement": sum(agreement(z0, zi) for zi in others) / len(others),
        }

    def forward(self, x):
        return self.network(x)

    def _main(self, features: list[Tensor]) -> Tensor:
        return self.network.head(self.network.decode(features)[-1])

    def _perturbed(self, features: list[Tensor]) -> list[Tensor]:
        decoders = self.auxiliary or [self._main] * len(PERTURBATIONS)
        return [
            decode([perturb(f) for f in features])
            for decode, perturb in zip(decoders, PERTURBATIONS, strict=True)
        ]


def mean_consistency(
    target: Float[Tensor, "b k *s"], others: list[Float[Tensor, "b k *s"]]
) -> Float[Tensor, ""]:
    """`consistency` of the main decoder's logits with those of each other, mean over these."""
    p = target.softmax(1)
    return sum(consistency(p, z.softmax(1)) for z in others) / len(others)
