"""What a worker can be given: a trial, or a pretraining that trials start from."""

import time
import traceback
from pathlib import Path

import torch

from benchmark import execute, pretraining, results
from benchmark.data.pool import Prepared
from benchmark.execute import Place
from benchmark.fit import Log
from benchmark.pretraining import Pretrained, Pretraining
from benchmark.results import Record
from benchmark.trials import Trial

Job = Trial | Pretraining
Outcome = Record | Pretrained


def run(
    job: Job, prepared: Prepared, place: Place, *, device: torch.device, echo: Log | None = None
) -> Outcome:
    """Run the job to its outcome, which is also written; a job that fails has one that says why.

    prepared: at the job's size. echo: also gets each line of the log.
    """
    if isinstance(job, Trial):
        return execute.execute(job, prepared, place, device=device, echo=echo)
    folder(job, place.study_folder).mkdir(parents=True, exist_ok=True)
    log = execute.logger(log_file(job, place.study_folder), echo)
    started = time.perf_counter()
    try:
        execute.settle(job.threads_per_trial, device)
        found = pretraining.make(job, prepared, place.study_folder, device=device, log=log)
    except Exception as error:
        log(traceback.format_exc())
        return fail(job, place, execute.reason(error))
    log(f"done in {time.perf_counter() - started:.0f} s")
    return found


def folder(job: Job, study_folder: Path) -> Path:
    """Where the job leaves everything."""
    if isinstance(job, Trial):
        return results.trial_folder(study_folder, job.key)
    return pretraining.folder(study_folder, job.key)


def log_file(job: Job, study_folder: Path) -> Path:
    """What it printed."""
    return folder(job, study_folder) / "log.txt"


def outcome(job: Job, study_folder: Path) -> Outcome | None:
    """What it left, if it came to an end."""
    if isinstance(job, Pretraining):
        return pretraining.read(study_folder, job.key)
    file = folder(job, study_folder) / "record.json"
    return results.read_record(file) if file.exists() else None


def fail(job: Job, place: Place, error: str) -> Outcome:
    """Write the outcome of a job that has no result."""
    if isinstance(job, Trial):
        record = execute.failed(job, place, error)
        results.write_record(place.study_folder, record)
        return record
    found = Pretrained(key=job.key, label=job.label, status="failed", error=error)
    pretraining.write(place.study_folder, found)
    return found
