"""The verb `bench run`: plan a study, run what is missing, rebuild the table."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import yaml
from rich.console import Console

from benchmark import config, encoders, grid, jobs, plugins, pretraining, results, sharing
from benchmark import plan as planning
from benchmark.data import pool
from benchmark.errors import ExitCode, UserError
from benchmark.execute import Place
from benchmark.plan import Plan
from benchmark.progress import GridProgress
from benchmark.runner import Cluster
from benchmark.selectors import (
    WHOLE,
    Cell,
    Shard,
    parse_ratios,
    parse_seeds,
    parse_shard,
    split_outside_brackets,
)


def plan(
    preset: str,
    overrides: list[str],
    data_root: Path,
    results_root: Path,
    *,
    shard: str | None = None,
    ablation: str | None = None,
    **typed: str | None,
) -> Plan:
    """The plan of what was typed: methods, datasets, ratios, seeds, name, evaluate_on.

    ablation: hyper-parameters whose values are compared, one at a time.
    """
    part = parse_shard(shard) if shard is not None else WHOLE
    readers = {
        "methods": split_outside_brackets,
        "datasets": split_outside_brackets,
        "ratios": parse_ratios,
        "seeds": parse_seeds,
    }
    parsed: dict[str, Any] = {
        name: readers[name](text) if name in readers and text is not None else text
        for name, text in typed.items()
    }
    if ablation is not None:
        factors = split_outside_brackets(ablation)
        parsed["methods"] = planning.ablated(parsed.get("methods") or [], factors)
    study = config.load(preset, overrides, known_methods=plugins.names(), **parsed)
    made = planning.make(study, data_root, results_root)
    return replace(made, shard=part, changes=[o for o in overrides if _counts(o)])


def _counts(override: str) -> bool:
    """Could the setting change a number?"""
    return override.partition("=")[0] not in ("save", "checkpoint_seconds")


def describe(plan: Plan, *, verbose: bool) -> str:
    """What would run, what is done, and how many images each ratio labels."""
    missing = plan.missing
    lines = [
        f"study {plan.study.name} (preset {plan.study.preset}) in {plan.folder}",
        f"evaluated on: {plan.study.evaluate_on}",
        *plan.labelled_counts(),
        f"{_count(plan)}: {len(plan.own) - len(missing)} done, {len(missing)} to run"
        + _beforehand(plan),
    ]
    shown = missing if verbose else missing[:20]
    lines += [f"  {trial.key}  {trial.label}" for trial in shown]
    if len(shown) < len(missing):
        lines.append(f"  … and {len(missing) - len(shown)} more (-v shows all)")
    return "\n".join(lines)


def _beforehand(plan: Plan) -> str:
    n = len(pretraining.missing(plan.missing, plan.folder))
    return f", after {n} pretraining{'s' if n > 1 else ''} without labels" if n else ""


def _count(plan: Plan) -> str:
    if plan.shard.count == 1:
        return f"{len(plan.trials)} trials"
    part = f"shard {plan.shard.index}/{plan.shard.count}"
    return f"{part}, {len(plan.own)} of {len(plan.trials)} trials"


def next_step(plan: Plan) -> str:
    """What a user is likely to type after a run."""
    root = plan.folder.parent
    where = "" if root == Path("results") else f" --results {root}"
    if plan.study.preset == "demo":
        return f"bench report --format latex{where}   (then your data: bench list datasets)"
    return f"bench report --study {plan.study.name} --format latex{where}"


def run(plan: Plan, data_root: Path, cluster: Cluster) -> int:
    """Run the missing trials on Ray; returns how many have no result.

    Raises KeyboardInterrupt after saying how far it came; the records that are there stay.
    """
    console = Console(stderr=True)
    with _opened(plan, plan.shard) as claim:
        plan = replace(plan, done=results.done_keys(plan.folder))  # another run may have ended
        if not plan.missing:
            console.print(f"all {len(plan.own)} trials are done", highlight=False)
        else:
            datasets = _load(plan, data_root)
            for line in describe(plan, verbose=False).splitlines()[: 3 + len(plan.manifests)]:
                console.print(line, highlight=False, markup=False, soft_wrap=True)
            console.print("starting Ray …", highlight=False)
            _run_on_ray(plan, datasets, cluster, console, claim)
        results.rebuild_csv(plan.folder)
        return len({trial.key for trial in plan.own} - results.done_keys(plan.folder))


def _run_on_ray(
    plan: Plan,
    datasets: dict[str, pool.Prepared],
    cluster: Cluster,
    console: Console,
    claim: sharing.Claim,
) -> None:
    from benchmark import runner

    first = pretraining.missing(plan.missing, plan.folder)
    total = len(first) + len(plan.missing)
    progress = GridProgress(total, plan.folder, console, claim.note_running)
    try:
        with runner.connected(cluster), progress:
            for wave in filter(None, (first, plan.missing)):
                runner.run(wave, datasets, _place(plan), cluster, progress)
    except KeyboardInterrupt:
        done = len({trial.key for trial in plan.own} & results.done_keys(plan.folder))
        results.rebuild_csv(plan.folder)
        console.print(
            f"interrupted: {done}/{len(plan.own)} trials done, {progress.running} stopped",
            highlight=False,
        )
        raise


def run_cell(plan: Plan, key: str, data_root: Path, gpus: float | None) -> int:
    """Run one trial of the plan in this process; returns 1 if it failed, 0 also if it was done.

    gpus: above 0 for a GPU; None takes one where there is one, as a whole grid does.
    """
    chosen = [trial for trial in plan.trials if key and trial.key.startswith(key)]
    if len(chosen) != 1:
        raise UserError(
            f"--cell {key}: {len(chosen)} trials of this study have a key that starts so; "
            "the same command with --dry-run -v lists them"
        )
    trial = chosen[0]
    if gpus and not torch.cuda.is_available():
        raise UserError(f"--gpus-per-trial {gpus:g}, but torch finds no GPU", ExitCode.RESOURCES)
    on_gpu = torch.cuda.is_available() if gpus is None else gpus > 0
    with _opened(plan, Cell(trial.key)) as claim:
        if trial.key in results.done_keys(plan.folder):
            print(f"{trial.label} is done already", flush=True)
            return 0
        claim.note_running([trial.key])
        prepared = _load(plan, data_root)[trial.dataset]
        for job in (*pretraining.missing([trial], plan.folder), trial):
            outcome = jobs.run(
                job,
                prepared,
                _place(plan),
                device=torch.device("cuda" if on_gpu else "cpu"),
                echo=lambda line: print(line, flush=True),
            )
        results.rebuild_csv(plan.folder)
    return 0 if outcome.is_done else 1


def _place(plan: Plan) -> Place:
    study = plan.study
    return Place(plan.folder.resolve(), study.name, study.preset, " ".join(plan.changes))


@contextlib.contextmanager
def _opened(plan: Plan, part: Shard | Cell) -> Iterator[sharing.Claim]:
    """The study's folder, made if need be, and held against other runs of the same study."""
    with contextlib.ExitStack() as stack:
        try:
            plan.folder.mkdir(parents=True, exist_ok=True)
            claim = stack.enter_context(sharing.claimed(plan.folder, part))
            results.write_atomically(plan.folder / "study.yaml", yaml.safe_dump(asdict(plan.study)))
            grid.add(plan.folder, map(grid.row, plan.trials))
        except OSError as error:
            raise UserError(
                f"cannot write results to {plan.folder}: {error.strerror}; choose another folder "
                "with --results",
                ExitCode.RESOURCES,
            ) from error
        yield claim


def _load(plan: Plan, data_root: Path) -> dict[str, pool.Prepared]:
    """The datasets at the study's size.

    The network's published weights come first: without them no trial can start.
    """
    encoders.fetch(plan.study.network)
    return {
        name: pool.resized(pool.load(data_root, name), plan.study.size) for name in plan.manifests
    }
