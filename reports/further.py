"""What published tables leave out: gains by choosing on the test set, label efficiency, ranks."""

import math

import numpy as np
import pandas as pd

from reports import efficiency
from reports.aggregate import Reading, by_seed, floors, ordered
from reports.intervals import Interval, t_interval
from reports.ranks import LOW_POWER, Ranking, rank, score
from reports.sheet import (
    NOTHING,
    Cell,
    Head,
    Sheet,
    mean_and_width,
    percent,
    rounded,
    signed,
    with_interval,
)

_TARGET = 0.95  # of full supervision
_ALPHA = 0.10  # of ranks


def optimism(rows: pd.DataFrame, reading: Reading) -> Sheet:
    """Dice of the final step beside Dice at the epoch and threshold chosen on the same images."""
    aggregate = reading.aggregate
    datasets = sorted(rows.dataset.unique())
    labels = ("final", "oracle", "gap")
    heads = [Head("labelled"), Head("method")]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    lines, data = [], []
    cells = dict(list(rows.groupby(["dataset", "ratio", "variant"])))
    for ratio, trials in rows.groupby("ratio"):
        for variant in ordered(trials.variant):
            line = [Cell(percent(ratio), ratio), Cell(variant)]
            for dataset in datasets:
                if (dataset, ratio, variant) not in cells:
                    line += [NOTHING] * len(labels)
                    continue
                found = cells[dataset, ratio, variant]
                final = found[f"dc_{aggregate}"].to_numpy(float)
                oracle = found[f"oracle_dc_{aggregate}"].to_numpy(float)
                gap = t_interval(oracle - final, reading.ci_level)
                line += [
                    Cell(rounded(final.mean(), 2), float(final.mean())),
                    Cell(rounded(oracle.mean(), 2), float(oracle.mean())),
                    Cell(signed(gap.mean, gap.half_width), gap.mean),
                ]
                data.append(
                    {
                        "dataset": dataset, "ratio": ratio, "variant": variant, "n": gap.n,
                        "final": final.mean(), "oracle": oracle.mean(), "gap": gap.mean,
                        "gap_ci_half_width": gap.half_width,
                    }
                )  # fmt: skip
            lines.append(line)
    footer = [
        "final: last step, argmax; oracle: the epoch and the threshold with the best Jaccard on "
        f"the evaluation set itself; gap: mean ± {100 * reading.ci_level:g} % t half-width over "
        "seeds of their difference, in points of Dice",
        "a method that trains unsteadily gains more by such a choice: tables that make it favour "
        "that method",
    ]
    title = "Optimism gap: what choosing on the evaluation set adds to Dice"
    return Sheet("optimism", title, heads, lines, pd.DataFrame(data), footer)


