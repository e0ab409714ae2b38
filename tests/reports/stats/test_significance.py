import numpy as np
import pytest

from reports.stats import significance
from tests.reports.worked import A, B, D

P = np.array([0.001953125, 0.01, 0.04, 0.03, 0.005, 0.20, 0.65])


def test_p_of_the_paired_tests():
    assert significance.sign_flip(D) == 0.00390625
    assert significance.wilcoxon(D) == pytest.approx(0.00390625, abs=1e-12)
    assert significance.paired_t(D) == pytest.approx(0.00023916565863298, abs=1e-12)


def test_the_paired_t_is_the_effect_times_the_root_of_n():
    assert significance.cohen_d(D) * 10**0.5 == pytest.approx(5.86527662712712, abs=1e-12)


def test_ten_equal_gains_reach_the_smallest_p():
    assert significance.sign_flip(np.full(10, 0.1)) == 2 / 1024
    assert significance.sign_flip(np.zeros(10)) == 1
    assert significance.paired_t(np.full(10, 0.1)) == pytest.approx(0, abs=1e-12)
    assert significance.paired_t(np.full(7, 0.1)) == 0
    assert significance.paired_t(np.zeros(10)) == significance.wilcoxon(np.zeros(10)) == 1


def test_many_pairs_are_sampled_and_agree_with_the_exact_test():
    """Twice D: the exact p is below 1.9e-5; the sample cannot go below 1 in 100,001."""
    d = np.concatenate([D, D])
    found = significance.sign_flip(d)
    assert 1 / 100_001 <= found <= 1e-4
    assert found == significance.sign_flip(d, np.random.default_rng(0))
    mixed = np.array([0.3, -0.1, 0.2, -0.25, 0.15] * 4)  # mean .06, deviation .224: z about 1.2
    assert 0.2 < significance.sign_flip(mixed) < 0.3


def test_differences_are_rounded_so_that_equal_ones_tie():
    d = significance.differences(np.array([0.3, 0.2, 0.4]), np.array([0.2, 0.1, 0.3]))
    assert d.tolist() == [0.1, 0.1, 0.1]


def test_correction_for_the_number_of_comparisons():
    assert significance.holm(P) == pytest.approx(
        [0.013671875, 0.05, 0.12, 0.12, 0.03, 0.4, 0.65], abs=1e-12
    )
    assert significance.false_discovery_rate(P) == pytest.approx(
        [0.013671875, 0.0233333333, 0.056, 0.0525, 0.0175, 0.2333333333, 0.65], abs=1e-9
    )


@pytest.mark.parametrize(
    ("pairs", "comparisons", "p"),
    [(10, 7, 0.013671875), (10, 21, 0.041015625), (10, 28, 0.0546875), (5, 1, 0.0625)],
)
def test_the_smallest_p_that_can_be_reached(pairs, comparisons, p):
    bounds = np.full(comparisons, significance.smallest_p(pairs))
    assert significance.holm(bounds) == pytest.approx(np.full(comparisons, p))


def test_wilcoxon_with_ties_is_exact():
    """All six gains: 2 of 64 sign patterns, ties or not. A zero is left out: 2 of 32."""
    assert significance.wilcoxon(np.array([0.1, 0.1, 0.2, 0.2, 0.3, 0.3])) == 2 / 64
    assert significance.wilcoxon(np.array([0.0, 0.1, 0.1, 0.2, 0.3, 0.3])) == 2 / 32
    # ranks 1.5, -1.5, 3, 4, 5, 6: |W| is at least 18 in 6 of 64 patterns
    found = significance.wilcoxon(np.array([0.1, -0.1, 0.2, 0.3, 0.4, 0.5]))
    assert found == pytest.approx(6 / 64)


def test_the_smallest_p_of_other_tests():
    assert significance.smallest_p(10, "wilcoxon") == significance.wilcoxon(np.arange(1.0, 11.0))
    assert significance.smallest_p(10, "t") == 0
    assert significance.smallest_p(20) == significance.sign_flip(np.full(20, 0.1)) == 1 / 100_001


@pytest.mark.parametrize(
    ("pairs", "alpha", "effect", "tolerance"),
    [
        (10, 0.05, 0.9960022543, 1e-6),
        (10, 0.10, 0.8528375122, 1e-6),
        (10, 0.05 / 7, 1.4050704126, 1e-6),
        (5, 0.05, 1.682, 2e-3),
    ],
)
def test_the_minimum_detectable_effect(pairs, alpha, effect, tolerance):
    assert significance.detectable_effect(pairs, alpha) == pytest.approx(effect, abs=tolerance)


def test_effect_sizes():
    assert significance.cohen_d(D) == pytest.approx(1.8547633248671835, abs=1e-9)
    assert significance.hedges_g(D) == pytest.approx(1.6957836113071392, abs=1e-9)
    assert significance.hedges_g(D) / significance.cohen_d(D) == pytest.approx(0.9142857142857143)
    assert significance.rank_biserial(D) == pytest.approx(0.9636363636363636, abs=1e-12)
    assert significance.superiority(A, B) == pytest.approx(0.795, abs=1e-12)
    assert significance.rank_biserial(np.zeros(3)) == 0
    assert significance.cohen_d(np.full(3, 0.5)) == np.inf
    assert significance.cohen_d(np.zeros(3)) == significance.hedges_g(np.zeros(3)) == 0
    assert significance.cohen_d(np.array([0.1, 0.1 + 1e-16, 0.1])) == np.inf
