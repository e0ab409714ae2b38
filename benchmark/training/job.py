"""What a worker can be given, and the one life that it has there: run, fail, log, record."""

import contextlib
import os
import platform
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch

from benchmark import files, provenance
from benchmark.data.prepared import Prepared
from benchmark.data.stored import Stored
from benchmark.errors import UserError, is_out_of_memory
from benchmark.loggers.curves import Curves
from benchmark.loggers.logger import About
from benchmark.store import checkpoints, record_file
from benchmark.store.record import JobRecord
from benchmark.study.settings import Conditions
from benchmark.toolkit.method import Method
from benchmark.training.evaluate import Diverged
from benchmark.training.inference import View
from benchmark.training.loop import Follow, Log, Stage

_LOG = "log.txt"


class Impossible(Exception):
    """A job cannot have a result, for a reason that needs no traceback."""


class Destination(NamedTuple):
    """The study that records go to."""

    study_folder: Path
    study: str
    preset: str
    overrides: str = ""
    """Command-line overrides of the preset's settings."""
    loggers: tuple[str, ...] = ()
    """Names of those that show its curves as well."""


class Built(NamedTuple):
    """What a job trains, with nothing loaded into it."""

    stage: Stage
    method: Method
    view: View | None
    """Of the evaluation set; None of a pretraining."""


@runtime_checkable
class Job(Protocol):
    """A trial or a pretraining; it can be pickled, and runs in any process."""

    @property
    def key(self) -> str: ...

    @property
    def label(self) -> str:
        """For people."""

    @property
    def dataset(self) -> str: ...

    @property
    def conditions(self) -> Conditions: ...

    @property
    def method(self) -> str: ...

    @property
    def variant(self) -> str:
        """The method, with the hyper-parameters that were set."""

    @property
    def settings(self) -> dict[str, Any]:
        """What could change its numbers, as plain values."""

    @property
    def after(self) -> str:
        """Key of the job that it starts from; "" if there is none."""

    def folder(self, study_folder: Path) -> Path:
        """Where it leaves everything."""

    def held(self, study_folder: Path) -> contextlib.AbstractContextManager:
        """Keeps others from the same work as long as it lasts."""

    def found(self, study_folder: Path) -> JobRecord | None:
        """What it left, if it came to an end."""

    def is_to_be_run(self, study_folder: Path) -> bool:
        """Once it is held: is there nothing usable that somebody else has made meanwhile?"""

    def built(self, prepared: Prepared, device: torch.device) -> Built:
        """What it trains, freshly initialised on the device."""

    def work(
        self,
        prepared: Prepared,
        destination: Destination,
        device: torch.device,
        log: Log,
        follow: Follow,
    ) -> JobRecord:
        """Everything but the record's writing. Raises whatever goes wrong."""

    def failed(self, destination: Destination, error: str) -> JobRecord:
        """The record of a job that has no result."""


def run(
    job: Job,
    data: Prepared | Stored,
    destination: Destination,
    *,
    device: torch.device,
    echo: Log | None = None,
) -> JobRecord:
    """Run the job to its record, which is written last; one that fails leaves one that says why.

    data: at the job's size, in memory or in files. echo: also gets each line of the log.
    Interruptions pass through, and leave the checkpoint.
    """
    folder = job.folder(destination.study_folder)
    _clear(folder)
    with job.held(destination.study_folder):
        if not job.is_to_be_run(destination.study_folder):
            return job.found(destination.study_folder)
        log = _logger(log_file(job, destination.study_folder), echo)
        log(f"{job.label} on {device}, {platform.node()}, key {job.key}")
        curves = _curves(job, destination, log)
        started = time.perf_counter()
        is_memory_known = False
        try:
            is_memory_known = settle(job.conditions, device)
            prepared = data.opened() if isinstance(data, Stored) else data
            made = job.work(prepared, destination, device, log, curves.follow)
        except (Diverged, Impossible, UserError) as error:
            made = job.failed(destination, str(error).partition("\n")[0])
        except Exception as error:
            log(traceback.format_exc())
            if files.is_of_the_disk(error):  # not the job's fault: it goes on from its checkpoint
                raise
            made = job.failed(destination, _reason(error))
        made.seconds_total = round(time.perf_counter() - started, 3)
        made.peak_memory_mib = provenance.peak_memory_mib(device) if is_memory_known else None
        made.device = provenance.device_name(device)
        log(f"{made.status} {made.error}".rstrip())
        record_file.write(folder, made)
        # A failed job starts anew: its checkpoint could hold weights of code that was mended since.
        (folder / checkpoints.NAME).unlink(missing_ok=True)
        curves.ended(is_done=made.is_done, results=made.numbers)
    return made


def _curves(job: Job, destination: Destination, log: Log) -> Curves:
    about = About(job.key, job.label, job.settings, destination.study, destination.study_folder)
    return Curves(destination.loggers, about, job.folder(destination.study_folder), log)


def _clear(folder: Path) -> None:
    """Make the folder, and take out of it what a job would write or wait through: links, pipes."""
    if folder.is_symlink():
        folder.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            path.unlink()
    if (log := folder / _LOG).is_dir():
        files.set_aside(log)


def fail(job: Job, destination: Destination, error: str) -> JobRecord:
    """Write the record of a job whose worker could not."""
    made = job.failed(destination, error)
    record_file.write(job.folder(destination.study_folder), made)
    return made


def log_file(job: Job, study_folder: Path) -> Path:
    """What it printed."""
    return job.folder(study_folder) / _LOG


def settle(conditions: Conditions, device: torch.device) -> bool:
    """Bring the process to the same state whatever it ran before; is peak memory known?

    Raises `Impossible` for what processors cannot do.
    """
    if device.type == "cpu" and conditions.precision == "tf32":
        raise Impossible("precision=tf32 is of GPUs; a processor has float32 and bfloat16")
    torch.set_num_threads(conditions.threads_per_trial)
    torch.set_deterministic_debug_mode("warn")  # without importing the compiler, as others do
    torch.backends.cudnn.benchmark = False
    # cuDNN would take it for float32, and PyTorch lets it.
    torch.backends.cudnn.allow_tf32 = conditions.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = conditions.precision == "tf32"
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return provenance.reset_peak_memory(device)


def _logger(file: Path, echo: Log | None) -> Log:
    """Lines go to the end of the file with the time, and to echo."""

    def log(line: str) -> None:
        with file.open("a", encoding="utf-8") as stream:
            stream.write(f"{datetime.now(UTC):%H:%M:%S} {line}\n")
        if echo:
            echo(line)

    return log


def _reason(error: Exception) -> str:
    """One line on what went wrong."""
    first = str(error).splitlines()[0] if str(error) else "no detail"
    if is_out_of_memory(error):
        return f"out of memory: {first}"
    return f"{type(error).__name__}: {first}"
