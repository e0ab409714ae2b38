"""Label efficiency, a line a method: its mean over all labelled shares, the labels it needs."""

import math

import numpy as np
import pandas as pd

from reports.select import (
    BASELINE,
    Budget,
    Reading,
    by_seed,
    datasets_of,
    most_complete,
    recorded,
    variants_of,
)
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, shortened
from reports.stats import efficiency
from reports.stats.intervals import t_interval

_TARGET = 0.95  # of full supervision


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Area under Dice over labelled shares, and the labels needed; None with a single share.

    Variants are compared over the shares that `most_complete` finds for a dataset.
    """
    lines, data, hints, left_out = [], [], [], []
    column = reading.column("dc")
    for dataset in datasets_of(rows):
        trials = rows[rows.dataset == dataset]
        curve = most_complete(_shares(trials))
        if curve is None:
            continue
        ratios = np.array([budget.share for budget in curve.where])
        if curve.left_out:
            shares = ", ".join(budget.text for budget in curve.where)
            left_out.append(f"not run at all of {shares} on {dataset}: {shortened(curve.left_out)}")
        full = trials[(trials.ratio == 1) & (recorded(trials).variant == BASELINE)][column]
        target = _TARGET * float(full.mean()) if len(full) else math.nan
        if not len(full):
            hints.append(dataset)
        values = by_seed(trials, column)
        for variant in (name for name in variants_of(rows) if name in curve.variants):
            curves = _curves(values, dataset, curve.where, variant)
            if not len(curves):
                left_out.append(f"no seed at all shares on {dataset}: {variant}")
                continue
            area = t_interval(
                np.array([efficiency.area(ratios, c) for c in curves]), reading.ci_level
            )
            needed = [efficiency.labels_needed(ratios, c, target) for c in curves]
            lines.append(
                [
                    Cell(dataset), Cell(variant),
                    Cell(mean_and_width(area.mean, area.half_width), area.mean),
                    _needed_cell(needed, curve.where, target, reading), Cell(str(area.n), area.n),
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
    return Sheet(
        "label-efficiency", title, heads, lines, pd.DataFrame(data), [_note(reading)],
        [*_hints(hints), *left_out],
    )  # fmt: skip


def _shares(trials: pd.DataFrame) -> dict[str, frozenset[Budget]]:
    """Variant → its label budgets below 100 %."""
    below = trials[trials.ratio.astype(float) < 1]  # budgets in cases or patients have no share
    return {variant: frozenset(found) for variant, found in below.groupby("variant").budget}


def _curves(
    values: dict[tuple[str, Budget], pd.DataFrame],
    dataset: str,
    budgets: list[Budget],
    variant: str,
) -> np.ndarray:
    """Dice of each seed that was run at every budget: a line a seed."""
    columns = [values[dataset, budget][variant] for budget in budgets]
    return pd.concat(columns, axis=1, join="inner").dropna().to_numpy(float)


def _needed_cell(
    needed: list[float], budgets: list[Budget], target: float, reading: Reading
) -> Cell:
    if math.isnan(target):
        return NOTHING
    reached = [share for share in needed if math.isfinite(share)]
    if len(reached) < len(needed):
        text = f"> {budgets[-1].text}"
        if reached:
            text += f" ({len(needed) - len(reached)} of {len(needed)} seeds)"
        return Cell(text, math.inf)
    interval = t_interval(np.array(needed), reading.ci_level)
    # A seed that has the target already at the smallest share may need less.
    below = "≤ " if min(needed) == budgets[0].share else ""
    return Cell(below + mean_and_width(interval.mean, interval.half_width) + " %", interval.mean)


def _note(reading: Reading) -> str:
    return (
        "area under Dice over log₂ of the labelled share, divided by the range; labels needed: the "
        f"share at which Dice reaches {100 * _TARGET:g} % of that of full supervision, log-linear "
        f"between the shares; each per seed, then mean ± {100 * reading.ci_level:g} % t half-width"
    )


def _hints(datasets: list[str]) -> list[str]:
    """Where full supervision was not run."""
    if not datasets:
        return []
    return [
        f"labels needed: no 100 % row of {BASELINE} on {', '.join(datasets)}; make it with: "
        f"bench run --methods {BASELINE} --ratios 100"
    ]
