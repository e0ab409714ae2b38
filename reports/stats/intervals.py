"""Means and their intervals: arrays in, numbers out."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float
from numpy import ndarray


class Interval(NamedTuple):
    """Mean of n values with the half width of its interval (NaN for n = 1)."""

    mean: float
    half_width: float
    n: int
    bounds: tuple[float, float] | None = None
    """Where the interval does not lie evenly around the mean."""

    @property
    def low(self) -> float:
        return self.bounds[0] if self.bounds else self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.bounds[1] if self.bounds else self.mean + self.half_width

    @property
    def leaves_unit(self) -> bool:
        """Of a share: does it reach beyond 0 or 1, where no share can lie?"""
        return self.low < 0 or self.high > 1

    def times(self, factor: float) -> "Interval":
        """The same in another unit."""
        bounds = self.bounds and (factor * self.bounds[0], factor * self.bounds[1])
        return Interval(factor * self.mean, factor * self.half_width, self.n, bounds)


def t_interval(values: Float[ndarray, " n"], level: float = 0.90, ddof: int = 1) -> Interval:
    """Mean ± t₍₁₊level₎/₂, n₋₁ · s / √n, with the sample standard deviation s.

    ddof 0 is what the authors' notebooks do, who divide by n: too narrow, 88 % instead of 90 % at
    n = 10. Equal values: half width 0 (scipy's own interval is NaN there). One value: NaN.
    """
    values = np.asarray(values, dtype=float)
    n = len(values)
    mean = float(values.mean())
    if n < 2:
        return Interval(mean, math.nan, n)
    error = float(values.std(ddof=ddof)) / math.sqrt(n)
    return Interval(mean, _quantile(level, n - 1) * error, n)


def logit_t_interval(values: Float[ndarray, " n"], level: float = 0.90) -> Interval:
    """The t interval of the log-odds, brought back: it stays between 0 and 1.

    For shares near an end of their range. The mean is that of the values. No interval (NaN) for one
    value, nor where a value is 0 or 1.
    """
    values = np.asarray(values, dtype=float)
    mean, n = float(values.mean()), len(values)
    if n < 2 or values.min() <= 0 or values.max() >= 1:
        return Interval(mean, math.nan, n)
    found = t_interval(scipy.special.logit(values), level)
    return _between(mean, n, scipy.special.expit([found.low, found.high]).tolist())


MIN_RESAMPLED = 20
"""With ten values the bootstrap's 90 % are 85 % (BCa; 4,000 simulated experiments)."""
_RESAMPLES = 9_999


def bootstrap_interval(values: Float[ndarray, " n"], level: float = 0.90) -> Interval:
    """Efron's BCa bootstrap of the mean, 9,999 resamples, seeded; NaN for fewer than 20 values."""
    values = np.asarray(values, dtype=float)
    mean, n = float(values.mean()), len(values)
    if n < MIN_RESAMPLED:
        return Interval(mean, math.nan, n)
    if np.ptp(values) == 0:
        return Interval(mean, 0.0, n)
    found = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, confidence_level=level, method="BCa",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    return _between(mean, n, found.confidence_interval)


def _between(mean: float, n: int, bounds: Sequence[float]) -> Interval:
    low, high = map(float, bounds)
    return Interval(mean, (high - low) / 2, n, (low, high))


INTERVALS: dict[str, Callable[..., Interval]] = {
    "t": t_interval,
    "logit-t": logit_t_interval,
    "bootstrap": bootstrap_interval,
}


def coverage(n: int, level: float = 0.90) -> float:
    """What a t interval of ddof 0 covers, whose variance was divided by n: 88.4 % at n = 10."""
    return float(1 - 2 * scipy.stats.t.sf(_quantile(level, n - 1) * math.sqrt((n - 1) / n), n - 1))


def _quantile(level: float, degrees: int | float) -> float:
    # What scipy.stats.t.ppf is made of, without the second that importing scipy.stats takes.
    return float(scipy.special.stdtrit(degrees, (1 + level) / 2))


class Crossed(NamedTuple):
    """Half widths of a mean over seeds × cases, by what is resampled."""

    mean: float
    seeds: float
    """Another training run, the same cases."""
    cases: float
    """Other cases, the same training runs."""
    both: float


def crossed_interval(values: Float[ndarray, "seeds cases"], level: float = 0.90) -> Crossed:
    """Two-way random effects, a value for each seed and case; Satterthwaite's degrees for both.

    NaN where a source has a single level. The interval over both is never that of a smaller
    variance than the larger source's alone.
    """
    a, b = values.shape
    squares = mean_squares(values)
    seeds = cases = both = math.nan
    if a > 1:
        seeds = _quantile(level, a - 1) * math.sqrt(squares[0] / (a * b))
    if b > 1:
        cases = _quantile(level, b - 1) * math.sqrt(squares[1] / (a * b))
    if a > 1 and b > 1:
        both = _both(level, squares, (a, b))
    return Crossed(float(values.mean()), seeds, cases, both)


def mean_squares(values: Float[ndarray, "seeds cases"]) -> tuple[float, float, float]:
    """Of seeds, of cases, of the rest; NaN where there is a single seed or case."""
    a, b = values.shape
    mean, rows, columns = values.mean(), values.mean(1), values.mean(0)
    rest = values - rows[:, None] - columns[None] + mean
    sums = b * ((rows - mean) ** 2).sum(), a * ((columns - mean) ** 2).sum(), (rest**2).sum()
    degrees = a - 1, b - 1, (a - 1) * (b - 1)
    return tuple(float(s / d) if d else math.nan for s, d in zip(sums, degrees, strict=True))


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


def standard_deviation_of(half_width: float, n: int, level: float = 0.90, ddof: int = 1) -> float:
    """The sample standard deviation (ddof 1) behind a printed half width.

    ddof: what it was divided by when the width was printed, n - ddof.
    """
    found = half_width * math.sqrt(n) / _quantile(level, n - 1)
    return found * math.sqrt(n / (n - 1)) if ddof == 0 else found


def half_width_of(standard_deviation: float, n: int, level: float = 0.90) -> float:
    """Of the t interval of a mean of n values, from their sample standard deviation."""
    return _quantile(level, n - 1) * standard_deviation / math.sqrt(n)


class Summary(NamedTuple):
    """What a printed result tells: mean, sample standard deviation, number of runs."""

    mean: float
    standard_deviation: float
    n: int


def welch(ours: Summary, theirs: Summary) -> tuple[float, float]:
    """Welch's t and its two-sided p from two summaries: unpaired, unequal variances."""
    found = scipy.stats.ttest_ind_from_stats(*ours, *theirs, equal_var=False)
    return float(found.statistic), float(found.pvalue)


def interquartile_mean(values: Float[ndarray, " n"]) -> float:
    """Mean of the middle half: at n = 10 of the six middle values."""
    cut = len(values) // 4
    return float(np.sort(values)[cut : len(values) - cut].mean())
