"""Surface distances of the final step: HD95 and ASD, in both readings that the literature mixes."""

import pandas as pd

from reports.aggregate import Reading, ordered
from reports.comparisons import contenders
from reports.intervals import Interval, t_interval
from reports.sheet import NOTHING, Cell, Head, Place, Sheet, mean_and_width, of_fewer, percent

METRICS = (
    ("HD95 joint", "hd95_joint"),
    ("HD95 directed", "hd95_directed"),
    ("ASD joint", "asd_joint"),
    ("ASD directed", "asd_directed"),
)
_FAILURES = "n_one_empty"
_Where = tuple[str, float, str, str]  # dataset, ratio, variant, metric


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """A line a ratio and variant; None for trials without distances."""
    names = [name for _, name in METRICS]
    rows = _measured(rows, names)
    if rows.empty:
        return None
    datasets = sorted(rows.dataset.unique())
    groups = dict(list(rows.groupby(["dataset", "ratio", "variant"])))
    means = {
        (*key, name): t_interval(trials[name].to_numpy(float), reading.ci_level)
        for key, trials in groups.items()
        for name in names
    }
    columns = _columns(means)
    full_n = max(interval.n for interval in means.values())
    lines = []
    for ratio in sorted(rows.ratio.unique()):
        for variant in ordered(rows[rows.ratio == ratio].variant):
            line = [Cell(percent(ratio), float(ratio)), Cell(variant)]
            for dataset in datasets:
                if (dataset, ratio, variant) not in groups:
                    line += [NOTHING] * (len(METRICS) + 1)
                    continue
                for name in names:
                    line.append(_cell(variant, columns[dataset, ratio, name], full_n))
                failures = int(groups[dataset, ratio, variant][_FAILURES].sum())
                line.append(Cell(str(failures), failures))
            lines.append(line)
    heads = [Head("labelled"), Head("method")]
    labels = [*(label for label, _ in METRICS), "one empty"]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    title = "Surface distances (less is better)"
    return Sheet("distances", title, heads, lines, _data(means), _footer(reading))


def _measured(rows: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Those of the trials that have all these figures."""
    has_columns = {*names, _FAILURES} <= set(rows.columns)
    return rows.dropna(subset=names) if has_columns else rows.iloc[:0]


def _columns(means: dict[_Where, Interval]) -> dict[tuple[str, float, str], dict[str, Interval]]:
    """Dataset, ratio and metric → the means of all variants."""
    columns: dict[tuple[str, float, str], dict[str, Interval]] = {}
    for (dataset, ratio, variant, name), interval in means.items():
        columns.setdefault((dataset, ratio, name), {})[variant] = interval
    return columns


def _cell(variant: str, column: dict[str, Interval], full_n: int) -> Cell:
    """column: the means of its dataset, ratio and metric, of which the smallest is the best."""
    interval = column[variant]
    text = mean_and_width(interval.mean / 100, interval.half_width / 100)
    text += of_fewer(interval.n, full_n)
    may_win = contenders({name: found.n for name, found in column.items()})
    better = sum(column[name].mean < interval.mean for name in may_win)
    places = [Place.BEST, Place.SECOND][: len(column) - 1]
    is_placed = variant in may_win and better < len(places)
    return Cell(text, interval.mean, places[better] if is_placed else Place.NONE)


def _data(means: dict[_Where, Interval]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "dataset": dataset, "ratio": ratio, "method": variant, "metric": name,
                "mean": found.mean, "ci_half_width": found.half_width, "n": found.n,
            }
            for (dataset, ratio, variant, name), found in means.items()
        ]
    )  # fmt: skip


def _footer(reading: Reading) -> list[str]:
    return [
        "mean over cases, in mm where the dataset's card has a spacing, else in pixels at the "
        f"run's size; final step; mean ± {100 * reading.ci_level:g} % t half-width over seeds",
        "joint: both directions in one heap (HD95 of MedPy, ASD of MONAI); directed: each by "
        "itself (HD95 of MONAI: the larger; ASD of MedPy: the mean of both)",
        "best and second best mean of each dataset and ratio are marked",
        "one empty: masks, over all seeds, that are empty where the truth is not, or the other way "
        "round; each counts as the diagonal of the image, none is left out",
    ]
