"""Done trials of a study on further test sets, one after another, here: no training, so no Ray."""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

from benchmark.cluster.verify import trial_of
from benchmark.data import elsewhere, prepared
from benchmark.data.prepared import Manifest
from benchmark.errors import ExitCode, UserError
from benchmark.store import datasets, record_file, test_sets
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record
from benchmark.store.test_sets import OnTestSet
from benchmark.store.weights import NAME as WEIGHTS
from benchmark.toolkit import encoders
from benchmark.training.evaluate import nsd_column
from benchmark.training.test_sets import TestSet, evaluated, opened
from benchmark.wording import counted

Say = Callable[[str], None]


class Outcome(NamedTuple):
    """How many trials were evaluated, and on what."""

    done: int = 0
    already: int = 0
    without_weights: int = 0


def evaluate_study(
    study_folder: Path,
    data_root: Path,
    names: Sequence[str] = (),
    *,
    say: Say,
    nsd: Sequence[float] = (),
    of: Collection[str] | None = None,
) -> Outcome:
    """Every done trial on the test sets of these names; on those of its own dataset if none.

    of: keys of trials, of a run that has a part of them; None: all.
    What is there already, of the same data, stays. Raises `UserError` for a name that is no test
    set of any of the datasets.
    """
    records = [
        found
        for found in record_file.survey(study_folder).records
        if found.is_done and found.evaluate_on == "test" and (of is None or found.key in of)
    ]
    known_names = test_sets.names(study_folder)
    there = {name: test_sets.survey(study_folder, name)[0] for name in known_names}
    manifest_of = cache(lambda key: _manifest(study_folder, data_root, *key))
    test_of = cache(lambda key, name: _opened(data_root, name, manifest_of(key), say))
    keys = {found.key: (found.dataset, found.data_hash) for found in records}
    of_some = {name for key in set(keys.values()) for name in manifest_of(key).test_sets}
    outcome, missing = Outcome(), []
    for found in records:
        own = manifest_of(keys[found.key]).test_sets
        for name in names or own:
            if name == found.dataset or (name in of_some and name not in own):
                continue  # on which it was tested, and what is another dataset's
            test = test_of(keys[found.key], name)
            known = there.get(name, {}).get(found.key)
            if _is_known(known, test.data.manifest.data_hash, nsd):
                outcome = outcome._replace(already=outcome.already + 1)
            elif not (trial_folder(study_folder, found.key) / WEIGHTS).is_file():
                outcome = outcome._replace(without_weights=outcome.without_weights + 1)
            else:
                missing.append((found, test))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    for place, (found, test) in enumerate(missing, 1):
        score = _evaluate(found, study_folder, test, device, nsd)
        say(f"[{place}/{len(missing)}] {found.label} on {test.name}: DC {score:.4f}")
    return outcome._replace(done=len(missing))


def _opened(data_root: Path, name: str, trained: Manifest, say: Say) -> TestSet:
    test = opened(data_root, name, trained)
    if name not in trained.test_sets:  # of its own it was said when they were prepared
        for oddity in elsewhere.oddities(test.data, trained):
            say(f"note: {name}: {oddity}")
    return test


def _is_known(known: OnTestSet | None, data_hash: str, nsd: Sequence[float]) -> bool:
    """Are the scores there, of the same data, and surface Dice at all of these tolerances?"""
    if known is None or known.data_hash != data_hash:
        return False
    units = ("mm", "voxels")
    return all(any(nsd_column(one, unit) in known.metrics for unit in units) for one in nsd)


def described(outcome: Outcome) -> list[str]:
    """What was done, and what could not be."""
    lines = []
    if outcome.already:
        lines.append(f"{counted(outcome.already, 'trial')} were evaluated there already")
    if outcome.without_weights:
        lines.append(
            f"{counted(outcome.without_weights, 'trial')} without saved weights: they need a run "
            "with --save weights (--also-test adds it); delete their folders and run them again"
        )
    return lines


def _manifest(study_folder: Path, data_root: Path, dataset: str, data_hash: str) -> Manifest:
    """Of the data that trials were trained on."""
    found = prepared.read_manifest(data_root, dataset)
    if found.data_hash == data_hash:
        return found
    kept = datasets.kept(study_folder, data_hash)
    if kept is None:
        raise UserError(
            f"the prepared {dataset} under {data_root} is other data than the trials were trained "
            f"on: {datasets.explained(study_folder, data_hash, found)}",
            ExitCode.DATA,
        )
    return kept.model_copy(update={"test_sets": found.test_sets})


def _evaluate(
    found: Record, study_folder: Path, test: TestSet, device: torch.device, nsd: Sequence[float]
) -> float:
    try:
        trial = trial_of(found)
    except UserError as error:
        raise UserError(f"{found.label}: {error}") from error
    encoders.fetch(trial.conditions.network)
    made = evaluated(trial, study_folder, test, device, nsd)
    test_sets.write(study_folder, made)
    return float(made.metrics["dc_pooled"])
