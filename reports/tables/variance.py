"""What makes runs differ, a line a configuration: the labelled subset, the weights, the rest."""

import math
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from reports.comparable import without_repeats
from reports.select import WHERE, Configuration, Reading, columns, in_order, subset_seeds
from reports.sheet import Cell, Head, Sheet, rounded
from reports.stats.variance import components

_SOURCES = ("subset", "weights", "rest")


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Of configurations with two or more subsets times two or more seeds of weights; else None."""
    rows = without_repeats(rows).rows
    rows = rows.assign(subset=subset_seeds(rows))
    matrices: dict[Configuration, ndarray] = {}
    for key, trials in rows.groupby(WHERE):
        values = trials.pivot(index="subset", columns="seed", values=reading.column("dc"))
        complete = _complete(values)
        if complete is not None:
            matrices[key] = complete
    if not matrices:
        return None
    keys = sorted(matrices, key=in_order(rows))
    data = [_record(key, matrices[key]) for key in keys]
    body = [_line(key, record) for key, record in zip(keys, data, strict=True)]
    heads = [
        Head("labelled"), Head("method"), Head("dataset"), Head("subsets × weights"),
        *(Head(name, "sd") for name in (*_SOURCES, "a run")),
        *(Head(name, "share") for name in _SOURCES),
    ]  # fmt: skip
    notes = [
        "sd: standard deviation of Dice, in points; two-way random effects, one run for each "
        "subset and seed of weights; rest: what both do together, and the noise of a run; of few "
        "seeds these are rough",
    ]
    title = "What makes runs differ: labelled subset against weights"
    return Sheet("variance", title, heads, body, pd.DataFrame(data), notes, words=3)


def _record(key: Configuration, values: Float[ndarray, "i j"]) -> dict[str, Any]:
    """A line of the CSV: standard deviations and shares of the variance."""
    found = components(values)
    record: dict[str, Any] = {
        **columns(key), "subsets": len(values), "weights": len(values.T), "mean": values.mean(),
    }  # fmt: skip
    for name, variance in (*zip(_SOURCES, found, strict=True), ("run", found.total)):
        record[f"sd_{name}"] = math.sqrt(variance)
    return record | {f"share_{n}": v for n, v in zip(_SOURCES, found.shares, strict=True)}


def _line(key: Configuration, record: dict[str, Any]) -> list[Cell]:
    dataset, budget, variant = key
    deviations = [record[f"sd_{name}"] for name in (*_SOURCES, "run")]
    runs = f"{record['subsets']} × {record['weights']}"
    return [
        Cell(budget.text, budget.order), Cell(variant), Cell(dataset),
        Cell(runs, record["subsets"]), *(Cell(rounded(sd, 2), sd) for sd in deviations),
        *(_percent(record[f"share_{name}"]) for name in _SOURCES),
    ]  # fmt: skip


def _complete(values: pd.DataFrame) -> Float[ndarray, "i j"] | None:
    """The runs of all subsets with all seeds; of an unfinished grid of those that have all."""
    while values.isna().any(axis=None):
        lacking = values.isna()
        row, column = lacking.sum(axis=1), lacking.sum(axis=0)
        if row.max() / values.shape[1] >= column.max() / values.shape[0]:
            values = values.drop(index=row.idxmax())
        else:
            values = values.drop(columns=column.idxmax())
        if min(values.shape) == 0:
            return None
    return values.to_numpy(float) if min(values.shape) >= 2 else None


def _percent(share: float) -> Cell:
    return Cell("–" if np.isnan(share) else f"{100 * share:.0f} %", share)
