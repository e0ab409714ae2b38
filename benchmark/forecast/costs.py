"""What a kind of work costs on a kind of device. Pure: numbers and settings in, numbers out."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from statistics import median
from typing import Any, NamedTuple

from benchmark.keys import fingerprint

_OF_ALL = ("dataset", "method", "hyperparameters", "size", "patch", "precision", "network",
           "threads_per_trial")  # fmt: skip
_OF_STAGE = ("batch_labelled", "batch_unlabelled", "batch", "criterion", "optimiser")


def kind(settings: Mapping[str, Any], stage: str) -> str:
    """Of work that costs the same: a hash of the settings of a trial that a step depends on.

    stage: training or pretraining. Neither seed nor label budget nor length are among them.
    """
    named = {name: settings.get(name) for name in _OF_ALL}
    own = settings.get(stage) or {}
    return fingerprint(named | {"stage": stage} | {n: own.get(n) for n in _OF_STAGE})


@dataclass(frozen=True)
class Cost:
    """What work of one kind takes on one device."""

    step: float
    """Seconds of a training step."""
    evaluation: float
    """Seconds of an evaluation, for each image or volume; 0 of a pretraining."""
    around: float
    """Seconds of everything else: building, distances, writing."""
    memory: float = math.nan
    """Peak, in MiB: of the process, or of the GPU's allocator."""
    flops: int = 0
    """Operations of a step."""
    busy: float = 1.0
    """Share of a step in which the device computes; below 1 a GPU waits for its processor. NaN
    where it was not measured, as trials do not."""

    @property
    def is_possible(self) -> bool:
        """Are these numbers that work can cost?"""
        times = (self.step, self.evaluation, self.around, self.flops)
        are_real = all(isinstance(v, int | float) and 0 <= v < _MOST for v in times)
        return are_real and all(isinstance(v, int | float) for v in (self.memory, self.busy))


def typical(costs: Iterable[Cost]) -> Cost:
    """The median of each part; there must be one cost at least."""
    costs = list(costs)
    found = {f.name: median(getattr(cost, f.name) for cost in costs) for f in fields(Cost)}
    return Cost(**found | {"flops": int(found["flops"])})


class Amount(NamedTuple):
    """How much work a job is."""

    steps: int
    evaluations: int = 0
    cases: int = 0
    """Images or volumes of each evaluation."""

    def seconds(self, cost: Cost) -> float:
        """What it takes."""
        return self.steps * cost.step + self.seconds_evaluating(cost) + cost.around

    def seconds_evaluating(self, cost: Cost) -> float:
        """Of these, all evaluations."""
        return self.evaluations * self.cases * cost.evaluation


def evaluations(epochs: int, every: int) -> int:
    """How often a trial is evaluated: every so many epochs (0: never), and after the last."""
    return 1 if not every else epochs // every + (epochs % every > 0)


def sparser(amount: Amount, cost: Cost, epochs: int, share: float) -> int:
    """The least number of epochs between evaluations with which they take no more than a share."""
    each = amount.cases * cost.evaluation
    rest = amount.steps * cost.step + cost.around
    allowed = max(1, int(share / (1 - share) * rest / each + 1e-9))
    return math.ceil(epochs / allowed)


def together(cost: Cost, memory: float, *, most: int = 8) -> int:
    """How many trials of this kind a GPU of so many MiB holds and has time for; 1 at least.

    Each brings a context of its own; a tenth stays free. Trials that keep the GPU busy gain
    nothing from company.
    """
    if not (cost.memory > 0 and cost.busy > 0):  # unknown
        return 1
    fit = int(0.9 * memory / (1.1 * cost.memory + _CONTEXT))
    wanted = math.ceil(1 / max(cost.busy, 1 / most))
    return max(1, min(fit, wanted, most))


_MOST = 1e18
_CONTEXT = 600.0  # MiB that CUDA and its libraries take for each process
