"""Which column of a table stands where: a sheet, to sheets that stand below each other."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from math import ceil

from reports.latex.text import INDENT
from reports.sheet import GROUP, NOTHING, Cell, Head, Sheet

SCORE = Head("score")
"""Of a transposed table, the last of its words."""
BLANK = Cell("")
"""Behind a name of a group."""
LAYOUTS = ("wide", "split", "transposed", "ratio-per-column")


def is_grid(sheet: Sheet) -> bool:
    """Is it a line a label budget and method, with columns of datasets?"""
    words, numbers = sheet.heads[: sheet.words], sheet.heads[sheet.words :]
    names = [head.label for head in words]
    return (names[0], names[-1]) == ("labelled", "method") and any(h.group for h in numbers)


def arranged(sheet: Sheet, layout: str) -> Sheet:
    """The grid in this layout; those of parts below each other are as it is."""
    if layout == "transposed":
        return _transposed(_by_dataset(sheet))
    return _budget_per_column(_by_dataset(sheet)) if layout == "ratio-per-column" else sheet


def headed(sheet: Sheet) -> Sheet:
    """With a line above each group of methods, in the place of a column of groups."""
    if GROUP not in sheet.heads:
        return sheet
    at, rows = sheet.heads.index(GROUP), []
    previous: tuple[str, str] = ("", "")
    for row in sheet.rows:
        group, (method, *numbers) = row[at].text, row[at + 1 :]
        if group and (row[0].text, group) != previous:
            rows.append([*row[:at], Cell(group), *[BLANK] * len(numbers)])
        indented = replace(method, text=INDENT + method.text) if group else method
        rows.append([*row[:at], indented, *numbers])
        previous = (row[0].text, group)
    heads = [head for head in sheet.heads if head != GROUP]
    return replace(sheet, heads=heads, rows=rows, words=sheet.words - 1)


def bundles(sheet: Sheet) -> list[list[int]]:
    """Columns of numbers that are not to be parted: those of a dataset; methods each by itself."""
    found: list[list[int]] = []
    for group, columns in _groups(sheet):
        is_whole = group and sheet.heads[sheet.words - 1] != SCORE
        found += [columns] if is_whole else [[i] for i in columns]
    return found


def parted(sheet: Sheet, bundles: list[list[int]], most: int) -> list[Sheet]:
    """Sheets with so many bundles at most, about as many in each, that all have the words."""
    if not bundles:  # a table of words alone
        return [sheet]
    size = ceil(len(bundles) / ceil(len(bundles) / most))
    return [
        _with_columns(sheet, [i for bundle in bundles[at : at + size] for i in bundle])
        for at in range(0, len(bundles), size)
    ]


def _with_columns(sheet: Sheet, numbers: list[int]) -> Sheet:
    """Of a sheet its words and these columns; lines of which nothing is left are left out."""
    kept = [*range(sheet.words), *numbers]
    rows = [[row[i] for i in kept] for row in sheet.rows]
    rows = [row for row in rows if any(cell != NOTHING for cell in row[sheet.words :])]
    return replace(sheet, heads=[sheet.heads[i] for i in kept], rows=rows)


def _groups(sheet: Sheet) -> Iterator[tuple[str, list[int]]]:
    """Each group with its columns."""
    numbered = enumerate(sheet.heads[sheet.words :], sheet.words)
    for group, members in groupby(numbered, lambda item: item[1].group):
        yield group, [i for i, _ in members]


def _by_dataset(sheet: Sheet) -> Sheet:
    """With the costs of a dataset behind its scores; those of the only dataset are in no group."""
    heads = sheet.heads
    datasets = list(dict.fromkeys(h.dataset for h in heads[sheet.words :] if h.dataset))
    of = {i: heads[i].dataset or datasets[0] for i in range(sheet.words, len(heads))}
    order = [*range(sheet.words), *sorted(of, key=lambda i: datasets.index(of[i]))]
    rows = [[row[i] for i in order] for row in sheet.rows]
    named = [replace(heads[i], group=of.get(i, heads[i].group)) for i in order]
    return replace(sheet, heads=named, rows=rows)


def _by_budget(sheet: Sheet) -> tuple[list[Cell], dict[tuple[str, str], list[Cell]]]:
    """The label budgets, and the line of each budget and method; "" for one that is of all."""
    budgets = {row[0].text: row[0] for row in sheet.rows if row[0].text}
    return list(budgets.values()), {
        (row[0].text, row[sheet.words - 1].text): row for row in sheet.rows
    }


def _methods(sheet: Sheet) -> list[list[Cell]]:
    """The words of each method, without the label budget."""
    found = {row[sheet.words - 1].text: row[1 : sheet.words] for row in sheet.rows}
    return list(found.values())


def _cell(lines: dict[tuple[str, str], list[Cell]], budget: str, method: str, column: int) -> Cell:
    line = lines.get((budget, method)) or lines.get(("", method))
    return line[column] if line is not None else NOTHING


def _budget_per_column(sheet: Sheet) -> Sheet:
    """A line a dataset and method, a group of columns a label budget."""
    budgets, lines = _by_budget(sheet)
    groups = list(_groups(sheet))
    labels = list(dict.fromkeys(head.label for head in sheet.heads[sheet.words :]))
    rows = []
    for dataset, columns in groups:
        of_label = {sheet.heads[i].label: i for i in columns}
        for words in _methods(sheet):
            cells = [
                _cell(lines, budget.text, words[-1].text, of_label[label])
                if label in of_label
                else NOTHING
                for budget in budgets
                for label in labels
            ]
            if any(cell != NOTHING for cell in cells):
                rows.append([Cell(dataset), *words, *cells])
    heads = [Head("dataset"), *sheet.heads[1 : sheet.words]]
    heads += [Head(label, f"{budget.text} labelled") for budget in budgets for label in labels]
    return replace(sheet, heads=heads, rows=rows)


def _transposed(sheet: Sheet) -> Sheet:
    """A line a label budget, dataset and score, a column a method."""
    budgets, lines = _by_budget(sheet)
    methods = _methods(sheet)
    rows = []
    for budget in budgets:
        for dataset, columns in _groups(sheet):
            for i in columns:
                words = [budget, Cell(dataset), Cell(sheet.heads[i].label)]
                cells = [_cell(lines, budget.text, method[-1].text, i) for method in methods]
                rows.append([*words, *cells])
    heads = [Head("labelled"), Head("dataset"), SCORE]
    is_grouped = GROUP in sheet.heads
    heads += [Head(words[-1].text, words[0].text if is_grouped else "") for words in methods]
    return replace(sheet, heads=heads, rows=rows, words=3)
