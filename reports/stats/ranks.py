"""Comparison across datasets: average ranks, Friedman's test, the critical difference.

Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006). The unit is
the dataset: labelled ratios of one dataset are not independent.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy
from jaxtyping import Float
from numpy import ndarray

from reports.stats.intervals import Interval

LOW_POWER = 8
"""With fewer datasets the test can hardly find anything."""
_RESAMPLES = 2_000
_PERMUTATIONS = 9_999


class Ranking(NamedTuple):
    """Of k methods over N datasets."""

    ranks: list[float]
    """Average rank of each method; 1 is best."""
    chi_square: float
    f: float
    """Iman and Davenport's correction of Friedman's statistic."""
    p: float
    """Of F; far off with few datasets: where all agree, F is infinite and this is 0."""
    p_permutation: float
    """Of the same statistic with the ranks of each dataset permuted: right with few datasets too.

    Exact up to 9,999 permutations, beyond that by as many drawn with a seed of 0.
    """
    critical_difference: float

    @property
    def is_f_finite(self) -> bool:
        return math.isfinite(self.f)


def rank(scores: Float[ndarray, "datasets methods"], alpha: float = 0.10) -> Ranking:
    """Rank the methods by their scores, of which more is better.

    Raises ValueError for fewer than two datasets or three methods.
    """
    n, k = scores.shape
    if n < 2 or k < 3:
        raise ValueError(f"ranks need two datasets and three methods, got {n} and {k}")
    ranks = scipy.stats.rankdata(-scores, axis=1)
    if (np.ptp(ranks, axis=1) == 0).all():
        chi_square = 0.0
    else:
        chi_square = float(scipy.stats.friedmanchisquare(*scores.T).statistic)
    rest = n * (k - 1) - chi_square
    f = (n - 1) * chi_square / rest if rest > 0 else math.inf
    p = float(scipy.stats.f.sf(f, k - 1, (k - 1) * (n - 1)))
    mean_ranks = [float(r) for r in ranks.mean(0)]
    return Ranking(
        mean_ranks, chi_square, f, p, _permuted(ranks),
        critical_difference(k, n, alpha),
    )  # fmt: skip


def _permuted(ranks: Float[ndarray, "datasets methods"]) -> float:
    """How often random orders within the datasets spread the rank sums at least as far."""

    def spread(*methods: ndarray, axis: int) -> ndarray | np.floating:
        return np.square([ranks.sum(axis) for ranks in methods]).sum(0)

    found = scipy.stats.permutation_test(
        tuple(ranks.T), spread, permutation_type="samples", alternative="greater",
        n_resamples=_PERMUTATIONS, vectorized=True, rng=np.random.default_rng(0),
    )  # fmt: skip
    return float(found.pvalue)


def score(
    runs: list[Float[ndarray, " _"]], level: float = 0.90, rng: np.random.Generator | None = None
) -> Interval:
    """Mean over datasets of the mean over runs, with a bootstrap interval.

    runs: of each dataset, already on one scale. Seeds are drawn anew within each dataset (the
    stratified scheme of Agarwal et al., NeurIPS 2021, arXiv:2108.13264); the datasets stay, so it
    says nothing about others. rng: by default seeded with 0. n is that of the dataset with fewest.
    """
    rng = rng or np.random.default_rng(0)
    mean = float(np.mean([values.mean() for values in runs]))
    n = min(map(len, runs))
    if n < 2:
        return Interval(mean, math.nan, n)
    drawn = [rng.choice(values, (_RESAMPLES, len(values))).mean(1) for values in runs]
    low, high = np.quantile(np.mean(drawn, 0), [(1 - level) / 2, (1 + level) / 2])
    return Interval(mean, float(high - low) / 2, n, (float(low), float(high)))


def critical_difference(methods: int, datasets: int, alpha: float = 0.05) -> float:
    """Nemenyi's: average ranks that differ by less do not differ significantly."""
    q = float(scipy.stats.studentized_range.ppf(1 - alpha, methods, 1e6)) / math.sqrt(2)
    return q * math.sqrt(methods * (methods + 1) / (6 * datasets))
