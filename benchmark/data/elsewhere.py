"""A test set of other data than networks were trained on: can it test them, and what is odd?"""

from collections.abc import Iterator

import numpy as np

from benchmark.data.card import Card
from benchmark.data.prepared import Manifest, Prepared
from benchmark.errors import ExitCode, UserError
from benchmark.wording import counted, shortened

_FAR = 1.5  # standard deviations of the grey levels that were learnt from
_FLAT = 4  # times as much or as little contrast


def require_testable(name: str, theirs: Card, ours: Card) -> None:
    """`UserError` (exit code 3) for a test set, called name, that networks of ours cannot see."""
    for what in ("is_volume", "channels", "classes"):
        if getattr(theirs, what) != getattr(ours, what):
            raise UserError(
                f"{name} cannot test networks of {ours.name}: its {what} is "
                f"{getattr(theirs, what)}, theirs {getattr(ours, what)}",
                ExitCode.DATA,
            )


def oddities(test: Prepared, trained: Manifest) -> list[str]:
    """What makes scores on these test images other than they seem."""
    return [*_trained_on(test.manifest, trained), *_unlike(test, trained)]


def _trained_on(test: Manifest, trained: Manifest) -> Iterator[str]:
    """Of equal bytes as prepared; manifests from before do not tell."""
    known = {case.image: case.id for case in trained.cases if case.split != "test" and case.image}
    both = [
        f"{case.id} and {known[case.image]}"
        for case in test.cases
        if case.split == "test" and case.image in known
    ]
    if both:
        yield (
            f"{counted(len(both), 'test image')} of it among the training images of {trained.name} "
            f"({shortened(both)}): scores are too high"
        )


def _unlike(test: Prepared, trained: Manifest) -> Iterator[str]:
    """Far darker, brighter, flatter; volumes are standardised one by one."""
    if trained.card.is_volume:
        return
    rows = [row for row, case in enumerate(test.manifest.cases) if case.split == "test"]
    images = test.images[rows] / np.iinfo(test.images.dtype).max
    over = tuple(range(images.ndim - 1))
    away = float(((images.mean(over) - trained.mean) / trained.std).mean())
    contrast = float((images.std(over) / trained.std).mean())
    if abs(away) > _FAR or not 1 / _FLAT < contrast < _FLAT:
        yield (
            f"its images are unlike those of {trained.name}: {abs(away):.1f} standard deviations "
            f"{'darker' if away < 0 else 'brighter'}, with {contrast:.2g} times their contrast (of "
            "12 bits in 16? inverted? clip: [0, 100] or a window in its card brings grey levels to "
            "the whole range)"
        )
