"""By what a reader filters the page, and what of a table belongs to which choice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from reports.select import datasets_of, variants_of
from reports.sheet import Cell, Head


@dataclass(frozen=True)
class Facet:
    """One thing to choose by."""

    name: str
    """dataset, labelled or method: as the heads of columns have it."""
    values: Sequence[str]


def of_rows(rows: pd.DataFrame) -> list[Facet]:
    """Of trials that are shown."""
    return [
        Facet("dataset", datasets_of(rows)),
        Facet("labelled", [budget.text for budget in sorted(rows.budget.unique())]),
        Facet("method", variants_of(rows)),
    ]


def of_head(head: Head, facets: Sequence[Facet]) -> Mapping[str, str]:
    """The dataset of a column, if it is of one."""
    return {
        facet.name: head.dataset
        for facet in facets
        if facet.name == "dataset" and head.dataset in facet.values
    }


def of_line(
    heads: Sequence[Head], cells: Sequence[Cell], facets: Sequence[Facet]
) -> Mapping[str, str]:
    """What a row is of: a trivial or a printed result is of no method of the study."""
    told = {head.label: cell.text for head, cell in zip(heads, cells, strict=True)}
    return {f.name: told[f.name] for f in facets if told.get(f.name) in f.values}


def is_of_no_method(heads: Sequence[Head], cells: Sequence[Cell], facets: Sequence[Facet]) -> bool:
    """Is it a trivial or a printed result among those of methods? It keeps its place."""
    has_methods = any(facet.name == "method" for facet in facets)
    is_told = any(head.label == "method" for head in heads)
    return has_methods and is_told and "method" not in of_line(heads, cells, facets)
