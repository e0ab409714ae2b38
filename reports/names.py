"""How datasets and methods are shown: under which names, in which order, in which groups.

What is shown stands in the columns `dataset` and `variant` of a frame; beside them it keeps what
the study calls them, and the places by which tables sort them (`reports.select`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pandas as pd

from reports.comparable import Selected
from reports.select import ordered
from reports.sheet import GROUP, Cell, Sheet, shortened


@dataclass(frozen=True)
class Names:
    """What stands first comes first; what is not named follows under the study's own name."""

    datasets: Mapping[str, str] = field(default_factory=dict)
    """The study's name → the one that is shown."""
    methods: Mapping[str, str] = field(default_factory=dict)
    """The same of variants; a method's name is also that of its variants: Ours[rounds=3]."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Group → variants, or methods with all their variants."""

    def method(self, variant: str) -> str:
        """As it is shown."""
        if variant in self.methods:
            return self.methods[variant]
        method, bracket, inside = variant.partition("[")
        return self.methods.get(method, method) + bracket + inside

    def dataset(self, name: str) -> str:
        """As it is shown."""
        return self.datasets.get(name, name)

    def group(self, variant: str) -> str:
        """Of a variant; "" of one in none."""
        of_each = {name: group for group, members in self.groups.items() for name in members}
        return of_each.get(variant) or of_each.get(variant.partition("[")[0], "")

    def places(self, variants: pd.Series) -> dict[str, int]:
        """Variant → its place in a table: first those of no group, then group by group."""
        groups, named = ["", *self.groups], [*self.methods]
        usual = ordered(variants)

        def place(variant: str) -> tuple[int, int, int]:
            names = [name for name in (variant, variant.partition("[")[0]) if name in named]
            typed = named.index(names[0]) if names else len(named)
            return groups.index(self.group(variant)), typed, usual.index(variant)

        return {variant: i for i, variant in enumerate(sorted(usual, key=place))}

    def dataset_places(self, datasets: pd.Series) -> dict[str, int]:
        """Dataset → its place in a table."""
        named = [*self.datasets]
        names = sorted(
            set(datasets), key=lambda n: (named.index(n) if n in named else len(named), n)
        )
        return {name: i for i, name in enumerate(names)}


def put(rows: pd.DataFrame, names: Names) -> Selected:
    """The rows under the names that are shown; and lines that say what the study calls them."""
    shown = called(rows, names).assign(
        recorded_dataset=rows.dataset,
        recorded_variant=rows.variant,
        dataset_place=rows.dataset.map(names.dataset_places(rows.dataset)),
        variant_place=rows.variant.map(names.places(rows.variant)),
        group=rows.variant.map(names.group),
    )
    _require_apart(shown)
    return Selected(shown, _renamed(rows, names))


def called(rows: pd.DataFrame, names: Names) -> pd.DataFrame:
    """The rows under the names that are shown, without a trace of the others."""
    return rows.assign(
        dataset=rows.dataset.map(names.dataset), variant=rows.variant.map(names.method)
    )


def _require_apart(shown: pd.DataFrame) -> None:
    """Two of the study's never become one line."""
    for column in ("dataset", "variant"):
        pairs = shown[[column, f"recorded_{column}"]].drop_duplicates()
        twice = [name for name, n in Counter(pairs[column]).items() if n > 1]
        if twice:
            both = sorted(pairs[pairs[column] == twice[0]][f"recorded_{column}"])
            raise Alike(f"{' and '.join(both)} would both be shown as {twice[0]!r}")


class Alike(ValueError):
    """Two of a study would be shown under one name."""


def _renamed(rows: pd.DataFrame, names: Names) -> list[str]:
    """What the study calls those that the file names."""
    known = {*rows.dataset, *rows.variant, *rows.method}
    pairs = [
        f"{shown} is {name}"
        for name, shown in (*names.datasets.items(), *names.methods.items())
        if name in known and name != shown
    ]
    return [f"names of the study: {shortened(pairs, 40)}"] if pairs else []


def unused(trials: pd.DataFrame, names: Names) -> list[str]:
    """Names of the file that no trial has, such as one with a mistake in it."""
    known = {*trials.dataset, *trials.variant, *trials.method}
    asked = [*names.datasets, *names.methods, *(n for own in names.groups.values() for n in own)]
    return [name for name in dict.fromkeys(asked) if name not in known]


def with_groups(sheet: Sheet, rows: pd.DataFrame) -> Sheet:
    """With a column of words before the methods, if any of the shown trials is of a group."""
    at = next((i for i, h in enumerate(sheet.heads[: sheet.words]) if h.label == "method"), None)
    if at is None or "group" not in rows or not any(rows.group):
        return sheet
    of_each = dict(zip(rows.variant, rows.group, strict=True))
    body = [[*row[:at], Cell(of_each.get(row[at].text, "")), *row[at:]] for row in sheet.rows]
    data = sheet.data
    if "variant" in data:
        place = list(data.columns).index("variant")
        data = data.copy()
        data.insert(place, "group", data.variant.map(of_each))
    heads = [*sheet.heads[:at], GROUP, *sheet.heads[at:]]
    return replace(sheet, heads=heads, rows=body, data=data, words=sheet.words + 1)
