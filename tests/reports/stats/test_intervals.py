import math

import numpy as np
import pytest
from scipy import stats

from reports.stats.intervals import (
    Interval,
    Summary,
    bootstrap_interval,
    coverage,
    crossed_interval,
    interquartile_mean,
    logit_t_interval,
    mean_squares,
    standard_deviation_of,
    t_interval,
    welch,
)
from tests.reports.worked import A, B, D

SEEDS_BY_CASES = np.array(
    [[0.90, 0.80, 0.70, 0.88], [0.94, 0.83, 0.75, 0.92], [0.87, 0.78, 0.66, 0.84]]
)


def test_the_90_percent_interval_of_ten_seeds():
    """s = .0062912638, t(.95, 9) = 1.8331129: h = 1.8331129 · .0062912638 / √10."""
    assert t_interval(A)[:3] == pytest.approx((0.8460, 0.0036469274, 10), abs=1e-9)
    assert t_interval(B)[:3] == pytest.approx((0.83968, 0.0027738417, 10), abs=1e-9)
    assert t_interval(D)[:3] == pytest.approx((0.00632, 0.0019752306, 10), abs=1e-9)
    for values, bounds in ((A, (0.8423530726, 0.8496469274)), (D, (0.0043447694, 0.0082952306))):
        found = t_interval(values)
        assert (found.low, found.high) == pytest.approx(bounds, abs=1e-9)
    assert t_interval(A, 0.95).half_width == pytest.approx(0.0045004990, abs=1e-9)


def test_the_interval_of_the_authors_notebook_is_narrower():
    assert t_interval(A, ddof=0).half_width == pytest.approx(0.0034597791, abs=1e-9)


@pytest.mark.parametrize(("n", "share"), [(10, 0.883974547083752), (5, 0.8707756494536701)])
def test_what_the_authors_90_percent_really_cover(n, share):
    assert coverage(n) == pytest.approx(share, abs=1e-12)


def test_the_interval_of_the_log_odds_stays_between_0_and_1():
    """Log-odds 0, ln 9: mean m = s / √2 = 1.0986123, h = t(.95, 1) · m = 6.3137515 m = 6.9363651.

    1 / (1 + exp(5.8377528)) = .0029069, 1 / (1 + exp(-8.0349774)) = .9996762.
    """
    found = logit_t_interval(np.array([0.5, 0.9]))
    assert (found.mean, found.n) == (0.7, 2)
    assert found.bounds == pytest.approx((0.0029069, 0.9996762), abs=1e-7)
    assert (found.low, found.high) == found.bounds
    for odd in ([0.9], [0.5, 1.0], [0.0, 0.5]):
        assert math.isnan(logit_t_interval(np.array(odd)).half_width)


def test_the_bootstrap_is_seeded_needs_many_values_and_knows_equal_ones():
    """Sixty of A are normal enough: its interval is near the t interval's ± .0013."""
    many = np.tile(A, 6)
    found = bootstrap_interval(many)
    assert found == bootstrap_interval(many)
    assert found.half_width == pytest.approx(t_interval(many).half_width, rel=0.05)
    assert found.low < 0.846 < found.high
    assert math.isnan(bootstrap_interval(A).half_width)
    assert bootstrap_interval(np.full(20, 0.5)) == (0.5, 0.0, 20, None)


def test_an_interval_in_another_unit():
    assert Interval(0.5, 0.1, 3, (0.35, 0.55)).times(100.0) == (
        50, 10, 3, (35, pytest.approx(55)),
    )  # fmt: skip


def test_equal_values_have_width_0_and_one_value_has_none():
    assert t_interval(np.full(10, 0.9)).half_width == pytest.approx(0, abs=1e-12)
    single = t_interval(np.array([0.9]))
    assert (single.mean, single.n) == (0.9, 1)
    assert math.isnan(single.half_width)


def test_seeds_and_cases_are_two_sources():
    """MS .005275 / .0244083 / .000075; degrees of freedom 4.1253761 for both."""
    squares = (0.005275, 0.0244083333, 0.000075)
    assert mean_squares(SEEDS_BY_CASES) == pytest.approx(squares, abs=1e-9)
    found = crossed_interval(SEEDS_BY_CASES)
    assert found == pytest.approx((0.8225, 0.0612211264, 0.1061371547, 0.1049762958), abs=1e-9)
    degrees, errors = (2, 3, 4.1253760982), (0.0209662427, 0.0451001972, 0.0496725388)
    widths = stats.t.ppf(0.95, degrees) * errors
    assert found[1:] == pytest.approx(widths, abs=1e-9)
    assert found.seeds == pytest.approx(t_interval(SEEDS_BY_CASES.mean(1)).half_width, abs=1e-12)


def test_a_source_with_one_level_has_no_interval():
    one_seed = crossed_interval(SEEDS_BY_CASES[:1])
    # Four cases: s = .0909212, t(.95, 3) = 2.3533634, h = 2.3533634 · .0909212 / 2.
    assert one_seed.cases == pytest.approx(0.1069852, abs=1e-6)
    assert math.isnan(one_seed.seeds) and math.isnan(one_seed.both)
    assert math.isnan(crossed_interval(SEEDS_BY_CASES[:, :1]).cases)
    assert crossed_interval(np.full((3, 4), 0.9)).both == 0


def test_welch_from_printed_summaries():
    """91.36 ± .38 of ten runs against 90.74 ± .49 of five, whose deviation was divided by n."""
    ours = Summary(91.36, standard_deviation_of(0.38, 10), 10)
    theirs = Summary(90.74, standard_deviation_of(0.49, 5, ddof=0), 5)
    assert welch(ours, theirs) == pytest.approx((1.8778418696, 0.0925064880), abs=1e-9)


def test_without_pairs_the_same_figures_say_far_less():
    """p is .0218 where the paired test finds .00024."""
    a, b = (Summary(float(x.mean()), float(x.std(ddof=1)), 10) for x in (A, B))
    assert welch(a, b) == pytest.approx((2.5284585353919735, 0.02178025330430293), abs=1e-12)


def test_the_interquartile_mean_is_that_of_the_six_middle_values():
    assert interquartile_mean(A) == pytest.approx(0.8460833333333332, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("skewed", [False, True])
def test_the_default_interval_covers_the_mean_in_nine_of_ten_cases(skewed):
    """4,000 experiments of ten seeds, normal or from Beta(40, 6), whose mean is 40/46."""
    rng, hits, mean = np.random.default_rng(0), 0, 40 / 46
    for _ in range(4000):
        values = rng.beta(40, 6, 10) if skewed else rng.normal(mean, 0.05, 10)
        found = t_interval(values)
        hits += abs(found.mean - mean) <= found.half_width
    assert 0.88 <= hits / 4000 <= 0.92
