"""The verb run: plan a grid of trials, run what is missing, print its table."""

import gc
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import completion, grid, report
from benchmark.cli.options import (
    DATA,
    PLANNING,
    RESULTS,
    Address,
    DataRoot,
    Datasets,
    DryRun,
    GpusPerTrial,
    Grace,
    KeepGoing,
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
from benchmark.cluster.cluster import Cluster
from benchmark.errors import ExitCode, UserError, require_choice
from benchmark.wording import command, counted

if TYPE_CHECKING:
    from benchmark.study.plan import Plan

app = new_app()


@app.command(
    short_help="Run the trials that have no result yet.",
    epilog=examples(
        "bench run --preset demo",
        'bench run --preset cpu --datasets glas --methods "cps,cps[weight=0.5]" --labels 5,20',
        "bench run --preset my-preset.yaml --datasets all --seeds 10 --dry-run",
    ),
)
def run(
    overrides: Overrides = None,
    methods: Annotated[
        str | None,
        typer.Option(
            help='Methods to run: "supervised,cps"; change a hyper-parameter with '
            '"cps[weight=0.5]"; or all.',
            autocompletion=completion.methods,
        ),
    ] = None,
    ablation: Annotated[
        str | None,
        typer.Option(
            help="Hyper-parameters to ablate, one at a time (values: bench list methods -v)."
        ),
    ] = None,
    tuned: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY", help="Run each method with the settings that bench tune chose for it."
        ),
    ] = None,
    datasets: Datasets = None,
    labels: Labels = None,
    unlabelled: Unlabelled = None,
    seeds: Seeds = None,
    vary: Annotated[
        str | None,
        typer.Option(
            help="What a seed moves: all, subset (the labelled images), weights (and order), or "
            "cross: every subset with every seed of weights [all]."
        ),
    ] = None,
    preset: Preset = "paper",
    study: Annotated[
        str | None, typer.Option(help="Name of the study, and of its folder [the preset's].")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="unet, or an encoder such as resnet34 (bench list networks).")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Published weights of the encoder: imagenet [random].")
    ] = None,
    evaluate_on: Annotated[
        str | None,
        typer.Option(
            help="test; or dev, for tuning: the data's validation set, else a fixed 20 % of the "
            "train pool."
        ),
    ] = None,
    val_as: ValAs = None,
    slices: SlicesOrVolumes = None,
    address: Address = None,
    gpus_per_trial: GpusPerTrial = None,
    max_concurrent: MaxConcurrent = None,
    grace: Grace = Cluster.grace,
    keep_going: KeepGoing = False,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help='Run part i of n ("2/8"), to split a grid over separate machines.',
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            help="predictions, predictions:unlabelled (PNG, NIfTI) and weights (safetensors) "
            "beside each record."
        ),
    ] = None,
    log: Log = None,
    also_test: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Also evaluate on the test sets of these prepared datasets; saves weights.",
        ),
    ] = None,
    nsd: Annotated[
        str | None,
        typer.Option(
            metavar="MM", help='Also surface Dice at these tolerances: "1,2" [those of the card].'
        ),
    ] = None,
    rerun: Annotated[
        str | None,
        typer.Option(
            metavar="METHOD",
            help="Run trials of this method again that were made before its code changed; several "
            "with commas.",
        ),
    ] = None,
    dry_run: DryRun = False,
    probe: Annotated[
        bool,
        typer.Option(
            "--probe", help="First time a few steps of each method and dataset, for the forecast."
        ),
    ] = False,
    on: Annotated[
        str | None,
        typer.Option(
            metavar="HARDWARE",
            help="Forecast of --dry-run for more or fewer processors or GPUs like those here: "
            '"64 cpu", "8 gpu".',
        ),
    ] = None,
    trial: TrialKey = None,
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Run the trials that have no result yet; repeat the command to resume."""
    words = {"--trial": trial, "--shard": shard, "--address": address, "--on": on}
    _require_sense(words, dry_run=dry_run, probe=probe)
    say(PLANNING, err=True)
    typed = {
        "methods": methods,
        "datasets": datasets,
        "labels": labels,
        "seeds": seeds,
        "vary": vary,
        "name": study,
        "evaluate_on": evaluate_on,
        "val_as": val_as,
        "unlabelled": unlabelled,
        "also_test": also_test,
        "slices": slices,
        "ablation": ablation,
        "tuned": tuned,
    }
    lists = grid.listed({"save": save, "log": log})
    settings = [*with_flags(overrides or [], network, weights, nsd), *lists]
    plan = planned(preset, settings, typed, (data_root, results_root), shard=shard, rerun=rerun)
    gc.set_threshold(700, 10, 10)  # Python's own: what trains in this process is measured
    for note in plan.notes:
        say(f"note: {note}", err=True)

    from benchmark.cluster import run as running

    cluster = grid.cluster(
        address, gpus_per_trial, max_concurrent, suffix=plan.shard.suffix,
        keeps_going=keep_going, grace=grace,
    )  # fmt: skip
    if dry_run:
        from benchmark.cluster import outlook

        plan = outlook.with_done(plan)
        lines = running.forecast_lines(plan, data_root, cluster, on, probes=probe)
        listed = outlook.listed(plan, verbose=verbose)
        say("\n".join([*outlook.describe(plan), *lines, *listed]))
        return

    failed = carried_out(plan, data_root, cluster, trial=trial, probes=probe)
    _print_results(plan, are_all_failed=failed == len(plan.own))
    if failed:
        _print_failures(plan, trial)
        raise UserError(
            f"{failed} of {counted(len(plan.own), 'trial')} failed; the same command tries them "
            "again",
            ExitCode.SOME_TRIALS_FAILED,
        )


def carried_out(
    plan: "Plan", data_root: Path, cluster: Cluster, *, trial: str | None, probes: bool = False
) -> int:
    """Run what is missing, or one trial of it here; returns how many have no result."""
    from benchmark.cluster import run as running

    if trial is not None:
        failed = running.run_single(plan, trial, data_root, cluster.gpus_per_trial)
    else:
        failed = running.run_grid(plan, data_root, cluster, probes=probes)
    _evaluate_elsewhere(plan, data_root, trial)
    return failed


def _evaluate_elsewhere(plan: "Plan", data_root: Path, trial: str | None) -> None:
    """What is done of this run's part, on the test sets that come with the data or were named."""
    from benchmark.cluster import test_sets

    keys = _to_run(plan, trial)
    own = [name for manifest in plan.manifests.values() for name in manifest.test_sets]
    if names := [*plan.study.also_test, *own]:
        outcome = test_sets.evaluate_study(
            plan.folder, data_root, list(dict.fromkeys(names)), say=say, nsd=plan.study.nsd, of=keys
        )
        for line in test_sets.described(outcome._replace(already=0)):
            say(line, err=True)


