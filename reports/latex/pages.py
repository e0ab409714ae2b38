"""What fits beside and below each other: the columns of a table, its size of letters, its pages.

A page is that of the class article at 10 pt. Widths are estimated, rather too wide than too narrow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from reports.latex.cells import Column, column
from reports.latex.layouts import bundles, parted
from reports.latex.text import width
from reports.sheet import Cell, Sheet

TEXT_WIDTH, TEXT_HEIGHT = 345.0, 550.0
_GAP = 6.0
"""Between columns, in points: twice `tabcolsep`."""
_CAPTION = 50.0
"""Three lines of it, with the space around them."""
_LETTER = 4.8
"""Width of a letter at 10 pt, on average."""
_RULE = 5.0
"""What a rule takes with the space around it, in points."""


@dataclass(frozen=True)
class Size:
    """Of letters."""

    name: str
    scale: float
    """Of widths at 10 pt; smaller letters are wider for their height."""
    line: float
    """From line to line, in points."""


SIZES = (Size("footnotesize", 0.85, 9.5), Size("scriptsize", 0.80, 8.0))


@dataclass(frozen=True)
class Page:
    """What becomes one table of LaTeX."""

    parts: list[Sheet]
    """Below each other in one tabular."""
    columns: list[Column]
    """Of all parts; cells of one part stand behind those of the one before."""
    size: Size
    is_on_side: bool


def paged(sheet: Sheet, *, is_split: bool | None, extra: int) -> list[Page]:
    """The tables that it takes, one if that can be.

    is_split: are datasets to stand below each other; None: where they do not fit beside each other;
    False: rather on its side. extra: characters of the notes.
    """
    whole = bundles(sheet)
    single = [[i] for bundle in whole for i in bundle]
    tries = [(whole, len(whole), upright) for upright in (True, False)] if is_split is False else []
    tries += [(whole, n, True) for n in range(max(1, len(whole) - (is_split is True)), 0, -1)]
    tries += [(whole, 1, False)] + [(single, n, True) for n in range(len(single), 0, -1)]
    for columns, most, is_upright in tries:
        parts = parted(sheet, columns, most)
        breadth = _breadth(parts)
        for size in SIZES:
            if breadth * size.scale <= (TEXT_WIDTH if is_upright else TEXT_HEIGHT):
                return _below_each_other(parts, size, not is_upright, extra)
    return _below_each_other(parts, SIZES[-1], is_on_side=False, extra=extra)


def columns_of(parts: Sequence[Sheet]) -> list[Column]:
    """Each over all parts, so that they stand below each other; a part may have fewer."""
    most = max(len(part.heads) for part in parts)
    found = []
    for i in range(most):
        cells = [row[i] if i < len(row) else Cell("") for part in parts for row in part.rows]
        labels = [part.heads[i].label for part in parts if i < len(part.heads)]
        found.append(column(cells, max(labels, key=len), is_words=i < parts[0].words))
    return found


def _breadth(parts: list[Sheet]) -> float:
    """Of the tabular at 10 pt, in points, names above several columns included."""
    columns = columns_of(parts)
    gap = _GAP / SIZES[0].scale
    widest = 0.0
    for part in parts:
        pairs = zip(part.heads, columns, strict=False)
        taken = 0.0
        for group, members in groupby(pairs, lambda pair: pair[0].group):
            own = [one.width + gap for _, one in members]
            taken += max(sum(own), width(group) + gap)
        widest = max(widest, taken - gap)
    return widest


def _below_each_other(parts: list[Sheet], size: Size, is_on_side: bool, extra: int) -> list[Page]:
    """Parts, cut where they are too tall, filled into pages; below those of the last are notes."""
    breadth, height = TEXT_WIDTH, TEXT_HEIGHT
    if is_on_side:
        breadth, height = height, breadth
    room = height - _CAPTION
    notes = size.line * extra * _LETTER * size.scale / breadth
    filled = _filled(parts, size, room)
    if sum(_height(part, size) for part in filled[-1]) > room - notes:
        filled[-1:] = _filled(filled[-1], size, room - notes)
    return [Page(own, columns_of(own), size, is_on_side) for own in filled]


def _filled(parts: list[Sheet], size: Size, room: float) -> list[list[Sheet]]:
    """Of each page its parts."""
    filled: list[list[Sheet]] = []
    left = 0.0
    for piece in (piece for part in parts for piece in _cut(part, size, room)):
        taken = _height(piece, size)
        if not filled or taken > left:
            filled.append([])
            left = room
        filled[-1].append(piece)
        left -= taken
    return filled


def _height(part: Sheet, size: Size) -> float:
    groups = sum(1 for _ in groupby(part.rows, lambda row: row[0].text))
    return size.line * (len(part.rows) + 2) + _RULE * (groups + 3)


def _cut(part: Sheet, size: Size, room: float) -> list[Sheet]:
    """Pieces that are no taller than the room, of whole groups where that can be."""
    pieces: list[Sheet] = []
    for _, members in groupby(part.rows, lambda row: row[0].text):
        for row in _chunks(list(members), int((room - 5 * _RULE) / size.line) - 2):
            longer = replace(pieces[-1], rows=[*pieces[-1].rows, *row]) if pieces else None
            if longer is not None and _height(longer, size) <= room:
                pieces[-1] = longer
            else:
                pieces.append(replace(part, rows=row))
    return pieces or [part]


def _chunks(rows: list[list[Cell]], most: int) -> list[list[list[Cell]]]:
    most = max(1, most)
    return [rows[at : at + most] for at in range(0, len(rows), most)]
