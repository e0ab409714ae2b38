"""What a plan runs on: how many trials side by side, and on what."""

import re
from collections.abc import Iterable
from typing import NamedTuple

import torch

from benchmark import provenance
from benchmark.errors import UserError
from benchmark.wording import counted

_GPU = re.compile(r"NVIDIA|GeForce|Tesla|Quadro|Instinct|Radeon")


class Hardware(NamedTuple):
    """What a plan runs on."""

    device: str
    """Name of the processor or GPU that trains; "": of one of which nothing is known."""
    slots: int
    """How many trials fit side by side."""
    text: str
    """For people: 2 CPUs."""
    is_gpu: bool = False


def here(threads: int, gpus_per_trial: float | None, at_once: int | None) -> Hardware:
    """What there is on this machine."""
    if torch.cuda.is_available() and gpus_per_trial != 0:
        device, count = provenance.device_name(torch.device("cuda")), torch.cuda.device_count()
        return _gpus(device, count, gpus_per_trial, at_once)
    return _cpus(provenance.cpu_count(), threads, at_once)


def elsewhere(
    text: str,
    devices: Iterable[str],
    threads: int,
    gpus_per_trial: float | None,
    at_once: int | None,
) -> Hardware:
    """What is typed after --on, such as "8 gpu" or "64 cpu".

    Processors are taken to be like the one here, GPUs like one of these devices, which were
    measured.
    """
    typed = re.fullmatch(r"(\d+)\s*(cpu|gpu)s?", text.strip().lower())
    if not typed or not int(typed[1]):
        raise UserError(f'--on takes a number of GPUs or CPUs, such as "8 gpu"; got {text!r}')
    if typed[2] == "cpu":
        return _cpus(int(typed[1]), threads, at_once)
    processor = provenance.device_name(torch.device("cpu"))  # some are named after graphics, too
    names = sorted({d for d in devices if _GPU.search(d) and d != processor})
    return _gpus(names[0] if names else "", int(typed[1]), gpus_per_trial, at_once)


def _cpus(count: int, threads: int, at_once: int | None) -> Hardware:
    fit = max(1, min(count // threads, at_once or count))
    device = provenance.device_name(torch.device("cpu"))
    return Hardware(device, fit, counted(count, "CPU"))


def _gpus(device: str, count: int, share: float | None, at_once: int | None) -> Hardware:
    fit = int(count / (share or 1.0))
    return Hardware(device, max(1, min(fit, at_once or fit)), counted(count, "GPU"), is_gpu=True)
