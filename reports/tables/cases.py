"""The cases that each method finds hardest and easiest."""

from typing import NamedTuple

import pandas as pd

from reports.select import WHERE, Configuration, columns, datasets_of, lines
from reports.sheet import NOTHING, Cell, Head, Sheet, rounded

SHOWN = 3
"""Of the worst, and of the best."""
_COUNTS = ("tp", "fp", "fn")


class Case(NamedTuple):
    """Dice of a case over the seeds."""

    name: str
    mean: float
    low: float
    high: float


class Extremes(NamedTuple):
    """None is among both."""

    worst: list[Case]
    """Ascending."""
    best: list[Case]
    """Descending."""


def extremes(scores: pd.DataFrame) -> dict[Configuration, Extremes]:
    """The cases of lowest and of highest mean Dice over the seeds.

    scores: a line a trial and case, with dataset, budget, variant, case, dc, tp, fp, fn. A case
    that is empty in target and prediction says nothing of a method, and is left out.
    """
    if scores.empty:
        return {}
    if not {"dc", *_COUNTS} <= {*scores.columns}:  # a stranger's, which do not say what is empty
        return {}
    known = scores[(scores[[*_COUNTS]].sum(axis=1) > 0) & scores.dc.notna()]
    spread = known.groupby([*WHERE, "case"]).dc.agg(["mean", "min", "max"]).reset_index()
    found = {}
    for where, group in spread.groupby(WHERE):
        ranked = [
            Case(str(row.case), float(row.mean), float(row.min), float(row.max))
            for row in group.sort_values(["mean", "case"]).rename_axis(None).itertuples(index=False)
        ]
        n_best = min(SHOWN, len(ranked) // 2)
        n_worst = min(SHOWN, len(ranked) - n_best)
        found[where] = Extremes(ranked[:n_worst], ranked[::-1][:n_best])
    return found


def sheet(rows: pd.DataFrame, scores: pd.DataFrame) -> Sheet | None:
    """A line a method on a dataset; None if no trial has the scores of its cases."""
    found = extremes(scores)
    if not found:
        return None
    body, data = [], []
    for budget, variant in lines(rows):
        for dataset in datasets_of(rows):
            where = (dataset, budget, variant)
            if where in found:
                body.append([*_names(where), *_cells(found[where])])
                data += _lines(where, found[where])
    places = [f"{i}" for i in range(1, SHOWN + 1)]
    heads = [Head("labelled"), Head("method"), Head("dataset")]
    heads += [Head(place, group) for group in ("worst cases", "best cases") for place in places]
    return Sheet(
        "cases",
        "Worst and best cases",
        heads,
        body,
        pd.DataFrame(data),
        _footer(),
        words=len(heads),
    )


def _names(where: Configuration) -> list[Cell]:
    dataset, budget, variant = where
    return [Cell(budget.text, budget.order), Cell(variant), Cell(dataset)]


def _cells(found: Extremes) -> list[Cell]:
    cells = []
    for group in found:
        cells += [Cell(f"{case.name}: {rounded(case.mean, 1)}", case.mean) for case in group]
        cells += [NOTHING] * (SHOWN - len(group))
    return cells


def _lines(where: Configuration, found: Extremes) -> list[dict[str, object]]:
    return [
        {
            **columns(where), "kind": kind, "place": place, "case": case.name, "mean": case.mean,
            "min": case.low, "max": case.high,
        }
        for kind, group in found._asdict().items()
        for place, case in enumerate(group, 1)
    ]  # fmt: skip


def _footer() -> list[str]:
    return [
        "Dice of single cases in %, mean over seeds (of several classes the mean over those that "
        "occur); final step, argmax; without cases that are empty in target and prediction, and of "
        "several classes without those in which none occurs",
        "pictures (of the page, and --out): each trial keeps those of its three worst and three "
        "best cases; trials of version 0.1.0 kept the first four of the evaluation set",
    ]
