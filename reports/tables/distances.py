"""Surface distances of the final step: HD95 and ASD, in the definitions of the literature."""

import math
from itertools import product

import pandas as pd

from reports.select import WHERE, Budget, Configuration, Reading, columns, datasets_of, lines
from reports.sheet import (
    NOTHING,
    Cell,
    Head,
    Mark,
    Sheet,
    counted,
    mean_and_width,
    of_fewer,
    ranked,
)
from reports.stats.intervals import Interval, t_interval
from reports.tables.comparisons import contenders

METRICS = (
    ("HD95 joint", "hd95_joint"),
    ("HD95 directed", "hd95_directed"),
    ("ASD joint", "asd_joint"),
    ("ASD directed", "asd_directed"),
    ("ASD to truth", "asd_to_truth"),
)
UNITS = ("voxels", "mm")
_FAILURES = "n_one_empty"
_Measured = tuple[Configuration, str]  # and the metric


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """A line a budget, unit and variant; None for trials without distances."""
    unknown = _of_unknown_unit(rows)
    metrics = reading.shown([name for _, name in METRICS])
    names = [name for unit in UNITS for name in _columns(metrics, unit) if name in rows]
    rows = rows.dropna(subset=names, how="all") if names else rows.iloc[:0]
    if rows.empty:
        return None
    groups = dict(list(rows.groupby(WHERE)))
    means = {
        (key, name): t_interval(values, reading.ci_level)
        for key, trials in groups.items()
        for name in names
        if len(values := trials[name].dropna().to_numpy(float))
    }
    of_column = _of_column(means)
    full_n = max(interval.n for interval in means.values())
    datasets = datasets_of(rows)
    body = []
    for unit, (budget, variant) in product(UNITS, lines(rows)):
        columns_of = [[(d, budget, name) for name in _columns(metrics, unit)] for d in datasets]
        if not any(variant in of_column.get(one, {}) for own in columns_of for one in own):
            continue
        line = [Cell(budget.text, budget.order), Cell(variant), Cell(unit)]
        for dataset, own in zip(datasets, columns_of, strict=True):
            cells = [_cell(variant, of_column.get(one, {}), full_n) for one in own]
            is_here = any(cell is not NOTHING for cell in cells)
            line += [*cells, _failures(groups[dataset, budget, variant]) if is_here else NOTHING]
        body.append(line)
    body.sort(key=lambda line: line[0].value)
    heads = [Head("labelled"), Head("method"), Head("in")]
    labels = [*(label for label, name in METRICS if name in metrics), "one mask empty"]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    title = "Surface distances (less is better)"
    return Sheet(
        "distances", title, heads, body, _data(means), _notes(reading), unknown,
        words=3, marked="mean of each dataset and budget",
    )  # fmt: skip


def _columns(metrics: list[str], unit: str) -> list[str]:
    return [f"{name}_{unit}" for name in metrics]


def _of_unknown_unit(rows: pd.DataFrame) -> list[str]:
    """Of older trials; mm and voxels are never shown as one."""
    unknown = rows.reindex(columns=[name for _, name in METRICS]).notna().any(axis=1)
    return [
        f"{name}: distances of {counted(n, 'trial')} not shown, as nobody knows whether they are "
        "in voxels or mm: the card of their data was not kept"
        for name, n in rows[unknown].groupby("dataset").size().items()
    ]


def _failures(trials: pd.DataFrame) -> Cell:
    n = int(trials[_FAILURES].sum())
    return Cell(str(n), n)


def _of_column(
    means: dict[_Measured, Interval],
) -> dict[tuple[str, Budget, str], dict[str, Interval]]:
    """Dataset, budget and metric → the means of all variants."""
    found: dict[tuple[str, Budget, str], dict[str, Interval]] = {}
    for ((dataset, budget, variant), name), interval in means.items():
        found.setdefault((dataset, budget, name), {})[variant] = interval
    return found


def _cell(variant: str, column: dict[str, Interval], full_n: int) -> Cell:
    """column: the means of its dataset, budget and metric, of which the smallest is the best."""
    if variant not in column:
        return NOTHING
    interval = column[variant]
    text = mean_and_width(interval.mean / 100, interval.half_width / 100)
    text += of_fewer(interval.n, full_n)
    may_win = contenders({name: found.n for name, found in column.items()})
    means = {name: one.mean if name in may_win else math.nan for name, one in column.items()}
    return Cell(text, interval.mean, ranked(means, lowest=True).get(variant, Mark.NONE))


def _data(means: dict[_Measured, Interval]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                **columns(where), "metric": name, "mean": found.mean,
                "ci_half_width": found.half_width, "n": found.n,
            }
            for (where, name), found in means.items()
        ]
    )  # fmt: skip


def _notes(reading: Reading) -> list[str]:
    return [
        "mean over cases, in voxels (of 2D images: pixels at the run's size) and, where the "
        "spacing of every case is known, in mm; final step; "
        f"mean ± {100 * reading.ci_level:g} % t half-width over seeds",
        "joint: both directions pooled (hd95 of MedPy; assd of MedPy from 0.5; ASD of MONAI 1.5, "
        "symmetric=True); directed: each by itself (HD95 of MONAI: the larger; assd of MedPy up to "
        "0.4: the mean of both); to truth: from the prediction alone (asd of MedPy: what tables of "
        "this literature print as ASD)",
        "one mask empty: masks, over all seeds, that are empty where the truth is not, or the "
        "other way round; each counts as the diagonal of the image. Of several classes those count "
        "that occur in an image: one without any is in no mean",
    ]
