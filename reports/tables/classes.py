"""Dice of each class, beside the mean over classes that the other tables show."""

import math
from dataclasses import replace

import pandas as pd

from reports.select import (
    Configuration,
    Reading,
    classes_of,
    columns,
    datasets_of,
    floors,
    intervals,
    lines,
    of_class,
)
from reports.sheet import NOTHING, Cell, Head, Mark, Sheet, mean_and_width, of_fewer, ranked
from reports.stats.intervals import Interval

_MEAN = ""  # in the place of a class


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Dice of every class of the datasets that have several; None without such a dataset."""
    named = classes_of(rows)
    rows = rows[rows.dataset.isin(named)]
    reading = replace(reading, ci="seeds", interval="t")
    groups = [(dataset, name) for dataset in datasets_of(rows) for name in [*named[dataset], _MEAN]]
    is_kept = any(column.endswith(f"{reading.aggregate}_class_1") for column in rows)
    if rows.empty or not is_kept:
        return None
    by_group = {group: _of(rows, group) for group in groups}
    values = {group: intervals(own, reading, "dc") for group, own in by_group.items()}
    marks = _marks(values)
    full_n = max(interval.n for found in values.values() for interval in found.values())
    body = [_floor_line(by_group, reading)]
    data = []
    for budget, variant in lines(rows):
        line = [Cell(budget.text, budget.order), Cell(variant)]
        for group in groups:
            key = (group[0], budget, variant)
            if (found := values[group].get(key)) is None:
                line.append(NOTHING)
                continue
            line.append(_cell(found, full_n, marks.get((group, key), Mark.NONE)))
            data.append(
                {
                    **columns(key), "class": group[1] or "mean", "n": found.n, "dc": found.mean,
                    "dc_ci_half_width": found.half_width,
                }
            )  # fmt: skip
        body.append(line)
    heads = [
        Head("labelled"),
        Head("method"),
        *(Head(name or "mean", dataset) for dataset, name in groups),
    ]
    level = f"{100 * reading.ci_level:g} %"
    notes = [
        f"Dice in %, mean ± {level} t half-width over seeds, n = {full_n} unless given in "
        f"brackets; of a class {_OVER[reading.aggregate]}",
        "no test stands behind the marks of this table: bench report --class NAME compares one "
        "class",
    ]
    return Sheet(
        "classes", "Dice of each class", heads, body, pd.DataFrame(data), notes,
        marked="mean of each class, dataset and budget",
    )  # fmt: skip


_OVER = {
    "pooled": "over the pixels of all cases together",
    "case": "over the cases in which it occurs",
}
_Group = tuple[str, str]  # dataset, class


def _of(rows: pd.DataFrame, group: _Group) -> pd.DataFrame:
    dataset, name = group
    trials = rows[rows.dataset == dataset]
    return of_class(trials, name)


def _marks(
    values: dict[_Group, dict[Configuration, Interval]],
) -> dict[tuple[_Group, Configuration], Mark]:
    """Among the methods of a class, dataset and budget."""
    found = {}
    for group, own in values.items():
        for budget in {key[1] for key in own}:
            means = {key: interval.mean for key, interval in own.items() if key[1] == budget}
            found |= {(group, key): mark for key, mark in ranked(means).items()}
    return found


def _cell(found: Interval, full_n: int, mark: Mark) -> Cell:
    if math.isnan(found.mean):
        return NOTHING
    text = mean_and_width(found.mean, found.half_width) + of_fewer(found.n, full_n)
    return Cell(text, found.mean, mark)


def _floor_line(by_group: dict[_Group, pd.DataFrame], reading: Reading) -> list[Cell]:
    """Of each class by itself: it everywhere."""
    line = [Cell("", 0.0), Cell("floor")]
    for (dataset, _), rows in by_group.items():
        floor = floors(rows, reading.aggregate)[dataset].values["dc"]
        line.append(Cell(mean_and_width(floor, math.nan), floor))
    return line
