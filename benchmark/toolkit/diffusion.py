"""Diffusion arithmetic: how much noise a time step adds, adding it, and taking it away again.

    x_t = √A_t x₀ + √(1 - A_t) ν          A_t = Π (1 - βᵢ), i = 0 … t
    x₀  = √(1/A_t) x_t - √(1/A_t - 1) ν   (arXiv:2504.01547v2 Eq. 3 prints a plus: a misprint)
    v_t = √A_t ν - √(1 - A_t) x₀          (Salimans & Ho, arXiv:2202.00512: the velocity)

Time steps run from 0 (hardly any noise) to T - 1 (hardly anything else). Tables are float64 and are
cast to the type of the images last: at T - 1 a rounded table would be amplified 157 times.
"""

import hashlib

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmark.randomness import derive

_LARGEST_BETA = 0.999  # for very few steps: 1 would leave nothing of the image


def linear_betas(steps: int) -> Float[Tensor, " t"]:
    """From 1e-4 to 0.02, times 1000 / steps: few steps end in as much noise as a thousand.

    Ho et al., NeurIPS 2020, arXiv:2006.11239; arXiv:2504.01547v2 App. A, Eq. 17.
    """
    betas = torch.linspace(1e-4, 0.02, steps, dtype=torch.float64) * (1000 / steps)
    return betas.clamp(max=_LARGEST_BETA)


def sigmoid_betas(steps: int) -> Float[Tensor, " t"]:
    """A_t falls as a sigmoid from 3 to -3; of A before the first step being 1.

    Jabri et al., arXiv:2212.11972; the default of lucidrains/denoising-diffusion-pytorch@4019202,
    which the authors' code leaves as it is.
    """
    at = torch.linspace(-3, 3, steps + 1, dtype=torch.float64).sigmoid()
    signal = (at[-1] - at) / (at[-1] - at[0])
    return (1 - signal[1:] / signal[:-1]).clamp(0, _LARGEST_BETA)


BETAS = {"linear": linear_betas, "sigmoid": sigmoid_betas}


class NoiseSchedule(nn.Module):
    """The arithmetic above for one row of β; its tables follow the module to a device."""

    def __init__(self, betas: Float[Tensor, " t"]):
        super().__init__()
        self.register_buffer("signal", (1 - betas).cumprod(0), persistent=False)
        """A_t, float64."""

    @property
    def steps(self) -> int:
        """T."""
        return len(self.signal)

    def noised(
        self, x0: Float[Tensor, "b c *s"], noise: Float[Tensor, "b c *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c *s"]:
        """x_t."""
        a = self.signal[t]
        return _over(a.sqrt(), x0) * x0 + _over((1 - a).sqrt(), x0) * noise

    def cleaned(
        self, xt: Float[Tensor, "b c *s"], noise: Float[Tensor, "b c *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c *s"]:
        """x₀, if the noise is the one that was added."""
        a = self.signal[t]
        return _over((1 / a).sqrt(), xt) * xt - _over((1 / a - 1).sqrt(), xt) * noise

    def noise_in(
        self, xt: Float[Tensor, "b c *s"], x0: Float[Tensor, "b c *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c *s"]:
        """The noise that makes x_t of x₀."""
        a = self.signal[t]
        return (xt - _over(a.sqrt(), xt) * x0) / _over((1 - a).sqrt(), xt)

    def of_velocity(
        self, xt: Float[Tensor, "b c *s"], velocity: Float[Tensor, "b c *s"], t: Int[Tensor, " b"]
    ) -> Float[Tensor, "b c *s"]:
        """x₀ = √A_t x_t - √(1 - A_t) v_t."""
        a = self.signal[t]
        return _over(a.sqrt(), xt) * xt - _over((1 - a).sqrt(), xt) * velocity

    def image_weight(self, t: Int[Tensor, " b"]) -> Float[Tensor, " b"]:
        """1/A_t - 1: what a squared error of the noise is as a squared error of x₀; float64."""
        return 1 / self.signal[t] - 1


def noise_for(
    images: Float[Tensor, "b c *s"], channels: int, *purpose: int | str
) -> tuple[Float[Tensor, "b k *s"], Float[Tensor, " b"]]:
    """Gaussian noise of as many channels, and a number in [0, 1), for each image.

    They depend on the purpose and on the image itself (to a thousandth), not on the batch it comes
    in nor on torch's random state: an image is always given the same noise.
    """
    noise, numbers = [], []
    for image in images:
        content = (image.float() * 1000).round().to(torch.int32).cpu().numpy().tobytes()
        seed = derive(*purpose, hashlib.sha256(content).hexdigest())
        generator = torch.Generator().manual_seed(seed)
        numbers.append(torch.rand((), generator=generator))
        noise.append(torch.randn((channels, *image.shape[1:]), generator=generator))
    return torch.stack(noise).to(images), torch.stack(numbers).to(images.device)


def _over(values: Float[Tensor, " b"], images: Float[Tensor, "b c *s"]) -> Tensor:
    """One value per image, in the images' type, to be multiplied with them."""
    return values.to(images.dtype).reshape(-1, *[1] * (images.ndim - 1))
