"""A table before it is text: cells with their marks, a title, a footer, and the exact scores."""

import math
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from enum import IntEnum
from typing import TypeVar

import pandas as pd

from reports.stats.intervals import Interval


class Mark(IntEnum):
    """Where a score stands among those of its column and group."""

    NONE = 0
    BEST = 1
    SECOND = 2


_Key = TypeVar("_Key", bound=Hashable)


def ranked(values: Mapping[_Key, float], *, lowest: bool = False) -> dict[_Key, Mark]:
    """The best and the second best of a column and group; of two, one is marked.

    Equal values share a mark, and after two best there is no second; what is no number has none.
    """
    worth = {k: v if lowest else -v for k, v in values.items() if math.isfinite(v)}
    better = {key: sum(other < own for other in worth.values()) for key, own in worth.items()}
    marks = [Mark.BEST, Mark.SECOND][: len(values) - 1]
    return {key: marks[n] for key, n in better.items() if n < len(marks)}


@dataclass(frozen=True)
class Cell:
    """One field of a table."""

    text: str
    """As printed, with " ± " and "–" (nothing there)."""
    value: int | float = math.nan
    """By which it sorts."""
    mark: Mark = Mark.NONE
    is_tied: bool = False
    """Not distinguishable from the best by the test that the footer names."""
    is_grey: bool = False
    """Not to be read like the others: why, `Sheet.greyed` says."""


NOTHING = Cell("–")
COSTS_OF = "costs of "
"""Begins the group of a dataset's costs, where there are several datasets."""


@dataclass(frozen=True)
class Head:
    """Of a column: the label, and the group of neighbours that it belongs to ("" for none)."""

    label: str
    group: str = ""

    @property
    def dataset(self) -> str:
        """Whose scores or costs they are, of a group that is a dataset's."""
        return self.group.removeprefix(COSTS_OF)


GROUP = Head("group")
"""Of the column, the second, of groups of methods (`reports.names`)."""


@dataclass(frozen=True)
class Sheet:
    """A table.

    Rows with equal first cells belong together: the label is printed once, a rule divides groups.
    """

    name: str
    """Of its files: letters and hyphens."""
    title: str
    heads: list[Head]
    rows: list[list[Cell]]
    data: pd.DataFrame
    """The same in full precision, one line a score or a row: what becomes the CSV."""
    notes: list[str] = field(default_factory=list)
    """What its numbers and signs mean: without them it cannot be read."""
    footer: list[str] = field(default_factory=list)
    """What else is to be said of it."""
    words: int = 2
    """So many first columns hold words and not numbers."""
    marked: str = ""
    """Of what the best and the second best are marked; "" where nothing is. Each format says in its
    footer how it marks them."""
    greyed: str = ""
    """What is grey in it; each format has its own way of that too (`reports.render`)."""
    caption: str = ""
    """Its title, and what it was made of; "": the title alone."""

    @property
    def remarks(self) -> list[str]:
        """All that stands under it but what its marks mean."""
        return [*self.notes, *self.footer]


def key_lines(sheet: Sheet, how: str, grey: str) -> list[str]:
    """What the marks mean, in the format's own way of marking (how, grey), and the notes."""
    has_grey = any(cell.is_grey for line in sheet.rows for cell in line)
    marks = [f"{how} {sheet.marked}"] if sheet.marked else []
    return [*marks, *[f"{grey} {sheet.greyed}"] * has_grey, *sheet.notes]


def footer_lines(sheet: Sheet, how: str, grey: str) -> list[str]:
    """All that stands under it: `key_lines`, then the footer."""
    return [*key_lines(sheet, how, grey), *sheet.footer]


def without_repeats(sheet: Sheet) -> list[list[Cell]]:
    """Its rows; of those that belong together the first alone has the label, or the group."""
    labels = 2 if GROUP in sheet.heads[1:2] else 1
    found: list[list[Cell]] = []
    previous: list[str] = []
    for row in sheet.rows:
        texts = [cell.text for cell in row[:labels]]
        shown = [
            Cell("") if texts[: i + 1] == previous[: i + 1] else cell
            for i, cell in enumerate(row[:labels])
        ]
        found.append([*shown, *row[labels:]])
        previous = texts
    return found


def counted(n: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{n} {noun}{'s' * (n != 1)}"


def mean_and_width(mean: float, half_width: float = math.nan) -> str:
    """As a percentage: (0.8460, 0.00365) → "84.60 ± 0.36"; the mean alone without a width."""
    text, width = number(mean, half_width)
    return f"{text} ± {width}" if width else text


def with_interval(interval: Interval) -> str:
    """As `mean_and_width`, of a share; "84.60 [84.21, 84.97]" where the interval is uneven.

    A dagger where it reaches beyond 0 or 1, where no share can lie.
    """
    mean, half_width, _, bounds = interval
    if not math.isfinite(mean):
        return "NaN" if math.isnan(mean) else "inf"
    if bounds is None:
        return mean_and_width(mean, half_width) + "†" * interval.leaves_unit
    text, _ = number(mean, half_width)
    decimals = len(text.partition(".")[2])
    low, high = (rounded(bound, decimals) for bound in bounds)
    return f"{text} [{low}, {high}]"


def of_fewer(n: int, full_n: int) -> str:
    """What stands behind a score of a single run, or of fewer than the others: " (n=3)"."""
    return f" (n={n})" if n < full_n or n == 1 else ""


_IS_IN_FULL: ContextVar[bool] = ContextVar("lists are printed in full", default=False)


@contextmanager
def in_full() -> Iterator[None]:
    """Within, lists are printed to their end: for the page, which folds what is long."""
    token = _IS_IN_FULL.set(True)
    try:
        yield
    finally:
        _IS_IN_FULL.reset(token)


def fits(n: int, shown: int) -> bool:
    """May a list of n be printed to its end where usually so many are shown?"""
    return n <= shown or _IS_IN_FULL.get()


def shortened(texts: list[str], shown: int = 6, between: str = ", ") -> str:
    """A list for a footer: "a, b, c and 4 more"."""
    more = "" if fits(len(texts), shown) else f" and {len(texts) - shown} more"
    return between.join(texts[:shown] if more else texts) + more


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[0].upper() + text[1:] + "." * (not text.endswith("."))


def signed(difference: float, half_width: float = math.nan) -> str:
    """As `mean_and_width` in percentage points, with a sign: "+0.63 ± 0.20", "−1.2 ± 3.4"."""
    text, _ = number(abs(difference), half_width)
    is_zero = not text.strip("0.")
    sign = "−" if difference < 0 and not is_zero else "+"
    return sign + mean_and_width(abs(difference), half_width)


def number(value: float, half_width: float = math.nan) -> tuple[str, str]:
    """Percentages of a mean and its half width, half-even: the width to 2 significant digits.

    Never more than two decimals nor fewer than one: (0.8460, 0.00365) → ("84.60", "0.36").
    """
    if math.isnan(half_width):
        return rounded(value, 2), ""
    decimals = 2 if 100 * half_width < 0.995 else 1
    return rounded(value, decimals), rounded(half_width, decimals)


def rounded(value: float, decimals: int) -> str:
    """100 times the value."""
    if not math.isfinite(value):
        return "–"
    # Through the shortest decimal that stands for the float: 0.125 is a tie, 0.1249999 is not.
    exact = Decimal(repr(float(value))) * 100
    return str(exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN))
