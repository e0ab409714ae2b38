"""Smoothness and class separation: masks survive adversarial noise, features resemble stored ones.

    L = S(f(x), y)  +  weight · ramp · (A + contrast · (C(x, y) + C(u, argmax f(u))))
    A = mean over x and u of D(softmax f(v + r), q),   q = softmax f(v) without gradient
        r of `size` along the gradient of D(softmax f(v + d), q) by d, which is noise of `probe`
    C(v, c) = 1/K Σₖ mean over pixels m of class k in c, and its memory M, of sₘ (1 - cos(h(φₘ), M))

    D(p, q) = mean over classes of 1 - 2 Σ p q / (Σ p² + Σ q²), sums over the stream; φ the finest
    decoder map, h a projector and a predictor after it; sₘ, 1 on average, from a selector of the
    class. The memory of a foreground class holds projections of labelled pixels that the
    network last classified rightly; nothing is pushed apart.

Paper:   Wu et al., MICCAI 2022, arXiv:2203.01324
Code:    ycwu1997/SS-Net@c0a8bf6 code/train_ss_2d.py:111-166, code/train_ss_3d.py,
         code/utils/losses.py:44-153, feature_memory.py:45-50, contrastive_losses.py:60-64 beside it
Differs: weight by the run's ramp (theirs a sigmoid over the run, in 3D over 0.4 of it: ramp_share);
         S is the run's criterion (theirs Dice); q is of the pass that learns the masks already
         (theirs of one more, with other dropout); the gradient by d leaves those of the parameters
         alone (theirs zeroes them); x and u are passed apart; sizes are per pixel in z-scores
         (theirs lengths: 6 and 10 in images of 256 × 256 from 0 to 1, about 0.16 and 0.26; 0.05
         was chosen on GlaS's development set at 64 × 64, where 0.16 takes whole glands away); the
         memory keeps the pixels with the highest scores, which theirs means to (it keeps the
         lowest: rank=lowest). Left out is what does nothing there: selectors of the memory, whose
         weights are 1 whatever they learn, and one of the background, which has no memory but
         counts in K
Options: weight: of both terms once it is grown
         contrast: of the features' term within it
         size: root mean square of the adversarial noise, in z-scores
         probe: the same of the noise at which its direction is asked for
         ramp_share: of the run, over which a sigmoid ramp of its own grows; 0: the run's ramp
         distance: D: dice, or joint (1 - 2 Σ p q / (Σ p + Σ q), sums over classes too: theirs of
             volumes, which is not 0 where p = q and asks for sure masks)
         smooth_on: images with an A, both (one mean over all of them) or unlabelled
         kept: pixels in the memory of a class
         rank: of those in question the ones with the highest or lowest scores are kept
         pixels: of a stream that C looks at, drawn in each step where it has more; 0: all
Cost:    1 network, and small perceptrons on its last map, in training (3 passes of x, 3 of u: one
         for the masks, one for the direction of the noise, one with it), 1 network at test
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.losses import foreground_share
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.toolkit.schedules import ramp
from benchmark.toolkit.teachers import in_eval_mode, running_statistics_kept

_WIDTH = 32  # of the projected features
_SMOOTH = 1e-10  # as in the source: small beside the sums of any class, 0 only where all of it is 0


class SSNet(Method):
    FAMILY = "consistency"
    BUNDLES: ClassVar = {
        "paper": {
            "weight": 0.1,
            "ramp_share": 1.0,
            "rank": "lowest",
            "pixels": 0,
            "size": 0.16,  # 6 / 256 of ACDC's range; a standard deviation is about 0.15 of it
            "probe": 0.26,  # 10 / 256
        },
        "paper_3d": {
            "weight": 1.0,
            "ramp_share": 0.4,
            "rank": "lowest",
            "pixels": 0,
            "distance": "joint",
            "size": 0.0099824,  # 10 over the root of 112 × 112 × 80 voxels, which are z-scored
            "probe": 0.0099824,
        },
    }

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        weight: float = 0.1,
        contrast: float = 0.1,
        size: float = 0.05,
        probe: float = 0.26,
        ramp_share: float = 0.0,
        distance: str = "dice",
        smooth_on: str = "both",
        kept: int = 32,
        rank: str = "highest",
        pixels: int = 65536,
    ):
        _check(size, probe, ramp_share, distance, smooth_on)
        super().__init__()
        self.network = build()
        self.separation = Separation(self.network.widths[0], build.classes, kept, rank)
        self.criterion = build.criterion
        self.ramp = partial(ramp, how="sigmoid", share=ramp_share) if ramp_share else build.ramp
        self.weight, self.contrast, self.ramp_share = weight, contrast, ramp_share
        self.size, self.probe = size, probe
        self.distance, self.smooth_on = distance, smooth_on
        self.kept, self.rank, self.pixels = kept, rank, pixels

    def loss(self, batch: Batch, progress: float) -> Iterator[Terms]:
        # Mean over the images of both streams, where both must be smooth.
        on_both = self.smooth_on == "both"
        share = len(batch.u) / (len(batch.u) + len(batch.x) * on_both)
        weight = self.weight * self.ramp(progress)

        finest, z = self._pass(batch.x)
        features, true, chosen = self._pixels(finest, batch.y, z.argmax(1))
        self.separation.remember(features, torch.where(true == chosen, true, 0))
        contrast = weight * self.contrast * self.separation(features, true)
        yield {"supervised": self.criterion(z, batch.y), "contrast_labelled": contrast}
        if on_both:
            yield {"smooth_labelled": weight * (1 - share) * self._smoothness(batch.x, z)}

        finest, z = self._pass(batch.u)
        contrast = self.separation(*self._pixels(finest, z.argmax(1)))
        yield {"contrast": weight * self.contrast * contrast}
        yield {"smooth": weight * share * self._smoothness(batch.u, z)}
        self.diagnostics = {
            "predicted_foreground": foreground_share(z),
            "remembered": self.separation.stored.float().mean(),
        }

    def forward(self, x):
        return self.network(x)

    def _pass(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The finest decoder map and the logits."""
        finest = self.network.decode(self.network.encode(images))[-1]
        return finest, self.network.head(finest)

    def _pixels(self, finest: Tensor, *classes: Tensor) -> list[Tensor]:
        """The features (n, c) and the classes (n,) of the pixels that are looked at."""
        flat = [finest.movedim(1, -1).flatten(0, -2), *(one.flatten() for one in classes)]
        if not 0 < self.pixels < len(flat[0]):
            return flat
        drawn = torch.randperm(len(flat[0]))[: self.pixels].to(finest.device)
        return [one[drawn] for one in flat]

    def _smoothness(self, images: Tensor, z: Tensor) -> Tensor:
        """A of one stream; z: the logits of these images in the pass that learnt from them."""
        q = z.detach().softmax(1)
        distance = DISTANCES[self.distance]

        def apart(noise: Tensor) -> Tensor:
            return distance(self.network(images + noise).softmax(1), q)

        with running_statistics_kept(self.network):
            return apart(adversarial(apart, images, self.size, self.probe))


