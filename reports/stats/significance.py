"""Tests of paired differences, correction for their number, effect sizes: arrays in, numbers out.

Pairs are trials of equal seed: same data order, same labelled subset, same first weights.
"""

import functools
import itertools
import math

import numpy as np
import pandas as pd
import scipy
from jaxtyping import Float
from numpy import ndarray

MIN_PAIRS = 6
"""With five, the smallest p of 32 sign flips is .0625."""
_EXACT = 16  # pairs up to which all sign flips are tried; beyond, a sample of them
_FLIPS = 100_000
_DIGITS = 12  # differences are rounded: float noise would break ties between equal magnitudes

Values = Float[ndarray, " n"]


def differences(a: Values, b: Values) -> Values:
    """The differences a - b, rounded to 12 decimals: .3 - .2 and .2 - .1 are one magnitude."""
    return np.round(np.asarray(a, float) - np.asarray(b, float), _DIGITS)


def sign_flip(d: Values, rng: np.random.Generator | None = None) -> float:
    """Two-sided p of the mean difference under random signs: no distribution is assumed.

    Exact up to 16 pairs; above, rng (default: seeded with 0) draws 100,000 flips, and the observed
    one is counted among them.
    """
    n, observed = len(d), abs(d.mean()) - 1e-12
    if n <= _EXACT:
        return float(np.mean(np.abs(_all_signs(n) @ d / n) >= observed))
    signs = _some_signs(n) if rng is None else _drawn_signs(n, rng)
    hits = np.count_nonzero(np.abs(signs @ d / n) >= observed)
    return float((hits + 1) / (_FLIPS + 1))


@functools.lru_cache(maxsize=2)  # 40 MB for 50 pairs; most tables have one number of pairs
def _some_signs(n: int) -> Float[ndarray, "flips n"]:
    return _drawn_signs(n, np.random.default_rng(0))


def _drawn_signs(n: int, rng: np.random.Generator) -> Float[ndarray, "flips n"]:
    return rng.choice((-1.0, 1.0), size=(_FLIPS, n))


@functools.cache
def _all_signs(n: int) -> Float[ndarray, "flips n"]:
    return np.array(list(itertools.product((1.0, -1.0), repeat=n)))


def _are_alike(d: Values) -> bool:
    """Up to the rounding of `differences`: the variance of equal floats need not be exactly 0."""
    return bool(np.ptp(d) < 10**-_DIGITS)


def paired_t(d: Values) -> float:
    """Two-sided p of Student's paired test; 1 if all differences are zero, 0 if all are alike."""
    if _are_alike(d):
        return 0.0 if d.any() else 1.0
    return float(scipy.stats.ttest_1samp(d, 0.0).pvalue)


def wilcoxon(d: Values) -> float:
    """Two-sided p of Wilcoxon's signed ranks, zeros left out.

    Exact up to 16 pairs, also with ties: the sign flip of the signed ranks. Beyond, a normal
    approximation if there are ties.
    """
    d = d[d != 0]
    if len(d) == 0:
        return 1.0
    if len(d) <= _EXACT:
        return sign_flip(np.sign(d) * scipy.stats.rankdata(np.abs(d)))
    has_ties = len(np.unique(np.abs(d))) < len(d)
    return float(scipy.stats.wilcoxon(d, method="approx" if has_ties else "exact").pvalue)


TESTS = {"sign-flip": sign_flip, "t": paired_t, "wilcoxon": wilcoxon}


def holm(p: Values) -> Values:
    """Holm's adjusted p values of one family, in the order given."""
    smallest_first = np.argsort(p, kind="stable")
    return _stepped(p, smallest_first, np.arange(len(p), 0, -1), np.maximum)


def false_discovery_rate(p: Values) -> Values:
    """Benjamini & Hochberg's adjusted p values, for exploring."""
    largest_first = np.argsort(p, kind="stable")[::-1]
    return _stepped(p, largest_first, len(p) / np.arange(len(p), 0, -1), np.minimum)


def _stepped(p: Values, order: np.ndarray, factors: np.ndarray, limit: np.ufunc) -> Values:
    """Each p times its factor, in this order, and no better than the last lets it be; at most 1."""
    stepped = limit.accumulate(factors * np.asarray(p, float)[order])
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1)
    return adjusted


def smallest_p(pairs: int, test: str = "sign-flip") -> float:
    """The smallest p that a test can reach, however large the differences; 0 if there is no bound.

    Before any correction; `holm` of the bounds of a family is what its corrected ones can reach.
    """
    if test == "t":
        return 0.0
    if test == "sign-flip" and pairs > _EXACT:
        return 1 / (_FLIPS + 1)
    return 2 / 2**pairs


@functools.cache
def detectable_effect(pairs: int, alpha: float, power: float = 0.80) -> float:
    """The mean difference that a paired t test would find, in their standard deviations."""
    limit = scipy.special.stdtrit(pairs - 1, 1 - alpha / 2)
    noncentrality = scipy.special.nctdtrinc(pairs - 1, 1 - power, limit)
    return float(noncentrality / math.sqrt(pairs))


def cohen_d(d: Values) -> float:
    """Mean over standard deviation of the differences, d_z; infinite if all alike, 0 if all 0."""
    if not d.any():
        return 0.0
    return math.copysign(math.inf, d.mean()) if _are_alike(d) else float(d.mean() / d.std(ddof=1))


def hedges_g(d: Values) -> float:
    """d_z, corrected for small n by 1 - 3 / (4 (n - 1) - 1)."""
    return cohen_d(d) * (1 - 3 / (4 * (len(d) - 1) - 1))


def rank_biserial(d: Values) -> float:
    """Ranks of the gains minus ranks of the losses, over their sum; 0 without any difference."""
    if not d.any():
        return 0.0
    ranks = pd.Series(np.abs(d)).rank().to_numpy()  # scipy.stats takes a second to import
    return float((ranks[d > 0].sum() - ranks[d < 0].sum()) / ranks.sum())


def superiority(a: Values, b: Values) -> float:
    """Share of all pairs (any seed of a, any seed of b) in which a is better; ties count half."""
    return float(np.mean((a[:, None] > b) + 0.5 * (a[:, None] == b)))
