"""How images and weights lie in memory, and in what precision networks compute.

Shares of the time with channels first, medians of benchmarks/ on one thread of an AMD EPYC, in
float32 (and bfloat16, of the same): a step of CPS on 128 × 128 images .78 (.48), of EM .80 (.52),
in patches of volumes .84 (.38), around a ResNet-34 .93 (.60); an evaluation .62 (.31).
"""

import torch
from torch import Tensor, nn


def memory_format(device: torch.device, dims: int) -> torch.memory_format:
    """Channels last; of volumes on a GPU, where nobody measured it, as PyTorch has them."""
    if dims == 2:
        return torch.channels_last
    return torch.channels_last_3d if device.type == "cpu" else torch.contiguous_format


def in_precision(precision: str, device: torch.device) -> torch.autocast:
    """Convolutions in bfloat16, if so; parameters, and what heads give, stay float32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


def arranged(x: Tensor) -> Tensor:
    """Images (b, c, *s) in that layout: once, where they enter a network."""
    return x.contiguous(memory_format=memory_format(x.device, x.ndim - 2))


def arrange(module: nn.Module, dims: int) -> nn.Module:
    """The module with its convolutions in that layout."""
    device = next(module.parameters()).device
    return module.to(memory_format=memory_format(device, dims))


def sent(x: Tensor, device: torch.device) -> Tensor:
    """On the device; to a GPU by a copy that nobody waits for."""
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)
