"""The verbs on studies that are there: status, show, verify, evaluate, merge."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import (
    DATA,
    RESULTS,
    DataRoot,
    ResultsRoot,
    Verbose,
    examples,
    new_app,
    say,
)
from benchmark.errors import UserError
from benchmark.wording import command

app = new_app()


@app.command(
    short_help="How far a study is, also while it runs.",
    epilog=examples("bench status", "bench status --study paper"),
)
def status(
    study: Annotated[str | None, typer.Option(help="Name of the study [the newest].")] = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """How far a study is, also while it runs: done, failed and running trials."""
    from benchmark.store import layout
    from benchmark.store import status as reading

    name = layout.chosen_study(results_root, study)
    say(f"study {name} in {results_root / name}\n")
    say(reading.describe(results_root / name))


@app.command(
    short_help="One trial or pretraining: settings, scores, files.",
    epilog=examples("bench show 1f6bf94c", "bench show 1f6bf94c --requirements > requirements.txt"),
)
def show(
    key: Annotated[str, typer.Argument(help="Key of a trial or a pretraining, or a prefix of it.")],
    study: Annotated[str | None, typer.Option(help="Where to look [all, newest first].")] = None,
    requirements: Annotated[
        bool, typer.Option("--requirements", help="Only its packages, as pip reads them.")
    ] = False,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """One trial, or a pretraining: settings, scores, costs, provenance, error, files."""
    from benchmark.store import layout
    from benchmark.store import show as reading

    newest = layout.chosen_study(results_root, study)
    names = [newest] if study else layout.studies(results_root)
    trial = reading.find([results_root / name for name in names], key)
    say(reading.requirements(trial) if requirements else reading.describe(trial))


@app.command(
    short_help="Run drawn trials again and compare every number.",
    epilog=examples("bench verify paper --sample 3", "bench verify results/paper --trial 1f6bf94c"),
)
def verify(
    study: Annotated[str, typer.Argument(help="Name of the study, or its folder.")],
    sample: Annotated[int, typer.Option(min=1, help="How many trials, drawn at random.")] = 3,
    trial: Annotated[
        str, typer.Option(metavar="KEY", help="This trial instead (or a key prefix).")
    ] = "",
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Run drawn trials of a study again here, and compare every number bit by bit."""
    from benchmark.cluster import verify as verifying

    folder = _folder(study, results_root)
    log = say if verbose else None
    verifying.verify(folder, data_root, sample=sample, key=trial, say=say, log=log)


@app.command(
    short_help="Evaluate trained networks on further test sets.",
    epilog=examples(
        "bench evaluate paper --on ph2", "bench evaluate results/paper --on ph2 --nsd 1,2"
    ),
)
def evaluate(
    study: Annotated[str, typer.Argument(help="Name of the study, or its folder.")],
    on: Annotated[
        str | None,
        typer.Option(
            help="Prepared datasets, whose test sets are taken, or further test sets of the "
            "study's own (a folder test_NAME/); several with commas [all of its own]."
        ),
    ] = None,
    nsd: Annotated[
        str | None, typer.Option(metavar="MM", help='Also surface Dice at these tolerances: "1,2".')
    ] = None,
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Evaluate the networks of a study on further test sets, from the weights that it saved."""
    from benchmark.cluster import test_sets

    folder = _folder(study, results_root)
    names = [name.strip().lower() for name in on.split(",")] if on else []
    tolerances = _numbers(nsd) if nsd else []
    outcome = test_sets.evaluate_study(folder, data_root, names, say=say, nsd=tolerances)
    for line in test_sets.described(outcome):
        say(line, err=True)
    if not any(outcome):
        say(
            "there is nothing to evaluate: it takes trials that are done and were tested, and with "
            "--on another test set than their own",
            err=True,
        )
    say(f"next:  {command('bench', 'report', '--study', folder.name, '--results', folder.parent)}")


def _folder(study: str, results_root: Path) -> Path:
    """Of a study by its folder, or by its name."""
    from benchmark.store import layout

    folder = Path(study)
    is_folder = layout.is_study(folder)
    return folder if is_folder else results_root / layout.chosen_study(results_root, study)


def _numbers(text: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) <= 0:
        raise UserError(f'--nsd takes tolerances above 0, such as "1,2", got {text!r}')
    return found


@app.command(
    short_help="Copy the trials of several studies into one.",
    epilog=examples("bench merge here/paper there/paper --into results/paper"),
)
def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of studies.")],
    into: Annotated[Path, typer.Option(help="Folder of the study that gets their trials.")],
    verbose: Verbose = False,
) -> None:
    """Copy the trials of other machines' studies into one; different scores are refused."""
    from benchmark.store import merge as merging

    say(merging.merge(sources, into).describe(into))
    say(f"next:  {command('bench', 'report', '--study', into.name, '--results', into.parent)}")
