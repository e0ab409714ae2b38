"""What is missing of a plan is run: all of it on Ray, or one trial here."""

import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from rich.console import Console

from benchmark import scratch
from benchmark.cluster.cluster import Cluster
from benchmark.cluster.outlook import describe, kept, with_done
from benchmark.cluster.progress import GridProgress
from benchmark.cluster.supervised import Died, Ignored, supervised
from benchmark.data import prepared
from benchmark.data.preparation import data_folder
from benchmark.data.stored import Stored, store
from benchmark.errors import ExitCode, UserError
from benchmark.files import write_atomically
from benchmark.forecast import estimate, hardware, known, probe
from benchmark.forecast.estimate import Forecast
from benchmark.forecast.hardware import Hardware
from benchmark.forecast.known import Known
from benchmark.forecast.work import works
from benchmark.loggers.next_steps import next_steps
from benchmark.store import datasets, layout, left_overs, locks, planned, tables
from benchmark.study import presets
from benchmark.study.plan import Plan
from benchmark.study.syntax import Part, SingleTrial
from benchmark.toolkit import encoders
from benchmark.training import job, pretraining
from benchmark.training.job import Destination, Job
from benchmark.training.trial import TrialJob, jobs_of
from benchmark.wording import counted, printable

_OF_A_CLUSTER = (
    'no forecast: what the cluster has is not known before a run is on it; --on "8 gpu" says what '
    "such hardware would take"
)


def run_grid(plan: Plan, data_root: Path, cluster: Cluster, *, probes: bool = False) -> int:
    """Run the missing trials on Ray; returns how many have no result.

    probes: first measure what is not known to cost. Raises KeyboardInterrupt after saying how far
    it came, at the latest `cluster.grace` seconds after it was asked to end; the records that are
    there stay, and so they do when Ray or the kernel ends the run, a `UserError` (exit code 4).
    """
    console, stopped = _console(), None
    with _opened(plan, plan.shard) as claim, scratch.folder("data") as folder:
        _print(console, _tidied(plan.folder, plan.shard, data_root))
        plan = with_done(plan, mend=plan.own)  # another run may have ended
        if plan.missing:
            _print(console, describe(plan))
            curves = next_steps(plan.study.log, plan.folder)
            _print(console, [f"curves while it runs: {line}" for line in curves])
            jobs = jobs_of(plan.missing, plan.folder)
            missing = _Missing(plan, jobs, _store(plan, data_root, folder))
            forecast = _forecast(missing, cluster, console, probes=probes)
            on_ray = partial(_run_on_ray, missing, cluster, console, claim, forecast)
            stopped = _supervised(on_ray, plan, cluster.grace, console)
        else:
            all_done = f"all {counted(len(plan.own), 'trial')} are done"
            _print(console, [all_done, *plan.left_out, *kept(plan)])
        tables.rebuild(plan.folder)
        if stopped is not None:
            raise stopped
        return len(with_done(plan).missing)


def forecast_lines(
    plan: Plan, data_root: Path, cluster: Cluster, on: str | None, *, probes: bool
) -> list[str]:
    """What the missing trials would take, for a dry run. on: other hardware, as typed."""
    if cluster.address and on is None:
        return [_OF_A_CLUSTER]
    machine, jobs = _here(plan, cluster), jobs_of(plan.missing, plan.folder)
    if probes and jobs:
        with scratch.folder("data") as folder:
            missing = _Missing(plan, jobs, _store(plan, data_root, folder))
            costs = _measured(missing, machine, _console())
    else:
        costs = known.costs(plan.folder.parent)
    if on is not None:
        threads = plan.study.conditions.threads_per_trial
        share, at_once = cluster.gpus_per_trial, cluster.max_concurrent
        devices = [device for device, _ in costs]
        machine = hardware.elsewhere(on, devices, threads, share, at_once)
    return estimate.describe(works(plan, jobs, costs, machine.device), machine)


class _Missing(NamedTuple):
    """What is to be run, and the data for it."""

    plan: Plan
    jobs: list[Job]
    stored: dict[str, Stored]


