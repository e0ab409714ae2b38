"""The verb report: from a study's records to tables, figures and a page."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benchmark.cli.options import RESULTS, ResultsRoot, Verbose, examples, new_app, say
from benchmark.errors import ExitCode, UserError, require_choice, unknown

if TYPE_CHECKING:
    from reports.report import Options, Report
    from reports.select import Reading
    from reports.sheet import Sheet

app = new_app()
FORMATS = ("text", "markdown", "latex", "csv", "html")


@app.command(
    short_help="Tables with intervals, tests, figures, a page.",
    epilog=examples(
        "bench report",
        "bench report --study paper --format latex > table.tex",
        "bench report --table differences --control cps",
        "bench report --out report",
    ),
)
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
            help="table, classes, label-efficiency, differences, optimism, ranks, distances, "
            "rates, cases, pretraining, variance, published, published-distances, or all [table; "
            "all with --out]."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Compare with published results: --table published.")
    ] = False,
    evaluate_on: Annotated[
        str | None, typer.Option(help="Trials evaluated on test, or on dev [test if there are].")
    ] = None,
    selection: Annotated[
        str | None,
        typer.Option(
            help="final (nothing chosen), val (the best epoch on a validation set), or oracle "
            "(chosen on the test set) [final]."
        ),
    ] = None,
    aggregate: Annotated[
        str | None,
        typer.Option(help="pooled over all pixels, mean over each case or patient [pooled]."),
    ] = None,
    as_published: Annotated[
        bool,
        typer.Option(
            "--as-published",
            help="Report as the literature does: oracle, pooled, standard deviation over n.",
        ),
    ] = False,
    of_class: Annotated[
        str | None,
        typer.Option(
            "--class", metavar="NAME", help="One class instead of the mean over the classes."
        ),
    ] = None,
    ci: Annotated[
        str,
        typer.Option(help="What the interval resamples: seeds, cases (--aggregate case), or both."),
    ] = "seeds",
    interval: Annotated[
        str, typer.Option(help="Over seeds: t, logit-t, or bootstrap (BCa; 20 seeds or more).")
    ] = "t",
    ci_level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.90,
    control: Annotated[
        str | None, typer.Option(help="Baseline variant for the differences [supervised].")
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
    """Report a study: tables with confidence intervals, tests, figures, a page."""
    from benchmark.store import layout

    name = layout.chosen_study(results_root, study)
    if study is None:
        say(f"study: {name} (the newest; --study names another)", err=True)
    folder = results_root / name
    names = _names(table, published)
    forms = _forms(form, names, out)
    _require_main_table(names, costs, ci, interval)
    reading = _reading(selection, aggregate, as_published, ci, interval, ci_level)
    reading = replace(reading, of_class=of_class or "")
    made = _made(folder, _options(reading, control, test, costs, evaluate_on))
    if made is None:
        return
    sheets = _wanted(made, names or (["all"] if out else ["table"]))
    if out is None:
        _print(sheets, forms, folder, made)
        if forms == ["text"] and not names:
            _name_others()
    else:
        _write_tables(sheets, forms, out)
        if not names:
            _write_figures(folder, made, forms, out)
    for problem in made.problems:
        say(f"left out: {problem}", err=True)


def print_main(folder: Path, configurations: set[str]) -> None:
    """The main table of a study, limited to trials of these configurations."""
    from reports.report import Options

    made = _made(folder, Options(), configurations)
    if made is not None:
        say(_printed(_wanted(made, ["table"]), "text"), nl=False)


def one_table(
    folder: Path,
    name: str,
    *,
    selection: str | None = None,
    aggregate: str | None = None,
    as_published: bool = False,
    of_class: str | None = None,
    ci: str = "seeds",
    interval: str = "t",
    ci_level: float = 0.90,
    control: str | None = None,
    test: str = "sign-flip",
    costs: bool = False,
    evaluate_on: str | None = None,
) -> "Sheet":
    """A table of a study, for Python: the options of the verb by their names.

    Raises `UserError` (exit code 7) where the trials are not enough for it.
    """
    _require_main_table([name], costs, ci, interval)
    reading = _reading(selection, aggregate, as_published, ci, interval, ci_level)
    reading = replace(reading, of_class=of_class or "")
    made = _made(folder, _options(reading, control, test, costs, evaluate_on))
    if made is None:
        raise UserError(f"no table of {folder}: nothing in it is done", ExitCode.STATISTICS)
    (sheet,) = _wanted(made, [name])
    return sheet


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
        raise UserError(f"{idle[0]} affects only the main table; add --table table")


def _reading(
    selection: str | None,
    aggregate: str | None,
    as_published: bool,
    ci: str,
    interval: str,
    ci_level: float,
) -> "Reading":
    from reports.select import SELECTIONS, Reading
    from reports.stats.intervals import INTERVALS

    if as_published and (selection or aggregate):
        raise UserError(
            "--as-published means oracle and pooled: leave --selection and --aggregate out"
        )
    selection = selection or ("oracle" if as_published else "final")
    aggregate = aggregate or "pooled"
    require_choice("--selection", selection, SELECTIONS)
    require_choice("--aggregate", aggregate, ("pooled", "case", "patient"))
    require_choice("--ci", ci, ("seeds", "cases", "both"))
    require_choice("--interval", interval, INTERVALS)
    if interval != "t" and (as_published or ci != "seeds"):
        raise UserError(
            f"--interval {interval} applies to seeds only; not with --ci or --as-published"
        )
    if not 0 < ci_level < 1:
        raise UserError(f"--ci-level must lie between 0 and 1, such as 0.90; got {ci_level}")
    if ci != "seeds" and (aggregate, selection) != ("case", "final"):
        raise UserError(
            f"--ci {ci} needs the scores of each case at the final step: give --aggregate case, "
            f"and no --selection {selection}"
        )
    return Reading(selection, aggregate, ci_level, ci, interval, ddof=0 if as_published else 1)


def _options(
    reading: "Reading", control: str | None, test: str, costs: bool, evaluate_on: str | None
) -> "Options":
    from benchmark.study.settings import CHOICES
    from reports.report import Options
    from reports.stats.significance import TESTS

    require_choice("--test", test, TESTS)
    if evaluate_on is not None:
        require_choice("--evaluate-on", evaluate_on, CHOICES["conditions.evaluate_on"])
    return Options(reading, control, test, costs, evaluate_on)


def _made(
    folder: Path, options: "Options", configurations: set[str] | None = None
) -> "Report | None":
    """The report; None, and why, if there is no finished trial."""
    from benchmark.cli import footnotes
    from benchmark.store import datasets, record, tables, test_sets
    from reports.published.read import read
    from reports.report import Report, Sources
    from reports.tables import footers
    from reports.tables.comparisons import MissingPairs

    there = record.survey(folder)
    trials = tables.trials(datasets.with_units(folder, there.records))
    damaged: list[str] = []
    if options.reading.ci == "seeds":  # cases of further test sets are not crossed with seeds
        trials, damaged = test_sets.with_test_sets(folder, trials)
    if configurations is not None:
        trials = trials[trials.configuration.isin(configurations)]
    trials = _without_folds(folder, trials)
    options = _with_control(options, trials)
    done = trials[trials.status == "done"]
    if options.evaluate_on is not None:
        done = done[done.evaluate_on == options.evaluate_on]
    if done.empty:
        say(_nothing_done(folder, trials, options.evaluate_on))
        for note in there.notes:
            say(note, err=True)
        return None
    _require_reading(done, options.reading)
    if options.reading.interval == "bootstrap":
        _require_many_seeds(done)
    try:
        return Report(
            trials,
            options,
            Sources(
                cases=partial(tables.cases, folder),
                case_scores=partial(tables.stacked, folder, name="cases.csv"),
                pretrainings=partial(tables.pretrainings, folder),
                notes=lambda rows: [
                    *footnotes.of(folder, rows, there.records),
                    *footers.older(rows, _code_of),
                    *there.notes,
                    *damaged,
                ],
                papers=partial(read, *_published_in(folder.parent)),
                expected=_expected,
            ),
        )
    except MissingPairs as error:
        raise UserError(str(error), ExitCode.STATISTICS) from error


def _with_control(options: "Options", trials) -> "Options":
    """The control as these trials are called: cps[weight=0.50] is cps[weight=0.5]."""
    from benchmark.study.syntax import same_variant

    if options.control is None:
        return options
    return replace(options, control=same_variant(options.control, sorted(set(trials.variant))))


def published_listing(results_root: Path, verbose: bool) -> list[str]:
    """The published results that there are, for `bench list`: this module alone knows reports."""
    from reports.published.listing import listing
    from reports.published.read import Unreadable, read

    try:
        return listing(read(*_published_in(results_root)), verbose)
    except Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error


def published_methods(results_root: Path) -> dict[str, list[str]]:
    """Method → the published tables that have rows of it, for `bench list`."""
    from reports.published.listing import by_method
    from reports.published.read import Unreadable, read

    try:
        return by_method(read(*_published_in(results_root)))
    except Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error


def _published_in(results_root: Path) -> tuple[Path, Path]:
    """The tool's published results, and the user's own."""
    from benchmark import files

    return files.packaged("results/published"), results_root / "published"


def _code_of(method: str) -> str:
    from benchmark.study import sources

    return sources.code_of(method).method


def _expected(preset: str, trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """Imported when a trial is compared with its preset: it needs the methods, and they PyTorch."""
    from benchmark.study.plan import expected_settings

    return expected_settings(preset, trial)


def _without_folds(folder: Path, trials):
    """A fold is a handful of labelled images, and several of them share a seed: no table's row."""
    from benchmark.store.tuning import FILE

    is_fold = trials.evaluate_on.str.startswith("fold ")
    if n := int(is_fold.sum()):
        say(
            f"{n} trials on folds of labelled images not shown: {folder / FILE} has what they came "
            "to, and the same bench tune prints it",
            err=True,
        )
    return trials[~is_fold]


