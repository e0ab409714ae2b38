"""A trial that is done on a further test set, from its saved weights."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch

from benchmark import provenance
from benchmark.data import elsewhere, prepared
from benchmark.data.prepared import Manifest, Prepared
from benchmark.data.split.trial_data import TrialData, for_test
from benchmark.errors import ExitCode, UserError
from benchmark.store.layout import trial_folder
from benchmark.store.tables import write_table
from benchmark.store.test_sets import OnTestSet
from benchmark.store.weights import NAME as WEIGHTS
from benchmark.study import sources
from benchmark.study.settings import Conditions
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Method
from benchmark.training import evaluate, saved
from benchmark.training.inference import View
from benchmark.training.job import settle
from benchmark.training.layout import arrange
from benchmark.training.trial import build_method


class TestSet(NamedTuple):
    """Test images of another origin, for networks that were trained on a dataset."""

    __test__ = False  # no test, whatever its name

    name: str
    data: Prepared
    trained: Manifest
    """Of the dataset that networks were trained on: its mean and deviation standardise images."""


def opened(data_root: Path, name: str, trained: Manifest) -> TestSet:
    """A further test set of the dataset itself, or the test set of another prepared one.

    `UserError` (exit code 3) for one that is not there, or that networks of the dataset cannot see.
    """
    own = name in trained.test_sets
    where = prepared.test_set(trained.name, name) if own else name
    if not own and not re.fullmatch(r"[a-z0-9_]{1,100}", name):
        raise UserError(f"no test set is called {name[:100]!r}")
    data = prepared.load(data_root, where)
    elsewhere.require_testable(name, data.manifest.card, trained.card)
    return TestSet(name, data, trained)


def evaluated(
    trial: Trial, study_folder: Path, test: TestSet, device: torch.device, nsd: Sequence[float] = ()
) -> OnTestSet:
    """The trial's tested network on the test set, at the size of the run.

    Writes `on-NAME-cases.csv` (and classes) beside the record. `UserError` without saved weights.
    """
    settle(trial.conditions, device)
    folder = trial_folder(study_folder, trial.key)
    data = _data(test, trial.conditions)
    method = arrange(build_method(trial, data).to(device), data.spatial_dims)
    _load(method, folder / WEIGHTS, data, trial.conditions.patch)
    view = View(data, device, trial.conditions.patch, trial.conditions.precision)
    found = evaluate.evaluate(method, view)
    tolerances = nsd or test.data.manifest.card.nsd
    surfaces = evaluate.surfaces(data, found.predicted, tolerances)
    rows = [a | b for a, b in zip(found.cases, surfaces.cases, strict=True)]
    write_table(folder / f"on-{test.name}-cases.csv", rows)
    if found.classes:
        rows = [a | b for a, b in zip(found.classes, surfaces.classes, strict=True)]
        write_table(folder / f"on-{test.name}-classes.csv", rows)
    return OnTestSet(
        key=trial.key,
        name=test.name,
        data_hash=test.data.manifest.data_hash,
        n_test=len(data.evaluation),
        metrics=evaluate.final(found.scores)
        | surfaces.scores
        | evaluate.floors(data.evaluation, data.classes, evaluate.groups_of(data))
        | {"n_lost_classes": evaluate.lost_classes(data)},
        code_version=provenance.code_version(),
        tool_code=sources.tool_code(),
        device=provenance.device_name(device),
        evaluated_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _data(test: TestSet, conditions: Conditions) -> TrialData:
    """The test images as a trial's evaluation set, standardised as those it was trained on."""
    seen = prepared.as_trained(test.data, conditions.size, slices=conditions.slices)
    if not seen.manifest.card.is_volume:
        n = len(seen.manifest.cases)
        mean, std = (np.tile(v, (n, 1)) for v in (test.trained.mean, test.trained.std))
        seen = seen._replace(mean=mean, std=std)
    return for_test(seen)


def _load(method: Method, file: Path, data: TrialData, patch: list[int] | None) -> None:
    """Put the saved weights into the modules that are tested, and no fewer."""
    if not file.is_file():
        raise UserError(
            f"{file} is missing: run with --save weights to evaluate elsewhere", ExitCode.DATA
        )
    stored = safetensors.torch.load_file(file)
    saved.load_tested(method, stored, file, data.channels, patch or data.sides)