def _require_sense(given: dict[str, str | None], *, dry_run: bool, probe: bool) -> None:
    """Refuse options that contradict each other."""
    typed = {option for option, value in given.items() if value is not None}
    if "--on" in typed and not dry_run:
        raise UserError("--on is for a forecast: add --dry-run")
    if probe and (elsewhere := typed & {"--trial", "--address"}):
        raise UserError(f"--probe times a grid on this machine: not with {min(elsewhere)}")
    if {"--trial", "--shard"} <= typed:
        raise UserError("--trial names one trial and --shard a part of all: give one of them")


def planned(
    preset: str,
    overrides: list[str],
    typed: dict[str, str | bool | None],
    roots: tuple[Path, Path],
    *,
    shard: str | None = None,
    rerun: str | None = None,
) -> "Plan":
    """The plan of what was typed: methods, datasets, labels, seeds, name, roles of the splits."""
    from benchmark.study import ablations, methods, notes, plan, presets, syntax
    from benchmark.study.settings import CHOICES

    part = syntax.parse_shard(shard) if shard is not None else syntax.WHOLE
    words = grid.read(typed)
    ablation, tuned = words.pop("ablation"), words.pop("tuned")
    if ablation is not None:
        factors = syntax.split_outside_brackets(ablation)
        words["methods"] = ablations.ablated(words["methods"] or [], factors)
    study = presets.load(preset, overrides, known_methods=methods.names(), **words)
    require_choice("--evaluate-on", study.conditions.evaluate_on, CHOICES["conditions.evaluate_on"])
    if tuned is None:
        made = plan.make(study, *roots)
    else:
        from benchmark.cluster import tuned as choices

        made = choices.planned(study, tuned, *roots)
    told = [*made.notes, *notes.on_idle_settings(overrides, made.trials)]
    made = replace(made, shard=part, notes=told, overrides=presets.told(preset, overrides))
    return _with_rerun(made, rerun)


def _with_rerun(plan: "Plan", rerun: str | None) -> "Plan":
    if rerun is None:
        return plan
    names = tuple(name.strip() for name in rerun.split(","))
    for name in names:
        require_choice("--rerun", name, sorted({trial.method for trial in plan.trials}))
    return replace(plan, rerun=names)


def with_flags(
    overrides: list[str],
    network: str | None,
    weights: str | None,
    nsd: str | None,
) -> list[str]:
    """The overrides, with those that have a flag of their own."""
    short = {"network.name": network, "network.weights": weights}
    given = [f"{key}='{value}'" for key, value in short.items() if value is not None]
    return [*overrides, *given, *([f"nsd=[{nsd}]"] if nsd else [])]


def _print_results(plan: "Plan", *, are_all_failed: bool) -> None:
    """The table, and where to go on."""
    from benchmark.loggers.next_steps import next_steps

    say()
    report.print_main(plan.folder, {trial.configuration for trial in plan.trials})
    say(f"\nresults: {plan.folder / 'results.csv'}  (columns: results/README.md)")
    for line in next_steps(plan.study.log, plan.folder):
        say(f"curves:  {line}")
    say(f"next:    {_next(plan, are_all_failed=are_all_failed)}")


def _to_run(plan: "Plan", trial: str | None) -> list[str]:
    """Keys of this run's part, or of the one trial whose key begins so."""
    return [own.key for own in plan.own if own.key.startswith(trial or "")]


def _print_failures(plan: "Plan", trial: str | None) -> None:
    """Those of what was to run, a line for each message."""
    from benchmark.store import failures, record_file

    found = (record_file.trial_record(plan.folder, key) for key in _to_run(plan, trial))
    for line in failures.alike(one for one in found if one is not None and not one.is_done):
        say(f"failed: {line}", err=True)


def _next(plan: "Plan", *, are_all_failed: bool) -> str:
    """What a user is likely to type after a run."""
    root = plan.folder.parent
    where = () if root == RESULTS else ("--results", root)
    if are_all_failed and plan.own:
        shown = command("bench", "show", plan.own[0].key, *where)
        return f"{shown}   (why the first of them failed, and its log)"
    if plan.study.preset == "demo":
        shown = command("bench", "report", "--format", "latex", *where)
        return f"{shown}   (then your data: bench list datasets)"
    name = ("--study", plan.study.name)
    return command("bench", "report", *name, "--format", "latex", *where)
