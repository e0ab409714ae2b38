"""Means and their intervals: arrays in, numbers out."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy import stats


class Interval(NamedTuple):
    """Mean of n values with the half width of its interval (NaN for n = 1)."""

    mean: float
    half_width: float
    n: int


def t_interval(values: Float[ndarray, " n"], level: float = 0.90, ddof: int = 1) -> Interval:
    """Mean ± t₍₁₊level₎/₂, n₋₁ · s / √n, with the sample deviation s.

    ddof 0 is the deviation that the authors' notebooks divide by n: too narrow, 88 % instead of
    90 % at n = 10. Equal values: half width 0 (scipy's own interval is NaN there). One value: NaN.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, math.nan, n)
    error = float(values.std(ddof=ddof)) / math.sqrt(n)
    return Interval(mean, _quantile(level, n - 1) * error, n)


def _quantile(level: float, degrees: int | float) -> float:
    return float(stats.t.ppf((1 + level) / 2, degrees))


class Crossed(NamedTuple):
    """Half widths of a mean over seeds × cases, by what is thought of as drawn anew."""

    mean: float
    seeds: float
    """Another training run, the same cases."""
    cases: float
    """Other cases, the same training runs."""
    both: float


def crossed_interval(values: Float[ndarray, "seeds cases"], level: float = 0.90) -> Crossed:
    """Two-way random effects with one value a cell; Satterthwaite's degrees for both together.

    NaN where a source has a single level. The interval over both is never that of a smaller
    variance than the larger source's alone.
    """
    a, b = values.shape
    mean = float(values.mean())
    rows, columns = values.mean(1), values.mean(0)
    seeds = cases = both = math.nan
    if a > 1:
        ms_seeds = b * float(((rows - mean) ** 2).sum()) / (a - 1)
        seeds = _quantile(level, a - 1) * math.sqrt(ms_seeds / (a * b))
    if b > 1:
        ms_cases = a * float(((columns - mean) ** 2).sum()) / (b - 1)
        cases = _quantile(level, b - 1) * math.sqrt(ms_cases / (a * b))
    if a > 1 and b > 1:
        rest = values - rows[:, None] - columns[None] + mean
        ms_rest = float((rest**2).sum()) / ((a - 1) * (b - 1))
        both = _both(level, (ms_seeds, ms_cases, ms_rest), (a, b))
    return Crossed(mean, seeds, cases, both)


def _both(level: float, mean_squares: tuple[float, float, float], size: tuple[int, int]) -> float:
    (ms_seeds, ms_cases, ms_rest), (a, b) = mean_squares, size
    together = ms_seeds + ms_cases - ms_rest
    variance = max(together, ms_seeds, ms_cases)
    if variance == 0:
        return 0.0
    parts = ms_seeds**2 / (a - 1) + ms_cases**2 / (b - 1)
    if variance == together:
        parts += ms_rest**2 / ((a - 1) * (b - 1))
    return _quantile(level, variance**2 / parts) * math.sqrt(variance / (a * b))


def deviation_of(half_width: float, n: int, level: float = 0.90, ddof: int = 1) -> float:
    """The sample deviation (ddof 1) behind a printed half width.

    ddof: what the deviation was divided by when the width was printed, n - ddof.
    """
    found = half_width * math.sqrt(n) / _quantile(level, n - 1)
    return found * math.sqrt(n / (n - 1)) if ddof == 0 else found


class Summary(NamedTuple):
    """What a printed cell tells: mean, sample deviation, number of runs."""

    mean: float
    deviation: float
    n: int


def welch(ours: Summary, theirs: Summary) -> tuple[float, float]:
    """Welch's t and its two-sided p from two summaries: unpaired, unequal variances."""
    found = stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False)
    return float(found.statistic), float(found.pvalue)


def interquartile_mean(values: Float[ndarray, " n"]) -> float:
    """Mean of the middle half: at n = 10 of the six middle values."""
    return float(stats.trim_mean(values, 0.25))
