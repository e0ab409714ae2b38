"""The mean of several networks' probabilities, and where they disagree; values by hand."""

import math

import numpy as np
import pytest

from benchmark.prediction.ensemble import entropy, together


def probabilities(*of_foreground: float) -> np.ndarray:
    """(2, n): background and foreground of n pixels."""
    p = np.array(of_foreground, np.float32)
    return np.stack([1 - p, p])


def test_the_entropy_is_0_where_decided_1_where_even_and_between_by_its_formula():
    # -(1/4 ln 1/4 + 3/4 ln 3/4) / ln 2 = 2 - 3/4 log2 3 = 0.8112781
    found = entropy(probabilities(0.0, 1.0, 0.5, 0.25))
    assert found == pytest.approx([0, 0, 1, 0.8112781], abs=1e-6)
    thirds = np.full((3, 1), 1 / 3, np.float32)
    assert entropy(thirds) == pytest.approx([1], abs=1e-6)


def test_networks_disagree_where_they_differ_and_not_where_all_are_undecided():
    """Pixels: one says 0 and one 1; both say 1/2; both say 1; one says 0 and one 1/2."""
    found = together([probabilities(0.0, 0.5, 1.0, 0.0), probabilities(1.0, 0.5, 1.0, 0.5)])
    assert found.probabilities[1] == pytest.approx([0.5, 0.5, 1, 0.25])
    # The last: H(1/4) - (0 + 1) / 2 = 0.8112781 - 0.5.
    assert found.disagreement == pytest.approx([1, 0, 0, 0.3112781], abs=1e-6)


def test_three_classes_are_measured_in_units_of_all_three():
    """Each network names another class: the mean is 1/3 of each, and none is undecided."""
    members = [np.eye(3, dtype=np.float32)[:, [k]] for k in range(3)]
    found = together(members)
    assert found.probabilities[:, 0] == pytest.approx([1 / 3] * 3)
    assert found.disagreement == pytest.approx([1], abs=1e-6)
    two = together(members[:2])
    assert two.disagreement == pytest.approx([math.log(2) / math.log(3)], abs=1e-6)


def test_one_network_disagrees_with_nobody():
    found = together(iter([probabilities(0.1, 0.6)]))
    assert found.probabilities[1] == pytest.approx([0.1, 0.6])
    assert (found.disagreement == 0).all()
