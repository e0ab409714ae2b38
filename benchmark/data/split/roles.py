"""What a run makes of a dataset's splits. Imports nothing heavy: planning names it too."""

import re
from typing import NamedTuple

FOLDS = "folds"
"""What a tuning study evaluates: every fold of the labelled images, each by a trial of its own."""


class Fold(NamedTuple):
    """One of so many parts of the labelled images, counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        """As settings and records name it: fold 2/5."""
        return f"fold {self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> "Fold | None":
        """`fold 2/5`; None for anything else."""
        if not (found := re.fullmatch(r"fold ([1-9]\d?)/([1-9]\d?)", text)):
            return None
        fold = cls(int(found[1]), int(found[2]))
        return fold if fold.index <= fold.count else None


class Roles(NamedTuple):
    """What becomes of the splits."""

    evaluate_on: str = "test"
    """test; dev: the validation set that came with the data, else a fixed fifth of the pool; or,
    in tuning, folds of the labelled images, of a trial one of them: "fold 2/5"."""
    val_as: str = "dev"
    """What a validation set is that came with the data. dev: what is tuned and chosen on; train: a
    part of the train pool; ignore: nothing."""
    unlabelled: str = "all"
    """How much of what may be unlabelled is used: all, "50 %" or "200 cases"."""
    slices: bool = False
    """Are volumes trained on slice by slice? What is labelled are slices then."""

    @property
    def fold(self) -> Fold | None:
        """The fold that is evaluated, if it is one."""
        return Fold.parse(self.evaluate_on)

    @property
    def is_within_labelled(self) -> bool:
        """Is what is evaluated a part of the labelled images?"""
        return self.evaluate_on == FOLDS or self.fold is not None
