"""UNets around the encoders of segmentation-models-pytorch, with the hooks of the shared UNet.

The only file that imports that library, and only once an encoder is asked for: it takes seconds.
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmark.errors import ExitCode, UserError, unknown
from benchmark.toolkit.architecture import ENCODER_DEPTH, Architecture
from benchmark.toolkit.networks import (
    HEAD,
    DecoderWithHead,
    TimeEmbedding,
    check_upsampling,
    transposed,
)

_WIDTHS = (16, 32, 64, 128, 256)  # of the decoder maps, fine to coarse: the library's defaults
_TIME_WIDTH = 64
# Layers of the classifier that EfficientNets keep: no feature depends on them.
_UNUSED = (("_conv_head", "_bn1"), ("conv_head", "bn2"))


class EncoderUNet(nn.Module):
    """smp.Unet (2D) whose parts the methods can reach as they reach those of `networks.UNet`.

    Level 0 is the full resolution, level 5 the bottleneck (1/32); the sides of the input must
    divide by 32. The encoder has no feature at level 0 (the library gives the image itself there,
    which is left out), the decoder has a map at every level but the bottleneck. Unlike smp.Unet:
    dropout on the bottleneck, without which two passes of one image would hardly differ.
    """

    upsampling = "nearest"
    """How its own decoder enlarges maps, of `networks.UPSAMPLINGS`: as the library's."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        name: str,
        dropout: float,
        weights: str | None = None,
        time_embedding: bool = False,
    ):
        super().__init__()
        self.encoder = _encoder(name, in_channels, weights)
        self.channels = tuple(self.encoder.out_channels[1:])
        self.widths, self.out_channels = (*_WIDTHS, self.channels[-1]), out_channels
        self.has_centre = name.startswith("vgg")  # as in smp.Unet
        self.dropout = nn.Dropout(dropout)
        self.decoder = Decoder(self.channels, self.has_centre)
        self.output = self.new_head(0, out_channels)
        # Last, so that the other weights are the same with and without it.
        self.time = TimeEmbedding(_TIME_WIDTH) if time_embedding else None
        self.shifts = nn.ModuleList(
            nn.Linear(_TIME_WIDTH, c) for c in self.channels if time_embedding
        )

    def encode(self, x: Float[Tensor, "b c h w"], t: Int[Tensor, " b"] | None = None):
        """Features of levels 1 to 5, fine to coarse. t: diffusion time steps, if so built."""
        if (t is None) != (self.time is None):
            raise ValueError("time steps are given if and only if built with time_embedding=True")
        divisor = 2**ENCODER_DEPTH
        if any(side % divisor for side in x.shape[2:]):
            raise ValueError(f"sides must divide by {divisor}, got {tuple(x.shape[2:])}")
        features = list(self.encoder(x)[1:])
        if self.time is not None:
            embedding = self.time(t)
            shifts = [shift(embedding)[..., None, None] for shift in self.shifts]
            features = [f + shift for f, shift in zip(features, shifts, strict=True)]
        return [*features[:-1], self.dropout(features[-1])]

    def decode(self, features: list[Tensor]) -> list[Tensor]:
        """Decoder maps, coarse to fine: levels 4, 3, 2, 1, 0."""
        return self.decoder(features)

    def head(self, feature_map: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k h w"]:
        """Logits from the finest decoder map."""
        return self.output(feature_map)

    def forward(self, x: Float[Tensor, "b c h w"], t: Int[Tensor, " b"] | None = None):
        """Logits (b, k, h, w)."""
        return self.head(self.decode(self.encode(x, t))[-1])

    def new_decoder(self, *, up: str | None = None) -> nn.Module:
        """Another decoder with its own head: features (fine to coarse) → logits.

        up: how it enlarges maps, of `networks.UPSAMPLINGS`; None: as the network's own does.
        """
        decoder = Decoder(self.channels, self.has_centre, up or self.upsampling)
        return DecoderWithHead(decoder, self.new_head(0, self.out_channels))

    def new_head(self, level: int, channels: int) -> nn.Module:
        """Another head for the decoder map of `level`, at that map's resolution."""
        from segmentation_models_pytorch.base.initialization import initialize_head

        head = HEAD[2](self.widths[level], channels, 3, padding=1)
        initialize_head(head)
        return head


class Decoder(nn.Module):
    """The decoder of smp.Unet that gives all of its maps: features, fine to coarse → maps.

    Transposed convolutions, which the library has none of, enlarge a map before its block, whose
    own interpolation to the size that it has already changes nothing.
    """

    def __init__(self, channels: Sequence[int], has_centre: bool, up: str = "nearest"):
        from segmentation_models_pytorch.base.initialization import initialize_decoder
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

        super().__init__()
        check_upsampling(up)
        image = 0  # channels of level 0, which the library's decoder skips as well
        decoder = UnetDecoder(
            (image, *channels),
            _WIDTHS[::-1],
            n_blocks=ENCODER_DEPTH,
            add_center_block=has_centre,
            interpolation_mode="bilinear" if up == "linear" else "nearest",
        )
        initialize_decoder(decoder)
        self.centre, self.blocks = decoder.center, decoder.blocks
        inputs = (channels[-1], *_WIDTHS[:0:-1])  # of each block, coarse to fine
        self.enlarge = nn.ModuleList(
            transposed(2, width, width) if up == "transposed" else nn.Identity() for width in inputs
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        maps = [self.centre(features[-1])]
        skips = [*features[-2::-1], None]  # level 0 has none
        for enlarge, block, skip in zip(self.enlarge, self.blocks, skips, strict=True):
            height, width = maps[-1].shape[2:]
            large = enlarge(maps[-1])
            maps.append(block(large, 2 * height, 2 * width, skip_connection=skip))
        return maps[1:]


def usable() -> dict[str, list[str]]:
    """Name of each encoder that gives a feature at every level → the names of its weights."""
    from segmentation_models_pytorch.encoders import encoders

    return {
        name: list(entry["pretrained_settings"])
        for name, entry in encoders.items()
        if not _has_empty_feature(entry)
    }


def check(network: Architecture, *, in_channels: int, classes: int, sides: Sequence[int]) -> None:
    """Refuse an encoder that could not serve images of these sides; runs without memory or data.

    Raises `UserError` for unknown names of encoders and weights, volumes, and whatever an encoder
    itself objects to. Weights are not fetched here.
    """
    _check_names(network.name, network.weights)
    if len(sides) != 2:
        raise refuse_volumes(network.name)
    try:
        with torch.device("meta"):
            made = EncoderUNet(
                in_channels, classes, name=network.name, dropout=network.dropout[-1]
            ).to("meta")  # some encoders replace a layer in main memory
            features = made.encode(torch.empty(2, in_channels, *sides))
            made.head(made.decode(features)[-1])
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f'network "{network.name}" does not work on {in_channels} channels of '
            f"{sides[0]}×{sides[1]}: {error}. Choose another (bench list networks)"
        ) from error
    for level, feature in enumerate(features, 1):
        if [2**level * side for side in feature.shape[2:]] != list(sides):
            raise UserError(
                f'network "{network.name}" does not halve the image at each level: level {level} '
                f"is {tuple(feature.shape[2:])} of {tuple(sides)}; choose another "
                "(bench list networks)"
            )


def fetch(network: Architecture) -> None:
    """Bring the network's published weights into the local cache, where they are not yet there."""
    if network.weights is not None:
        _encoder(network.name, 3, network.weights)


def refuse_volumes(name: str) -> UserError:
    """The error for an encoder on volumes."""
    return UserError(
        f'network "{name}" takes images (2D) only; for volumes leave it at --network unet'
    )


def _encoder(name: str, in_channels: int, weights: str | None) -> nn.Module:
    from segmentation_models_pytorch.encoders import get_encoder

    _check_names(name, weights)
    try:
        encoder = get_encoder(name, in_channels=in_channels, depth=ENCODER_DEPTH, weights=weights)
    except OSError as error:  # every failure of a download is one
        reason = str(error.__cause__ or error).splitlines()[0].rstrip(".")
        raise UserError(
            f'the weights "{weights}" of {name} cannot be fetched: {reason}. They come from '
            "huggingface.co and stay in its cache (HF_HOME): run once where it can be reached, or "
            "copy that cache here, or start from random weights (no --weights)",
            ExitCode.RESOURCES,
        ) from error
    for convolution, norm in _UNUSED:
        if hasattr(encoder, convolution):
            delattr(encoder, convolution)
            delattr(encoder, norm)
    return encoder


def _check_names(name: str, weights: str | None) -> None:
    from segmentation_models_pytorch.encoders import encoders

    if name not in encoders:
        raise unknown("network", name, ["unet", *usable()], "bench list networks")
    if _has_empty_feature(encoders[name]):
        raise UserError(
            f'network "{name}" has no feature at half resolution (0 channels), where methods '
            "perturb and decode one; choose another (bench list networks)"
        )
    if weights is not None and weights not in (known := usable()[name]):
        raise unknown(f"weights of {name}", weights, known, "bench list networks -v")


def _has_empty_feature(entry: dict[str, Any]) -> bool:
    return 0 in entry["params"]["out_channels"]
