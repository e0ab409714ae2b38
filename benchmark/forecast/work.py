"""The jobs of a plan as amounts of work, with what they cost where that is known."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.data.prepared import Manifest
from benchmark.data.split.parts import parts
from benchmark.forecast import costs
from benchmark.forecast.costs import Amount, Cost
from benchmark.forecast.known import Known
from benchmark.study.plan import Plan
from benchmark.study.trials import Trial
from benchmark.training import pretraining, trial
from benchmark.training.job import Job
from benchmark.training.trial import TrialJob


@dataclass(frozen=True)
class Work:
    """A job, how much it is, and what its kind of work costs, if that is known."""

    job: Job
    name: str
    """Of the variant; of a pretraining "pretraining of" its method."""
    kind: str
    amount: Amount
    cost: Cost | None
    flops: int
    """Operations of a step, as counted anywhere; 0: unknown."""
    epochs: int
    disk: int
    """Bytes that it leaves, about."""

    @property
    def seconds(self) -> float | None:
        """What it takes; None: unknown."""
        return None if self.cost is None else self.amount.seconds(self.cost)


def works(plan: Plan, jobs: Iterable[Job], known: Known, device: str) -> list[Work]:
    """The jobs of a plan, on a device of this name."""
    flops = {kind: cost.flops for (_, kind), cost in known.items()}
    settings = {t.pretraining.key: t.settings() for t in plan.missing if t.pretraining}
    n_labelled = {(s.dataset, s.budget.text, s.seed): s.n_labelled for s in plan.subsets}
    n_seen = {s.dataset: s.n_seen for s in plan.subsets}
    n_evaluated = {
        name: len(found.evaluation) + len(found.val)
        for name, manifest in plan.manifests.items()
        for found in [parts(manifest, plan.study.conditions.roles)]
    }

    def made(job: Job) -> Work:
        if isinstance(job, TrialJob):
            of, name = job.trial, job.trial.variant
            kind, epochs = costs.kind(of.settings(), "training"), of.training.epochs
            n = n_labelled[of.dataset, of.budget.text, of.subset]
            evaluated = n_evaluated[of.dataset]
            if fold := of.conditions.roles.fold:  # of slices too many: volumes are evaluated
                evaluated = math.ceil(n / fold.count)
                n -= evaluated
            amount = _of_trial(of, n, evaluated)
            disk = _disk(of, amount, plan.manifests[of.dataset])
        else:
            own, name = job.pretraining.settings, f"pretraining of {job.method}"
            kind, epochs = costs.kind(settings[job.key], "pretraining"), own.epochs
            per_epoch = pretraining.steps_per_epoch(own, n_seen[job.dataset])
            amount, disk = Amount(per_epoch * epochs), _WEIGHTS
        cost = known.get((device, kind))
        return Work(job, name, kind, amount, cost, flops.get(kind, 0), epochs, disk)

    return [made(job) for job in jobs]


def _of_trial(of: Trial, n_labelled: int, n_evaluated: int) -> Amount:
    per_epoch = trial.steps_per_epoch(of.training, n_labelled)
    times = costs.evaluations(of.training.epochs, of.evaluate_every)
    return Amount(per_epoch * of.training.epochs, times, n_evaluated)


_WEIGHTS = 8_000_000  # bytes of the shared network
_TEXTS = 12_000  # of a record, its log, settings and requirements
_LINE = 250  # of an epoch or of a case
_PANEL = 10  # cases: the first four, the three worst, the three best


def _disk(of: Trial, amount: Amount, manifest: Manifest) -> int:
    """By the sizes that these files have."""
    height, width = (of.conditions.size or manifest.card.size or [128, 128])[:2]
    pixels = height * width
    panel = _PANEL * pixels * (manifest.card.channels + 2)
    lines = _LINE * (of.training.epochs + amount.cases)
    weights = _WEIGHTS * ("weights" in of.save)
    predictions = amount.cases * (pixels // 20) * ("predictions" in of.save)
    return _TEXTS + panel + lines + weights + predictions
