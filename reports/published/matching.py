"""Which printed results stand beside a configuration of ours."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas as pd

from reports.published.paper import UNKNOWN, Paper, Printed
from reports.select import Budget, Configuration, in_order, ordered, recorded, variants_of
from reports.sheet import shortened

_HALF_A_DIGIT = 0.005  # shares are printed in percent with two decimals: 4.29 for 3 of 70
_COUNTED = re.compile(r"(\d+) (case|patient)s?")


class Beside(NamedTuple):
    """Our trials of a configuration, and what a paper prints for it."""

    paper: Paper
    key: Configuration
    ours: pd.DataFrame
    printed: Printed
    scores: Mapping[str, float]
    """Column of the CSV → what is printed, over the classes or of the one that is asked for."""
    is_alone: bool
    """Does the paper print one result for it, and not several?"""


def beside(rows: pd.DataFrame, papers: list[Paper], of_class: str = "") -> list[Beside]:
    """Every pair, by budget, dataset, variant in the order of tables, and paper.

    of_class: the name of one class of ours; "": the mean over classes.
    """
    labelled = _labelled_by_list(papers)
    found = []
    for (budget, dataset), trials in rows.groupby(["budget", "dataset"]):
        for variant in variants_of(trials):
            ours, key = trials[trials.variant == variant], (dataset, budget, variant)
            of_study = recorded(ours).iloc[0]
            known = (of_study.dataset, budget, of_study.variant)
            for paper in papers:
                printed = [row for row in paper.rows if _is_of(row, known, labelled)]
                with_scores = [
                    (row, scores)
                    for row in _of_network(printed, network_of(ours))
                    if (scores := _scores(row, foreground_of(ours), of_class)) is not None
                ]
                is_alone = len(with_scores) == 1
                found += [Beside(paper, key, ours, *one, is_alone) for one in with_scores]
    place = in_order(rows)
    return sorted(found, key=lambda each: place(each.key))


def network_of(trials: pd.DataFrame) -> str:
    """The name of their network; "" where the records do not say."""
    settings = trials.settings.iloc[0].get("network")
    return settings.get("name", "") if isinstance(settings, dict) else ""


def foreground_of(trials: pd.DataFrame) -> list[str]:
    """Names of our foreground classes; none where the records do not know them."""
    found = trials.classes.iloc[0] if "classes" in trials else None
    return list(found[1:]) if isinstance(found, list | tuple) else []


def list_of(budget: Budget) -> str:
    """The name of the list that the budget is; "" of a drawn one."""
    return budget.text.removeprefix("list ") if budget.text.startswith("list ") else ""


def _labelled_by_list(papers: Iterable[Paper]) -> set[tuple[str, str, str]]:
    """Dataset, list and how much it labels, as any of the papers has it."""
    return {
        (row.dataset, row.protocol.labelled_list, row.labelled)
        for paper in papers
        for row in paper.rows
        if row.labelled and row.protocol.labelled_list != UNKNOWN
    }


def _is_of(row: Printed, configuration: Configuration, labelled: set[tuple[str, str, str]]) -> bool:
    """Of a changed hyper-parameter nothing is printed."""
    dataset, budget, variant = configuration
    if (row.dataset, row.method) != (dataset, variant):
        return False
    if budget.share is not None:
        return abs(row.labelled_percent - 100 * budget.share) < _HALF_A_DIGIT
    if name := list_of(budget):
        is_same_amount = (dataset, name, row.labelled) in labelled
        return row.protocol.labelled_list == name or is_same_amount
    counted = _COUNTED.fullmatch(budget.text)
    return counted is not None and row.count == (int(counted[1]), f"{counted[2]}s")


def _of_network(rows: list[Printed], network: str) -> list[Printed]:
    """Of rows of several networks those of ours; all if ours is none of them."""
    return [row for row in rows if row.named_network == network and network] or rows


def _scores(row: Printed, ours: list[str], of_class: str) -> Mapping[str, float] | None:
    """A class is found by its name there, else by its number here; None if it is not printed."""
    if not of_class:
        return row.whole
    theirs, name = [text.lower() for text in row.protocol.classes], of_class.lower()
    names = theirs if name in theirs else [text.lower() for text in ours]
    return row.scores.get(str(names.index(name) + 1))


def nothing_beside(rows: pd.DataFrame, papers: list[Paper], of_class: str = "") -> str:
    """What is printed, where none of it is of these trials, or of the class that is asked for."""
    ours = sorted(set(recorded(rows).dataset))
    shared = [name for name in ours if any(name in paper.datasets for paper in papers)]
    if not shared:
        known = sorted({name for paper in papers for name in paper.datasets})
        return (
            f"nothing is printed of {', '.join(ours)}; there are results of "
            f"{shortened(known, 12)}. bench list published says which"
        )
    if not of_class:
        return ". ".join(_printed_of(name, papers) for name in shared)
    by_class = [_printed_of(name, papers, least_classes=2) for name in shared]
    return f"class {of_class} alone: {'. '.join(by_class)}"


def _printed_of(dataset: str, papers: list[Paper], least_classes: int = 1) -> str:
    rows = [
        row
        for paper in papers
        for row in paper.rows
        if row.dataset == dataset and len(row.scores) >= least_classes
    ]
    if not rows:
        return f"no class of {dataset} is printed alone"
    budgets = sorted({(row.labelled_percent, row.budget) for row in rows})
    lists = sorted({row.protocol.labelled_list for row in rows} - {UNKNOWN, "drawn"})
    named = f" (list {shortened(lists)})" if lists else ""
    methods = shortened(ordered(pd.Series([row.method for row in rows])), 40)
    return f"{dataset} is printed at {', '.join(text for _, text in budgets)}{named} for {methods}"
