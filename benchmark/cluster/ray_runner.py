"""Jobs → Ray Tune → records. This and `ray_nodes` alone import Ray.

Ray executes what is missing and keeps nothing: every trial leaves its own record, whatever becomes
of the workers or of this process.
"""

import contextlib
import errno
import io
import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

# Ray reads these when it is imported. Progress and results are ours, not Tune's.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
# Idle workers, one a CPU, that no trial would be given: starting them delays those that trials get.
os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C comes here as KeyboardInterrupt
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1000000")  # nothing is restored from Tune's
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")

import ray
from ray import tune
from ray.exceptions import RayTaskError
from ray.tune.search import Searcher

from benchmark import files, provenance, scratch
from benchmark.cluster import ray_deaths, ray_nodes, worker
from benchmark.cluster.cluster import Cluster
from benchmark.cluster.progress import GridProgress
from benchmark.cluster.ray_refusals import refused
from benchmark.cluster.stops import Stops
from benchmark.data.stored import Stored
from benchmark.forecast.estimate import Forecast
from benchmark.forecast.queue import JobQueue
from benchmark.store import left_overs
from benchmark.store.locks import TUNE
from benchmark.store.record import JobRecord
from benchmark.study import sources
from benchmark.training import job as jobs
from benchmark.training.job import Destination, Job

_LONGEST_BASE = 24  # characters; the path of a socket has at most 107
_CUT_SHORT = (EOFError, pickle.UnpicklingError)
_LOOK_SECONDS = 10.0  # between looks at whether any node is left
_ATTEMPTS = "RAY_gcs_server_port_wait_time_s"  # so many are made to connect, whatever its name says
_OF_A_LOCAL_RAY = {"gcs_rpc_server_reconnect_timeout_s": 15}  # nothing brings its GCS back


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """A Ray cluster to run on; a local one ends with the block, with all its processes."""
    _require_reachable(cluster.address)
    if cluster.address is None and not os.environ.get("RAY_AUTH_TOKEN"):
        # Ray would write one that all users of the machine can read into the home folder, where it
        # would stay and change how a cluster starts later.
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    with _temporary_folder(is_local=cluster.address is None) as folder:
        _connect(cluster, folder)
        try:
            yield
        finally:
            with _undisturbed():
                ray.shutdown()


def _connect(cluster: Cluster, folder: Path | None) -> None:
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        with _one_attempt(cluster.address):
            ray.init(
                address=cluster.address or "local",
                num_cpus=None if cluster.address else _cpus(),
                include_dashboard=None if cluster.address else False,
                log_to_driver=False,
                logging_level="ERROR",
                configure_logging=True,
                _temp_dir=folder and str(folder),
                _system_config=None if cluster.address else _OF_A_LOCAL_RAY,
            )
    except SystemExit as leaving:  # Ray's own answer to a SIGTERM while it starts
        raise KeyboardInterrupt from leaving
    except Exception as error:  # of any kind, also plain Exception("The current node timed out …")
        raise refused(error, cluster.address) from error
    if _is_told_of_signals():
        signal.signal(signal.SIGTERM, on_terminate)  # Ray's own prints a stack and exits
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are in our records


@contextlib.contextmanager
def _one_attempt(address: str | None) -> Iterator[None]:
    """Where a port listens and says nothing an attempt takes 40 s, and Ray makes twenty.

    Not for a Ray of one's own, which waits for its processes by the same variable.
    """
    if address is None or _ATTEMPTS in os.environ:
        yield
        return
    os.environ[_ATTEMPTS] = "1"
    try:
        yield
    finally:
        del os.environ[_ATTEMPTS]


@contextlib.contextmanager
def _temporary_folder(*, is_local: bool) -> Iterator[Path | None]:
    """A folder for the logs and sockets of a local Ray, which would leave them; else None."""
    base = left_overs.ray_base()
    if not is_local or len(str(base)) > _LONGEST_BASE:
        yield None
        return
    with contextlib.ExitStack() as stack:
        try:
            folder = stack.enter_context(scratch.folder("ray", base))
        except OSError as error:
            raise refused(error, None) from error
        yield folder


