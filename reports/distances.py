"""Surface distances of the final step: HD95 and ASD, in both readings that the literature mixes."""

import pandas as pd

from reports.aggregate import Reading, ordered
from reports.intervals import Interval, t_interval
from reports.sheet import NOTHING, Cell, Head, Place, Sheet, mean_and_width, percent

METRICS = (
    ("HD95 joint", "hd95_joint"),
    ("HD95 directed", "hd95_directed"),
    ("ASD joint", "asd_joint"),
    ("ASD directed", "asd_directed"),
)
_FAILURES = "n_one_empty"


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """A line a ratio and variant; None for trials without distances."""
    names = [name for _, name in METRICS]
    if not {*names, _FAILURES} <= set(rows.columns):
        return None
    rows = rows.dropna(subset=names)
    if rows.empty:
        return None
    datasets = sorted(rows.dataset.unique())
    groups = dict(list(rows.groupby(["dataset", "ratio", "variant"])))
    means = {
        (*key, name): t_interval(trials[name].to_numpy(float), reading.ci_level)
        for key, trials in groups.items()
        for name in names
    }
    lines = []
    for ratio in sorted(rows.ratio.unique()):
        for variant in ordered(rows[rows.ratio == ratio].variant):
            line = [Cell(percent(ratio), float(ratio)), Cell(variant)]
            for dataset in datasets:
                if (dataset, ratio, variant) not in groups:
                    line += [NOTHING] * (len(METRICS) + 1)
                    continue
                for name in names:
                    others = [v for (d, r, _, n), v in means.items()
                              if (d, r, n) == (dataset, ratio, name)]  # fmt: skip
                    line.append(_cell(means[dataset, ratio, variant, name], others))
                failures = int(groups[dataset, ratio, variant][_FAILURES].sum())
                line.append(Cell(str(failures), failures))
            lines.append(line)
    heads = [Head("labelled"), Head("method")]
    labels = [*(label for label, _ in METRICS), "one empty"]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    title = "Surface distances (less is better)"
    return Sheet("distances", title, heads, lines, _data(means), _footer(reading))


def _cell(interval: Interval, others: list[Interval]) -> Cell:
    """The smallest of its column and group is the best; others: all of them."""
    text = mean_and_width(interval.mean / 100, interval.half_width / 100)
    better = sum(other.mean < interval.mean for other in others)
    places = [Place.BEST, Place.SECOND][: len(others) - 1]
    return Cell(text, interval.mean, places[better] if better < len(places) else Place.NONE)


def _data(means: dict[tuple[str, float, str, str], Interval]) -> pd.DataFrame:
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