def _nothing_done(folder: Path, trials, evaluate_on: str | None) -> str:
    from reports.select import reasons

    where = f" evaluated on {evaluate_on}" if evaluate_on else ""
    text = f"no finished trial{where} in {folder} yet"
    failed = trials[trials.status == "failed"]
    if len(failed):
        text += f"; {len(failed)} failed: {reasons(failed)}. bench status names them"
    return text


def _require_reading(done, reading: "Reading") -> None:
    from reports.select import with_reading

    if reading.of_class:
        _require_class(done, reading)
    if with_reading(done, reading).rows.empty:
        what = f"--selection {reading.selection} --aggregate {reading.aggregate}"
        raise UserError(
            f"{what}: none of these trials has that. val needs data with a validation set (a "
            "folder val/, or val_ids in the card); patient needs to know whose each case is (the "
            "card's group)",
            ExitCode.STATISTICS,
        )


def _require_class(done, reading: "Reading") -> None:
    from reports.select import classes_of

    known = {name for names in classes_of(done).values() for name in names}
    if reading.of_class not in known:
        raise unknown("class of several", reading.of_class, known, "--table classes shows them")
    if reading.ci != "seeds":
        raise UserError("--class has intervals over seeds alone: leave --ci out")


def _require_many_seeds(done) -> None:
    from reports.stats.intervals import MIN_RESAMPLED

    most = int(done.groupby("configuration").seed.nunique().max())
    if most < MIN_RESAMPLED:
        raise UserError(
            f"--interval bootstrap needs {MIN_RESAMPLED} seeds, there are {most} at most: with few "
            "it is too narrow. --interval t holds for few",
            ExitCode.STATISTICS,
        )


