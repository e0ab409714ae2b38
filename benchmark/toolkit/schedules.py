"""Factors of learning rates and of weights, as pure functions of the epoch or of the progress."""

import math


def cosine(progress: float) -> float:
    """From 1 down to 0 along half a cosine; `progress` in [0, 1]."""
    return 0.5 * (1 + math.cos(math.pi * progress))


def poly(progress: float, power: float = 0.9) -> float:
    """From 1 down to 0, (1 - progress)^power: HiLab-git/SSL4MIS, lr_0 (1 - i/N)^0.9 at step i."""
    return (1 - progress) ** power


def ramp(progress: float, how: str = "linear", share: float = 1.0) -> float:
    """How much of its weight counts what is learnt without labels; 1 from `share` of the run on.

    linear: progress / share; sigmoid: exp(-5 (1 - progress / share)²), of Laine and Aila, ICLR
    2017, as HiLab-git/SSL4MIS code/utils/ramps.py has it; none: 1 from the start.
    """
    if how == "none":
        return 1.0
    grown = min(progress / share, 1.0)
    return grown if how == "linear" else math.exp(-5 * (1 - grown) ** 2)


def step(epoch: int, *, every: int, factor: float, warmup: int = 0) -> float:
    """Linear warm-up over `warmup` epochs, then times `factor` after each further `every` epochs.

    With warmup 20, every 50, factor 0.5 this is the schedule of ciampluca/hebbian-bootstraping@
    e18ce3f config/warmup_config/warmup.py but for its first epoch, which runs with learning rate 0
    there: here epoch e of the warm-up has (e + 1) / warmup.
    """
    if epoch < warmup:
        return (epoch + 1) / warmup
    return factor ** ((epoch - warmup) // every)
