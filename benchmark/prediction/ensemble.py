"""What several networks say together of an image, and where they disagree. Pure.

    p = mean over networks m of p_m
    H(p) = -Σ over classes p ln p / ln K                     in [0, 1]
    disagreement = H(p) - mean over m of H(p_m)              in [0, 1]

The disagreement is the mutual information between the class and the network that is asked (Houlsby
et al., arXiv:1112.5745; Lakshminarayanan et al., NeurIPS 2017, arXiv:1612.01474, for ensembles): 0
where all give the same probabilities, however undecided these are.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray


class Together(NamedTuple):
    """What networks say together."""

    probabilities: Float[ndarray, " k *s"]
    disagreement: Float[ndarray, "*s"]


def together(probabilities: Iterable[Float[ndarray, " k *s"]]) -> Together:
    """Of each network's probabilities, of which one at a time need be in memory."""
    total, entropies, n = np.float32(0), np.float32(0), 0
    for p in probabilities:
        total, entropies, n = total + p, entropies + entropy(p), n + 1
    mean = total / np.float32(n)
    # Rounding may leave a little less than nothing.
    return Together(mean, (entropy(mean) - entropies / np.float32(n)).clip(0, 1))


def entropy(p: Float[ndarray, " k *s"]) -> Float[ndarray, "*s"]:
    """H: 0 where one class has all, 1 where all have as much."""
    log_p = np.log(p, where=p > 0, out=np.zeros_like(p))
    return -(p * log_p).sum(0) / np.float32(math.log(len(p)))
