"""The one network that all methods share: a UNet, the same definition in 2D and in 3D.

The body is that of HiLab-git/SSL4MIS@06df604 code/networks/unet.py, on which the baselines of this
field rest: five levels, dropout rising with depth, interpolation instead of transposed
convolutions. With 3 channels and 2 classes it has 1,813,762 parameters in 2D.

Level 0 is the finest (full resolution), level 4 the bottleneck (1/16).
"""

import functools
import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

_CONV = {2: nn.Conv2d, 3: nn.Conv3d}
_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
_TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
_INTERPOLATION = {2: "bilinear", 3: "trilinear"}
_SLOPE = 0.01  # of LeakyReLU

UPSAMPLINGS = ("linear", "nearest", "transposed")
"""How a decoder may enlarge its maps."""


class UNet(nn.Module):
    """UNet (Ronneberger 2015; Çiçek 2016 in 3D) whose parts the methods can reach.

    forward = head ∘ decode ∘ encode. widths: channels of each level, fine to coarse; dropout: rate
    in each level's encoder block. The sides of the input must divide by 2^(levels - 1).
    """

    upsampling = "linear"
    """How its own decoder enlarges maps, of `UPSAMPLINGS`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        spatial_dims: int,
        widths: Sequence[int],
        dropout: Sequence[float],
        time_embedding: bool = False,
    ):
        super().__init__()
        if len(widths) != len(dropout):
            raise ValueError(f"one dropout rate per width, got {len(dropout)} for {len(widths)}")
        self.dims, self.widths, self.out_channels = spatial_dims, tuple(widths), out_channels
        inputs = (in_channels, *widths[:-1])
        self.blocks = nn.ModuleList(
            _block(spatial_dims, i, o, rate)
            for i, o, rate in zip(inputs, widths, dropout, strict=True)
        )
        self.pool = _POOL[spatial_dims](2)
        self.time = TimeEmbedding(widths[0]) if time_embedding else None
        self.decoder = Decoder(spatial_dims, widths)
        self.output = self.new_head(0, out_channels)

    def encode(self, x: Float[Tensor, "b c *s"], t: Int[Tensor, " b"] | None = None):
        """Features of each level, fine to coarse. t: diffusion time steps, if so built."""
        if (t is None) != (self.time is None):
            raise ValueError("time steps are given if and only if built with time_embedding=True")
        divisor = 2 ** (len(self.widths) - 1)
        if any(side % divisor for side in x.shape[2:]):
            raise ValueError(f"sides must divide by {divisor}, got {tuple(x.shape[2:])}")
        features = [self.blocks[0](x)]
        if self.time is not None:
            embedding = self.time(t)
            features[0] = features[0] + embedding.reshape(*embedding.shape, *[1] * self.dims)
        for block in self.blocks[1:]:
            features.append(block(self.pool(features[-1])))
        return features

    def decode(self, features: list[Tensor]) -> list[Tensor]:
        """Decoder maps, coarse to fine: levels 3, 2, 1, 0."""
        return self.decoder(features)

    def head(self, feature_map: Float[Tensor, "b c *s"]) -> Float[Tensor, "b k *s"]:
        """Logits from the finest decoder map."""
        return self.output(feature_map)

    def forward(self, x: Float[Tensor, "b c *s"], t: Int[Tensor, " b"] | None = None):
        """Logits (b, k, *s)."""
        return self.head(self.decode(self.encode(x, t))[-1])

    def new_decoder(self, *, up: str | None = None) -> nn.Module:
        """Another decoder with its own head: features (fine to coarse) → logits.

        up: how it enlarges maps, of `UPSAMPLINGS`; None: as the network's own does.
        """
        decoder = Decoder(self.dims, self.widths, up or self.upsampling)
        return DecoderWithHead(decoder, self.new_head(0, self.out_channels))

    def new_head(self, level: int, channels: int) -> nn.Module:
        """Another head for the decoder map of `level`, at that map's resolution."""
        return _initialised(HEAD[self.dims](self.widths[level], channels, 3, padding=1))


class _Head2d(nn.Conv2d):
    """A convolution from which losses, probabilities and metrics are computed: in float32,
    whatever precision the run has.
    """

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        return super().forward(x).float()


class _Head3d(nn.Conv3d):
    """The same of volumes."""

    def forward(self, x: Float[Tensor, "b c *s"]) -> Float[Tensor, "b k *s"]:
        return super().forward(x).float()


HEAD = {2: _Head2d, 3: _Head3d}


