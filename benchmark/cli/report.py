"""The verb report: from a study's records to tables, figures and a page."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark import reporting
from benchmark.cli_studies import RESULTS, ResultsRoot, Verbose
from benchmark.errors import UserError, require_choice

if TYPE_CHECKING:
    from reports.aggregate import Reading
    from reports.report import Options

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
    evaluate_on: Annotated[
        str | None, typer.Option(help="Trials evaluated on test, or on dev [test if there are].")
    ] = None,
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
    names = _names(table, published)
    forms = _forms(form, names, out)
    _require_main_table(names, costs, ci, interval)
    reading = _reading(selection, aggregate, as_published, ci, interval, ci_level)
    options = _options(reading, control, test, costs, evaluate_on)
    made = reporting.build(folder, options)
    if made is None:
        return
    wanted = reporting.wanted(made, names or (["all"] if out else ["table"]))
    if out is not None:
        reporting.write_tables(wanted, forms, out)
        if not names:
            reporting.write_figures(folder, made, forms, out)
        return
    for each in forms:
        if each == "html":
            reporting.write_page(folder, made, folder / "report.html")
        else:
            typer.echo(reporting.printed(wanted, each), nl=False)
    if forms == ["text"] and not names:
        typer.echo(f"\nalso:    --table {','.join(made.TABLES[1:])}; --format html", err=True)


def print_table(folder: Path, cells: set[str]) -> None:
    """The main table of a study, limited to trials of these cells (keys without seed)."""
    from reports.report import Options

    made = reporting.build(folder, Options(), cells)
    if made is not None:
        typer.echo(reporting.printed(reporting.wanted(made, ["table"]), "text"), nl=False)


def _names(table: str | None, published: bool) -> list[str]:
    """The tables that were asked for; none: the usual ones."""
    names = [name.strip() for name in table.split(",")] if table else []
    return names + ["published"] * (published and not {"published", "all"} & set(names))


def _forms(form: str | None, names: list[str], out: Path | None) -> list[str]:
    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"--out takes a folder, {out} is a file")
    forms = [name.strip() for name in form.split(",")] if form else ["text"]
    if out is not None and form is None:
        forms = [name for name in FORMATS if name != "html" or not names]
    for name in forms:
        require_choice("--format", name, FORMATS)
    if "html" in forms and names:
        raise UserError(
            "the page (--format html) has all tables: leave --table and --published out, or take "
            "text, markdown, latex, csv"
        )
    return forms


def _require_main_table(names: list[str], costs: bool, ci: str, interval: str) -> None:
    """Refuse options that would change nothing in the tables that were asked for."""
    given = {
        "--costs": costs,
        f"--ci {ci}": ci != "seeds",
        f"--interval {interval}": interval != "t",
    }
    idle = [option for option, is_given in given.items() if is_given]
    if idle and names and not {"table", "all"} & set(names):
        raise UserError(f"{idle[0]} is of the main table: name it too, with --table table")


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


def _options(
    reading: "Reading", control: str | None, test: str, costs: bool, evaluate_on: str | None
) -> "Options":
    from reports.report import Options
    from reports.significance import TESTS

    require_choice("--test", test, TESTS)
    if evaluate_on is not None:
        require_choice("--evaluate-on", evaluate_on, ("test", "dev"))
    return Options(reading, control, test, costs, evaluate_on)
