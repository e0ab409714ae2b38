"""The verb `bench run`: plan a study, run what is missing, rebuild the table."""

import contextlib
import signal
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import yaml
from filelock import FileLock, Timeout
from rich.console import Console

from benchmark import config, encoders, evaluate, plugins, results
from benchmark import plan as planning
from benchmark.data import pool
from benchmark.errors import ExitCode, UserError
from benchmark.execute import Place, execute
from benchmark.plan import Plan
from benchmark.progress import GridProgress
from benchmark.runner import Cluster
from benchmark.selectors import parse_ratios, parse_seeds, split_outside_brackets


def plan(
    preset: str,
    overrides: list[str],
    data_root: Path,
    results_root: Path,
    network: str | None = None,
    weights: str | None = None,
    **grid: str | None,
) -> Plan:
    """The plan of what was typed. grid: methods, datasets, ratios, seeds, name, evaluate_on.

    network, weights: short for the overrides network.name and network.weights.
    """
    readers = {
        "methods": split_outside_brackets,
        "datasets": split_outside_brackets,
        "ratios": parse_ratios,
        "seeds": parse_seeds,
    }
    parsed: dict[str, Any] = {
        name: readers[name](text) if name in readers and text is not None else text
        for name, text in grid.items()
    }
    short = {"network.name": network, "network.weights": weights}
    overrides = overrides + [f"{k}='{v}'" for k, v in short.items() if v is not None]
    study = config.load(preset, overrides, known_methods=plugins.names(), **parsed)
    return planning.make(study, data_root, results_root)


def describe(plan: Plan, *, verbose: bool) -> str:
    """What would run, what is done, and how many images each ratio labels."""
    missing = plan.missing
    lines = [
        f"study {plan.study.name} (preset {plan.study.preset}) in {plan.folder}",
        f"evaluated on: {plan.study.evaluate_on}",
        *plan.labelled_counts(),
        f"{len(plan.trials)} trials: {len(plan.trials) - len(missing)} done, {len(missing)} to run",
    ]
    shown = missing if verbose else missing[:20]
    lines += [f"  {trial.key}  {trial.label}" for trial in shown]
    if len(shown) < len(missing):
        lines.append(f"  … and {len(missing) - len(shown)} more (-v shows all)")
    return "\n".join(lines)


def next_step(plan: Plan) -> str:
    """What a user is likely to type after a run."""
    if plan.study.preset == "demo":
        return "bench report --format latex   (then your data: bench list datasets)"
    return f"bench report --study {plan.study.name} --format latex"


def run(plan: Plan, data_root: Path, cluster: Cluster) -> int:
    """Run the missing trials on Ray; returns how many failed.

    Raises KeyboardInterrupt after saying how far it came; the records that are there stay.
    """
    from benchmark import runner

    console = Console(stderr=True)
    missing = plan.missing
    with _opened(plan):
        if not missing:
            console.print(f"all {len(plan.trials)} trials are done", highlight=False)
            results.rebuild_csv(plan.folder)
            return 0
        datasets = _load(plan, data_root)
        for line in describe(plan, verbose=False).splitlines()[: 3 + len(plan.manifests)]:
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        console.print("starting Ray …", highlight=False)
        place = Place(plan.folder.resolve(), plan.study.name, plan.study.preset)
        try:
            with (
                runner.connected(cluster),
                GridProgress(len(missing), plan.folder, console) as progress,
            ):
                runner.run(missing, datasets, place, cluster, progress)
        except KeyboardInterrupt:
            _ignore_further_interrupts()
            done = len(plan.trials) - len(missing) + progress.finished - progress.failed
            results.rebuild_csv(plan.folder)
            console.print(
                f"interrupted: {done}/{len(plan.trials)} trials done, {progress.running} stopped",
                highlight=False,
            )
            raise
        results.rebuild_csv(plan.folder)
        return progress.failed


def run_cell(plan: Plan, key: str, data_root: Path, gpus: float) -> int:
    """Run one trial of the plan in this process; returns 1 if it failed."""
    chosen = [trial for trial in plan.trials if trial.key.startswith(key)]
    if len(chosen) != 1:
        raise UserError(
            f"--cell {key}: {len(chosen)} trials of this study have a key that starts so; "
            "the same command with --dry-run -v lists them"
        )
    device = torch.device("cuda" if gpus > 0 else "cpu")
    with _opened(plan):
        prepared = _load(plan, data_root)[chosen[0].dataset]
        place = Place(plan.folder.resolve(), plan.study.name, plan.study.preset)
        record = execute(
            chosen[0],
            prepared,
            place,
            device=device,
            echo=lambda line: print(line, flush=True),
        )
        results.rebuild_csv(plan.folder)
    return 0 if record.is_done else 1


def read_floors(study_folder: Path) -> pd.DataFrame:
    """Scores of the trivial predictions on each dataset of a study."""
    return pd.read_csv(study_folder / "floors.csv")


@contextlib.contextmanager
def _opened(plan: Plan) -> Iterator[None]:
    """The study's folder, made if need be, and held against a second run of the same study."""
    try:
        plan.folder.mkdir(parents=True, exist_ok=True)
        results.write_atomically(plan.folder / "study.yaml", yaml.safe_dump(asdict(plan.study)))
        lock = FileLock(plan.folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise UserError(
            f"another `bench run` works on {plan.folder}; wait for it, or name another --study",
            ExitCode.RESOURCES,
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot write results to {plan.folder}: {error.strerror}; choose another folder with "
            "--results",
            ExitCode.RESOURCES,
        ) from error
    try:
        yield
    finally:
        lock.release()


def _load(plan: Plan, data_root: Path) -> dict[str, pool.Prepared]:
    """The datasets at the study's size; writes their trivial floors beside the records.

    The network's published weights come first: without them no trial can start.
    """
    encoders.fetch(plan.study.network)
    datasets = {
        name: pool.resized(pool.load(data_root, name), plan.study.size) for name in plan.manifests
    }
    _write_floors(plan, datasets)
    return datasets


def _write_floors(plan: Plan, datasets: dict[str, pool.Prepared]) -> None:
    rows = []
    for name, prepared in datasets.items():
        data = pool.for_trial(prepared, ratio=1.0, seed=0, evaluate_on=plan.study.evaluate_on)
        for floor, scores in evaluate.floors(data.evaluation).items():
            rows.append(
                {"dataset": name, "evaluate_on": plan.study.evaluate_on, "floor": floor, **scores}
            )
    file = plan.folder / "floors.csv"
    if file.exists():  # of datasets that an earlier run of this study had
        older = read_floors(plan.folder)
        rows = older[~older.dataset.isin(datasets)].to_dict("records") + rows
    results.write_table(file, rows)


def _ignore_further_interrupts() -> None:
    """The last lines are short; a second Ctrl-C must not cut them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
