"""A report's tables, figures, captions and page: to the terminal, or to files."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.options import say
from benchmark.cli.report.asked import Asked
from benchmark.errors import ExitCode, UserError

if TYPE_CHECKING:
    from reports.figures import Named
    from reports.latex import Style
    from reports.report import Report
    from reports.sheet import Sheet


def give(report: "Report", folder: Path, asked: Asked) -> None:
    """What was asked for, printed or written. folder: of the study."""
    if asked.methods_section:
        _give_methods_section(report, asked)
        return
    sheets = wanted(report, asked.tables or (["all"] if asked.out else ["table"]))
    if asked.out is not None:
        _write_all(report, folder, sheets, asked)
        return
    for form in asked.forms:
        _print(report, folder, sheets, form, asked.latex())
    if asked.forms == ["text"] and not asked.tables:
        _name_others()


def wanted(report: "Report", names: list[str]) -> "list[Sheet]":
    """The tables of these names; an error for one that the trials are not enough for."""
    from reports.published.read import Unreadable

    if "all" in names:
        return report.tables()
    try:
        sheets = [report.table(name) for name in names]
    except Unreadable as error:
        raise UserError(str(error), ExitCode.DATA) from error
    if None in sheets:
        name = names[sheets.index(None)]
        raise UserError(f"no table {name}: {report.lacking(name)}", ExitCode.STATISTICS)
    return sheets


def printed(sheets: "list[Sheet]", form: str, style: "Style | None" = None) -> str:
    """One table alone, or several with their titles."""
    from reports.render import rendered, title

    if len(sheets) == 1:
        return rendered(sheets[0], form, style)
    return "\n".join(title(sheet, form) + rendered(sheet, form, style) for sheet in sheets)


def _print(
    report: "Report", folder: Path, sheets: "list[Sheet]", form: str, style: "Style"
) -> None:
    """The tables; of html the page, which goes into the study's folder."""
    from reports.render import GREY_MARK

    if form == "html":
        _write_page(folder, report, folder / "report.html", _drawn(folder, report))
    else:
        text = printed(sheets, form, style)
        say(text, nl=False, dimmed=GREY_MARK if form == "text" else "")


def _name_others() -> None:
    from reports.report import TABLES

    _, *others = TABLES
    say(f"\nalso:    --table {','.join(others)}; --format html", err=True)


def _give_methods_section(report: "Report", asked: Asked) -> None:
    from benchmark.files import write_atomically
    from reports import methods_section

    for form in asked.forms:
        text = methods_section.written(report, form)
        if asked.out is None:
            say(text, nl=False)
            continue
        asked.out.mkdir(parents=True, exist_ok=True)
        file = asked.out / f"methods-section.{methods_section.ENDINGS[form]}"
        write_atomically(file, text)
        say(f"wrote {file}")


def _write_all(report: "Report", folder: Path, sheets: "list[Sheet]", asked: Asked) -> None:
    """Tables in each format; without names of tables also the figures, and a page if asked for."""
    from benchmark.files import write_atomically
    from reports import captions

    asked.out.mkdir(parents=True, exist_ok=True)
    _write_tables(sheets, asked)
    drawn = [] if asked.tables else _drawn(folder, report)
    _write_figures(drawn, asked.out)
    text = captions.written(report, sheets, drawn)
    write_atomically(asked.out / captions.FILE, text)
    say(f"wrote {asked.out / captions.FILE}")
    if "html" in asked.forms:
        _write_page(folder, report, asked.out / "report.html", drawn)


def _write_tables(sheets: "list[Sheet]", asked: Asked) -> None:
    """Each table in each format."""
    from benchmark.files import write_atomically
    from reports.render import ENDINGS, rendered

    for sheet in sheets:
        for form in asked.forms:
            if form != "html":
                file = asked.out / f"{sheet.name}.{ENDINGS[form]}"
                write_atomically(file, rendered(sheet, form, asked.latex()))
                say(f"wrote {file}")


def _drawn(folder: Path, report: "Report") -> "list[Named]":
    from benchmark.store import extremes, tables
    from reports import figures

    return figures.draw(
        figures.Inputs(
            rows=report.rows,
            reading=report.reading,
            histories=tables.stacked(folder, report.rows, "history.csv"),
            panels=tables.panels(folder, report.rows),
            pretrainings=tables.pretraining_panels(folder, report.pretrainings),
            cases=report.case_scores,
            pictures_of=partial(extremes.pictures, folder, report.rows),
        )
    )


def _write_figures(drawn: "list[Named]", out: Path) -> None:
    """Each in each format."""
    from benchmark.files import replacing
    from reports import figures

    if drawn:
        (out / "figures").mkdir(exist_ok=True)
    for figure in drawn:
        for form in figures.FORMS:
            with replacing(out / "figures" / f"{figure.name}.{form}") as file:
                file.write(figures.saved(figure.figure, form))
        endings = ", ".join(f".{form}" for form in figures.FORMS)
        say(f"wrote {out / 'figures' / figure.name}{endings}")


def _write_page(folder: Path, report: "Report", file: Path, drawn: "list[Named]") -> None:
    from benchmark.cli import origins
    from benchmark.files import write_atomically
    from reports.page import summary
    from reports.select import recorded

    own = recorded(report.crossed)  # with the seeds and names that were typed
    own = own[own.dataset.isin(recorded(report.rows).dataset)]
    found = summary.Origins(**origins.of(folder, own, report.trials))
    write_atomically(file, summary.page(folder.name, report, report.trials, drawn, found))
    say(f"wrote {file}")
