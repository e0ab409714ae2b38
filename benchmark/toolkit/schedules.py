"""Learning-rate factors as pure functions of the epoch or of the progress."""

import math


def cosine(progress: float) -> float:
    """From 1 down to 0 along half a cosine; `progress` in [0, 1]."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def step(epoch: int, *, every: int, factor: float, warmup: int = 0) -> float:
    """Linear warm-up over `warmup` epochs, then times `factor` after each further `every` epochs.

    With warmup 20, every 50, factor 0.5 this is the schedule of ciampluca/hebbian-bootstraping@
    e18ce3f config/warmup_config/warmup.py but for its first epoch, which runs with learning rate 0
    there: here epoch e of the warm-up has (e + 1) / warmup.
    """
    if epoch < warmup:
        return (epoch + 1) / warmup
    return factor ** ((epoch - warmup) // every)
