"""Label efficiency: what is gained over all labelled shares, and how few labels would do."""

import math

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def area(ratios: Float[ndarray, " r"], scores: Float[ndarray, " r"]) -> float:
    """Mean score over log₂ of the labelled share, by trapezoids; the ratios ascend."""
    x = np.log2(ratios)
    return float(np.trapezoid(scores, x) / (x[-1] - x[0]))


def labels_needed(
    ratios: Float[ndarray, " r"], scores: Float[ndarray, " r"], target: float
) -> float:
    """The labelled share at which the score reaches the target, log-linear between the measured.

    The first crossing counts. Infinite if no measured share reaches it; the smallest share if that
    one does already; NaN without a target.
    """
    if math.isnan(target):
        return math.nan
    if scores[0] >= target:
        return float(ratios[0])
    for i in range(1, len(scores)):
        if scores[i] >= target:
            part = (target - scores[i - 1]) / (scores[i] - scores[i - 1])
            low, high = math.log2(ratios[i - 1]), math.log2(ratios[i])
            return float(2 ** (low + part * (high - low)))
    return math.inf
