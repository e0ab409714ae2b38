"""The report as one HTML file that needs nothing else: tables, pictures, provenance, failures."""

import base64
import hashlib
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from reports.render import footer_lines
from reports.sheet import NOTHING, Cell, Mark, Sheet

LIMIT = 5 * 2**20  # bytes
_MEDIA = {"svg": "image/svg+xml", "png": "image/png"}
_MARKS = "bold: best, underlined: second best"
_LABELS = 2  # columns that name a row, at most: they stay in sight of a wide table
_BROAD = 105  # characters side by side: more do not fit a sheet of paper held upright,
_VAST = 190  # nor held across unless they are small
_WRAPS = 24  # characters of a column, which has several lines beyond
_ASPECT, _WIDTH = 1.9, 780  # a picture beyond either has a line of its own


@dataclass(frozen=True)
class Picture:
    """A figure or a panel, drawn."""

    name: str
    """Its id: letters and hyphens."""
    title: str
    alt: str
    content: bytes
    kind: str
    """"svg" or "png"."""

    @property
    def size(self) -> int:
        """Bytes that it takes in the file, with what stands around it."""
        return 4 * math.ceil(len(self.content) / 3) + len((self.title + self.alt).encode()) + 1000


@dataclass(frozen=True)
class Page:
    """What the file shows, in this order but for the pictures, which follow the first table."""

    study: str
    summary: list[str]
    """A few plain sentences: what was compared, on what, how it was read."""
    sheets: list[Sheet]
    """The first is the main table."""
    pictures: list[Picture]
    provenance: list[tuple[str, str]]
    """Name and value."""
    failures: list[tuple[str, str]]
    """Label of the trial and its error."""


def render(page: Page) -> str:
    """The file. Raises ValueError if it exceeds `LIMIT`, or two parts share a name."""
    for kind, parts in (("tables", page.sheets), ("pictures", page.pictures)):
        names = [part.name for part in parts]
        if len(set(names)) < len(names):
            raise ValueError(f"two {kind} share a name: {', '.join(sorted(names))}")
    text = _ENVIRONMENT.get_template("page.html.jinja").render(page=page)
    size = len(text.encode())
    if size > LIMIT:
        largest = max(page.pictures, key=lambda p: len(p.content), default=None)
        hint = f"; the largest picture is {largest.name}" if largest else ""
        raise ValueError(f"the page has {size / 2**20:.1f} MiB, more than 5{hint}")
    return text


@dataclass(frozen=True)
class _Group:
    """Neighbouring heads: of a group, or the one head that is in none."""

    label: str
    first: int
    heads: list[str]


def _groups(sheet: Sheet) -> Iterator[_Group]:
    """From left to right."""
    first = 0
    for label, members in groupby(sheet.heads, lambda head: head.group):
        heads = [head.label for head in members]
        if label:
            yield _Group(label, first, heads)
        else:
            yield from (_Group("", first + i, [head]) for i, head in enumerate(heads))
        first += len(heads)


def _kinds(sheet: Sheet) -> list[str]:
    """Of each column: "label" of the rows, other "words", or "number"."""

    def kind(i: int) -> str:
        if i < sheet.words:
            return "label" if i < _LABELS else "words"
        found = [parts for row in sheet.rows if not (parts := _parts(row[i])).is_nothing]
        return "number" if not found or any(parts.key for parts in found) else "words"

    return [kind(i) for i in range(len(sheet.heads))]


def _breadth(sheet: Sheet) -> str:
    """How the page treats it, as classes."""
    columns = zip(*([cell.text for cell in row] for row in sheet.rows), strict=True)
    widths = [min(max(map(len, column)), _WRAPS) for column in columns]
    breadth = sum(widths) + 2 * len(widths)
    if breadth > _BROAD:
        return "broad vast" if breadth > _VAST else "broad"
    return ""


@dataclass(frozen=True)
class _Row:
    cells: list[Cell]
    is_repeat: bool
    """Of the label in the first column."""


def _rows(sheet: Sheet) -> Iterator[_Row]:
    for _, members in groupby(sheet.rows, lambda row: row[0].text):
        yield from (_Row(cells, i > 0) for i, cells in enumerate(members))


@dataclass(frozen=True)
class _Parts:
    """Of a cell: the number that is marked, and how sure it is."""

    number: str
    width: str
    key: str
    """By which it sorts; "" if by its text."""
    is_nothing: bool
    mark: str


def _parts(cell: Cell) -> _Parts:
    number, sign, width = cell.text.partition(" ± ")
    key = repr(float(cell.value)) if math.isfinite(cell.value) else ""
    mark = {Mark.NONE: "", Mark.BEST: "best", Mark.SECOND: "second"}[cell.mark]
    is_nothing = not key and cell.text in ("", NOTHING.text)
    return _Parts(number, sign.lstrip() + width, key, is_nothing, mark)


def _breakable(text: str) -> Markup:
    """A name that may break where its parts meet: mean_teacher[ema=0.99]."""
    return Markup(re.sub(r"([_,/=])|(?=\[)", r"\1<wbr>", str(escape(text))))


def _data_uri(picture: Picture) -> str:
    return f"data:{_MEDIA[picture.kind]};base64,{base64.b64encode(picture.content).decode()}"


def _extent(picture: Picture) -> tuple[int, int] | None:
    """Width and height in the browser's pixels, so that the page does not move while it loads."""
    found = (_extent_of_png if picture.kind == "png" else _extent_of_svg)(picture.content)
    return found if found is not None and min(found) > 0 else None


def _extent_of_png(content: bytes) -> tuple[int, int] | None:
    header = content[:4096]
    per_metre = 96 / 0.0254
    at = header.find(b"pHYs")
    if at >= 0:
        per_metre = int.from_bytes(header[at + 4 : at + 8]) or per_metre
    scale = 96 / 0.0254 / per_metre
    width, height = (int.from_bytes(header[start : start + 4]) for start in (16, 20))
    return round(scale * width), round(scale * height)


def _extent_of_svg(content: bytes) -> tuple[int, int] | None:
    box = re.search(rb'<svg[^>]*\sviewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', content)
    if box is None:
        return None
    return round(float(box[1]) * 96 / 72), round(float(box[2]) * 96 / 72)


def _is_wide(picture: Picture) -> bool:
    extent = _extent(picture)
    return extent is not None and (extent[0] > _WIDTH or extent[0] > _ASPECT * extent[1])


def _sha256(text: str) -> str:
    """As a Content-Security-Policy names a script that may run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "groups": lambda sheet: list(_groups(sheet)),
        "rows": lambda sheet: list(_rows(sheet)),
        "kinds": _kinds,
        "breadth": _breadth,
        "breakable": _breakable,
        "footer": lambda sheet: footer_lines(sheet, _MARKS, "grey:"),
        "parts": _parts,
        "data_uri": _data_uri,
        "extent": _extent,
        "is_wide": _is_wide,
        "sha256": _sha256,
    }
    return environment


_ENVIRONMENT = _environment()
