"""Rows of trials → one cell per (dataset, ratio, variant): mean and interval over seeds."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray
from scipy import stats


class Interval(NamedTuple):
    """Mean of n values with the half width of its interval (NaN for n = 1)."""

    mean: float
    half_width: float
    n: int


def t_interval(values: Float[ndarray, " n"], level: float = 0.90) -> Interval:
    """Mean ± t₍₁₊level₎/₂, n₋₁ · s / √n, with the sample deviation s (ddof 1).

    Equal values: half width 0 (scipy's own interval is NaN there). One value: NaN.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, math.nan, n)
    deviation = float(values.std(ddof=1))
    return Interval(mean, float(stats.t.ppf((1 + level) / 2, n - 1)) * deviation / math.sqrt(n), n)


class Cost(NamedTuple):
    """What one trial of a cell takes: medians over its seeds (NaN where it was not measured)."""

    parameters: float
    """Of all networks that are trained."""
    flops: float
    """Of a step, forward and backward."""
    seconds: float
    """Of a step."""
    memory: float
    """Peak, in MiB."""


def costs(rows: pd.DataFrame) -> dict[tuple[str, float, str], Cost]:
    """(dataset, ratio, variant) → what it takes."""
    measured = pd.DataFrame(
        {
            "parameters": rows.parameters,
            "flops": rows.flops_per_step,
            "seconds": rows.seconds_train / rows.steps,
            "memory": rows.peak_memory_mib,
        }
    ).astype(float)
    medians = measured.groupby([rows.dataset, rows.ratio, rows.variant]).median()
    return {key: Cost(*map(float, line)) for key, line in medians.iterrows()}


class Selected(NamedTuple):
    """The rows that one table may show together, and what was left out, in words."""

    rows: pd.DataFrame
    left_out: list[str]


def comparable(rows: pd.DataFrame) -> Selected:
    """Done trials of one setting per cell: of several, the one that finished last.

    A table never mixes development with test set, other data with other data, or two settings
    under one name; what it leaves out it says.
    """
    left_out = []
    failed = rows[rows.status != "done"]
    if len(failed):
        left_out.append(f"{_trials(len(failed))} failed: {', '.join(sorted(set(failed.error)))}")
    rows = rows[rows.status == "done"]
    groups = (
        ("another evaluation set", [], "evaluate_on"),
        ("other data", ["dataset"], "data_hash"),
        ("other settings", ["dataset", "ratio", "variant"], "cell"),
    )
    for what, within, column in groups:
        kept = _newest(rows, within, column)
        if len(kept) < len(rows):
            left_out.append(f"{_trials(len(rows) - len(kept))} with {what} (older) not shown")
        rows = kept
    return Selected(rows, left_out)


def _trials(n: int) -> str:
    return f"{n} trial{'s' if n != 1 else ''}"


def _newest(rows: pd.DataFrame, within: list[str], column: str) -> pd.DataFrame:
    """Within each group, the rows whose value in `column` belongs to the latest finished row."""
    if rows.empty:
        return rows
    ordered = rows.sort_values("finished_at", kind="stable")
    if not within:
        return rows[rows[column] == ordered[column].iloc[-1]]
    last = ordered.groupby(within)[column].transform("last")
    return rows[rows[column] == last.reindex(rows.index)]


def cells(rows: pd.DataFrame, column: str, level: float) -> dict[tuple[str, float, str], Interval]:
    """(dataset, ratio, variant) → interval over seeds of a metric column."""
    grouped = rows.groupby(["dataset", "ratio", "variant"])[column]
    return {key: t_interval(values.to_numpy(), level) for key, values in grouped}
