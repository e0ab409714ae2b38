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
        count, device = torch.cuda.device_count(), torch.device("cuda")
        return _hardware(provenance.device_name(device), count, threads, gpus_per_trial, at_once)
    device = provenance.device_name(torch.device("cpu"))
    return _hardware(device, provenance.cpu_count(), threads, None, at_once)


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
        device = provenance.device_name(torch.device("cpu"))
        return _hardware(device, int(typed[1]), threads, None, at_once)
    names = sorted({device for device in devices if _GPU.search(device)})
    share = 1.0 if gpus_per_trial is None else gpus_per_trial
    return _hardware(names[0] if names else "", int(typed[1]), threads, share or 1.0, at_once)


def _hardware(
    device: str, count: int, threads: int, gpus_per_trial: float | None, at_once: int | None
) -> Hardware:
    is_gpu = gpus_per_trial is not None or bool(_GPU.search(device))
    fit = int(count / (gpus_per_trial or 1.0)) if is_gpu else count // threads
    slots = max(1, min(fit, at_once or fit))
    return Hardware(device, slots, counted(count, "GPU" if is_gpu else "CPU"), is_gpu)
