"""Our results beside printed ones, with the reasons why they may not be comparable."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from jaxtyping import Float
from numpy import ndarray

from reports.published.agreement import Place, copies, disagreements
from reports.published.differences import Expected, Reason, reasons
from reports.published.matching import Beside, beside
from reports.published.paper import NONE, Paper
from reports.select import Reading
from reports.select import columns as columns_of
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, shortened, signed
from reports.stats.intervals import (
    Summary,
    half_width_of,
    standard_deviation_of,
    t_interval,
    welch,
)

GREYED = "a line whose scores may differ by more than method and chance: its caveats say why"
_SHOWN = 12  # copies, contradictions in a footer


def sheet(
    rows: pd.DataFrame, reading: Reading, papers: list[Paper], expected: Expected | None = None
) -> Sheet | None:
    """A line for each of our configurations and each paper that prints it; None without one.

    expected: the settings that a trial would have under a preset; None: not looked at.
    """
    found = beside(rows, papers, reading.of_class)
    if not found:
        return None
    has_many = has_several_sources(found)
    numbered = Numbered()
    lines, data = [], []
    for each in found:
        why = reasons(each, reading, expected)
        cells, record = _compared(each, reading)
        lines.append(line_of(each, cells, why, numbered, has_many))
        about = about_of(each, why)
        data += [columns_of(each.key) | line | about for line in record]
    heads = [Head("labelled"), Head("method"), Head("dataset"), *[Head("paper")] * has_many]
    for label in reading.shares.values():
        heads += [Head(h, label) for h in ("ours", "printed", "difference")]
        heads += [Head("p (Welch)", label)] * (label == "DC")
    notes = [*_ours(reading), *numbered.notes]
    return Sheet(
        "published", "Compared with published results", [*heads, Head("caveats")], lines,
        pd.DataFrame(data), notes, sources(found, papers), words=3 + has_many, greyed=GREYED,
    )  # fmt: skip


class Numbered:
    """The reasons of a table, in the order in which its lines name them."""

    def __init__(self) -> None:
        self._reasons: list[str] = []

    def marks(self, why: list[Reason]) -> str:
        """Numbers of a line's reasons: "1, 3"; "–" for none."""
        texts = [reason.text for reason in why]
        self._reasons += [text for text in texts if text not in self._reasons]
        return ", ".join(str(n) for n in sorted(self._reasons.index(t) + 1 for t in texts)) or "–"

    @property
    def notes(self) -> list[str]:
        return [f"caveat {i}: {reason}" for i, reason in enumerate(self._reasons, 1)]


def has_several_sources(found: list[Beside]) -> bool:
    """Then each line says which it is of."""
    return len({each.paper.name for each in found}) > 1 or not all(e.is_alone for e in found)


def line_of(
    each: Beside, cells: list[Cell], why: list[Reason], numbered: Numbered, has_many: bool
) -> list[Cell]:
    """Grey, but for the label that it shares with others, where a reason shifts the score."""
    dataset, budget, variant = each.key
    words = [Cell(variant), Cell(dataset), *[Cell(_source(each))] * has_many]
    line = [*words, *cells, Cell(numbered.marks(why))]
    if any(reason.is_essential for reason in why):
        line = [replace(cell, is_grey=True) for cell in line]
    return [Cell(budget.text, budget.order), *line]


def about_of(each: Beside, why: list[Reason]) -> dict[str, Any]:
    """Columns of the CSV: whose the printed one is, and what is to be said of it."""
    return {
        "paper": each.paper.paper, "source": each.paper.name, "printed_in": each.printed.table,
        "grey": any(reason.is_essential for reason in why),
        "not_comparable": "; ".join(reason.text for reason in why),
    }  # fmt: skip


def _source(each: Beside) -> str:
    """The paper, the line of its copies, and where in it there are several."""
    line = each.paper.lineage.get(each.printed.dataset, "")
    parts = [each.paper.name + f" (line {line})" * bool(line)]
    if not each.is_alone:
        parts.append(each.printed.named_network or each.printed.table)
    return ", ".join(parts)


def _compared(each: Beside, reading: Reading) -> tuple[list[Cell], list[dict[str, Any]]]:
    """The cells of a line, and a record of each metric that is printed."""
    cells, records = [], []
    for metric, label in reading.shares.items():
        ours = each.ours[reading.column(metric)].to_numpy(float)
        own = t_interval(ours, reading.ci_level, reading.ddof)
        mean = each.scores.get(f"{metric}_mean", math.nan) / 100
        half_width = _half_width(each, metric, reading)
        difference, p = own.mean - mean, _welch(ours, each, metric, mean)
        counted = f" (n={own.n})" if own.n != each.paper.runs else ""
        cells.append(Cell(mean_and_width(own.mean, own.half_width) + counted, own.mean))
        if math.isnan(mean):
            cells += [NOTHING, NOTHING]
        else:
            cells.append(Cell(mean_and_width(mean, half_width), mean))
            cells.append(Cell(signed(difference), difference))
        if label == "DC":
            cells.append(NOTHING if math.isnan(p) else Cell(f"{p:.3g}", p))
        records.append(
            {
                "metric": metric, "n": own.n, "ours": own.mean, "ours_ci_half_width":
                own.half_width, "printed": mean, "printed_ci_half_width": half_width,
                "difference": difference, "p_welch": p,
            }
        )  # fmt: skip
    return cells, [record for record in records if not math.isnan(record["printed"])]


