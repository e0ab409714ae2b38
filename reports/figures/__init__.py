"""All figures of a study: frames in, figures out. What there are no data for is not drawn."""

from collections.abc import Callable, Iterator

from reports import canvas, diagrams, plots, qualitative
from reports.canvas import FORMS, saved
from reports.inputs import Inputs, Named

__all__ = ["FORMS", "Inputs", "Named", "draw", "saved"]

_MAKERS: tuple[Callable[[Inputs], Iterator[Named]], ...] = (
    plots.efficiency,
    plots.seeds,
    plots.optimism,
    plots.pretraining,
    plots.rounds,
    diagrams.ranks,
    diagrams.curves,
    diagrams.costs,
    qualitative.panels,
)


def draw(inputs: Inputs) -> list[Named]:
    """All figures for which there are data, in the order of a report."""
    with canvas.style():
        return [figure for maker in _MAKERS for figure in maker(inputs)]
