"""How much of the spread over runs is due to the labelled subset, to the weights, to the rest.

Two-way random effects with one run for each pair: y_ij = μ + a_i + b_j + e_ij, subset i of I, seed
of weights j of J. Of independent effects the expected mean squares are

    E MS_subset = σ²_e + J σ²_a,   E MS_weights = σ²_e + I σ²_b,   E MS_rest = σ²_e

so that σ²_a = (MS_subset - MS_rest) / J and σ²_b = (MS_weights - MS_rest) / I (Searle, Casella &
McCulloch, Variance Components, 1992, ch. 4). A negative estimate is shown as 0, as usual. What both
do together cannot be told apart from the noise of a run: it is in the rest.
"""

import math
from typing import NamedTuple

from jaxtyping import Float
from numpy import ndarray

from reports.stats.intervals import mean_squares


class Components(NamedTuple):
    """Variances. Their sum is that of a single run over subsets and weights."""

    subset: float
    weights: float
    rest: float

    @property
    def total(self) -> float:
        return sum(self)

    @property
    def shares(self) -> "Components":
        """Of the total; NaN where nothing varies."""
        total = self.total
        return Components(*(value / total if total > 0 else math.nan for value in self))


def components(values: Float[ndarray, "i j"]) -> Components:
    """Of runs with every subset (rows) and every seed of weights (columns), two or more of each."""
    n_subsets, n_weights = values.shape
    ms_subset, ms_weights, ms_rest = mean_squares(values)
    return Components(
        subset=max(0.0, (ms_subset - ms_rest) / n_weights),
        weights=max(0.0, (ms_weights - ms_rest) / n_subsets),
        rest=ms_rest,
    )
