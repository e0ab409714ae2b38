"""What figures are drawn of, and what a drawn one is."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from reports import canvas
from reports.aggregate import Key, Reading, cells, floors
from reports.intervals import Interval
from reports.sheet import percent, with_interval

_TOLD = 20  # figures in words
_MANY = 9  # curves in one plot: more cannot be told apart


@dataclass(frozen=True)
class Named:
    """A figure with what stands beside it."""

    name: str
    """Of its files: letters and hyphens."""
    title: str
    alt: str
    """What it shows, in words and figures."""
    figure: Any


@dataclass(frozen=True)
class Inputs:
    """What figures are drawn of."""

    rows: pd.DataFrame
    """Comparable trials that are done: columns of `results.csv`."""
    reading: Reading = field(default_factory=Reading)
    histories: pd.DataFrame = field(default_factory=pd.DataFrame)
    """All `history.csv`, with dataset, ratio, variant and seed."""
    panels: dict[Key, Mapping[str, ndarray]] = field(default_factory=dict)
    """One `panel.npz` of each cell."""

    @cached_property
    def looks(self) -> dict[str, canvas.Look]:
        return canvas.looks(self.rows.variant)

    @cached_property
    def curves(self) -> dict[str, canvas.Look]:
        """Looks of the variants that plots with many curves show: of too many the plain methods."""
        methods = {name: look for name, look in self.looks.items() if "[" not in name}
        return methods if methods and len(self.looks) > _MANY else self.looks

    @property
    def left_out(self) -> str:
        """For the title of a plot with many curves."""
        n = len(self.looks) - len(self.curves)
        return f" ({n} variants with changed settings: see the table)" if n else ""

    @cached_property
    def _shares(self) -> dict[Key, Interval]:
        return cells(self.rows, replace(self.reading, ci="seeds"), "dc")

    @cached_property
    def means(self) -> dict[Key, Interval]:
        """Dice in per cent, interval over seeds."""
        return {key: interval.times(100.0) for key, interval in self._shares.items()}

    @cached_property
    def floors(self) -> dict[str, float]:
        """Of each dataset, in per cent."""
        found = floors(self.rows, self.reading.aggregate)
        return {name: 100 * floor.values["dc"] for name, floor in found.items()}

    @property
    def datasets(self) -> list[str]:
        return sorted(self.rows.dataset.unique())

    @property
    def ratios(self) -> list[float]:
        return [float(r) for r in sorted(self.rows.ratio.unique())]

    @property
    def dice(self) -> str:
        """Label of an axis."""
        return "Dice (%)" + (", oracle" if self.reading.selection == "oracle" else "")

    def told(self, keys: list[Key]) -> str:
        """The figures of these cells in words; of many, the first."""
        found = [key for key in keys if key in self.means]
        told = [
            f"{variant} on {dataset} at {percent(ratio)}: " + with_interval(self._shares[key])
            for key in found[:_TOLD]
            for dataset, ratio, variant in [key]
        ]
        more = f"; and {len(found) - _TOLD} more, see the table" if len(found) > _TOLD else ""
        return "; ".join(told) + more


def bars(intervals: Iterable[Interval]) -> Float[ndarray, "2 n"]:
    """Lengths of error bars, below and above; NaN, which draws none, for a single run."""
    lengths = [(i.mean - i.low, i.high - i.mean) for i in intervals]
    return np.array(lengths).reshape(-1, 2).T


def plain(text: str) -> str:
    """Letters, digits and hyphens, as names of files and of parts of a page have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
