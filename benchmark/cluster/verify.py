"""The verb `bench verify`: recorded trials run again, and every number compared bit by bit.

What a trial was is read from its record alone: no preset, no command line. The number of threads is
part of that, so it cannot differ; processor, versions and code can, and are named.
"""

import math
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmark import provenance, scratch
from benchmark.data import prepared
from benchmark.data.card import Card
from benchmark.errors import ExitCode, UserError
from benchmark.store import datasets, record, record_file, tables
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record
from benchmark.study import methods
from benchmark.study.settings import Conditions, PretrainingSettings, Study, check
from benchmark.study.trials import Trial
from benchmark.toolkit import encoders
from benchmark.training import job, pretraining
from benchmark.training.job import Destination
from benchmark.training.loop import Log
from benchmark.training.trial import TrialJob
from benchmark.wording import counted, shortened

_NONE = "missing"
_TABLES = ("cases.csv", "history.csv")
_LONGEST_WORD = 80  # characters
_NAMED = 3  # numbers that differ, the largest first


class Difference(NamedTuple):
    """A number that is another now."""

    name: str
    recorded: Any
    now: Any

    @property
    def size(self) -> float:
        """By how much; infinite for what cannot be subtracted."""
        try:
            size = abs(float(self.now) - float(self.recorded))
        except (TypeError, ValueError):
            return math.inf
        return math.inf if math.isnan(size) else size

    def __str__(self) -> str:
        by = f" (by {self.size:.2g})" if math.isfinite(self.size) else ""
        words = [str(word)[:_LONGEST_WORD] for word in (self.name, self.recorded, self.now)]
        return f"{words[0]} {words[1]} → {words[2]}{by}"


@dataclass
class Verification:
    """What came of one trial."""

    label: str
    compared: int = 0
    """How many numbers."""
    differences: list[Difference] = field(default_factory=list)
    surroundings: list[str] = field(default_factory=list)
    """What is otherwise here than where the trial was made."""
    impossible: str = ""
    """Why it could not be run again."""

    def describe(self) -> list[str]:
        """For people."""
        if self.impossible:
            return [f"{self.label}: cannot be run again: {self.impossible}"]
        here = f"; different here: {'; '.join(self.surroundings)}" if self.surroundings else ""
        if not self.differences:
            return [f"{self.label}: all {self.compared} numbers equal, bit for bit{here}"]
        largest = sorted(self.differences, key=lambda found: found.size, reverse=True)
        why = here or "; processor, versions and code are the same here"
        more = len(largest) - _NAMED
        return [
            f"{self.label}: {len(largest)} of {self.compared} numbers differ{why}",
            *(f"  {found}" for found in largest[:_NAMED]),
            *([f"  and {more} more"] if more > 0 else []),
        ]


def verify(
    study_folder: Path,
    data_root: Path,
    *,
    sample: int,
    key: str = "",
    say: Callable[[str], None],
    log: Log | None = None,
) -> None:
    """Run drawn trials of the study again, elsewhere, and say of each how it compares.

    sample: how many, of those that are done. key: of the one trial to be run, or how it begins,
    instead. log: gets what the trials print. Raises `UserError`: exit code 1 if a number differs, 3
    if none does and a trial could not be run.
    """
    found = record_file.survey(study_folder)
    for note in found.notes:
        say(note)
    done = [one for one in found.records if one.is_done and one.key.startswith(key)]
    if not done:
        what = f"with a key starting with {key!r} " if key else ""
        raise UserError(f"no finished trial {what}in {study_folder}", ExitCode.DATA)
    if key and len(done) > 1:
        raise UserError(f"{len(done)} trials with a key starting with {key!r}: give more of it")
    drawn = done if key else random.Random().sample(done, min(sample, len(done)))
    say(f"{len(drawn)} of {counted(len(found.records), 'trial')} of {study_folder} run again here")
    outcomes, started = [], time.monotonic()
    for i, one in enumerate(drawn, 1):
        outcome = _run_again(one, study_folder, data_root, log)
        outcomes.append(outcome)
        left = (time.monotonic() - started) / i * (len(drawn) - i)
        about = f", about {timedelta(seconds=round(left))} left" if i < len(drawn) else ""
        lines = outcome.describe()
        say("\n".join([f"[{i}/{len(drawn)}] {lines[0]}{about}", *lines[1:]]))
    failed = sum(bool(outcome.differences) for outcome in outcomes)
    impossible = sum(bool(outcome.impossible) for outcome in outcomes)
    if impossible and not failed:
        raise UserError(
            f"{impossible} of {counted(len(drawn), 'trial')} could not be run again", ExitCode.DATA
        )
    if failed:
        raise UserError(
            f"{failed} of {counted(len(drawn), 'trial')} did not repeat",
            ExitCode.SOME_TRIALS_FAILED,
        )


