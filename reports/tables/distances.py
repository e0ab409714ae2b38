"""Surface distances of the final step: HD95 and ASD, in both definitions of the literature."""

import math

import pandas as pd

from reports.select import WHERE, Budget, Configuration, Reading, columns, lines
from reports.sheet import NOTHING, Cell, Head, Mark, Sheet, mean_and_width, of_fewer, ranked
from reports.stats.intervals import Interval, t_interval
from reports.tables.comparisons import contenders

METRICS = (
    ("HD95 joint", "hd95_joint"),
    ("HD95 directed", "hd95_directed"),
    ("ASD joint", "asd_joint"),
    ("ASD directed", "asd_directed"),
)
_FAILURES = "n_one_empty"
_Measured = tuple[Configuration, str]  # and the metric


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """A line a budget and variant; None for trials without distances."""
    names = [name for _, name in METRICS]
    rows = _measured(rows, names)
    if rows.empty:
        return None
    datasets = sorted(rows.dataset.unique())
    groups = dict(list(rows.groupby(WHERE)))
    means = {
        (key, name): t_interval(trials[name].to_numpy(float), reading.ci_level)
        for key, trials in groups.items()
        for name in names
    }
    of_column = _of_column(means)
    full_n = max(interval.n for interval in means.values())
    body = []
    for budget, variant in lines(rows):
        line = [Cell(budget.text, budget.order), Cell(variant)]
        for dataset in datasets:
            key = (dataset, budget, variant)
            if key not in groups:
                line += [NOTHING] * (len(METRICS) + 1)
                continue
            for name in names:
                line.append(_cell(variant, of_column[dataset, budget, name], full_n))
            failures = int(groups[key][_FAILURES].sum())
            line.append(Cell(str(failures), failures))
        body.append(line)
    heads = [Head("labelled"), Head("method")]
    labels = [*(label for label, _ in METRICS), "one mask empty"]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    title = "Surface distances (less is better)"
    return Sheet(
        "distances", title, heads, body, _data(means), _footer(reading),
        marked="mean of each dataset and budget",
    )  # fmt: skip


def _measured(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Those of the trials that have all of these."""
    has_columns = {*names, _FAILURES} <= set(rows.columns)
    return rows.dropna(subset=names) if has_columns else rows.iloc[:0]


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
        "mean over cases, in mm where the dataset's card has a spacing, else in pixels at the "
        f"run's size; final step; mean ± {100 * reading.ci_level:g} % t half-width over seeds",
        "joint: both directions pooled (HD95 of MedPy, ASD of MONAI); directed: each by "
        "itself (HD95 of MONAI: the larger; ASD of MedPy: the mean of both)",
        "one mask empty: masks, over all seeds, that are empty where the truth is not, or the "
        "other way round; each counts as the diagonal of the image, none is left out",
    ]
