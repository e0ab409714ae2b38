"""The verbs on studies that are there: status, show, verify, merge."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import DATA, RESULTS, DataRoot, ResultsRoot, Verbose, new_app, say
from benchmark.wording import command

app = new_app()


@app.command(short_help="How far a study is, also while it runs.")
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


@app.command(short_help="One trial or pretraining: settings, scores, files.")
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


@app.command(short_help="Run drawn trials again and compare every number.")
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
    from benchmark.store import layout

    folder = Path(study)
    if not layout.is_study(folder):
        folder = results_root / layout.chosen_study(results_root, study)
    log = say if verbose else None
    verifying.verify(folder, data_root, sample=sample, key=trial, say=say, log=log)


@app.command(short_help="Copy the trials of several studies into one.")
def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of studies.")],
    into: Annotated[Path, typer.Option(help="Folder of the study that gets their trials.")],
    verbose: Verbose = False,
) -> None:
    """Copy the trials of other machines' studies into one; different scores are refused."""
    from benchmark.store import merge as merging

    say(merging.merge(sources, into).describe(into))
    say(f"next:  {command('bench', 'report', '--study', into.name, '--results', into.parent)}")
