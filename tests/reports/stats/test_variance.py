"""The split of a variance: a worked example, and known components found again."""

import math

import numpy as np
import pytest

from reports.stats.variance import Components, components

WORKED = np.array([[0.60, 0.64], [0.70, 0.72], [0.80, 0.86]])
"""Three subsets, two seeds of weights.

Means of rows .62, .71, .83, of columns .70, .74, of all .72.
MS_subset = 2 (.01 + .0001 + .0121) / 2 = .0222; MS_weights = 3 (.0004 + .0004) / 1 = .0024;
what is left is 0, 0, .01, -.01, -.01, .01, so MS_rest = 4 · .0001 / 2 = .0002.
"""


def test_the_worked_example_of_the_documentation():
    found = components(WORKED)
    assert found.subset == pytest.approx((0.0222 - 0.0002) / 2)
    assert found.weights == pytest.approx((0.0024 - 0.0002) / 3)
    assert found.rest == pytest.approx(0.0002)
    assert found.total == pytest.approx(0.011 + 0.00073333 + 0.0002, abs=1e-7)
    assert found.shares.subset == pytest.approx(0.9218, abs=1e-4)


def test_less_than_nothing_is_nothing():
    found = components(np.array([[0.1, 0.2], [0.2, 0.1]]))
    assert (found.subset, found.weights) == (0, 0) and found.rest == pytest.approx(0.01)
    same = components(np.full((3, 3), 0.5))
    assert same == Components(0, 0, 0) and math.isnan(same.shares.subset)


def test_known_components_are_found_again():
    """Standard deviations .03, .01 and .02: means of 4,000 simulated studies of 5 × 5 runs.

    Cutting off at 0 lifts the small one a little: by hand none, of the others less than 2 %.
    """
    rng = np.random.default_rng(0)
    true = Components(0.03**2, 0.01**2, 0.02**2)
    found = np.mean(
        [
            components(
                0.7
                + rng.normal(0, 0.03, (5, 1))
                + rng.normal(0, 0.01, (1, 5))
                + rng.normal(0, 0.02, (5, 5))
            )
            for _ in range(4000)
        ],
        0,
    )
    assert found[0] == pytest.approx(true.subset, rel=0.04)
    assert found[2] == pytest.approx(true.rest, rel=0.02)
    assert true.weights * 0.95 < found[1] < true.weights * 1.25


def test_subsets_and_weights_are_not_mixed_up():
    by_subset = np.array([[0.1, 0.1], [0.9, 0.9]])
    assert components(by_subset).shares == pytest.approx((1, 0, 0))
    assert components(by_subset.T).shares == pytest.approx((0, 1, 0))