def require_alike(work: Sequence[Job], study_folder: Path, say: Callable[[str], None]) -> None:
    """As of `ray_nodes`, for the methods of the jobs."""
    ray_nodes.require_alike(study_folder, {job.method for job in work}, say)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """A second Ctrl-C must not cut the shutdown, which ends the workers."""
    if not _is_told_of_signals():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _is_told_of_signals() -> bool:
    """Only the main thread is, and may say what they do: a notebook may run cells in another."""
    return threading.current_thread() is threading.main_thread()


def _cpus() -> int | None:
    """How many this process was given, if it is not all: Ray alone would not see a batch job's."""
    given = provenance.cpu_count()
    return given if given < (os.cpu_count() or 1) else None


def _require_reachable(address: str | None) -> None:
    """Refuse a host that does not answer at once; Ray would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon:
        return  # this machine, or "auto"
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise refused(error, address) from error


class Start(NamedTuple):
    """What it takes to begin."""

    seconds: float
    """Until a local Ray has run a first task."""
    worker_mib: float
    """Memory of a worker that has imported what trials need, and nothing else."""


def start() -> Start:
    """Try it; `UserError` (exit code 4) if Ray cannot."""
    started = time.monotonic()
    with connected(Cluster()):
        ask = ray.remote(num_cpus=1)(worker.resident_mib)
        ray.get(ray.remote(num_cpus=1)(_nothing).remote(), timeout=60)
        seconds = time.monotonic() - started
        return Start(seconds, ray.get(ask.remote(), timeout=120))


def _nothing() -> None:
    """The smallest task."""


def run_jobs(
    work: Sequence[Job],
    datasets: Mapping[str, Stored],
    destination: Destination,
    cluster: Cluster,
    progress: GridProgress,
    forecast: Forecast,
) -> Exception | None:
    """Run the jobs on the connected cluster; each leaves its record, also one that fails.

    One Tuner has them all, so that a worker is started once and does whatever is next. datasets: at
    the jobs' size. On this machine workers map their files; to a cluster they go once through the
    object store, and are shared, without copies, by all workers of a node. Returns the error that
    `Stops` ended the run with, if any.
    """
    resources = ray_nodes.for_each(work, cluster.gpus_per_trial)
    slots = forecast.slots or ray_nodes.slots(resources)
    # As many actors may start at once; Tune starts one at a time for what a searcher suggests.
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(max(slots, 1))
    queue = JobQueue(work, forecast.seconds, slots, cluster.max_concurrent)
    stops = Stops(keeps_going=cluster.keeps_going)

    def of_trial(config: Mapping[str, str]) -> tune.PlacementGroupFactory:
        share = forecast.gpus.get(config["key"], resources["gpu"])
        return tune.PlacementGroupFactory([{"CPU": resources["cpu"], "GPU": share}])

    trainable = tune.with_resources(
        tune.with_parameters(
            worker.work,
            work=queue.jobs,
            datasets={n: d.opened() if cluster.address else d for n, d in datasets.items()},
            destination=destination,
            use_gpu=resources["gpu"] > 0,
            code={job.method: sources.code_of(job.method) for job in work if cluster.address},
        ),
        of_trial,
    )
    folder = destination.study_folder.resolve() / f"{TUNE}{cluster.suffix}"
    tuner = tune.Tuner(
        trainable,
        tune_config=tune.TuneConfig(
            search_alg=_Next(queue, stops),
            num_samples=-1,  # as many as there are
            reuse_actors=True,  # or each trial pays seconds of imports
            trial_name_creator=_name,
            trial_dirname_creator=_name,
        ),
        run_config=tune.RunConfig(
            name="jobs",
            storage_path=str(folder),
            callbacks=[_Watcher(queue, stops, destination, progress, resources)],
            progress_reporter=_Silence(),
            verbose=0,
        ),
    )
    try:
        # Tune prints a line for each trial whatever its verbosity; our progress is on stderr.
        with contextlib.redirect_stdout(io.StringIO()):
            tuner.fit()
    except _CUT_SHORT:  # in the end Tune reads its own notes of errors, which a full disk has cut
        if stops.error is None:
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return stops.error


def _name(trial) -> str:
    return trial.config["key"]


class _Next(Searcher):
    """The queue, for Tune, which asks whenever it could start something."""

    def __init__(self, queue: JobQueue, stops: Stops):
        super().__init__()
        self._queue, self._stops = queue, stops

    def suggest(self, trial_id: str) -> dict[str, str] | str | None:
        if self._queue.is_finished or self._stops.error is not None:
            return Searcher.FINISHED
        key = self._queue.next()
        return None if key is None else {"key": key}

    def on_trial_complete(self, trial_id: str, result=None, error=False) -> None:
        """The watcher tells the queue, which must know why a trial ended."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: what is done stands in records."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing."""


class _Silence(tune.ProgressReporter):
    """In a notebook Tune's own would first clear the cell's output, ours included."""

    def should_report(self, trials, done: bool = False) -> bool:
        return False


class _Watcher(tune.Callback):
    """Tells queue and progress; writes the record of a job whose worker died before it could.

    A job that lost its node has done nothing wrong: it gets no record, and is run again from its
    checkpoint.
    """

    def __init__(
        self,
        queue: JobQueue,
        stops: Stops,
        destination: Destination,
        progress: GridProgress,
        resources: dict[str, float],
    ):
        self._queue, self._stops = queue, stops
        self._destination, self._progress = destination, progress
        self._resources = resources
        self._memory = ray_deaths.Memory()
        self._looked = time.monotonic()
        self._is_stuck = False

    def __getstate__(self) -> dict:
        # Tune pickles its callbacks so that it could restore a sweep. Ours resume from records,
        # and a live terminal cannot be pickled.
        return {}

    def on_step_end(self, iteration, trials, **info) -> None:
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        was_stuck = self._is_stuck
        self._is_stuck = not ray_nodes.any_fits(self._resources)
        if self._is_stuck and not was_stuck:  # Tune would wait in silence
            self._progress.say(
                "no node is left that could run a trial: waiting for one to join. Ctrl-C stops; "
                "the same command continues"
            )

    def on_trial_start(self, iteration, trials, trial, **info) -> None:
        self._progress.started(self._job(trial))

    def on_trial_complete(self, iteration, trials, trial, **info) -> None:
        job = self._job(trial)
        self._ended(job, job.found(self._destination.study_folder))

    def on_trial_error(self, iteration, trials, trial, **info) -> None:
        job = self._job(trial)
        found = job.found(self._destination.study_folder)
        if found is None or not found.is_done:  # else it died after its work was done
            error = _error_of(trial)
            if ray_deaths.was_lost(error) and self._queue.lost(job.key):
                self._progress.lost(job, "its node was lost; it will go on elsewhere")
                return
            if full := _of_the_disk(error):
                self._stops.disk(full)
                self._progress.lost(job, "interrupted: its record could not be written")
                return
            cause = self._cause(error)
            if ray_deaths.was_killed(error) and self._queue.killed(job.key):
                self._progress.lost(job, f"{cause}; it will run once more, alone")
                return
            found = jobs.fail(job, self._destination, cause)
        self._ended(job, found)

    def _cause(self, error: Exception | None) -> str:
        """One line on why a worker did not come back."""
        if ray_deaths.was_lost(error):
            return f"its node was lost {self._queue.TRIES} times"
        if isinstance(error, RayTaskError):  # around the trial; within, it writes itself
            return str(error).strip().splitlines()[-1]
        return self._memory.explained(error)

    def _job(self, trial) -> Job:
        return self._queue.jobs[trial.config["key"]]

    def _ended(self, job: Job, found: JobRecord) -> None:
        self._queue.ended(job.key)
        if found.is_done:
            self._stops.done(job.variant)
        else:
            self._stops.failed(job.variant, found.error)
        self._progress.ended(job, found)


def _of_the_disk(error: Exception | None) -> OSError | None:
    """What the job, or Tune, met when it wrote, if it was the disk."""
    cause = error.cause if isinstance(error, RayTaskError) else error
    return cause if files.is_of_the_disk(cause) else None


def _error_of(trial) -> Exception | None:
    """What Tune met; `trial.get_pickled_error()` looks into the storage, where it is not yet."""
    file = Path(trial.pickled_error_file or "")
    if not file.is_file():
        return None
    try:
        return ray.cloudpickle.loads(file.read_bytes())
    except _CUT_SHORT:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
