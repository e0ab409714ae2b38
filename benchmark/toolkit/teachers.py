"""What methods with a moving-average teacher share: the average, its inputs, its statistics."""

import contextlib
import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def average_rate(step: int, decay: float) -> float:
    """min(1 - 1/(step + 1), decay), step = 0, 1, …: the plain mean of all students so far, then an
    exponential moving average. Copies of this code that count epochs instead of the optimiser's
    steps have a far faster teacher (`Clock`).
    """
    return min(1 - 1 / (step + 1), decay)


class Clock(nn.Module):
    """What the average counts: the optimiser's steps, or epochs as a variant of the code does.

    A number on the processor that stands in checkpoints: to read one from a GPU is to wait for it.
    """

    def __init__(self, counts: str, epochs: int):
        """counts: steps or epochs, of which the run has so many."""
        super().__init__()
        if counts not in ("steps", "epochs"):
            raise ValueError(f"average_counts is steps or epochs, got {counts}")
        self._counts, self._epochs = counts, epochs
        self.steps = 0

    def tick(self, progress: float) -> int:
        """The number of the step that ends now, or of its epoch, from 0."""
        self.steps += 1
        if self._counts == "steps":
            return self.steps - 1
        return math.ceil(round(progress * self._epochs, 9)) - 1

    def get_extra_state(self) -> Tensor:
        return torch.tensor(self.steps)

    def set_extra_state(self, state: Tensor) -> None:
        self.steps = int(state)


@torch.no_grad()
def follow(teacher: nn.Module, student: nn.Module, rate: float, *, buffers: str = "own") -> None:
    """Teacher's parameters ← rate · teacher + (1 - rate) · student.

    buffers, such as the running statistics of batch norms: own (the teacher's stay as its passes
    make them), copy (the student's) or average (as the parameters; counts are copied).
    """
    if buffers not in ("own", "copy", "average"):
        raise ValueError(f"buffers is own, copy or average, got {buffers}")
    for ours, theirs in zip(teacher.parameters(), student.parameters(), strict=True):
        ours.lerp_(theirs, 1 - rate)
    if buffers == "own":
        return
    for ours, theirs in zip(teacher.buffers(), student.buffers(), strict=True):
        if buffers == "average" and ours.is_floating_point():
            ours.lerp_(theirs, 1 - rate)
        else:
            ours.copy_(theirs)


def noisy(images: Float[Tensor, "b c *s"], scale: float, limit: float) -> Float[Tensor, "b c *s"]:
    """The images with Gaussian noise of this standard deviation, cut off at ± limit."""
    return images + (scale * torch.randn_like(images)).clamp(-limit, limit)


@contextlib.contextmanager
def running_statistics_kept(network: nn.Module, *, kept: bool = True) -> Iterator[None]:
    """Batch norms go on using the statistics of each batch, but do not remember them.

    kept: an option of the method may have it off.
    """
    norms = [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    norms = norms if kept else []
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


@contextlib.contextmanager
def without_gradient() -> Iterator[None]:
    """As `torch.no_grad`, around a network that passes with a gradient later in the same part.

    In bfloat16 older versions of PyTorch go on with the weights that were cast in here, and those
    have no gradient: pytorch/pytorch#112583.
    """
    with torch.no_grad():
        yield
    torch.clear_autocast_cache()


@contextlib.contextmanager
def in_eval_mode(network: nn.Module) -> Iterator[None]:
    """Batch norms use their running statistics and nothing is dropped; afterwards all as before."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