def _wanted(made: "Report", names: list[str]) -> "list[Sheet]":
    from reports.published.read import Unreadable
    from reports.report import TABLES

    for name in names:
        require_choice("--table", name, (*TABLES, "all"))
    if "all" in names:
        return made.tables()
    try:
        sheets = [made.table(name) for name in names]
    except Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error
    if None in sheets:
        name = names[sheets.index(None)]
        raise UserError(f"no table {name}: {made.lacking(name)}", ExitCode.STATISTICS)
    return sheets


def _name_others() -> None:
    from reports.report import TABLES

    _, *others = TABLES
    say(f"\nalso:    --table {','.join(others)}; --format html", err=True)


def _print(sheets: "list[Sheet]", forms: list[str], folder: Path, made: "Report") -> None:
    """The tables in each format; of html the page, which goes into the study's folder."""
    from reports.render import GREY_MARK

    for form in forms:
        if form == "html":
            _write_page(folder, made, folder / "report.html", _drawn(folder, made))
        else:
            say(_printed(sheets, form), nl=False, dimmed=GREY_MARK if form == "text" else "")


def _printed(sheets: "list[Sheet]", form: str) -> str:
    """One table alone, or several with their titles."""
    from reports.render import FORMS, title

    _, render = FORMS[form]
    if len(sheets) == 1:
        return render(sheets[0])
    return "\n".join(title(sheet, form) + render(sheet) for sheet in sheets)


def _write_tables(sheets: "list[Sheet]", forms: list[str], out: Path) -> None:
    """Each table in each format."""
    from benchmark.files import write_atomically
    from reports.render import FORMS

    out.mkdir(parents=True, exist_ok=True)
    for sheet in sheets:
        for form in forms:
            if form != "html":
                ending, render = FORMS[form]
                write_atomically(out / f"{sheet.name}.{ending}", render(sheet))
                say(f"wrote {out / f'{sheet.name}.{ending}'}")


def _write_figures(folder: Path, made: "Report", forms: list[str], out: Path) -> None:
    """All figures, and the page if it is asked for."""
    from benchmark.files import replacing
    from reports import figures

    (out / "figures").mkdir(exist_ok=True)
    drawn = _drawn(folder, made)
    for figure in drawn:
        for form in figures.FORMS:
            with replacing(out / "figures" / f"{figure.name}.{form}") as file:
                file.write(figures.saved(figure.figure, form))
        endings = ", ".join(f".{form}" for form in figures.FORMS)
        say(f"wrote {out / 'figures' / figure.name}{endings}")
    if "html" in forms:
        _write_page(folder, made, out / "report.html", drawn)


def _drawn(folder: Path, made: "Report") -> list:
    from benchmark.store import extremes, tables
    from reports import figures

    return figures.draw(
        figures.Inputs(
            rows=made.rows,
            reading=made.reading,
            histories=tables.stacked(folder, made.rows, "history.csv"),
            panels=tables.panels(folder, made.rows),
            pretrainings=tables.pretraining_panels(folder, made.pretrainings),
            cases=made.case_scores,
            pictures_of=partial(extremes.pictures, folder, made.rows),
        )
    )


def _write_page(folder: Path, made: "Report", file: Path, drawn: list) -> None:
    from benchmark.cli import origins
    from benchmark.files import write_atomically
    from reports.page import summary

    found = summary.Origins(**origins.of(folder, made.rows, made.trials))
    write_atomically(file, summary.page(folder.name, made, made.trials, drawn, found))
    say(f"wrote {file}")
