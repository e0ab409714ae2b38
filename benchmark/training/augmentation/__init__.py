"""How images are changed before a step, and their masks with them; obeys the card's `symmetry`.

Every random number comes from the generator of the step, on the CPU: all devices see the same
changes, and so does a run that was killed and goes on.
"""

from benchmark.training.augmentation.kinds import augmented
from benchmark.training.augmentation.symmetries import random_symmetry

__all__ = ["augmented", "random_symmetry"]
