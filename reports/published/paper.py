"""A source of printed results, and how they were made; the files are in `results/README.md`."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean

UNKNOWN = "unknown"
"""What the source does not say, or nobody has found out."""
DRAWN = "drawn"
"""In the place of a list's name: each run drew its own labelled subset."""
NONE = "none"
MEAN = "mean"
"""In the place of a class: the mean over classes, or the only class that there is."""
METRICS = ("dc", "ji")
DISTANCES = ("hd95", "asd")

_COUNT = re.compile(r"(\d+) ?(patient|scan|case|image|slice)s?")


@dataclass(frozen=True)
class Distances:
    """How surface distances were measured, in the words of the columns of `results.csv`."""

    unit: str
    """voxels or mm."""
    hd95: str
    """joint or directed."""
    asd: str
    """joint, directed or to_truth."""
    lost_class: str
    """What counts where a class is not predicted at all: zero, diagonal, other, or unknown."""


@dataclass(frozen=True)
class Protocol:
    """How a result was made; `UNKNOWN` where the source does not say."""

    selection: str
    """The checkpoint: final, val, oracle (best on what is reported)."""
    aggregate: str
    """pooled, case or patient."""
    evaluated_on: str
    """test, val, or val+test."""
    size: str
    """Of the images, or of the patches of volumes: 128x128."""
    network: str
    """By this tool's name where it has it."""
    labelled_list: str
    """Name of the list of labelled cases, or `DRAWN`."""
    mean_over: str = "foreground"
    """Which classes a mean is over: foreground, or all with the background."""
    classes: tuple[str, ...] = ()
    """Names of classes 1, 2, …; nothing where they are not known."""


@dataclass(frozen=True)
class Printed:
    """One printed result: a method at a label budget of a dataset."""

    table: str
    """Where in the source."""
    dataset: str
    method: str
    labelled_percent: float
    labelled: str
    """As a count: 7patients, 8scans; "" where only the share is printed."""
    protocol: Protocol
    is_own: bool
    """Of the paper itself; else it copies the row from another one."""
    scores: Mapping[str, Mapping[str, float]]
    """Class (`MEAN`, or a number as a text) → column of the CSV → value as printed, in percent."""
    named_network: str = ""
    """The network, where the source tells rows of one method apart by it."""

    @property
    def budget(self) -> str:
        """As the source prints it."""
        return self.labelled or f"{self.labelled_percent:g} %"

    @property
    def count(self) -> tuple[int, str]:
        """Number and unit of what is labelled: (7, "patients"), (8, "cases"); (0, "") if unknown.

        A scan, an image and a slice are a case each.
        """
        found = _COUNT.fullmatch(self.labelled)
        if found is None:
            return 0, ""
        return int(found[1]), "patients" if found[2] == "patient" else "cases"

    @property
    def is_mean_of_classes(self) -> bool:
        """Are the classes printed without their mean?"""
        return MEAN not in self.scores

    @property
    def whole(self) -> Mapping[str, float]:
        """Over the classes: as printed, else the mean of the printed ones, which has no width."""
        if not self.is_mean_of_classes:
            return self.scores[MEAN]
        columns = [f"{metric}_mean" for metric in METRICS] + [*DISTANCES]
        return {
            column: fmean(own.get(column, math.nan) for own in self.scores.values())
            for column in columns
        }


@dataclass(frozen=True)
class Paper:
    """A source with its rows."""

    name: str
    """Of its files."""
    paper: str
    """Citation."""
    rows: tuple[Printed, ...]
    runs: int | None
    """Behind a printed mean; None: the source does not say."""
    plus_minus: str
    """What a printed ± is over: seeds, cases, patients, or none."""
    preset: str
    """The preset of this tool that replicates its settings, or none."""
    ci_level: float | None = None
    """Of a printed half width over seeds; None: of those there are standard deviations."""
    ddof: int = 1
    """What the variance was divided by: n - ddof."""
    source: str = ""
    """Where the digits were read."""
    distances: Distances | None = None
    lineage: Mapping[str, str] = field(default_factory=dict)
    """Dataset → which line of copied rows its rows belong to, where there are several."""
    is_trusted: bool = True
    """False: a digest of the paper was read, not the paper."""
    notes: Mapping[str, list[str]] = field(default_factory=dict)
    """Dataset → sentences for the footer."""

    @property
    def datasets(self) -> list[str]:
        return sorted({row.dataset for row in self.rows})
