"""Surface distances of the final step: HD95 and ASD, in both definitions of the literature."""

import math

import pandas as pd

from reports.select import WHERE, Budget, Configuration, Reading, columns, lines
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
)
UNITS = ("voxels", "mm")
_FAILURES = "n_one_empty"
_Measured = tuple[Configuration, str]  # and the metric


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """A line a budget and variant; None for trials without distances."""
    unknown = _of_unknown_unit(rows)
    names = [name for unit in UNITS for name in _columns(unit) if name in rows]
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
    measured = {dataset: _units(trials) for dataset, trials in rows.groupby("dataset")}
    body = []
    for budget, variant in lines(rows):
        line = [Cell(budget.text, budget.order), Cell(variant)]
        for dataset, units in measured.items():
            for name in (name for unit in units for name in _columns(unit)):
                line.append(_cell(variant, of_column.get((dataset, budget, name), {}), full_n))
            line.append(_failures(groups.get((dataset, budget, variant))))
        body.append(line)
    heads = [Head("labelled"), Head("method")]
    for dataset, units in measured.items():
        heads += [Head(label, f"{dataset} ({unit})") for unit in units for label, _ in METRICS]
        heads.append(Head("one mask empty", dataset))
    title = "Surface distances (less is better)"
    return Sheet(
        "distances", title, heads, body, _data(means), [*_footer(reading), *unknown],
        marked="mean of each dataset and budget",
    )  # fmt: skip


def _columns(unit: str) -> list[str]:
    return [f"{name}_{unit}" for _, name in METRICS]


def _units(trials: pd.DataFrame) -> list[str]:
    """Those in which any of the trials was measured."""
    return [unit for unit in UNITS if trials.reindex(columns=_columns(unit)).notna().any(axis=None)]


def _of_unknown_unit(rows: pd.DataFrame) -> list[str]:
    """Of older trials; mm and voxels are never shown as one."""
    unknown = rows.reindex(columns=[name for _, name in METRICS]).notna().any(axis=1)
    return [
        f"{name}: distances of {counted(n, 'trial')} not shown, as nobody knows whether they are "
        "in voxels or mm: the card of their data was not kept"
        for name, n in rows[unknown].groupby("dataset").size().items()
    ]


def _failures(trials: pd.DataFrame | None) -> Cell:
    if trials is None:
        return NOTHING
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


def _footer(reading: Reading) -> list[str]:
    return [
        "mean over cases, in voxels (of 2D images: pixels at the run's size) and, where the "
        "spacing of every case is known, in mm; final step; "
        f"mean ± {100 * reading.ci_level:g} % t half-width over seeds",
        "joint: both directions pooled (HD95 of MedPy, ASD of MONAI); directed: each by "
        "itself (HD95 of MONAI: the larger; ASD of MedPy: the mean of both)",
        "one mask empty: masks, over all seeds, that are empty where the truth is not, or the "
        "other way round; each counts as the diagonal of the image, none is left out",
    ]
