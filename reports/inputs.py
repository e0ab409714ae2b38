"""What figures are drawn of, and what a drawn one is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import pandas as pd
from numpy import ndarray

from reports import canvas
from reports.aggregate import Key, Reading, cells, floors
from reports.intervals import Interval
from reports.sheet import mean_and_width, percent


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
    ranks: dict[float, tuple[dict[str, float], float, int]] = field(default_factory=dict)
    """Ratio → average rank of each variant, critical difference, number of datasets."""

    @cached_property
    def looks(self) -> dict[str, canvas.Look]:
        return canvas.looks(self.rows.variant)

    @cached_property
    def means(self) -> dict[Key, Interval]:
        """Dice in per cent, interval over seeds."""
        found = cells(self.rows, replace(self.reading, ci="seeds"), "dc")
        return {k: Interval(100 * i.mean, 100 * i.half_width, i.n) for k, i in found.items()}

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
        """The figures of these cells in words."""
        return "; ".join(
            f"{variant} on {dataset} at {percent(ratio)}: "
            + mean_and_width(self.means[key].mean / 100, self.means[key].half_width / 100)
            for key in keys
            if key in self.means
            for dataset, ratio, variant in [key]
        )


def width(interval: Interval) -> float:
    """Of an error bar: none for a single run."""
    return 0.0 if math.isnan(interval.half_width) else interval.half_width