def adversarial(
    apart: Callable[[Tensor], Tensor], images: Float[Tensor, "b c *s"], size: float, probe: float
) -> Float[Tensor, "b c *s"]:
    """Noise of `size` along the gradient of `apart` at uniform noise of `probe`.

    The gradients of parameters stay as they are. 0 for an image that changes nothing.
    """
    start = torch.rand(images.shape).sub(0.5).to(images.device)  # the same on every device
    start = scaled(start, probe).requires_grad_()
    return scaled(torch.autograd.grad(apart(start), start)[0], size)


def scaled(noise: Float[Tensor, "b c *s"], size: float) -> Float[Tensor, "b c *s"]:
    """The noise of each image with this root mean square, however small it was; 0 stays 0."""
    whole = tuple(range(1, noise.ndim))
    largest = noise.abs().amax(whole, keepdim=True)
    noise = noise / largest.clamp(min=torch.finfo(noise.dtype).tiny)
    return size * noise / noise.square().mean(whole, keepdim=True).sqrt().clamp(min=1e-12)


def dice_distance(p: Float[Tensor, "b k *s"], q: Float[Tensor, "b k *s"]) -> Float[Tensor, ""]:
    """Mean over classes of 1 - 2 Σ p q / (Σ p² + Σ q²), sums over all images; 0 for p = q."""
    images = (0, *range(2, p.ndim))
    overlap = 2 * (p * q).sum(images)
    sizes = (p.square() + q.square()).sum(images)
    return (1 - (overlap + _SMOOTH) / (sizes + _SMOOTH)).mean()


