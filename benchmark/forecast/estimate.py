"""The forecast of a plan in words: what each method takes on each dataset, and all together."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import torch

from benchmark.forecast import costs
from benchmark.forecast.hardware import Hardware
from benchmark.forecast.queue import seconds_until_done
from benchmark.forecast.work import Work
from benchmark.wording import counted, shortened

_START = 12.0  # seconds that are of no job: Ray, what workers import, the end
_TOO_MUCH = 1 / 3  # of a trial's time, for evaluations


class Forecast(NamedTuple):
    """What is known of jobs before they run, by key."""

    seconds: Mapping[str, float] = {}
    gpus: Mapping[str, float] = {}
    """Shares of a GPU; none: as the user says."""
    wall: float | None = None
    """Seconds from the command to the end; None: some job is unknown."""
    slots: int | None = None
    """How many jobs fit side by side; None: as the cluster says."""


def of_run(works: Sequence[Work], on: Hardware, *, shares_gpus: bool) -> Forecast:
    """The forecast of a run; with shares, of a GPU of this machine."""
    gpus: dict[str, float] = {}
    if shares_gpus and on.is_gpu:
        memory = torch.cuda.get_device_properties(0).total_memory / 2**20
        gpus = {w.job.key: 1 / costs.together(w.cost, memory) for w in works if w.cost}
    slots = int(on.slots / np.mean(list(gpus.values()))) if gpus else on.slots
    return Forecast(seconds(works), gpus, wall(works, slots), slots)


def seconds(works: Sequence[Work]) -> dict[str, float]:
    """Of each job that is known, by its key."""
    return {work.job.key: work.seconds for work in works if work.seconds is not None}


def wall(works: Sequence[Work], slots: int) -> float | None:
    """Seconds from the command to the end; None if a job is unknown."""
    known = seconds(works)
    if len(known) < len(works):
        return None
    return _START + seconds_until_done([work.job for work in works], known, slots)


def describe(works: Sequence[Work], on: Hardware) -> list[str]:
    """A line for each method and dataset, hours in all, time on the wall, disk, advice."""
    if not works:
        return []
    if all(work.cost is None and not work.flops for work in works):
        return [f"forecast for {on.text}: no like trial was ever timed; --probe times a few steps"]
    groups: dict[tuple[str, str, str], list[Work]] = {}
    for work in works:
        groups.setdefault((work.job.dataset, work.name, work.kind), []).append(work)
    unit = "GPU" if on.is_gpu else "processor"
    lines = [f"forecast for {on.text}{f' ({on.device})' if on.device else ''}:"]
    rows = [[dataset, name, *_row(group)] for (dataset, name, _), group in groups.items()]
    widths = [max(map(len, column)) for column in zip_longest(*rows, fillvalue="")]
    lines += ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    known = seconds(works)
    total = sum(known.values())
    if len(known) == len(works):
        at_once, disk = min(on.slots, len(works)), sum(work.disk for work in works) / 2**20
        memory = at_once * float(np.max([work.cost.memory for work in works])) / 1024
        held = f", up to {memory:.1f} GiB of memory" if math.isfinite(memory) else ""
        lines.append(
            f"in all {_hours(total)} of {unit} time, about {_hours(wall(works, on.slots))} with "
            f"{counted(at_once, 'trial')} at once{held}; {disk:.0f} MiB of disk"
        )
    else:
        unknown = sorted({f"{w.name} on {w.job.dataset}" for w in works if w.seconds is None})
        lines.append(
            f"unknown on such hardware: {shortened(unknown)}. --probe measures, where it runs"
        )
    return [*lines, *_advice(groups)]


def _row(group: Sequence[Work]) -> list[str]:
    first, n = group[0], len(group)
    steps = sorted({work.amount.steps for work in group})
    jobs = f"{n} x {'-'.join(map(str, (steps[0], *steps[1:][-1:])))} steps"
    if first.cost is None:
        flops = sum(work.amount.steps * work.flops for work in group)
        return [jobs, f"{flops / 1e15:.2g} PFLOP in training" if flops else "unknown"]
    cost, each = first.cost, [work.seconds for work in group]
    share = first.amount.seconds_evaluating(cost) / first.seconds
    memory = f"{cost.memory:.0f} MiB" if math.isfinite(cost.memory) else "memory unknown"
    return [
        jobs,
        f"{1000 * cost.step:.0f} ms a step",
        memory,
        f"{share:.0%} evaluation",
        f"{_hours(sum(each) / n)} each",
    ]


def _advice(groups: Mapping[tuple[str, str, str], Sequence[Work]]) -> list[str]:
    """Where evaluations on the way take more than a third, how seldom they would not."""
    found: dict[int, list[str]] = {}
    for (dataset, name, _), group in groups.items():
        work = group[0]
        if work.cost is None or work.amount.evaluations < 2:
            continue
        share = work.amount.seconds_evaluating(work.cost) / work.seconds
        if share > _TOO_MUCH:
            every = costs.sparser(work.amount, work.cost, work.epochs, _TOO_MUCH)
            found.setdefault(every, []).append(f"{name} on {dataset} ({share:.0%})")
    if not found:
        return []
    every = max(found)
    names = [name for group in found.values() for name in group]
    return [
        f"evaluation takes more than a third of {shortened(names)}: evaluate_every={every} takes "
        "less (curves and the oracle reading then see fewer epochs)"
    ]


def compared(forecast: float, took: float) -> str:
    """After a run, for people."""
    return f"forecast {_hours(forecast)}, took {_hours(took)}"


def _hours(seconds: float) -> str:
    """12 s, 3 min 20 s, 12 min, 2 h 5 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    if hours < 100:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return str(timedelta(hours=hours)).removesuffix(":00")