def _here(plan: Plan, cluster: Cluster) -> Hardware:
    threads = plan.study.conditions.threads_per_trial
    return hardware.here(threads, cluster.gpus_per_trial, cluster.max_concurrent)


def _measured(missing: _Missing, on: Hardware, console: Console) -> Known:
    """All costs that are known, and by probes those of the missing jobs that are not."""
    root = missing.plan.folder.parent
    found = known.costs(root)
    work = works(missing.plan, missing.jobs, found, on.device)
    probed = probe.measure(work, missing.stored, root, on, lambda line: _print(console, [line]))
    return known.with_probes(found, probed)


def _forecast(missing: _Missing, cluster: Cluster, console: Console, *, probes: bool) -> Forecast:
    """What is known of a run on this machine; of one on a cluster nothing is."""
    if cluster.address:
        return Forecast()
    plan, on = missing.plan, _here(missing.plan, cluster)
    if probes or (cluster.shares_gpus and on.is_gpu):
        costs = _measured(missing, on, console)
    else:
        costs = known.costs(plan.folder.parent)
    found = works(plan, missing.jobs, costs, on.device)
    forecast = estimate.of_run(found, on, shares_gpus=cluster.shares_gpus)
    if forecast.wall is not None:
        _print(console, estimate.describe(found, on._replace(slots=forecast.slots)))
    return forecast