def _run_again(
    recorded: Record, study_folder: Path, data_root: Path, log: Log | None
) -> Verification:
    outcome = Verification(f"{recorded.label} ({recorded.key})")
    try:
        before = _numbers(recorded, trial_folder(study_folder, recorded.key))
        trial = trial_of(recorded)
        data = _data_of(trial, study_folder, data_root)
        _require_possible(trial, data.manifest.card)
        of = trial.conditions
        data = prepared.as_trained(data, of.size, slices=of.slices)
    except (UserError, ValueError, KeyError, TypeError, OverflowError) as error:
        outcome.impossible = str(error)
        return outcome
    device = _device_like(recorded.device)
    with scratch.folder("verify") as elsewhere:
        encoders.fetch(trial.conditions.network)
        destination = Destination(elsewhere, recorded.study, recorded.preset)
        for each in (*pretraining.missing([trial], elsewhere), TrialJob(trial)):
            made = job.run(each, data, destination, device=device, echo=log)
        if not made.is_done:
            outcome.impossible = f"it fails here: {made.error}"
            return outcome
        now = _numbers(made, trial_folder(elsewhere, trial.key))
        before = datasets.renamed(before, datasets.unit_before(data.manifest))
    outcome.surroundings = list(_surroundings(recorded, made))
    new = [name for name in made.metrics if name not in before]
    if new and recorded.tool_code != made.tool_code:  # an older version did not measure them
        outcome.surroundings.append(f"{counted(len(new), 'number')} more ({shortened(new)})")
        now = {name: value for name, value in now.items() if name.rpartition(" ")[2] not in new}
    outcome.compared = sum(np.size(value) for value in before.values())
    outcome.differences = [
        different
        for name in {**before, **now}
        if (different := _difference(name, before.get(name, _NONE), now.get(name, _NONE)))
    ]
    return outcome


def trial_of(recorded: Record) -> Trial:
    """The trial that a record is of; `UserError` where this version has none such."""
    return methods.trial_of(
        recorded.settings, recorded.method, recorded.variant, recorded.code_version
    )


def _data_of(trial: Trial, study_folder: Path, data_root: Path) -> prepared.Prepared:
    found = prepared.load(data_root, trial.dataset)
    if found.manifest.data_hash != trial.data_hash:
        raise UserError(
            f"the prepared {trial.dataset} under {data_root} is other data: "
            f"{datasets.explained(study_folder, trial.data_hash, found.manifest)}"
        )
    return found


def _require_possible(trial: Trial, card: Card) -> None:
    """`UserError` for settings that no run could have: records come from strangers too."""
    check(
        Study(
            conditions=replace(
                trial.conditions, patch=trial.conditions.patch or Conditions().patch
            ),
            training=trial.training,
            pretraining=trial.pretraining.settings if trial.pretraining else PretrainingSettings(),
        )
    )
    if prepared.is_enlarged(card, trial.conditions.size):
        raise UserError(f"it enlarges images of {card.size} to {trial.conditions.size}")


def _device_like(name: str) -> torch.device:
    """The GPU if the trial was made on one of this name; else the processor."""
    if torch.cuda.is_available() and name == provenance.device_name(torch.device("cuda")):
        return torch.device("cuda")
    return torch.device("cpu")


def _numbers(found: Record, folder: Path) -> dict[str, Any]:
    """Everything of a trial that must repeat, by name: record, tables, pictures."""
    fields = found.model_dump(exclude={*record.MAY_DIFFER, "settings", "metrics", "schema_version"})
    values = {**fields, **found.metrics}
    rows = pd.DataFrame([{"key": found.key, "dataset": "", "budget": "", "variant": "", "seed": 0}])
    for name in _TABLES:
        lines = tables.stacked(folder.parent.parent, rows, name)
        if lines.empty:
            continue
        first, *columns = lines.columns.drop(list(rows.columns), errors="ignore")
        for line in lines.to_dict("records"):
            values |= {f"{name} {line[first]} {column}": line[column] for column in columns}
    for pictures in tables.panels(folder.parent.parent, rows).values():
        values |= {f"panel.npz {name}": array for name, array in pictures.items()}
    return values


def _difference(name: str, recorded: Any, now: Any) -> Difference | None:
    """None if they are the same; a NaN is the same as another."""
    values = (recorded, now)
    if not all(isinstance(value, np.ndarray) for value in values):
        if any(isinstance(value, np.ndarray) for value in values):
            return Difference(name, *("there" if np.size(v) > 1 else v for v in values))
        is_nan = all(isinstance(value, float) and math.isnan(value) for value in values)
        return None if is_nan or recorded == now else Difference(name, *values)
    if np.shape(now) != recorded.shape:
        return Difference(name, f"of shape {recorded.shape}", np.shape(now))
    n = int((recorded != now).sum())
    return Difference(name, f"{recorded.size} values", f"{n} of them others") if n else None


def _surroundings(recorded: Record, made: Record) -> Iterator[str]:
    """What is otherwise here, in words."""
    if recorded.device != made.device:
        yield f"processor {made.device} (recorded: {recorded.device})"
    yield from _versions(recorded.packages, made.packages)
    for what, before, now in (
        (f"code of methods/{made.method}", recorded.method_code, made.method_code),
        ("code of the tool", recorded.tool_code, made.tool_code),
    ):
        if before != now:
            yield f"{what} {now} (recorded: {before or 'not kept'})"


def _versions(recorded: Mapping[str, str], made: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*recorded, *made}):
        before, now = recorded.get(name, ""), made.get(name, "")
        if before != now:
            yield f"{name} {now or 'missing'} (recorded: {before or 'missing'})"
