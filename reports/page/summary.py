"""What the page says besides tables and figures: the study in sentences, provenance, failures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from reports.figures import Named, saved
from reports.page import facets
from reports.page.page import LIMIT, Fact, Failure, Page, render
from reports.page.picture import Picture
from reports.report import Report
from reports.select import Reading, datasets_of, named, on_own, with_budgets
from reports.sheet import counted, in_full, sentence
from reports.tables import footers, optimism

_MARGIN = 20_000  # bytes, for that sentence
_SVG_LIMIT = 300_000  # bytes; a figure of many dots is smaller as a PNG


@dataclass(frozen=True)
class Origins:
    """What the study's folder tells, and the frames of a report do not."""

    commands: Sequence[str] = ()
    """Commands that run the trials that are shown."""
    settings: str = ""
    """The file with the settings of the study's last run."""
    logs: Mapping[str, str] = field(default_factory=dict)
    """Key of a trial that failed → file of what it printed."""


def page(
    study: str,
    report: Report,
    trials: pd.DataFrame,
    drawn: list[Named],
    origins: Origins | None = None,
) -> str:
    """The study as one HTML file; trials: all of them, also those that failed.

    No list in it is cut short. Pictures for which there is no room below the page's limit are
    named instead.
    """
    origins = origins or Origins()
    with in_full():
        whole = report.remade()
        bare = Page(
            study=study,
            summary=sentences(whole),
            sheets=whole.tables(),
            pictures=[],
            provenance=provenance(whole.rows, origins),
            failures=failures(report.named(trials), origins.logs),
            facets=facets.of_rows(whole.rows),
        )
    report.problems = whole.problems
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
    datasets, budgets = datasets_of(rows), sorted(rows.budget.unique())
    own = on_own(rows)
    trials = counted(len(own) or len(rows), "trial")
    labelled = ", ".join(budget.text for budget in budgets)
    are_shares = all(budget.share is not None for budget in budgets)
    how_much = f"at {labelled} labelled images" if are_shares else f"with {labelled} labelled"
    lines = [
        f"{counted(rows.variant.nunique(), 'method')} on {counted(len(datasets), 'dataset')} "
        f"({', '.join(datasets)}) {how_much}, "
        f"{counted(rows.seed.nunique(), 'seed')}: {trials}.",
        sentence(footers.selection(reading, rows)),
        *([] if own.empty else [_choosing(100 * optimism.gaps(own, reading).mean, reading)]),
    ]
    return [*lines, *map(sentence, report.oddities)]


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


def provenance(rows: pd.DataFrame, origins: Origins) -> list[Fact]:
    """Where the scores come from: each value that occurs."""
    names = {
        "preset": "preset", "overrides": "command-line overrides", "evaluate_on": "evaluated on",
        "size": "image size", "code_version": "code version", "device": "device", "host": "host",
        "data_hash": "data hash", "split_hash": "split hash",
    }  # fmt: skip
    facts = [
        Fact("command", origins.commands, is_code=True),
        Fact("settings of the last run", [origins.settings] * bool(origins.settings)),
        *(Fact(name, _values(rows[column])) for column, name in names.items()),
        Fact("packages", _packages(rows)),
    ]
    seconds = float(rows.seconds_total.sum())
    finished = _values(rows.finished_at)
    return [
        *facts,
        Fact("trial time, all together", [_time(seconds)]),
        Fact("finished", [f"{finished[0]} to {finished[-1]}"]),
    ]


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def _values(column: pd.Series) -> list[str]:
    return sorted({str(value) for value in column.dropna()} - {""})


def _packages(rows: pd.DataFrame) -> list[str]:
    """Each with the versions that trials were made with."""
    found: dict[str, set[str]] = {}
    for packages in rows.get("packages", pd.Series(dtype=object)):
        for name, version in packages.items():
            found.setdefault(name, set()).add(version)
    return [f"{name} {' and '.join(sorted(found[name]))}" for name in sorted(found)]


def failures(trials: pd.DataFrame, logs: Mapping[str, str]) -> list[Failure]:
    """Each trial that failed. logs: key → file of what it printed."""
    failed = with_budgets(trials[trials.status != "done"])
    failed = failed.sort_values(["dataset", "budget", "variant", "seed"])
    return [
        Failure(
            f"{named((row.dataset, row.budget, row.variant))}/seed {row.seed}",
            str(row.error),
            logs.get(row.key, ""),
            {"dataset": row.dataset, "labelled": row.budget.text, "method": row.variant},
        )
        for row in failed.itertuples()
    ]


def _picture(figure: Named) -> Picture:
    content, kind = saved(figure.figure, "svg"), "svg"
    if len(content) > _SVG_LIMIT:
        content, kind = saved(figure.figure, "png"), "png"
    return Picture(
        figure.name, figure.title, figure.alt, content, kind, list(figure.told), figure.of
    )
