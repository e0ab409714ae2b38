"""All figures of a study: frames in, figures out. What there are no data for is not drawn.

The only room that knows Matplotlib.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

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
    """All figures for which there are data, in the order of a report, no two of one name."""
    with style.style():
        made = [figure for maker in _MAKERS for figure in maker(inputs)]
    times: Counter[str] = Counter()
    for i, figure in enumerate(made):
        times[figure.name] += 1
        if (n := times[figure.name]) > 1:  # of names that differ in other characters alone
            made[i] = replace(figure, name=f"{figure.name}-{n}")
    return made
