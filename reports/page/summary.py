"""What the page says besides tables and figures: the study in sentences, provenance, failures."""

from dataclasses import replace

import pandas as pd

from reports.figures import Named, saved
from reports.page.page import LIMIT, Page, Picture, render
from reports.report import Report
from reports.select import Reading, named, on_own, ordered, with_budgets
from reports.sheet import counted
from reports.tables import footers, optimism

_MARGIN = 20_000  # bytes, for that sentence
_SVG_LIMIT = 300_000  # bytes; a figure of many dots is smaller as a PNG


def page(study: str, report: Report, trials: pd.DataFrame, drawn: list[Named]) -> str:
    """The study as one HTML file; trials: all of them, also those that failed.

    Pictures for which there is no room below the page's limit are named instead.
    """
    bare = Page(
        study=study,
        summary=sentences(report),
        sheets=report.tables(),
        pictures=[],
        provenance=provenance(report.rows),
        failures=failures(trials),
    )
    room = LIMIT - len(render(bare).encode()) - _MARGIN
    pictures, left_out = fitting([_picture(figure) for figure in drawn], room)
    return render(replace(bare, pictures=pictures, summary=bare.summary + left_out))


def fitting(pictures: list[Picture], room: int) -> tuple[list[Picture], list[str]]:
    """Those that fit in so many bytes, the largest left out first, and a sentence if any were."""
    size = {picture.name: picture.size for picture in pictures}
    out: list[str] = []
    while sum(size.values()) > room:
        out.append(max(size, key=size.__getitem__))
        del size[out[-1]]
    if not out:
        return pictures, []
    sentence = (
        f"This page has no room for {', '.join(sorted(out))}: bench report --out DIR writes all "
        "figures as files."
    )
    return [picture for picture in pictures if picture.name in size], [sentence]


def sentences(report: Report) -> list[str]:
    """What was compared, how it was read, and how much choosing would have added."""
    rows, reading = report.rows, report.reading
    variants, budgets = ordered(rows.variant), sorted(rows.budget.unique())
    own = on_own(rows)
    gap = optimism.gaps(own, reading)
    labelled = ", ".join(budget.text for budget in budgets)
    are_shares = all(budget.share is not None for budget in budgets)
    how_much = f"at {labelled} labelled images" if are_shares else f"with {labelled} labelled"
    lines = [
        f"{counted(len(variants), 'method')} on {counted(rows.dataset.nunique(), 'dataset')} "
        f"({', '.join(sorted(rows.dataset.unique()))}) {how_much}, "
        f"{counted(rows.seed.nunique(), 'seed')}: {counted(len(own), 'trial')}.",
        _sentence(footers.selection(reading, rows)),
        _choosing(100 * gap.mean, reading),
    ]
    return [*lines, *map(_sentence, report.oddities)]


def _choosing(points: float, reading: Reading) -> str:
    """What the choice on the evaluation set adds, or has added."""
    if reading.selection == "oracle":
        return (
            f"Choosing epoch and threshold on the evaluation set has added {points:.1f} points of "
            "Dice on average: these scores cannot be reached without the test labels."
        )
    return (
        f"Choosing epoch and threshold on the evaluation set would have added {points:.1f} points "
        "of Dice on average; the tables of this page do not, unless they say so."
    )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def provenance(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Where the scores come from: each value that occurs."""
    names = {
        "code_version": "code version", "preset": "preset", "overrides": "command-line overrides",
        "evaluate_on": "evaluated on", "size": "image size", "data_hash": "data hash",
        "split_hash": "split hash", "device": "device", "host": "host",
    }  # fmt: skip
    lines = []
    for column, name in names.items():
        values = sorted({str(v) for v in rows[column].dropna()} - {""})
        lines.append((name, ", ".join(values) or "–"))
    seconds = float(rows.seconds_total.sum())
    lines.append(("trial time, all together", f"{seconds / 3600:.1f} h"))
    finished = sorted(str(v) for v in rows.finished_at)
    return [*lines, ("finished", f"{finished[0]} to {finished[-1]}")]


def failures(trials: pd.DataFrame) -> list[tuple[str, str]]:
    """Label and reason of each trial that failed."""
    failed = with_budgets(trials[trials.status != "done"])
    failed = failed.sort_values(["dataset", "budget", "variant", "seed"])
    return [
        (f"{named((row.dataset, row.budget, row.variant))}/seed {row.seed}", str(row.error))
        for row in failed.itertuples()
    ]


def _picture(figure: Named) -> Picture:
    content, kind = saved(figure.figure, "svg"), "svg"
    if len(content) > _SVG_LIMIT:
        content, kind = saved(figure.figure, "png"), "png"
    return Picture(figure.name, figure.title, figure.alt, content, kind)
