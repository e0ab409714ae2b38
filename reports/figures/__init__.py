"""All figures of a study: frames in, figures out. What there are no data for is not drawn.

The only room that knows Matplotlib.
"""

from collections.abc import Callable, Iterator

from reports.figures import cases, dice, more, qualitative, style
from reports.figures.inputs import Inputs, Named
from reports.figures.style import FORMS, saved

__all__ = ["FORMS", "Inputs", "Named", "draw", "saved"]

_MAKERS: tuple[Callable[[Inputs], Iterator[Named]], ...] = (
    dice.efficiency,
    dice.seeds,
    dice.optimism,
    dice.pretraining,
    dice.rounds,
    more.ranks,
    more.curves,
    more.costs,
    qualitative.panels,
    cases.cases,
    qualitative.pretrainings,
)


def draw(inputs: Inputs) -> list[Named]:
    """All figures for which there are data, in the order of a report."""
    with style.style():
        return [figure for maker in _MAKERS for figure in maker(inputs)]
