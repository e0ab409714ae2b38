"""What figures are drawn of, and what a drawn one is."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from reports.figures import style
from reports.select import (
    Budget,
    Configuration,
    Reading,
    datasets_of,
    floors,
    intervals,
    recorded,
    variants_of,
)
from reports.sheet import with_interval
from reports.stats.intervals import Interval

_MANY = 9  # curves in one plot: more cannot be told apart


@dataclass(frozen=True)
class Named:
    """A figure with what stands beside it."""

    name: str
    """Of its files: letters and hyphens."""
    title: str
    alt: str
    """What it shows, in a sentence."""
    figure: Any
    told: Sequence[str] = ()
    """The numbers in it, one by one: for who cannot see it."""
    of: Mapping[str, str] = field(default_factory=dict)
    """What all of it is of, "dataset" or "labelled" → its name: by that a reader filters."""
    has_intervals: bool = False
    """Are there error bars, which a caption must explain?"""


@dataclass(frozen=True)
class Inputs:
    """What figures are drawn of."""

    rows: pd.DataFrame
    """Comparable trials that are done: columns of `results.csv`."""
    reading: Reading = field(default_factory=Reading)
    histories: pd.DataFrame = field(default_factory=pd.DataFrame)
    """All `history.csv`, with dataset, budget, variant and seed."""
    panels: dict[Configuration, Mapping[str, ndarray]] = field(default_factory=dict)
    """One `panel.npz` of each configuration."""
    pretrainings: dict[tuple[str, str], Mapping[str, ndarray]] = field(default_factory=dict)
    """One `panel.npz` of a pretraining of each dataset and variant."""
    cases: pd.DataFrame = field(default_factory=pd.DataFrame)
    """All `cases.csv`, with dataset, budget, variant and seed."""
    pictures_of: Callable[
        [Mapping[Configuration, Sequence[str]]], Mapping[Configuration, Mapping[str, Any]]
    ] = lambda wanted: {}
    """Of the cases of a configuration that are wanted, by name, those whose image, target,
    prediction and seed were kept."""

    @cached_property
    def plain(self) -> set[str]:
        """Variants that are methods without a change."""
        return set(self.rows[recorded(self.rows).variant == self.rows.method].variant)

    @cached_property
    def looks(self) -> dict[str, style.Look]:
        return style.looks(variants_of(self.rows), self.plain)

    @cached_property
    def curves(self) -> dict[str, style.Look]:
        """Looks of the variants that plots with many curves show: of too many the plain methods."""
        methods = {name: look for name, look in self.looks.items() if name in self.plain}
        return methods if methods and len(self.looks) > _MANY else self.looks

    @property
    def left_out(self) -> str:
        """For the title of a plot with many curves."""
        n = len(self.looks) - len(self.curves)
        return f" ({n} variants with changed settings: see the table)" if n else ""

    @cached_property
    def _shares(self) -> dict[Configuration, Interval]:
        return intervals(self.rows, replace(self.reading, ci="seeds"), "dc")

    @cached_property
    def means(self) -> dict[Configuration, Interval]:
        """Dice in per cent, interval over seeds."""
        return {key: interval.times(100.0) for key, interval in self._shares.items()}

    @cached_property
    def floors(self) -> dict[str, float]:
        """Of each dataset, in per cent."""
        found = floors(self.rows, self.reading.aggregate)
        return {name: 100 * floor.values["dc"] for name, floor in found.items()}

    @property
    def datasets(self) -> list[str]:
        return datasets_of(self.rows)

    @property
    def budgets(self) -> list[Budget]:
        return sorted(self.rows.budget.unique())

    @property
    def dice(self) -> str:
        """Label of an axis."""
        chosen = self.reading.selection
        return "Dice (%)" + ("" if chosen == "final" else f", {chosen}")

    def families(self, name: str) -> list[dict[Any, str]]:
        """Variants that differ by one hyper-parameter alone: each family as value → variant.

        As the settings of their trials have it, whatever the variants are called; families of one
        are left out.
        """
        found: dict[str, dict[Any, str]] = {}
        for row in self.rows.drop_duplicates("variant").itertuples():
            own = dict(row.settings.get("hyperparameters", {}))
            if name in own:
                value = own.pop(name)
                found.setdefault(f"{row.method} {sorted(own.items())}", {})[value] = row.variant
        return [family for family in found.values() if len(family) > 1]

    def told(self, keys: list[Configuration]) -> list[str]:
        """The scores of these configurations in words."""
        return [
            f"{variant} on {dataset} at {budget.text}: {with_interval(self._shares[key])}"
            for key in keys
            if key in self.means
            for dataset, budget, variant in [key]
        ]


def bars(intervals: Iterable[Interval]) -> Float[ndarray, "2 n"]:
    """Lengths of error bars, below and above; NaN, which draws none, for a single run."""
    lengths = [(i.mean - i.low, i.high - i.mean) for i in intervals]
    return np.array(lengths).reshape(-1, 2).T


def plain(text: str) -> str:
    """Letters, digits and hyphens, as names of files and of parts of a page have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
