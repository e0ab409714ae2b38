"""What a table or a figure shows, in a caption that can stand in a paper."""

from typing import TYPE_CHECKING

from reports.sheet import Sheet, key_lines, sentence
from reports.wording import of_trials

if TYPE_CHECKING:
    from reports.figures import Named
    from reports.report import Report

FILE = "captions.md"
_HOW = ("Bold: best, underlined: second best", "Grey:")


def written(report: "Report", sheets: list[Sheet], drawn: "list[Named]") -> str:
    """The file: a caption a table and figure."""
    parts = [f"# Captions of {report.trials.study.iloc[0]}"]
    parts += [f"## {sheet.name}\n\n{of_sheet(sheet)}" for sheet in sheets]
    parts += [f"## figures/{figure.name}\n\n{of_figure(figure, report)}" for figure in drawn]
    return "\n\n".join(parts) + "\n"


def of_sheet(sheet: Sheet) -> str:
    """Its caption, and its notes as sentences."""
    lines = [sheet.caption or sheet.title, *key_lines(sheet, *_HOW)]
    return " ".join(map(sentence, lines))


def of_figure(figure: "Named", report: "Report") -> str:
    """Its title, and of which trials it was drawn."""
    rows = report.rows
    if "dataset" in figure.of:
        rows = rows[rows.dataset == figure.of["dataset"]]
    if "labelled" in figure.of:
        rows = rows[[budget.text == figure.of["labelled"] for budget in rows.budget]]
    lines = [figure.title, f"drawn {of_trials(rows)}"]
    if figure.has_intervals:
        lines.append(f"intervals: {100 * report.reading.ci_level:g} % over seeds")
    return " ".join(map(sentence, lines))
