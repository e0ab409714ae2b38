"""One trial from start to record, in whatever process it runs: a Ray worker, or `--cell`."""

import os
import platform
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from benchmark import artefacts, evaluate, plugins, pretraining, provenance, results
from benchmark.data import pool
from benchmark.evaluate import Diverged
from benchmark.fit import Log, fit, steps_per_epoch
from benchmark.method import Method
from benchmark.networks import NetworkBuilder
from benchmark.randomness import derive, reseed_torch
from benchmark.results import Record
from benchmark.trials import Trial


class Place(NamedTuple):
    """Where a trial's record goes, and under which names."""

    study_folder: Path
    study: str
    preset: str
    changes: str = ""
    """Settings that were typed over those of the preset."""


def execute(
    trial: Trial,
    prepared: pool.Prepared,
    place: Place,
    *,
    device: torch.device,
    echo: Log | None = None,
) -> Record:
    """Fit, evaluate, write everything; a trial that fails leaves a record that says why.

    prepared: at the trial's size. echo: also gets each line of the log. Interruptions pass
    through, and leave the checkpoint.
    """
    folder = results.trial_folder(place.study_folder, trial.key)
    folder.mkdir(parents=True, exist_ok=True)
    results.remove_left_overs(folder)
    log = logger(folder / "log.txt", echo)
    log(f"{trial.label} on {device}, {platform.node()}, key {trial.key}")
    started = time.perf_counter()
    is_memory_known = False
    try:
        is_memory_known = settle(trial.threads_per_trial, device)
        record = _fit_and_evaluate(trial, prepared, place, folder, device, log)
    except Diverged as error:
        record = failed(trial, place, str(error))
    except Exception as error:
        log(traceback.format_exc())
        record = failed(trial, place, reason(error))
    record.seconds_total = round(time.perf_counter() - started, 3)
    record.peak_memory_mib = provenance.peak_memory_mib(device) if is_memory_known else None
    record.device = provenance.device_name(device)
    log(f"{record.status} {record.error}".rstrip())
    results.write_record(place.study_folder, record)
    # A failed trial starts anew: its checkpoint could hold weights of code that was mended since.
    (folder / "checkpoint.pt").unlink(missing_ok=True)
    return record


def failed(trial: Trial, place: Place, error: str) -> Record:
    """The record of a trial that has no result."""
    return _record(trial, place, status="failed", error=error)


def settle(threads: int, device: torch.device) -> bool:
    """Bring the process to the same state whatever it ran before; is peak memory known?"""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return provenance.reset_peak_memory(device)


def _fit_and_evaluate(
    trial: Trial, prepared: pool.Prepared, place: Place, folder: Path, device, log: Log
) -> Record:
    data = pool.for_trial(
        prepared, ratio=trial.ratio, seed=trial.seed, evaluate_on=trial.evaluate_on
    )
    method = build_method(trial, data).to(device)
    start = _start_from_pretraining(trial, method, prepared, place, device, log)
    latest: list[evaluate.Evaluation] = []

    def read(method: Method) -> dict[str, float]:
        latest[:] = [evaluate.evaluate(method, data, device, trial.patch)]
        return latest[0].reading

    run = fit(trial, method, data, folder / "checkpoint.pt", read=read, log=log)
    if not latest:  # resumed after the last step
        read(method)
    final = latest[0]
    results.write_table(folder / "history.csv", run.history)
    surfaces = evaluate.surfaces(data, final.predicted)
    rows = [a | b for a, b in zip(final.cases, surfaces.cases, strict=True)]
    results.write_table(folder / "cases.csv", rows)
    results.write_atomically(folder / "config.yaml", yaml.safe_dump(trial.settings()))
    results.write_atomically(folder / "labelled.txt", "".join(f"{i}\n" for i in data.labelled.ids))
    artefacts.write_panel(folder, method, data, final, trial.patch)
    tested = artefacts.tested_modules(method, data, trial.patch)
    if "weights" in trial.save:
        artefacts.write_weights(folder, tested)
    if "predictions" in trial.save:
        artefacts.write_predictions(folder, data, final)
    return _record(
        trial,
        place,
        status="done",
        metrics=_final(final.reading)
        | surfaces.reading
        | oracle(run.history)
        | evaluate.floors(data.evaluation, data.classes),
        n_labelled=len(data.labelled),
        n_unlabelled=len(data.unlabelled),
        n_test=len(data.evaluation),
        parameters=sum(p.numel() for p in method.parameters()),
        parameters_tested=artefacts.count_parameters(tested),
        flops_per_step=run.flops_per_step,
        steps=trial.training.epochs * steps_per_epoch(trial.training, len(data.labelled)),
        seconds_train=round(run.seconds, 3),
        **start,
        data_partial=prepared.manifest.partial,
        split_hash=pool.short_hash(pool.split_ids(prepared.manifest, trial.evaluate_on)),
        subset_hash=data.subset_hash,
    )


