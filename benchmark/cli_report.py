"""The verb report: from a study's records to tables, figures and a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli_studies import RESULTS, ResultsRoot, Verbose
from benchmark.errors import ExitCode, UserError, require_choice

if TYPE_CHECKING:
    from reports.aggregate import Reading
    from reports.report import Options, Report
    from reports.sheet import Sheet

app = typer.Typer()
FORMATS = ("text", "markdown", "latex", "csv", "html")


@app.command()
def report(
    study: Annotated[str | None, typer.Option(help="Study to report [the newest].")] = None,
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="text, markdown, latex, csv, html (a page); several with commas [text; all "
            "with --out].",
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(
            help="table, differences, optimism, label-efficiency, ranks, distances, published, "
            "or all [table; all with --out]."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Beside published figures: --table published.")
    ] = False,
    selection: Annotated[
        str | None,
        typer.Option(help="final (nothing chosen), or oracle (chosen on the test set) [final]."),
    ] = None,
    aggregate: Annotated[
        str | None, typer.Option(help="pooled over pixels, or mean over each case [pooled].")
    ] = None,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published", help="As this literature reads: oracle, pooled, deviation over n."
        ),
    ] = False,
    ci: Annotated[
        str, typer.Option(help="What is drawn anew: seeds, cases (--aggregate case), or both.")
    ] = "seeds",
    interval: Annotated[
        str, typer.Option(help="Over seeds: t, logit-t, or bootstrap (BCa; 20 seeds or more).")
    ] = "t",
    ci_level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.90,
    control: Annotated[
        str | None, typer.Option(help="Variant that differences are from [supervised].")
    ] = None,
    test: Annotated[str, typer.Option(help="Paired test: sign-flip, t, or wilcoxon.")] = (
        "sign-flip"
    ),
    costs: Annotated[
        bool, typer.Option("--costs", help="Also parameters, operations, seconds, memory.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write tables and figures there instead of printing.")
    ] = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """What a study says: tables with intervals over seeds, differences, figures, a page."""
    from benchmark import folders

    name = folders.chosen_study(results_root, study)
    if study is None:
        typer.echo(f"study: {name} (the newest; --study names another)", err=True)
    folder = results_root / name
    forms = _forms(form, FORMATS if out else ("text",))
    reading = _reading(selection, aggregate, as_published, ci, interval, ci_level)
    options = _options(reading, control, test, costs)
    made = _build(folder, options)
    if made is None:
        typer.echo(f"no finished trial in {folder} yet")
        return
    wanted = _wanted(made, "published" if published and table is None else table, bool(out))
    if out is not None:
        _write(wanted, forms, out)
        if table is None:
            _write_figures(folder, made, forms, out)
        return
    for each in forms:
        if each == "html":
            _write_page(folder, made, folder / "report.html")
        else:
            typer.echo(_printed(wanted, each), nl=False)
    if forms == ["text"] and table is None:
        typer.echo(f"\nalso:    --table {','.join(made.TABLES[1:])}; --format html", err=True)


def print_table(folder: Path, cells: set[str]) -> None:
    """The main table of a study, limited to trials of these cells (keys without seed)."""
    from reports.report import Options

    made = _build(folder, Options(), cells)
    if made is None:
        typer.echo(f"no finished trial in {folder} yet")
    else:
        typer.echo(_printed(_wanted(made, "table", False), "text"), nl=False)


def _forms(form: str | None, otherwise: tuple[str, ...]) -> list[str]:
    forms = [name.strip() for name in form.split(",")] if form else list(otherwise)
    for name in forms:
        require_choice("--format", name, FORMATS)
    return forms


def _reading(
    selection: str | None,
    aggregate: str | None,
    as_published: bool,
    ci: str,
    interval: str,
    ci_level: float,
) -> "Reading":
    from reports.aggregate import Reading
    from reports.intervals import INTERVALS

    if as_published and (selection or aggregate):
        raise UserError(
            "--as-published means oracle and pooled: leave --selection and --aggregate out"
        )
    selection = selection or ("oracle" if as_published else "final")
    aggregate = aggregate or "pooled"
    require_choice("--selection", selection, ("final", "oracle"))
    require_choice("--aggregate", aggregate, ("pooled", "case"))
    require_choice("--ci", ci, ("seeds", "cases", "both"))
    require_choice("--interval", interval, INTERVALS)
    if interval != "t" and (as_published or ci != "seeds"):
        raise UserError(f"--interval {interval} is over seeds, and not what is published")
    if not 0 < ci_level < 1:
        raise UserError(f"--ci-level lies between 0 and 1, such as 0.90; got {ci_level}")
    if ci != "seeds" and (aggregate, selection) != ("case", "final"):
        raise UserError(
            f"--ci {ci} needs the figures of each case at the final step: give --aggregate case, "
            "and no --selection oracle"
        )
    return Reading(selection, aggregate, ci_level, ci, interval, ddof=0 if as_published else 1)


def _options(reading: "Reading", control: str | None, test: str, costs: bool) -> "Options":
    from reports.report import Options
    from reports.significance import TESTS

    require_choice("--test", test, TESTS)
    return Options(reading, control, test, costs)


def _build(folder: Path, options: "Options", cells: set[str] | None = None) -> "Report | None":
    """The tables; None if there is no finished trial."""
    from benchmark import frames, resources
    from reports import published
    from reports.comparisons import MissingPairs
    from reports.report import Report

    trials = frames.trials(folder)
    if cells is not None:
        trials = trials[trials.cell.isin(cells)]
    done = trials[trials.status == "done"]
    if done.empty:
        return None
    if options.reading.interval == "bootstrap":
        _require_many_seeds(done)
    cases = None
    if options.reading.ci != "seeds":
        cases = frames.stacked(folder, done, "cases.csv")
    try:
        shelves = {resources.folder("results/published"), folder.parent / "published"}
        unique = sorted({shelf.resolve() for shelf in shelves})
        papers = [paper for shelf in unique for paper in published.read(shelf)]
        return Report(trials, options, cases=cases, papers=papers)
    except MissingPairs as error:
        raise UserError(str(error), ExitCode.STATISTICS) from error
    except published.Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error


def _require_many_seeds(done) -> None:
    from reports.intervals import MIN_RESAMPLED

    most = int(done.groupby("cell").seed.nunique().max())
    if most < MIN_RESAMPLED:
        raise UserError(
            f"--interval bootstrap needs {MIN_RESAMPLED} seeds, there are {most} at most: with few "
            "it is too narrow. --interval t holds for few",
            ExitCode.STATISTICS,
        )


def _wanted(made: "Report", table: str | None, is_all: bool) -> "list[Sheet]":
    names = [name.strip() for name in table.split(",")] if table else ["table"]
    if (table is None and is_all) or names == ["all"]:
        return made.tables()
    for name in names:
        require_choice("--table", name, (*made.TABLES, "all"))
    sheets = [made.table(name) for name in names]
    if None in sheets:
        name = names[sheets.index(None)]
        raise UserError(f"no table {name}: {_NEEDS[name]}", ExitCode.STATISTICS)
    return sheets


_NEEDS = {
    "differences": "it needs supervised, or another variant that --control names, and a second one",
    "label-efficiency": "it needs a method at two or more labelled shares below 100 %",
    "ranks": "it needs three or more methods on two or more datasets at one labelled share",
    "distances": "the trials have no surface distances",
    "published": "no cell of this study is printed in results/published (by dataset, labelled "
    "share and plain method)",
}


def _printed(sheets: "list[Sheet]", form: str) -> str:
    """One table alone, or several with their titles."""
    from reports.render import FORMS, title

    _, render = FORMS[form]
    if len(sheets) == 1:
        return render(sheets[0])
    return "\n".join(title(sheet, form) + render(sheet) for sheet in sheets)


def _write(sheets: "list[Sheet]", forms: list[str], out: Path) -> None:
    """Each table in each format."""
    from benchmark.folders import write_atomically
    from reports.render import FORMS

    out.mkdir(parents=True, exist_ok=True)
    for sheet in sheets:
        for form in forms:
            if form != "html":
                ending, render = FORMS[form]
                write_atomically(out / f"{sheet.name}.{ending}", render(sheet))
                typer.echo(f"wrote {out / f'{sheet.name}.{ending}'}")


def _write_figures(folder: Path, made: "Report", forms: list[str], out: Path) -> None:
    """All figures, and the page if it is asked for."""
    from benchmark.folders import replacing
    from reports import figures

    (out / "figures").mkdir(exist_ok=True)
    drawn = _drawn(folder, made)
    for figure in drawn:
        for form in ("pdf", "svg", "png"):
            with replacing(out / "figures" / f"{figure.name}.{form}") as file:
                file.write(figures.saved(figure.figure, form))
        typer.echo(f"wrote {out / 'figures' / figure.name}.pdf, .svg, .png")
    if "html" in forms:
        _write_page(folder, made, out / "report.html", drawn)


def _drawn(folder: Path, made: "Report"):
    from benchmark import frames
    from reports import figures, further

    rows, reading = made.rows, made.reading
    return figures.draw(
        figures.Inputs(
            rows=rows,
            reading=reading,
            histories=frames.stacked(folder, rows, "history.csv"),
            panels=frames.panels(folder, rows),
            ranks={
                ratio: (
                    dict(zip(names, ranking.ranks, strict=True)),
                    ranking.critical_difference,
                    datasets,
                )
                for ratio, (names, ranking, datasets) in further.rankings(rows, reading).items()
            },
        )
    )


def _write_page(folder: Path, made: "Report", file: Path, drawn: list | None = None) -> None:
    from benchmark import frames
    from benchmark.folders import write_atomically
    from reports import summary

    drawn = _drawn(folder, made) if drawn is None else drawn
    text = summary.page(folder.name, made, frames.trials(folder), drawn)
    write_atomically(file, text)
    typer.echo(f"wrote {file}")