class _Pointwise3d(nn.Conv3d):
    """A convolution of 1 × 1 × 1, as the matrix product that it is.

    PyTorch convolves so on one thread in its slowest way, and copies channels first for it: a sixth
    of a step in patches of volumes.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, 1)

    def forward(self, x: Float[Tensor, "b c x y z"]) -> Float[Tensor, "b k x y z"]:
        weight = self.weight.flatten(1)
        return functional.linear(x.movedim(1, -1), weight, self.bias).movedim(-1, 1)


_POINTWISE = {2: functools.partial(nn.Conv2d, kernel_size=1), 3: _Pointwise3d}


class Decoder(nn.Module):
    """Features, fine to coarse → maps, coarse to fine.

    Before a map meets the features of the next finer level it is reduced to their channels and
    enlarged: by a pointwise convolution and an interpolation, or by one transposed convolution.
    """

    def __init__(self, dims: int, widths: Sequence[int], up: str = "linear"):
        super().__init__()
        check_upsampling(up)
        coarse_to_fine = list(widths)[::-1]
        pairs = list(pairwise(coarse_to_fine))
        self.reduce = nn.ModuleList(
            transposed(dims, low, high)
            if up == "transposed"
            else _initialised(_POINTWISE[dims](low, high))
            for low, high in pairs
        )
        self.blocks = nn.ModuleList(_block(dims, 2 * high, high, 0.0) for _, high in pairs)
        self.up = _interpolation(dims, up)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        maps = [features[-1]]
        for reduce, block, skip in zip(self.reduce, self.blocks, features[-2::-1], strict=True):
            maps.append(block(torch.cat([skip, self.up(reduce(maps[-1]))], 1)))
        return maps[1:]


def _interpolation(dims: int, up: str) -> nn.Module:
    """Twice the sides; nothing to do after a transposed convolution."""
    if up == "transposed":
        return nn.Identity()
    if up == "nearest":
        return nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Upsample(scale_factor=2, mode=_INTERPOLATION[dims], align_corners=True)


def check_upsampling(up: str) -> None:
    """ValueError for a word that is none of `UPSAMPLINGS`."""
    if up not in UPSAMPLINGS:
        raise ValueError(f"up is {', '.join(UPSAMPLINGS[:-1])} or {UPSAMPLINGS[-1]}, got {up}")


def transposed(dims: int, inputs: int, outputs: int) -> nn.Module:
    """A transposed convolution that doubles the sides, each of its pixels from one of the input."""
    conv = _TRANSPOSED[dims](inputs, outputs, 2, stride=2)
    # As `_initialised`: what PyTorch would take for the number of summands is not that.
    gain = nn.init.calculate_gain("leaky_relu", _SLOPE)
    nn.init.normal_(conv.weight, std=gain / math.sqrt(inputs))
    nn.init.zeros_(conv.bias)
    return conv


class DecoderWithHead(nn.Module):
    """A decoder and a head of its own: features → logits."""

    def __init__(self, decoder: nn.Module, head: nn.Module):
        super().__init__()
        self.decoder, self.output = decoder, head

    def forward(self, features: list[Tensor]) -> Tensor:
        return self.output(self.decoder(features)[-1])


class TimeEmbedding(nn.Module):
    """Sinusoids of the time step through a two-layer perceptron, (b,) → (b, width).

    lucidrains/denoising-diffusion-pytorch@4019202: eⱼ = t · 10000^(-j / (d/2 - 1)), [sin | cos].
    """

    def __init__(self, width: int):
        super().__init__()
        if width < 4 or width % 2:  # the sinusoids are pairs, and their rates span a range
            raise ValueError(
                f"a network that is told the time needs an even first width of 4 or more "
                f"(network.widths), got {width}"
            )
        self.width = width
        self.layers = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def sinusoids(self, t: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        """The fixed part: d/2 sines, then d/2 cosines."""
        half = self.width // 2
        rates = torch.exp(torch.arange(half, device=t.device) * -(math.log(10000) / (half - 1)))
        angles = t[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], 1)

    def forward(self, t: Int[Tensor, " b"]) -> Float[Tensor, "b d"]:
        return self.layers(self.sinusoids(t))


def _block(dims: int, inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    """Two times convolution, batch norm, LeakyReLU; dropout between them."""
    return nn.Sequential(
        _initialised(_CONV[dims](inputs, outputs, 3, padding=1)),
        _NORM[dims](outputs),
        nn.LeakyReLU(_SLOPE),
        nn.Dropout(dropout),
        _initialised(_CONV[dims](outputs, outputs, 3, padding=1)),
        _NORM[dims](outputs),
        nn.LeakyReLU(_SLOPE),
    )


def _initialised(conv: nn.Module) -> nn.Module:
    nn.init.kaiming_normal_(conv.weight, a=_SLOPE, nonlinearity="leaky_relu")
    nn.init.zeros_(conv.bias)
    return conv
