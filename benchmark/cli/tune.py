"""The verb tune: equal tries for every method, scored without the test set; what was chosen."""

import gc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import completion, grid
from benchmark.cli.options import (
    DATA,
    PLANNING,
    RESULTS,
    Address,
    DataRoot,
    Datasets,
    DryRun,
    GpusPerTrial,
    Labels,
    Log,
    MaxConcurrent,
    Overrides,
    Preset,
    ResultsRoot,
    Seeds,
    SlicesOrVolumes,
    TrialKey,
    Unlabelled,
    ValAs,
    Verbose,
    examples,
    new_app,
    say,
)
from benchmark.errors import ExitCode, UserError, require_choice
from benchmark.wording import command, counted

if TYPE_CHECKING:
    from benchmark.store.tuning import Choice, Tuning
    from benchmark.study.plan import Plan
    from benchmark.study.tuning import Search

app = new_app()
_ON = ("folds", "dev")


@app.command(
    short_help="Choose hyper-parameters, and never on the test set.",
    epilog=examples(
        "bench tune --methods cps,em --over weight=.1,1,5 --datasets glas --labels 5",
        "bench run --methods cps,em --datasets glas --labels 5 --tuned paper-tuned",
    ),
)
def tune(
    methods: Annotated[
        str,
        typer.Option(
            help='Methods to tune: "cps,ours[rounds=3]" keeps 3 rounds; or all.',
            autocompletion=completion.methods,
        ),
    ],
    over: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUES",
            help='A hyper-parameter and its values, "weight=.1,1,5"; again for each further one.',
        ),
    ],
    overrides: Overrides = None,
    tries: Annotated[
        int, typer.Option(min=1, help="Of each method: all combinations, or so many drawn.")
    ] = 8,
    draw: Annotated[int, typer.Option(min=0, help="Seed of that draw.")] = 0,
    on: Annotated[
        str,
        typer.Option(
            help="folds: cross-validation inside the labelled images of each seed; or dev, whose "
            "masks are then counted as a cost."
        ),
    ] = "folds",
    datasets: Datasets = None,
    labels: Labels = None,
    unlabelled: Unlabelled = None,
    seeds: Seeds = None,
    preset: Preset = "paper",
    study: Annotated[
        str | None,
        typer.Option(help="Name of the study, for bench run --tuned [the preset's, with -tuned]."),
    ] = None,
    val_as: ValAs = None,
    slices: SlicesOrVolumes = None,
    address: Address = None,
    gpus_per_trial: GpusPerTrial = None,
    max_concurrent: MaxConcurrent = None,
    log: Log = None,
    dry_run: DryRun = False,
    trial: TrialKey = None,
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Choose hyper-parameters with equal tries for every method, and never on the test set.

    Repeat the command to resume. bench run --tuned STUDY uses what was chosen.
    """
    require_choice("--on", on, _ON)
    from benchmark.study import preset_files
    from benchmark.study.tuning import parse_over

    say(PLANNING, err=True)
    typed = {
        "datasets": datasets,
        "labels": labels,
        "seeds": seeds,
        "name": study or f"{preset_files.read(preset).name}-tuned",
        "evaluate_on": on,
        "val_as": val_as,
        "unlabelled": unlabelled,
        "slices": slices,
    }
    search = _search(methods, parse_over(over), tries, draw)
    settings = [*(overrides or []), *grid.listed({"log": log})]
    plan = _plan(search, preset, settings, typed, (data_root, results_root))
    for note in plan.notes:
        say(f"note: {note}", err=True)
    gc.set_threshold(700, 10, 10)  # Python's own: what trains in this process is measured
    cluster = grid.cluster(address, gpus_per_trial, max_concurrent)

    from benchmark.cluster import run as running
    from benchmark.cluster import tune as tuning

    if dry_run:
        from benchmark.cluster import outlook

        plan = outlook.with_done(plan)
        lines = running.forecast_lines(plan, data_root, cluster, None, probes=False)
        say("\n".join([*outlook.describe(plan), *lines, *outlook.listed(plan, verbose=verbose)]))
        return
    if trial is not None:
        failed = running.run_single(plan, trial, data_root, cluster.gpus_per_trial)
    else:
        failed = running.run_grid(plan, data_root, cluster)
    concluded = tuning.conclude(search, plan)
    if concluded is None:
        say("not all tries have run yet: nothing is chosen; the same command goes on")
    else:
        _print(concluded, plan, _again(typed, data_root))
    if failed:
        raise UserError(
            f"{counted(failed, 'trial')} failed; the same command tries again",
            ExitCode.SOME_TRIALS_FAILED,
        )


def _search(texts: str, over: dict[str, list], tries: int, draw: int) -> "Search":
    from benchmark.study import methods
    from benchmark.study.syntax import Variant, split_outside_brackets
    from benchmark.study.tuning import Search

    names = split_outside_brackets(texts)
    if "all" in names:
        names = [*methods.names(), *(name for name in names if name != "all")]
    bases = {variant.name: variant for variant in map(Variant.parse, names)}
    return Search(list(bases.values()), over, tries, draw)


def _plan(
    search: "Search",
    preset: str,
    overrides: list[str],
    typed: dict[str, str | bool | None],
    roots: tuple[Path, Path],
) -> "Plan":
    from benchmark.cluster import tune as tuning
    from benchmark.study import methods, presets

    study = presets.load(preset, overrides, known_methods=methods.names(), **grid.read(typed))
    made = tuning.planned(search, study, *roots)
    return replace(made, overrides=presets.told(preset, overrides))


def _again(typed: dict[str, str | bool | None], data_root: Path) -> list[str]:
    """What was typed of the data and their splits, without which the choice would not hold."""
    named = {"--val-as": typed["val_as"], "--unlabelled": typed["unlabelled"]}
    words = [word for name, value in named.items() if value is not None for word in (name, value)]
    if typed["slices"] is not None:
        words.append("--slices" if typed["slices"] else "--volumes")
    return words + ([] if data_root == DATA else ["--data-root", str(data_root)])


def _print(tuning: "Tuning", plan: "Plan", again: list[str]) -> None:
    from benchmark.loggers.next_steps import next_steps
    from benchmark.store.tuning import FILE

    for choice in tuning.choices:
        say("\n".join(["", *_table(choice, tuning)]))
    cost = tuning.cost
    say(
        f"\ncost: {counted(cost.trials, 'trial')}, {cost.steps} steps, {cost.seconds:.0f} s of "
        "computing"
    )
    say(f"written: {plan.folder / FILE}")
    for line in next_steps(plan.study.log, plan.folder):
        say(f"curves:  {line}")
    say(f"next:    {_next(tuning, plan, again)}")


def _next(tuning: "Tuning", plan: "Plan", again: list[str]) -> str:
    """The run on the test set that uses the choice. again: options that were typed."""
    from benchmark.data.split.budget import typed_budget

    root, study = plan.folder.parent, plan.study
    where = () if root == RESULTS else ("--results", root)
    named = {
        "--preset": tuning.preset,
        "--datasets": ",".join(study.datasets),
        "--labels": ",".join(map(typed_budget, study.labels)),
        "--methods": ",".join(dict.fromkeys(choice.method for choice in tuning.choices)),
        "--tuned": tuning.name,
    }
    words = [word for pair in named.items() for word in pair]
    return command("bench", "run", *words, *again, *plan.overrides, *where)


def _table(choice: "Choice", tuning: "Tuning") -> Iterator[str]:
    """The tries of a method with their scores, and how sure the choice is."""
    yield f"{choice.method} on {choice.dataset} at {choice.budget}, {tuning.metric} in %:"
    width = max(len(one.variant) for one in choice.tries)
    for one in choice.tries:
        mark = "  chosen" if one.variant == choice.variant else ""
        yield f"  {one.variant:{width}}  {_score(one.mean, one.standard_deviation)}{mark}" + (
            f"  {one.failed}" if one.failed else ""
        )
    if not choice.variant:
        yield "  nothing is chosen: no try has a score"
    elif choice.lead is not None:
        spread = choice.lead_standard_deviation
        n = len(next(one.units for one in choice.tries if one.variant == choice.variant))
        units = "seeds" if len(tuning.seeds) > 1 else "folds"
        yield f"  ahead of the next by {_score(choice.lead, spread)} over {n} {units}" + (
            ": less than one standard deviation, so noise may have chosen"
            if spread is None or choice.lead < spread
            else ""
        )
    yield f"  {tuning.told(choice)}"


def _score(mean: float | None, spread: float | None) -> str:
    """Mean ± standard deviation, in %."""
    if mean is None:
        return "–"
    return f"{100 * mean:.2f}" + ("" if spread is None else f" ± {100 * spread:.2f}")
