"""A study's folder → its report, printed or written to files. Between `frames` and `reports`."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import ExitCode, UserError, require_choice

if TYPE_CHECKING:
    from reports.report import Options, Report
    from reports.sheet import Sheet


def build(folder: Path, options: "Options", cells: set[str] | None = None) -> "Report | None":
    """The tables; None, and why, if there is no finished trial."""
    from benchmark import frames, resources
    from reports import published
    from reports.comparisons import MissingPairs
    from reports.report import Report

    trials = frames.trials(folder)
    if cells is not None:
        trials = trials[trials.cell.isin(cells)]
    done = trials[trials.status == "done"]
    if options.evaluate_on is not None:
        done = done[done.evaluate_on == options.evaluate_on]
    if done.empty:
        print(_nothing_done(folder, trials, options.evaluate_on))
        return None
    if options.reading.interval == "bootstrap":
        _require_many_seeds(done)
    try:
        papers = published.read(resources.folder("results/published"), folder.parent / "published")
        cases = partial(frames.cases, folder)
        return Report(trials, options, cases=cases, papers=papers, expected=_expected)
    except MissingPairs as error:
        raise UserError(str(error), ExitCode.STATISTICS) from error
    except published.Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error


def _expected(preset: str, trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """Imported when a trial is compared with its preset: it needs the methods, and they PyTorch."""
    from benchmark import replication

    return replication.expected(preset, trial)


def _nothing_done(folder: Path, trials, evaluate_on: str | None) -> str:
    from reports.aggregate import reasons

    where = f" evaluated on {evaluate_on}" if evaluate_on else ""
    text = f"no finished trial{where} in {folder} yet"
    failed = trials[trials.status == "failed"]
    if len(failed):
        text += f"; {len(failed)} failed: {reasons(failed)}. bench status names them"
    return text


def _require_many_seeds(done) -> None:
    from reports.intervals import MIN_RESAMPLED

    most = int(done.groupby("cell").seed.nunique().max())
    if most < MIN_RESAMPLED:
        raise UserError(
            f"--interval bootstrap needs {MIN_RESAMPLED} seeds, there are {most} at most: with few "
            "it is too narrow. --interval t holds for few",
            ExitCode.STATISTICS,
        )


def wanted(made: "Report", names: list[str]) -> "list[Sheet]":
    for name in names:
        require_choice("--table", name, (*made.TABLES, "all"))
    if "all" in names:
        return made.tables()
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


def printed(sheets: "list[Sheet]", form: str) -> str:
    """One table alone, or several with their titles."""
    from reports.render import FORMS, title

    _, render = FORMS[form]
    if len(sheets) == 1:
        return render(sheets[0])
    return "\n".join(title(sheet, form) + render(sheet) for sheet in sheets)


def write_tables(sheets: "list[Sheet]", forms: list[str], out: Path) -> None:
    """Each table in each format."""
    from benchmark.folders import write_atomically
    from reports.render import FORMS

    out.mkdir(parents=True, exist_ok=True)
    for sheet in sheets:
        for form in forms:
            if form != "html":
                ending, render = FORMS[form]
                write_atomically(out / f"{sheet.name}.{ending}", render(sheet))
                print(f"wrote {out / f'{sheet.name}.{ending}'}")


def write_figures(folder: Path, made: "Report", forms: list[str], out: Path) -> None:
    """All figures, and the page if it is asked for."""
    from benchmark.folders import replacing
    from reports import figures

    (out / "figures").mkdir(exist_ok=True)
    drawn = _drawn(folder, made)
    for figure in drawn:
        for form in ("pdf", "svg", "png"):
            with replacing(out / "figures" / f"{figure.name}.{form}") as file:
                file.write(figures.saved(figure.figure, form))
        print(f"wrote {out / 'figures' / figure.name}.pdf, .svg, .png")
    if "html" in forms:
        write_page(folder, made, out / "report.html", drawn)


def _drawn(folder: Path, made: "Report"):
    from benchmark import frames
    from reports import figures

    rows, reading = made.rows, made.reading
    return figures.draw(
        figures.Inputs(
            rows=rows,
            reading=reading,
            histories=frames.stacked(folder, rows, "history.csv"),
            panels=frames.panels(folder, rows),
        )
    )


def write_page(folder: Path, made: "Report", file: Path, drawn: list | None = None) -> None:
    from benchmark.folders import write_atomically
    from reports import summary

    drawn = _drawn(folder, made) if drawn is None else drawn
    text = summary.page(folder.name, made, made.trials, drawn)
    write_atomically(file, text)
    print(f"wrote {file}")
