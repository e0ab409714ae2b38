"""The two pathways of `ours`: from an image to a mask, and from a mask to an image."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmark.networks import NetworkBuilder


class Pathways(nn.Module):
    """f_m: an image and a noisy mask → the mask; f_i: a noisy image and a mask → the noise in it.

    Two UNets of the run's widths (in the input the noised part comes first), or, if shared, one
    with two heads. Both are told the time step of the noised part. Images come in [-1, 1]; f_m sees
    them `mask_image_gain` times as large.
    """

    def __init__(
        self,
        build: NetworkBuilder,
        *,
        has_image: bool,
        is_shared: bool,
        mask_image_gain: float = 1.0,
    ):
        super().__init__()
        self.mask_image_gain = mask_image_gain
        channels = build.in_channels + build.classes
        self.masks = build(in_channels=channels, time_embedding=True)
        self.images = self.image_head = None
        if has_image and is_shared:
            self.image_head = self.masks.new_head(0, build.in_channels)
        elif has_image:
            self.images = build(
                in_channels=channels, out_channels=build.in_channels, time_embedding=True
            )

    def mask(
        self, image: Float[Tensor, "b c *s"], noisy: Float[Tensor, "b k *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b k *s"]:
        """f_m."""
        return self.masks(torch.cat([noisy, self.mask_image_gain * image], 1), t)

    def image(
        self, noisy: Float[Tensor, "b c *s"], mask: Float[Tensor, "b k *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c *s"]:
        """f_i; the teacher's alone."""
        if self.images is not None:
            return self.images(torch.cat([noisy, mask], 1), t)
        maps = self.masks.decode(self.masks.encode(torch.cat([mask, noisy], 1), t))
        return self.image_head(maps[-1])
