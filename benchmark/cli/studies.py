"""Verbs on what is there: status, show, merge, doctor; a part of the command line of `cli`."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.errors import ExitCode, UserError

app = typer.Typer()
DataRoot = Annotated[Path, typer.Option(help="Folder of prepared datasets.")]
ResultsRoot = Annotated[Path, typer.Option("--results", help="Folder of studies.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="More, and tracebacks of errors.")]
DATA, RESULTS = Path("data"), Path("results")


@app.command()
def status(
    study: Annotated[str | None, typer.Option(help="Name of the study [the newest].")] = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """How far a study is, also while it runs: done, failed, running trials of each cell."""
    from benchmark import folders
    from benchmark import status as reading

    name = folders.chosen_study(results_root, study)
    typer.echo(f"study {name} in {results_root / name}\n")
    typer.echo(reading.describe(results_root / name))


@app.command()
def show(
    key: Annotated[str, typer.Argument(help="Key of a trial, or how it begins.")],
    study: Annotated[str | None, typer.Option(help="Where to look [all, newest first].")] = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """One trial: settings, numbers, costs, provenance, error, files."""
    from benchmark import folders, inspection

    newest = folders.chosen_study(results_root, study)
    names = [newest] if study else folders.studies(results_root)
    trial = inspection.find([results_root / name for name in names], key)
    typer.echo(inspection.describe(trial))


@app.command()
def merge(
    sources: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of studies.")],
    into: Annotated[Path, typer.Option(help="Folder of the study that gets their trials.")],
    verbose: Verbose = False,
) -> None:
    """Copy the trials of other machines' studies into one; different numbers are refused."""
    from benchmark import merging

    outcome = merging.merge(sources, into)
    typer.echo(outcome.describe(into))
    typer.echo(f"next:  bench report --study {into.name} --results {into.parent}")


@app.command()
def doctor(
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Check this machine: packages, processors, memory, folders, datasets, Ray."""
    from benchmark import doctor as checks

    broken = []
    for finding in checks.examine(data_root, results_root):
        typer.echo(finding)
        broken += [finding.subject] if finding.level == "broken" else []
    if broken:
        raise UserError(f"not ready to run: {', '.join(broken)}", ExitCode.RESOURCES)
