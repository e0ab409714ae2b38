"""Every random number comes from a generator named by what it is for.

A generator is derived from (study seed, trial seed, purpose, …) by a hash, so that two methods
draw the same batches, and a resumed run continues without any stored generator: the batch of step
1000 is drawn the same way whether steps 0–999 ran in this process or in one that was killed.
"""

import hashlib

import numpy as np
import torch


def derive(*parts: int | str) -> int:
    """A 63-bit seed that depends on every part, equal on every platform."""
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*parts: int | str) -> np.random.Generator:
    """NumPy generator for the purpose that the parts name."""
    return np.random.default_rng(derive(*parts))


def reseed_torch(*parts: int | str) -> None:
    """Seed torch's global generators (dropout and a method's noise draw from them)."""
    torch.manual_seed(derive(*parts))
