"""Costs that were measured: by trials that left records, and by probes, which a file keeps."""

import contextlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from benchmark import files
from benchmark.files import write_atomically
from benchmark.forecast.costs import Cost, evaluations, kind, typical
from benchmark.store import layout, record_file
from benchmark.store.record import Record

_PROBES = ".probes.json"
_LARGEST = 2**24  # bytes
_RECENT = 20  # trials of a kind: older ones may have been measured on another day's load

Known = dict[tuple[str, str], Cost]
"""(device, kind of work) → what it costs there."""


def costs(results_root: Path) -> Known:
    """All that is known under the results folder; what trials took goes before probes."""
    return with_probes(from_records(_records(results_root)), probes(results_root))


def with_probes(found: Known, probed: Known) -> Known:
    """Both; where both know, what was found, but how busy a GPU is, which probes alone tell."""
    both = found.keys() & probed.keys()
    return probed | found | {key: replace(found[key], busy=probed[key].busy) for key in both}


def _records(results_root: Path) -> Iterator[Record]:
    for name in layout.studies(results_root):
        with contextlib.suppress(OSError):  # somebody else's study must not stop this one
            yield from record_file.survey(results_root / name).records


def from_records(records: Iterable[Record]) -> Known:
    """Medians over the latest trials of each kind that measured all there is to know."""
    found: dict[tuple[str, str], list[Cost]] = {}
    for each in sorted(records, key=lambda r: r.finished_at, reverse=True):
        for of_kind, cost in _possible(each) if each.is_done else ():
            same = found.setdefault((each.device, of_kind), [])
            if len(same) < _RECENT:
                same.append(cost)
    return {key: typical(all_costs) for key, all_costs in found.items()}


def _possible(trial: Record) -> list[tuple[str, Cost]]:
    """Kinds of work and their costs; none of a record that does not say all that is asked.

    Those of older versions do not, and a stranger's may say anything.
    """
    try:
        found = [(kind(trial.settings, stage), cost) for stage, cost in _of(trial)]
        return [(of_kind, cost) for of_kind, cost in found if cost.is_possible]
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return []


def _of(trial: Record) -> Iterator[tuple[str, Cost]]:
    """(stage, cost) of a trial's training and, if it has one, of its pretraining."""
    training = trial.settings["training"]
    times = evaluations(training["epochs"], trial.settings["evaluate_every"])
    spent = trial.seconds_train + trial.seconds_evaluate
    memory = trial.peak_memory_mib or math.nan
    yield (
        "training",
        Cost(
            step=trial.seconds_train / trial.steps,
            evaluation=trial.seconds_evaluate / (times * trial.n_test),
            around=max(0.0, trial.seconds_total - spent),  # of a resumed one a part alone
            memory=memory,
            flops=trial.flops_per_step or 0,
            busy=math.nan,
        ),
    )
    if trial.pretrain_steps and trial.seconds_pretrain:
        step = trial.seconds_pretrain / trial.pretrain_steps
        flops = trial.pretrain_flops_per_step or 0
        yield "pretraining", Cost(step, 0.0, 1.0, memory, flops, busy=math.nan)


def probes(results_root: Path) -> Known:
    """What was probed before; nothing if the file cannot be read: it can be made again."""
    try:
        content = files.read_within(results_root, results_root / _PROBES, _LARGEST)
        found = json.loads(content)
        costs = {tuple(name.split("|", 1)): Cost(**cost) for name, cost in found.items()}
        return {key: cost for key, cost in costs.items() if len(key) == 2 and cost.is_possible}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def keep(results_root: Path, measured: Mapping[tuple[str, str], Cost]) -> None:
    """Add probes to the file."""
    results_root.mkdir(parents=True, exist_ok=True)
    with files.locked(results_root / f"{_PROBES}.lock", 60.0):
        merged = probes(results_root) | dict(measured)
        stored = {"|".join(key): asdict(cost) for key, cost in sorted(merged.items())}
        write_atomically(results_root / _PROBES, json.dumps(stored, indent=1))
