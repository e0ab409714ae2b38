"""What a run makes of a dataset's splits. Imports nothing heavy: planning names it too."""

from typing import NamedTuple


class Roles(NamedTuple):
    """What becomes of the splits."""

    evaluate_on: str = "test"
    """test, or dev: the validation set that came with the data, else a fixed fifth of the pool."""
    val_as: str = "dev"
    """What a validation set is that came with the data. dev: what is tuned and chosen on; train: a
    part of the train pool; ignore: nothing."""
    unlabelled: str = "all"
    """How much of what may be unlabelled is used: all, "50 %" or "200 cases"."""
    slices: bool = False
    """Are volumes trained on slice by slice? What is labelled are slices then."""
