"""A sheet as the page's template wants it: groups of heads and of rows, parts of cells."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from reports.page.facets import Facet, is_of_no_method, of_head, of_line
from reports.render import footer_lines
from reports.sheet import NOTHING, Cell, Mark, Sheet

_MARKS = "bold: best, underlined: second best"
_LABELS = 2  # columns that name a row, at most: they stay in sight of a wide table
_BROAD = 105  # characters side by side: more do not fit a sheet of paper held upright,
_VAST = 190  # nor held across unless they are small
_WRAPS = 24  # characters of a column, which has several lines beyond


@dataclass(frozen=True)
class HeadGroup:
    """Neighbouring heads: of a group, or the one head that is in none."""

    label: str
    first: int
    heads: list[str]
    of: Mapping[str, str]
    """The dataset of its columns, if they are of one: name of a facet → value."""


def head_groups(sheet: Sheet, facets: Sequence[Facet]) -> Iterator[HeadGroup]:
    """From left to right."""
    first = 0
    for label, members in groupby(sheet.heads, lambda head: head.group):
        own = list(members)
        heads = [head.label for head in own]
        if label:
            yield HeadGroup(label, first, heads, of_head(own[0], facets))
        else:
            yield from (HeadGroup("", first + i, [head], {}) for i, head in enumerate(heads))
        first += len(heads)


def kinds(sheet: Sheet) -> list[str]:
    """Of each column: "label" of the rows, other "words", or "number"."""

    def kind(i: int) -> str:
        if i < sheet.words:
            return "label" if i < _LABELS else "words"
        found = [own for row in sheet.rows if not (own := parts(row[i])).is_nothing]
        return "number" if not found or any(own.key for own in found) else "words"

    return [kind(i) for i in range(len(sheet.heads))]


def breadth(sheet: Sheet) -> str:
    """How the page treats it, as classes."""
    columns = zip(*([cell.text for cell in row] for row in sheet.rows), strict=True)
    widths = [min(max(map(len, column)), _WRAPS) for column in columns]
    whole = sum(widths) + 2 * len(widths)
    if whole > _BROAD:
        return "broad vast" if whole > _VAST else "broad"
    return ""


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    cells: list[Cell]
    is_repeat: bool
    """Of the label in the first column."""
    is_fixed: bool
    """It keeps its place where others are sorted."""
    of: Mapping[str, str]
    """The dataset, label budget and method that it is of: name of a facet → value."""


def row_groups(sheet: Sheet, facets: Sequence[Facet]) -> list[list[Row]]:
    """Rows that stay together however they are sorted: those of one label in the first column.

    Where no label has two rows there is nothing to keep together.
    """
    groups = [
        [
            Row(
                cells, i > 0, is_of_no_method(sheet.heads, cells, facets),
                of_line(sheet.heads, cells, facets),
            )
            for i, cells in enumerate(members)
        ]
        for _, members in groupby(sheet.rows, lambda row: row[0].text)
    ]  # fmt: skip
    if all(len(group) == 1 for group in groups):
        return [[row for group in groups for row in group]]
    return groups


@dataclass(frozen=True)
class Parts:
    """Of a cell: the number that is marked, and how sure it is."""

    number: str
    width: str
    key: str
    """By which it sorts; "" if by its text."""
    is_nothing: bool
    mark: str


def parts(cell: Cell) -> Parts:
    """A cell taken apart."""
    number, sign, width = cell.text.partition(" ± ")
    key = repr(float(cell.value)) if math.isfinite(cell.value) else ""
    mark = {Mark.NONE: "", Mark.BEST: "best", Mark.SECOND: "second"}[cell.mark]
    is_nothing = not key and cell.text in ("", NOTHING.text)
    return Parts(number, sign.lstrip() + width, key, is_nothing, mark)


class Notes(NamedTuple):
    """The footer, in the three ways that the page has for it."""

    marks: list[str]
    """What the marks mean: in sight."""
    own: list[str]
    """Folded."""
    n_shared: int
    """So many more stand under the main table already."""


def notes(sheet: Sheet, main: Sheet) -> Notes:
    """Of a table beside the main one, which may be that itself."""
    lines = footer_lines(sheet, _MARKS, "grey:")
    marks = lines[: len(lines) - len(sheet.footer)]
    if sheet is main:
        return Notes(marks, sheet.footer, 0)
    own = [line for line in sheet.footer if line not in main.footer]
    return Notes(marks, own, len(sheet.footer) - len(own))