def joint_distance(p: Float[Tensor, "b k *s"], q: Float[Tensor, "b k *s"]) -> Float[Tensor, ""]:
    """1 - 2 Σ p q / (Σ p + Σ q), sums over images and classes; 0 for p = q of 0 and 1 alone."""
    return 1 - 2 * (p * q).sum() / (p + q).sum()


DISTANCES = {"dice": dice_distance, "joint": joint_distance}


class Separation(nn.Module):
    """Draws the features of each foreground class to those that it remembers of labelled pixels."""

    def __init__(self, width: int, classes: int, kept: int, rank: str):
        """width: of the features. kept, rank: pixels of a class that are stored, and which."""
        if kept < 2 or rank not in ("highest", "lowest"):
            raise ValueError(f"kept is at least 2, rank highest or lowest; got {kept}, {rank}")
        super().__init__()
        self.projector = _perceptron(width, nn.ReLU(), _WIDTH)
        self.predictor = _perceptron(_WIDTH, nn.ReLU(), _WIDTH)
        foreground = range(1, classes)
        self.selectors = nn.ModuleList(
            _perceptron(_WIDTH, nn.LeakyReLU(0.2), 1) for _ in foreground
        )
        self.classes, self.takes_highest = classes, rank == "highest"
        self.register_buffer("memory", torch.zeros(len(foreground), kept, _WIDTH))
        self.register_buffer("stored", torch.zeros(len(foreground), dtype=torch.long))

    @torch.no_grad()
    def remember(self, features: Float[Tensor, "n c"], classes: Int[Tensor, " n"]) -> None:
        """Replace what is stored of each class that these pixels have; the background is not."""
        for k, selector in enumerate(self.selectors):
            with in_eval_mode(self.projector):
                rows = self.projector(features[classes == k + 1]).float()
            if len(rows) > self.memory.shape[1]:
                with running_statistics_kept(selector):
                    scores = selector(rows)[:, 0]
                rows = rows[scores.argsort(descending=self.takes_highest)[: self.memory.shape[1]]]
            if len(rows) > 0:
                self.memory[k, : len(rows)] = rows
                self.stored[k] = len(rows)

    def forward(self, features: Float[Tensor, "n c"], classes: Int[Tensor, " n"]) -> Tensor:
        """C: 0 of a class with less than two pixels here or in the memory."""
        h = self.predictor(self.projector(features)).float()
        total = 0.0 * sum(p.sum() for p in self.parameters())  # every one has a gradient
        for k, (selector, n) in enumerate(zip(self.selectors, self.stored.tolist(), strict=True)):
            own = h[classes == k + 1]
            if len(own) > 1 and n > 1:
                scores = selector(own.detach())[:, 0].float().sigmoid()
                total = total + attraction(own, self.memory[k, :n], scores)
        return total / self.classes


def attraction(
    h: Float[Tensor, "m c"], memory: Float[Tensor, "n c"], scores: Float[Tensor, " m"]
) -> Float[Tensor, ""]:
    """Mean over pairs of sₘ (1 - cos(hₘ, memoryₙ)), where sₘ = m scoreₘ / Σ scores."""
    directions = F.normalize(memory, dim=1).mean(0)  # the mean of cosines is one with their mean
    apart = 1 - (F.normalize(h, dim=1) * directions).sum(1)
    return (scores * apart).sum() / scores.sum()


def _perceptron(inputs: int, activation: nn.Module, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, _WIDTH), nn.BatchNorm1d(_WIDTH), activation, nn.Linear(_WIDTH, outputs)
    )


def _check(size: float, probe: float, ramp_share: float, distance: str, smooth_on: str) -> None:
    """ValueError for what no run could have."""
    if size < 0 or probe <= 0 or not 0 <= ramp_share <= 1:
        raise ValueError(
            "size is 0 or more, probe above 0, ramp_share in [0, 1]; "
            f"got {size}, {probe}, {ramp_share}"
        )
    if distance not in DISTANCES or smooth_on not in ("both", "unlabelled"):
        raise ValueError(
            f"distance is dice or joint, smooth_on both or unlabelled; got {distance}, {smooth_on}"
        )