def label_efficiency(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Area under Dice over labelled shares, and the labels needed; None with a single share.

    A variant has a line where it was run at every share below 100 % of the dataset.
    """
    lines, data, hints = [], [], []
    column = reading.column("dc")
    for dataset, trials in rows.groupby("dataset"):
        ratios = np.array(sorted(r for r in trials.ratio.unique() if r < 1))
        if len(ratios) < 2:
            continue
        full = trials[(trials.ratio == 1) & (trials.variant == "supervised")][column]
        target = _TARGET * float(full.mean()) if len(full) else math.nan
        if not len(full):
            hints.append(dataset)
        values = by_seed(trials, column)
        for variant in ordered(trials.variant):
            curves = _curves(values, dataset, ratios, variant)
            if not len(curves):
                continue
            area = t_interval(
                np.array([efficiency.area(ratios, c) for c in curves]), reading.ci_level
            )
            needed = [efficiency.labels_needed(ratios, c, target) for c in curves]
            lines.append(
                [
                    Cell(dataset), Cell(variant),
                    Cell(mean_and_width(area.mean, area.half_width), area.mean),
                    _needed_cell(needed, ratios, target, reading), Cell(str(area.n), area.n),
                ]
            )  # fmt: skip
            data.append(
                {
                    "dataset": dataset, "variant": variant, "n": area.n, "area": area.mean,
                    "area_ci_half_width": area.half_width, "labels_needed": np.mean(needed),
                    "target": target,
                }
            )  # fmt: skip
    if not lines:
        return None
    heads = [
        Head("dataset"), Head("method"), Head("mean DC over log₂ of the share"),
        Head("labels needed"), Head("n"),
    ]  # fmt: skip
    title = "Label efficiency"
    footer = _efficiency_footer(reading, hints)
    return Sheet("label-efficiency", title, heads, lines, pd.DataFrame(data), footer)


def _curves(
    values: dict[tuple[str, float], pd.DataFrame], dataset: str, ratios: np.ndarray, variant: str
) -> np.ndarray:
    """Dice of each seed that was run at every share: a line a seed."""
    columns = []
    for ratio in ratios:
        frame = values[dataset, ratio]
        if variant not in frame:
            return np.empty((0, len(ratios)))
        columns.append(frame[variant])
    return pd.concat(columns, axis=1, join="inner").dropna().to_numpy(float)


def _needed_cell(needed: list[float], ratios: np.ndarray, target: float, reading: Reading) -> Cell:
    if math.isnan(target):
        return NOTHING
    reached = [share for share in needed if math.isfinite(share)]
    if len(reached) < len(needed):
        text = f"> {percent(ratios[-1])}"
        if reached:
            text += f" ({len(needed) - len(reached)} of {len(needed)} seeds)"
        return Cell(text, math.inf)
    interval = t_interval(np.array(needed), reading.ci_level)
    below = "≤ " if max(needed) == ratios[0] else ""
    return Cell(below + mean_and_width(interval.mean, interval.half_width) + " %", interval.mean)


def _efficiency_footer(reading: Reading, hints: list[str]) -> list[str]:
    footer = [
        "area under Dice over log₂ of the labelled share, divided by the range; labels needed: the "
        f"share at which Dice reaches {100 * _TARGET:g} % of that of full supervision, log-linear "
        f"between the shares; each per seed, then mean ± {100 * reading.ci_level:g} % t half-width"
    ]
    if hints:
        footer.append(
            f"labels needed: no 100 % row of supervised on {', '.join(hints)}; make it with: "
            "bench run --methods supervised --ratios 100"
        )
    return footer


def rankings(rows: pd.DataFrame, reading: Reading) -> dict[float, tuple[list[str], Ranking, int]]:
    """Ratio → variants, their ranking, the number of datasets; where two or more are complete.

    Ranked are the variants that were run on all datasets of the ratio.
    """
    means = rows.groupby(["ratio", "dataset", "variant"])[reading.column("dc")].mean()
    found = {}
    for ratio in sorted(rows.ratio.unique()):
        scores = means[ratio].unstack("variant").dropna(axis=1)
        if scores.shape[0] >= 2 and scores.shape[1] >= 3:
            names = ordered(scores.columns)
            ranking = rank(scores[names].to_numpy(float), _ALPHA)
            found[float(ratio)] = (names, ranking, len(scores))
    return found


def ranks(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Average ranks over datasets; None with fewer than two datasets or three methods."""
    found = rankings(rows, reading)
    if not found:
        return None
    lines, data, footer = [], [], []
    for ratio, (names, ranking, n) in found.items():
        scores = _scores(rows[rows.ratio == ratio], reading)
        for place, name in sorted(zip(ranking.ranks, names, strict=True)):
            interval = scores[name]
            lines.append(
                [
                    Cell(percent(ratio), ratio), Cell(name), Cell(f"{place:.2f}", place),
                    Cell(with_interval(interval), interval.mean),
                ]
            )  # fmt: skip
            data.append(
                {
                    "ratio": ratio, "variant": name, "rank": place, "datasets": n,
                    "score": interval.mean, "score_low": interval.low, "score_high": interval.high,
                }
            )  # fmt: skip
        low = f"; {n} datasets, low power" if n < LOW_POWER else ""
        footer.append(
            f"{percent(ratio)}: Friedman with Iman and Davenport's correction F = {ranking.f:.3g}, "
            f"p = {ranking.p:.3g}; ranks closer than {ranking.critical_difference:.2f} are not "
            f"told apart (Nemenyi, {_ALPHA:g}){low}"
        )
    footer.append(
        "score: Dice on a scale from the floor (0) to a perfect mask (100), mean over datasets, "
        f"{100 * reading.ci_level:g} % bootstrap interval over seeds within each dataset, the "
        "datasets being fixed"
    )
    heads = [Head("labelled"), Head("method"), Head("average rank"), Head("score")]
    return Sheet("ranks", "Ranks over datasets", heads, lines, pd.DataFrame(data), footer)


def _scores(rows: pd.DataFrame, reading: Reading) -> dict[str, Interval]:
    """Variant → its score over the datasets of one ratio."""
    floor = floors(rows, reading.aggregate)
    lowest = rows.dataset.map(lambda name: floor[name].values["dc"])
    scaled = (rows[reading.column("dc")].astype(float) - lowest) / (1 - lowest)
    return {
        variant: score(
            [values.to_numpy(float) for _, values in group.groupby(rows.dataset)], reading.ci_level
        )
        for variant, group in scaled.groupby(rows.variant)
    }


def gaps(rows: pd.DataFrame, reading: Reading) -> Interval:
    """The optimism gap over all trials, for one sentence."""
    gap = rows[f"oracle_dc_{reading.aggregate}"] - rows[f"dc_{reading.aggregate}"]
    return t_interval(gap.to_numpy(float), reading.ci_level)
