"""Area under Dice over labelled shares, and the labels that a target needs."""

import math

import numpy as np
import pytest

from reports.stats import efficiency
from tests.reports.worked import DICE, RATIOS


def test_area_and_labels_needed():
    ratios, dice = np.array(RATIOS), np.array(DICE)
    assert efficiency.area(ratios, dice) == pytest.approx(0.7231378213, abs=1e-9)
    needed = efficiency.labels_needed(ratios, dice, 0.95 * 0.84)
    assert needed == pytest.approx(0.1203025036, abs=1e-9)
    assert efficiency.labels_needed(ratios, dice, 0.83) == math.inf
    assert efficiency.labels_needed(ratios, dice, 0.5) == 0.01
    dips = np.array([0.60, 0.80, 0.70, 0.79, 0.82])  # the first crossing counts
    assert efficiency.labels_needed(ratios, dips, 0.70) == pytest.approx(0.01 * 2**0.5)
