"""What methods with a moving-average teacher share: the average, its inputs, its statistics."""

import contextlib
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def average_rate(step: int, decay: float) -> float:
    """min(1 - 1/(step + 1), decay), step = 0, 1, …: the plain mean of all students so far, then an
    exponential moving average. The step is that of the optimiser: copies of this code that count
    epochs instead have a far faster teacher.
    """
    return min(1 - 1 / (step + 1), decay)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, rate: float) -> None:
    """Teacher's parameters ← rate · teacher + (1 - rate) · student; buffers stay its own."""
    for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
        ours.lerp_(theirs, 1 - rate)


def noisy(images: Float[Tensor, "b c *s"], scale: float, limit: float) -> Float[Tensor, "b c *s"]:
    """The images with Gaussian noise of this standard deviation, cut off at ± limit."""
    return images + (scale * torch.randn_like(images)).clamp(-limit, limit)


@contextlib.contextmanager
def running_statistics_kept(network: nn.Module) -> Iterator[None]:
    """Batch norms go on using the statistics of each batch, but do not remember them."""
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