def _start_from_pretraining(
    trial: Trial, method: Method, prepared: pool.Prepared, place: Place, device, log: Log
) -> dict[str, Any]:
    """Load the weights of the trial's pretraining, if it has one; its fields of the record.

    Normally they are there before the trial starts. Should they be gone, they are made here.
    """
    job = pretraining.of(trial)
    if job is None:
        return {}
    found = pretraining.read(place.study_folder, job.key)
    if found is not None and not found.is_done:
        raise RuntimeError(f"its {job.label} failed: {found.error}")
    found = pretraining.make(job, prepared, place.study_folder, device=device, log=log)
    pretraining.start_from(method, place.study_folder, job.key)
    log(f"starts from {job.label}, key {job.key}")
    return {
        "pretrain_key": job.key,
        "pretrain_steps": found.steps,
        "pretrain_flops_per_step": found.flops_per_step,
        "seconds_pretrain": found.seconds_train,
    }


def build_method(trial: Trial, data: pool.TrialData) -> Method:
    """The trial's method with freshly initialised networks."""
    reseed_torch(trial.study_seed, trial.seed, "build")  # for parts that the builder does not seed
    build = NetworkBuilder(
        in_channels=data.channels,
        classes=data.classes,
        spatial_dims=data.spatial_dims,
        criterion=trial.training.criterion,
        network=trial.network,
        seed=derive(trial.study_seed, trial.seed),
    )
    return plugins.find(trial.method)(build, **trial.hyperparameters)


def _final(reading: dict[str, float]) -> dict[str, float]:
    """The reading without choices made on the evaluation set; those are `oracle`'s."""
    return {name: value for name, value in reading.items() if not name.startswith("best_")}


def oracle(history: list[dict[str, Any]]) -> dict[str, float]:
    """Best epoch and threshold by Jaccard on the evaluation set: the optimistic reading.

    Chosen for each aggregate apart; the earliest of equal epochs. It is what the code of this
    literature reports (ciampluca/hebbian-bootstraping@e18ce3f utils.py:248-267, test_2d.py:73).
    """
    read = [row for row in history if "best_ji_pooled" in row]
    found = {}
    for aggregate in ("pooled", "case"):
        best = max(read, key=lambda row: row[f"best_ji_{aggregate}"])
        found[f"oracle_dc_{aggregate}"] = best[f"best_dc_{aggregate}"]
        found[f"oracle_ji_{aggregate}"] = best[f"best_ji_{aggregate}"]
        found[f"oracle_epoch_{aggregate}"] = best["epoch"]
        found[f"oracle_threshold_{aggregate}"] = best[f"best_threshold_{aggregate}"]
    return found


def _record(trial: Trial, place: Place, **fields: Any) -> Record:
    return Record(
        key=trial.key,
        cell=trial.cell,
        study=place.study,
        preset=place.preset,
        changes=place.changes,
        dataset=trial.dataset,
        ratio=trial.ratio,
        method=trial.method,
        variant=trial.variant,
        seed=trial.seed,
        evaluate_on=trial.evaluate_on,
        settings=trial.settings(),
        data_hash=trial.data_hash,
        code_version=provenance.code_version(),
        packages=provenance.package_versions() | plugins.package_of(trial.method),
        host=platform.node(),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
        **fields,
    )


def logger(file: Path, echo: Log | None) -> Log:
    """Lines go to the end of the file with the time, and to echo."""

    def log(line: str) -> None:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
        if echo:
            echo(line)

    return log


def reason(error: Exception) -> str:
    """One line on what went wrong."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return f"out of memory: {str(error).splitlines()[0] if str(error) else 'no detail'}"
    first = str(error).splitlines()[0] if str(error) else "no detail"
    return f"{type(error).__name__}: {first}"
