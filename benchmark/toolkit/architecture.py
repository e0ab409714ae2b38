"""Which network is trained: settings, without PyTorch (`networks` and `encoders` build it)."""

from dataclasses import dataclass, field

UNET = "unet"
ENCODER_DEPTH = 5
"""How often the encoders of segmentation-models-pytorch halve an image."""


@dataclass(frozen=True)
class Architecture:
    """The shared network: the UNet, or one around a named encoder of segmentation-models-pytorch.

    An encoder has its own widths, and of the dropout rates only the last, at the bottleneck.
    """

    name: str = UNET
    widths: list[int] = field(default_factory=lambda: [16, 32, 64, 128, 256])
    """Channels of each level, fine to coarse."""
    dropout: list[float] = field(default_factory=lambda: [0.05, 0.1, 0.2, 0.3, 0.5])
    """Rate of each level's encoder block."""
    weights: str | None = None
    """Published weights of the encoder, such as imagenet."""

    @property
    def is_encoder(self) -> bool:
        return self.name != UNET

    def used(self) -> "Architecture":
        """The same network, without the settings that an encoder does not use."""
        if not self.is_encoder:
            return self
        return Architecture(self.name, [], self.dropout[-1:], self.weights)

    @property
    def halvings(self) -> int:
        """How often it halves the image: the sides must divide by 2 to the power of this."""
        return ENCODER_DEPTH if self.is_encoder else len(self.widths) - 1
