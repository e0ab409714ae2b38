"""What `bench list published` says: each source, and where sources copy or contradict others."""

import textwrap
from collections.abc import Iterable

from reports.published.agreement import copies, disagreements
from reports.published.paper import UNKNOWN, Paper
from reports.sheet import counted, shortened

_WIDTH = 98


def listing(papers: list[Paper], verbose: bool) -> list[str]:
    """Three lines a source; with -v all that is known of it, and each copy and contradiction."""
    lines = [line for paper in papers for line in _source(paper, verbose)]
    shared, apart = copies(papers), disagreements(papers)
    summary = (
        f"rows that are printed in more than one table: {len(shared)}; results on which tables "
        f"disagree by 0.1 or more: {len(apart)}"
    )
    if not verbose:
        return [*lines, "", f"{summary} (bench list published -v)"]
    printed = [f"  {line}" for line in shared]
    return [*lines, f"{summary}:", "", "alike, digit for digit:", *printed, "",
            "apart in Dice:", *(f"  {line}" for line in apart)]  # fmt: skip


def by_method(papers: list[Paper]) -> dict[str, list[str]]:
    """Method → names of the sources with rows of it, in their order."""
    found: dict[str, list[str]] = {}
    for paper in papers:
        for method in dict.fromkeys(row.method for row in paper.rows):
            found.setdefault(method, []).append(paper.name)
    return found


def _source(paper: Paper, verbose: bool) -> list[str]:
    described = _budgets(paper)
    runs = UNKNOWN if paper.runs is None else str(paper.runs)
    facts = (
        f"{counted(len(paper.rows), 'row')}; runs {runs}; ± {paper.plus_minus}; checkpoint "
        f"{_checkpoints(paper)}; trust {'high' if paper.is_trusted else 'low'}"
    )
    head = f"{paper.name:28}{paper.paper}"
    if not verbose:
        return [head, f"    {shortened(described, 4, '; ')}", f"    {facts}"]
    notes = dict.fromkeys(note for notes in paper.notes.values() for note in notes)
    own = shortened(_own(paper), 20) or "none"
    further = [f"own rows: {own}", f"read from {paper.source}" * bool(paper.source), *notes]
    told = ["; ".join(described), facts, *_lineages(paper), *filter(None, further)]
    return [head, *(line for text in told for line in _wrapped(text)), ""]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 6, break_on_hyphens=False
    )


def _budgets(paper: Paper) -> list[str]:
    """Datasets with the same ones together, as in "acdc at 3patients, 7patients"."""
    found: dict[str, list[str]] = {}
    for dataset in paper.datasets:
        of_it = {(row.labelled_percent, row.budget) for row in paper.rows if row.dataset == dataset}
        found.setdefault(", ".join(text for _, text in sorted(of_it)), []).append(dataset)
    return [f"{', '.join(datasets)} at {budgets}" for budgets, datasets in found.items()]


def _checkpoints(paper: Paper) -> str:
    """One for all, or of each dataset."""
    by_dataset = {
        name: _joined(row.protocol.selection for row in paper.rows if row.dataset == name)
        for name in paper.datasets
    }
    if len(set(by_dataset.values())) == 1:
        return next(iter(by_dataset.values()))
    return ", ".join(f"{chosen} ({name})" for name, chosen in by_dataset.items())


def _joined(words: Iterable[str]) -> str:
    return " and ".join(dict.fromkeys(words))


def _own(paper: Paper) -> list[str]:
    return list(dict.fromkeys(row.method for row in paper.rows if row.is_own))


def _lineages(paper: Paper) -> list[str]:
    """Which line of copied rows the source belongs to."""
    return [
        f"{dataset}: line {line} of copied rows" for dataset, line in paper.lineage.items() if line
    ]
