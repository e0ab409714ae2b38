"""Where sources print the same result alike, and where they do not: found in their rows."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from reports.published.paper import DISTANCES, MEAN, METRICS, Paper

_APART = 0.1  # points of Dice; less is rounding
_COPIED = [f"{metric}_mean" for metric in METRICS] + [*DISTANCES]


class Place(NamedTuple):
    """What a printed number is of."""

    dataset: str
    budget: str
    """As printed: 7patients."""
    method: str
    of_class: str
    """A number, or the mean."""
    network: str
    """Where a source has several of them."""

    def __str__(self) -> str:
        others = [f"class {self.of_class}"] * (self.of_class != MEAN) + [self.network]
        return "/".join(filter(None, [self.method, self.dataset, self.budget, *others]))


class Copied(NamedTuple):
    """A row with the same digits in several sources."""

    place: Place
    dice: float
    sources: list[str]

    def __str__(self) -> str:
        return f"{self.place} {self.dice:.2f}: {', '.join(self.sources)}"


class Disagreement(NamedTuple):
    """Results of one place that lie apart by more than their last digit."""

    place: Place
    values: dict[float, list[str]]
    """Dice → who prints it."""

    @property
    def spread(self) -> float:
        """In points of Dice."""
        return round(max(self.values) - min(self.values), 2)

    @property
    def n_sources(self) -> int:
        return len({name for names in self.values.values() for name in names})

    def __str__(self) -> str:
        told = [f"{dice:.2f} ({', '.join(who)})" for dice, who in sorted(self.values.items())]
        return f"{self.place} by {self.spread:.2f}: {'; '.join(told)}"


def copies(papers: Iterable[Paper]) -> list[Copied]:
    """Dice, Jaccard, HD95 and ASD are all printed, and equal digit for digit."""
    found: dict[tuple, list[str]] = {}
    for name, place, row in _rows(papers):
        digits = tuple(row[column] for column in _COPIED)
        if not any(map(math.isnan, digits)):
            found.setdefault((place, digits), []).append(name)
    lines = [
        Copied(place, digits[0], sorted(set(names)))
        for (place, digits), names in found.items()
        if len(set(names)) > 1
    ]
    return sorted(lines)


def disagreements(papers: Iterable[Paper]) -> list[Disagreement]:
    """Dice is 0.1 or more apart, where more than one source prints it.

    What one source alone prints several times are its own checkpoints and networks.
    """
    found: dict[Place, dict[float, list[str]]] = {}
    for name, place, row in _rows(papers):
        names = found.setdefault(place, {}).setdefault(row["dc_mean"], [])
        if name not in names:
            names.append(name)
    lines = [Disagreement(place, values) for place, values in found.items()]
    return sorted(line for line in lines if line.spread >= _APART and line.n_sources > 1)


def _rows(papers: Iterable[Paper]) -> Iterator[tuple[str, Place, dict[str, float]]]:
    """Source, place and numbers of each printed line."""
    for paper in papers:
        for row in paper.rows:
            for name, numbers in row.scores.items():
                place = Place(row.dataset, row.budget, row.method, name, row.named_network)
                yield paper.name, place, dict(numbers)