def _half_width(each: Beside, metric: str, reading: Reading) -> float:
    """As printed; of a standard deviation over seeds the half width that ours has."""
    printed = each.scores.get(f"{metric}_ci90_half", math.nan) / 100
    deviation = each.scores.get(f"{metric}_sd", math.nan) / 100
    if math.isnan(deviation) or not math.isnan(printed):
        return printed
    if each.paper.plus_minus != "seeds":
        return deviation
    return half_width_of(deviation, each.paper.runs, reading.ci_level)


def _welch(ours: Float[ndarray, " n"], each: Beside, metric: str, mean: float) -> float:
    """Its p; NaN where either side has no standard deviation over seeds."""
    deviation = _standard_deviation(each.paper, each.scores, metric)
    if len(ours) < 2 or not deviation > 0:
        return math.nan
    own = Summary(float(ours.mean()), float(ours.std(ddof=1)), len(ours))
    return welch(own, Summary(mean, deviation, each.paper.runs))[1]


def _standard_deviation(paper: Paper, scores: Mapping[str, float], metric: str) -> float:
    """Over the paper's runs; NaN where it prints none."""
    if paper.plus_minus != "seeds":
        return math.nan
    half_width = scores.get(f"{metric}_ci90_half", math.nan) / 100
    if paper.ci_level is None or math.isnan(half_width):
        return scores.get(f"{metric}_sd", math.nan) / 100
    return standard_deviation_of(half_width, paper.runs, paper.ci_level, paper.ddof)


def sources(found: list[Beside], papers: list[Paper]) -> list[str]:
    """Who prints what is compared, what is known of it, where it is copied or contradicted."""
    by_name: dict[str, list[Beside]] = {}
    for each in found:
        by_name.setdefault(each.paper.name, []).append(each)
    shown = [by_name[paper.name] for paper in papers if paper.name in by_name]
    lines = [_printed_by(own[0].paper) for own in shown]
    notes = {
        note: None
        for own in shown
        for each in own
        if each.printed.is_own or not each.paper.is_trusted  # else it is another paper's row
        for note in each.paper.notes.get(each.printed.dataset, [])
    }
    return [*lines, *notes, *_lineages(found), *_agreement(found, papers)]


def _printed_by(paper: Paper) -> str:
    runs = "an unknown number of runs" if paper.runs is None else f"{paper.runs} runs"
    runs = "1 run" if paper.runs == 1 else runs
    spread = f"± over {paper.plus_minus}"
    if paper.plus_minus == NONE:
        spread = "no ±"
    elif paper.plus_minus == "seeds" and paper.ci_level is None:
        spread = "± half-width as ours, from the standard deviation of its runs"
    elif paper.plus_minus == "seeds":
        over = f"standard deviation over n{' - 1' if paper.ddof else ''}"
        spread = f"± {100 * paper.ci_level:g} % half-width, {over}"
    training = "; no preset has its training settings" if paper.preset == NONE else ""
    return f"printed ({paper.name}): {paper.paper}; {runs}, {spread}{training}"


def _lineages(found: list[Beside]) -> list[str]:
    """Rows that papers copy from each other since one of them, where there are several such."""
    by_dataset: dict[str, dict[str, dict[str, None]]] = {}
    for each in found:
        if line := each.paper.lineage.get(each.printed.dataset, ""):
            names = by_dataset.setdefault(each.printed.dataset, {}).setdefault(line, {})
            names[each.paper.name] = None
    told = []
    for dataset, lines in by_dataset.items():
        named = "; ".join(f"line {line}: {', '.join(lines[line])}" for line in sorted(lines))
        told.append(
            f"{dataset}: papers copy its results from one of two origins that contradict each "
            f"other: {named}"
        )
    return told


def _agreement(found: list[Beside], papers: list[Paper]) -> list[str]:
    """Of what is compared: which sources print the same digits, which print others."""
    compared = {(each.printed.dataset, each.printed.budget, each.printed.method) for each in found}

    def is_compared(place: Place) -> bool:
        return place[:3] in compared

    copied = [str(one) for one in copies(papers) if is_compared(one.place)]
    apart = [str(one) for one in disagreements(papers) if is_compared(one.place)]
    alike = [f"printed alike, digit for digit: {shortened(copied, _SHOWN, '; ')}"]
    return alike * bool(copied) + [f"sources disagree on {text}" for text in apart]


def _ours(reading: Reading) -> list[str]:
    return [
        f"ours: mean ± {100 * reading.ci_level:g} % t half-width over seeds, standard deviation "
        f"over n{' - 1' if reading.ddof else ''}, n in brackets unless it is theirs; p: Welch's "
        "test from "
        "the printed summaries; unpaired, different protocol: it does not say that a method differs"
    ]
