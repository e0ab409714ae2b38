"""argv → verb. Heavy imports stand inside the verbs: `bench --help` must not wait for torch."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer

from benchmark import cli_data, cli_report, cli_studies
from benchmark.cli_studies import DATA, RESULTS, DataRoot, ResultsRoot, Verbose
from benchmark.errors import ExitCode, UserError, require_choice

app = typer.Typer(
    help="Benchmark semi-supervised medical image segmentation methods, fairly and repeatably.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(cli_data.app, name="data")
app.add_typer(cli_report.app)
app.add_typer(cli_studies.app)


@app.command()
def run(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[KEY=VALUE]...",
            help="Settings that replace the preset's, such as training.epochs=20 "
            "hyperparameters.cps.weight=1 training_of.cps.learning_rate=0.01.",
        ),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help='Variants: "supervised,cps[weight=0.5]", or all.')
    ] = None,
    ablation: Annotated[
        str | None,
        typer.Option(help='Settings whose values are compared, one at a time: "pretrain,rounds".'),
    ] = None,
    datasets: Annotated[
        str | None, typer.Option(help='Names, or "all": what is prepared, but no phantoms.')
    ] = None,
    ratios: Annotated[str | None, typer.Option(help='Labelled share in percent: "1,5,20".')] = None,
    seeds: Annotated[str | None, typer.Option(help='How many ("10"), or which ("0-4,7").')] = None,
    preset: Annotated[str, typer.Option(help="paper, matched, cpu, demo (bench list presets).")] = (
        "paper"
    ),
    study: Annotated[str | None, typer.Option(help="Name of the results folder [preset].")] = None,
    network: Annotated[
        str | None, typer.Option(help="unet, or an encoder such as resnet34 (bench list networks).")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Published weights of the encoder: imagenet [random].")
    ] = None,
    evaluate_on: Annotated[
        str | None,
        typer.Option(help="test, or dev: a fixed 20 % of the train pool, for choosing anything."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help='A running Ray cluster: "auto" or host:port.')
    ] = None,
    gpus_per_trial: Annotated[
        float | None, typer.Option(help="0.25 lets four trials share a GPU [1 if there is one].")
    ] = None,
    max_concurrent: Annotated[
        int | None, typer.Option(min=1, help="Trials at once [as many as fit].")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(metavar="I/N", help='Only the i-th of n parts, "2/8": for machines apart.'),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(help="predictions (PNG, NIfTI) and weights (safetensors) beside each record."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would run.")] = False,
    cell: Annotated[
        str | None, typer.Option(metavar="KEY", help="Run this one trial here, without Ray.")
    ] = None,
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Run what is missing of a grid of trials; the same command continues an interrupted one."""
    from benchmark import session

    if cell is not None and shard is not None:
        raise UserError("--cell names one trial and --shard a part of all: give one of them")
    plan = session.plan(
        preset,
        _settings(overrides or [], network, weights, save),
        data_root,
        results_root,
        methods=methods,
        datasets=datasets,
        ratios=ratios,
        seeds=seeds,
        name=study,
        evaluate_on=evaluate_on,
        shard=shard,
        ablation=ablation,
    )
    for note in plan.notes:
        typer.echo(f"note: {note}", err=True)
    if dry_run:
        typer.echo(session.describe(plan, verbose=verbose))
        return
    if cell is not None:
        failed = session.run_cell(plan, cell, data_root, gpus_per_trial)
    else:
        cluster = _cluster(address, gpus_per_trial, max_concurrent, plan.shard)
        failed = session.run(plan, data_root, cluster)
    typer.echo()
    cli_report.print_table(plan.folder, {trial.cell for trial in plan.trials})
    typer.echo(f"\nresults: {plan.folder / 'results.csv'}  (columns: results/README.md)")
    typer.echo(f"next:    {session.next_step(plan)}")
    if failed:
        raise UserError(
            f"{failed} of {len(plan.own)} trials failed; the same command tries them again",
            ExitCode.SOME_TRIALS_FAILED,
        )


def _settings(
    overrides: list[str], network: str | None, weights: str | None, save: str | None
) -> list[str]:
    """The overrides, with those that have a flag of their own."""
    short = {"network.name": network, "network.weights": weights}
    given = [f"{key}='{value}'" for key, value in short.items() if value is not None]
    return overrides + given + ([f"save=[{save}]"] if save else [])


def _cluster(address, gpus_per_trial, max_concurrent, shard):
    from benchmark.runner import Cluster

    if gpus_per_trial is not None and gpus_per_trial < 0:
        raise UserError(f"--gpus-per-trial must not be negative, got {gpus_per_trial}")
    return Cluster(address, gpus_per_trial, max_concurrent, f".ray{shard.suffix}")


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="methods, datasets, networks or presets.")],
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """What there is to run."""
    from benchmark import listing

    require_choice("bench list", what, listing.LISTINGS)
    typer.echo(listing.LISTINGS[what](data_root, verbose))


def main() -> None:
    """Console command `bench`: user errors in words, everything else with its traceback."""
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_guarded(lambda: app(standalone_mode=False)))


def _interrupt(*_) -> None:
    raise KeyboardInterrupt


def _guarded(command: Callable[[], object]) -> int:
    is_verbose = "-v" in sys.argv or "--verbose" in sys.argv
    try:
        code = command() or ExitCode.DONE
        if code == ExitCode.INTERRUPTED:  # typer turns KeyboardInterrupt into this
            raise KeyboardInterrupt
        return code
    except UserError as error:
        if is_verbose:
            traceback.print_exc()
        typer.echo(f"error: {error}", err=True)
        return error.exit_code
    except _UsageError as error:
        error.show()
        return ExitCode.USAGE
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("interrupted; the same command continues", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:  # `bench … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.DONE


# Typer exports no common base of its usage errors (and has its own copy of click's).
_UsageError = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")
