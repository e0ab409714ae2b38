"""Average ranks, Friedman's test and the score over datasets: worked examples."""

import math

import numpy as np
import pytest

from reports.stats.ranks import critical_difference, rank, score
from tests.reports.worked import SCORES


def test_ranks_of_four_methods_on_five_datasets():
    found = rank(SCORES, alpha=0.05)
    assert found.ranks == pytest.approx([1.2, 2.2, 2.6, 4.0])
    assert found.chi_square == pytest.approx(12.12, abs=1e-9)
    assert (found.f, found.p) == pytest.approx((16.8333333333, 0.000134268548), abs=1e-9)
    assert found.critical_difference == pytest.approx(2.0976, abs=2e-4)


@pytest.mark.parametrize(
    ("methods", "alpha", "difference"),
    [(4, 0.05, 2.0976), (4, 0.10, 1.8709), (8, 0.05, 4.6954), (10, 0.05, 6.0580)],
)
def test_the_critical_difference_of_five_datasets(methods, alpha, difference):
    assert critical_difference(methods, 5, alpha) == pytest.approx(difference, abs=2e-4)


def test_with_two_datasets_the_p_is_that_of_the_permutations():
    """Both put three methods in one order: 6 of the 36 pairs of orders agree. F would say p = 0."""
    found = rank(np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]]))
    assert found.p == 0 and not found.is_f_finite
    assert found.p_permutation == pytest.approx(1 / 6)
    # a, b, c and b, a, c: of the six orders beside a given one, three spread the sums as far.
    found = rank(np.array([[0.9, 0.8, 0.7], [0.5, 0.6, 0.4]]))
    assert found.p_permutation == pytest.approx(18 / 36)


def test_the_permutations_agree_with_friedman_on_five_datasets():
    """24 ** 5 orders are drawn from: p near that of F, .00013, and never 0."""
    assert 1 / 10_000 <= rank(SCORES).p_permutation <= 0.002


def test_equal_scores_have_equal_ranks_and_too_few_are_refused():
    assert rank(np.full((3, 3), 0.5)).ranks == [2.0, 2.0, 2.0]
    assert rank(np.full((3, 3), 0.5)).p == 1
    with pytest.raises(ValueError, match="two datasets and three methods, got 1 and 4"):
        rank(SCORES[:1])


def test_the_score_over_datasets_draws_seeds_within_each():
    """.5 and .7, and .9 twice: drawn anew, .70, .75, .80 with probability 1/4, 1/2, 1/4."""
    found = score([np.array([0.5, 0.7]), np.array([0.9, 0.9])])
    assert (found.mean, found.n) == (pytest.approx(0.75), 2)
    assert found.bounds == pytest.approx((0.70, 0.80))
    assert score([np.array([0.5, 0.7]), np.array([0.9, 0.9])]) == found
    assert math.isnan(score([np.array([0.5]), np.array([0.9, 0.9])]).half_width)