def _console() -> Console:
    """For what is said on the way. A notebook gets lines, though it calls itself a terminal (by
    FORCE_COLOR), and Rich would want a further package to draw in it.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return Console(stderr=True, force_terminal=is_terminal, force_jupyter=False)


def _print(console: Console, lines: Iterable[str]) -> None:
    for line in lines:  # of names of files too, which steer no terminal
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)


def _supervised(
    on_ray: Callable[[], Exception | None], plan: Plan, grace: float, console: Console
) -> Exception | None:
    """What `_run_on_ray` returns; whatever ends Ray does not end this process."""
    try:
        return supervised(on_ray, grace, lambda line: _print(console, [line]))
    except Ignored:
        _print(console, [f"interrupted: {_so_far(plan)}"])
        raise
    except Died as died:
        raise UserError(
            f"the run was ended from outside ({died}; most often one of Ray's own processes died, "
            f"or memory ran out): {_so_far(plan)}, the others were "
            "interrupted and go on from their last checkpoint; the same command continues",
            ExitCode.RESOURCES,
        ) from died


def _so_far(plan: Plan) -> str:
    """How many trials are done, which the table then holds."""
    tables.rebuild(plan.folder)
    done = len(plan.own) - len(with_done(plan).missing)
    return f"{done}/{counted(len(plan.own), 'trial')} done"


def _run_on_ray(
    missing: _Missing,
    cluster: Cluster,
    console: Console,
    claim: locks.Claim,
    forecast: Forecast,
) -> Exception | None:
    """As of `ray_runner.run_jobs`."""
    (plan, jobs, stored), started = missing, time.monotonic()
    progress = GridProgress(len(jobs), plan.folder, console, claim.note_running, forecast.seconds)
    try:
        with progress:
            progress.waiting_for("starting Ray …")
            ray_runner = _ray_runner()
            with ray_runner.connected(cluster):
                if cluster.address:
                    ray_runner.require_alike(jobs, plan.folder.resolve(), progress.say)
                stopped = ray_runner.run_jobs(
                    jobs, stored, _destination(plan), cluster, progress, forecast
                )
        if forecast.wall is not None:
            took = time.monotonic() - started
            _print(console, [estimate.compared(forecast.wall, took)])
        return stopped
    except KeyboardInterrupt:
        console.print(f"interrupted: {_so_far(plan)}, {progress.running} stopped", highlight=False)
        raise


def _ray_runner() -> Any:
    """Loaded here, for it takes seconds, and only a grid needs it."""
    # In a notebook it would say that packages for its widgets are missing. Nothing here draws them.
    logging.getLogger("ray.widgets").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "IProgress not found")
            from benchmark.cluster import ray_runner
    except ImportError as error:
        raise UserError(
            f"Ray cannot be imported ({error}). Install it again (bench doctor checks it), or run "
            "single trials without it: the same command with --trial KEY (--dry-run -v lists them)",
            ExitCode.RESOURCES,
        ) from error
    return ray_runner


def run_single(plan: Plan, key: str, data_root: Path, gpus: float | None) -> int:
    """Run one trial of the plan in this process; returns 1 if it failed, 0 also if it was done.

    gpus: above 0 for a GPU; None takes one where there is one, as a whole grid does.
    """
    chosen = [trial for trial in plan.trials if key and trial.key.startswith(key)]
    if len(chosen) != 1:
        found = counted(len(chosen), "trial") if chosen else "no trial"
        raise UserError(
            f"--trial: {found} with a key starting with {key!r} in this study; the same command "
            "with --dry-run -v lists them"
        )
    trial = chosen[0]
    if gpus and not torch.cuda.is_available():
        raise UserError(f"--gpus-per-trial {gpus:g}, but torch finds no GPU", ExitCode.RESOURCES)
    on_gpu = torch.cuda.is_available() if gpus is None else gpus > 0
    with _opened(plan, SingleTrial(trial.key)) as claim:
        tidied = _tidied(plan.folder, SingleTrial(trial.key), data_root)
        plan = with_done(plan, mend=[trial])
        for line in [*tidied, *plan.left_out, *kept(plan)]:
            print(printable(line), flush=True)
        if trial.key in plan.done:
            print(f"{trial.label} is done already", flush=True)
            return 0
        claim.note_running([trial.key])
        of = trial.conditions
        encoders.fetch(of.network)
        loaded = prepared.load(data_root, trial.dataset)
        prepared_data = prepared.as_trained(loaded, of.size, slices=of.slices)
        for each in (*pretraining.missing([trial], plan.folder), TrialJob(trial)):
            made = job.run(
                each,
                prepared_data,
                _destination(plan),
                device=torch.device("cuda" if on_gpu else "cpu"),
                echo=lambda line: print(printable(line), flush=True),
            )
        tables.rebuild(plan.folder)
    return 0 if made.is_done else 1


def _destination(plan: Plan) -> Destination:
    study = plan.study
    return Destination(
        plan.folder.resolve(),
        study.name,
        study.preset,
        " ".join(plan.overrides),
        tuple(dict.fromkeys(study.log)),
    )


@contextlib.contextmanager
def _opened(plan: Plan, part: Part) -> Iterator[locks.Claim]:
    """The study's folder, made if need be, and held against other runs of the same study."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    layout.require_own_folders(plan.folder)
    with locks.claimed(plan.folder, part) as claim:
        settings = plan.folder / layout.SETTINGS
        if not (isinstance(part, SingleTrial) and settings.is_file()):  # which is of a whole grid
            write_atomically(settings, yaml.safe_dump(presets.flat(plan.study)))
        planned.add(plan.folder, map(planned.row, plan.trials))
        for manifest in plan.manifests.values():
            datasets.keep(plan.folder, manifest)
        yield claim


def _tidied(study_folder: Path, part: Part, data_root: Path) -> list[str]:
    """Delete what killed runs left behind; one line if there was something."""
    in_study = left_overs.of_study(study_folder, part)
    temporary, of_data = left_overs.temporary(), data_folder.left_overs(data_root)
    sizes = {path: scratch.size_of(path) for path in (*in_study, *temporary, *of_data)}
    left_overs.remove(in_study, study_folder, part)
    for path in temporary:
        scratch.remove(path)
    data_folder.remove_left_overs(data_root)
    gone = {path: size for path, size in sizes.items() if not os.path.lexists(path)}
    return [f"removed what killed runs left: {left_overs.listed(gone)}"] if gone else []


def _store(plan: Plan, data_root: Path, folder: Path) -> dict[str, Stored]:
    """The datasets as the study's trials see them.

    The network's published weights come first: without them no trial can start.
    """
    encoders.fetch(plan.study.conditions.network)
    conditions = {trial.dataset: trial.conditions for trial in plan.trials}
    return {
        name: store(data_root, name, of.size, folder, slices=of.slices)
        for name, of in conditions.items()
    }
