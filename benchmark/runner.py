"""Missing trials → Ray Tune → records. The only file that imports Ray.

Ray executes what is missing and keeps nothing: every trial leaves its own record, whatever becomes
of the workers or of this process.
"""

import contextlib
import io
import logging
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass

# Ray reads these when it is imported. Progress and results are ours, not Tune's.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C comes here as KeyboardInterrupt
os.environ.setdefault("TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S", "0")

import ray
import torch
from ray import tune

from benchmark import results
from benchmark.data.pool import Prepared
from benchmark.errors import ExitCode, UserError
from benchmark.execute import Place, execute, failed
from benchmark.progress import GridProgress
from benchmark.study import Trial

_WAVE = 200  # trials per Tuner: the driver's memory grows with them


@dataclass(frozen=True)
class Cluster:
    """Where trials run, and what each one takes."""

    address: str | None = None
    """Of a running Ray cluster ("auto", "host:6379"); None starts one on this machine."""
    gpus_per_trial: float | None = None
    """A fraction lets trials share a GPU; None: 1 where there is a GPU, else 0."""
    max_concurrent: int | None = None


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """A Ray cluster to run on; a local one ends with the block, with all its processes."""
    _require_reachable(cluster.address)
    on_terminate = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=cluster.address or "local",
            include_dashboard=None if cluster.address else False,
            log_to_driver=False,
            logging_level="ERROR",
            configure_logging=True,
        )
    except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
        where = f"the Ray cluster at {cluster.address}" if cluster.address else "Ray"
        raise UserError(f"cannot connect to {where}: {error}", ExitCode.RESOURCES) from error
    signal.signal(signal.SIGTERM, on_terminate)  # Ray's own prints a stack and exits
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # failures are in our records
    try:
        yield
    finally:
        ray.shutdown()


def _require_reachable(address: str | None) -> None:
    """Refuse a host that does not answer at once; Ray would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if not colon:
        return  # this machine, or "auto"
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot connect to the Ray cluster at {address}: {error}", ExitCode.RESOURCES
        ) from error


def run(
    trials: list[Trial],
    datasets: dict[str, Prepared],
    place: Place,
    cluster: Cluster,
    progress: GridProgress,
) -> None:
    """Run the trials on the connected cluster; each leaves a record, also one that fails.

    datasets: at the trials' size; they go once through the object store and are shared, without
    copies, by all workers of a node.
    """
    resources = _resources(trials, cluster)
    by_key = {trial.key: trial for trial in trials}
    trainable = tune.with_resources(
        tune.with_parameters(
            _work, trials=by_key, datasets=datasets, place=place, use_gpu=resources["gpu"] > 0
        ),
        resources,
    )
    scratch = place.study_folder.resolve() / ".ray"
    try:
        for start in range(0, len(trials), _WAVE):
            keys = [trial.key for trial in trials[start : start + _WAVE]]
            tuner = tune.Tuner(
                trainable,
                param_space={"key": tune.grid_search(keys)},
                tune_config=tune.TuneConfig(
                    reuse_actors=True,  # or each trial pays seconds of imports
                    max_concurrent_trials=cluster.max_concurrent,
                    trial_name_creator=_name,
                    trial_dirname_creator=_name,
                ),
                run_config=tune.RunConfig(
                    name=f"wave-{start // _WAVE}",
                    storage_path=str(scratch),
                    callbacks=[_Watcher(by_key, place, progress)],
                    verbose=0,
                ),
            )
            # Tune prints a line for each trial whatever its verbosity; our progress is on stderr.
            with contextlib.redirect_stdout(io.StringIO()):
                tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _work(config, trials, datasets, place, use_gpu) -> None:
    """In a worker: one trial."""
    trial = trials[config["key"]]
    device = torch.device("cuda" if use_gpu else "cpu")
    execute(trial, datasets[trial.dataset], place, device=device)


def _name(trial) -> str:
    return trial.config["key"]


def _resources(trials: list[Trial], cluster: Cluster) -> dict[str, float]:
    """What each trial takes; `UserError` (exit code 4) if no node could ever give it."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = cluster.gpus_per_trial
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) for node in nodes) else 0.0
    cpus = max(trial.threads_per_trial for trial in trials)
    if not any(node.get("CPU", 0) >= cpus and node.get("GPU", 0) >= gpus for node in nodes):
        found = "; ".join(f"{n.get('CPU', 0):g} CPUs, {n.get('GPU', 0):g} GPUs" for n in nodes)
        raise UserError(
            f"no node has {cpus} CPUs and {gpus:g} GPUs for one trial (found: {found}); change "
            "threads_per_trial or --gpus-per-trial",
            ExitCode.RESOURCES,
        )
    return {"cpu": cpus, "gpu": gpus}


class _Watcher(tune.Callback):
    """Tells the progress; writes the record of a trial whose worker died before it could."""

    def __init__(self, trials: dict[str, Trial], place: Place, progress: GridProgress):
        self._trials, self._place, self._progress = trials, place, progress

    def __getstate__(self) -> dict:
        # Tune pickles its callbacks so that it could restore a sweep. Ours resume from records,
        # and a live terminal cannot be pickled.
        return {}

    def on_trial_start(self, iteration, trials, trial, **info) -> None:
        self._progress.trial_started(self._trials[trial.config["key"]])

    def on_trial_complete(self, iteration, trials, trial, **info) -> None:
        folder = results.trial_folder(self._place.study_folder, trial.config["key"])
        self._progress.trial_ended(results.read_record(folder / "record.json"))

    def on_trial_error(self, iteration, trials, trial, **info) -> None:
        ours = self._trials[trial.config["key"]]
        file = results.trial_folder(self._place.study_folder, ours.key) / "record.json"
        record = results.read_record(file) if file.exists() else None
        if record is None or not record.is_done:  # else it died after its work was done
            record = failed(ours, self._place, _cause(trial))
            results.write_record(self._place.study_folder, record)
        self._progress.trial_ended(record)


def _cause(trial) -> str:
    """One line on why a worker did not come back."""
    lines = [line for line in str(trial.get_error() or "").splitlines() if line.strip()]
    if any("out of memory" in line.lower() or "OutOfMemory" in line for line in lines):
        return "the worker was killed for memory"
    return "the worker process died" + (f": {lines[0].strip()}" if lines else "")
