"""The report as one HTML file that needs nothing else: tables, pictures, provenance, failures."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from reports.page import table
from reports.page.facets import Facet
from reports.page.picture import Picture, data_uri, extent, is_wide
from reports.sheet import Sheet

LIMIT = 5 * 2**20  # bytes


@dataclass(frozen=True)
class Fact:
    """Something of where the scores come from, with each value that it has."""

    name: str
    values: Sequence[str]
    is_code: bool = False
    """Commands, to be copied."""


@dataclass(frozen=True)
class Failure:
    """A trial without a result."""

    trial: str
    """Its label."""
    error: str
    log: str
    """The file of what it printed; "" if there is none."""
    of: Mapping[str, str] = field(default_factory=dict)
    """Its dataset, label budget and method: name of a facet → value."""


@dataclass(frozen=True)
class Page:
    """What the file shows, in this order but for the pictures, which follow the first table."""

    study: str
    summary: list[str]
    """A few plain sentences: what was compared, on what, how it was read."""
    sheets: list[Sheet]
    """The first is the main table."""
    pictures: list[Picture]
    provenance: list[Fact]
    failures: list[Failure]
    facets: list[Facet] = field(default_factory=list)
    """By what the reader filters."""


def render(page: Page) -> str:
    """The file. Raises ValueError if it exceeds `LIMIT`, or two parts share a name."""
    for kind, parts in (("tables", page.sheets), ("pictures", page.pictures)):
        names = [part.name for part in parts]
        if len(set(names)) < len(names):
            raise ValueError(f"two {kind} share a name: {', '.join(sorted(names))}")
    choices = [facet for facet in page.facets if len(facet.values) > 1]
    text = _ENVIRONMENT.get_template("page.html.jinja").render(page=page, choices=choices)
    size = len(text.encode())
    if size > LIMIT:
        largest = max(page.pictures, key=lambda p: len(p.content), default=None)
        hint = f"; the largest picture is {largest.name}" if largest else ""
        raise ValueError(f"the page has {size / 2**20:.1f} MiB, more than 5{hint}")
    return text


def _breakable(text: str) -> Markup:
    """A name that may break where its parts meet: mean_teacher[ema=0.99]."""
    return Markup(re.sub(r"([_,/=])|(?=\[)", r"\1<wbr>", str(escape(text))))


def _attributes(of: Mapping[str, str]) -> Markup:
    """What an element is of, for the script that filters."""
    return Markup("".join(f' data-{name}="{escape(value)}"' for name, value in of.items()))


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
        "head_groups": lambda sheet, facets: list(table.head_groups(sheet, facets)),
        "row_groups": table.row_groups,
        "kinds": table.kinds,
        "breadth": table.breadth,
        "notes": table.notes,
        "parts": table.parts,
        "breakable": _breakable,
        "attributes": _attributes,
        "data_uri": data_uri,
        "extent": extent,
        "is_wide": is_wide,
        "sha256": _sha256,
    }
    return environment


_ENVIRONMENT = _environment()
