"""HD95 and ASD of our trials beside printed ones, read as the paper reads them."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from reports.published.differences import Expected, Reason, reasons
from reports.published.matching import Beside, beside
from reports.published.paper import Paper
from reports.select import Reading, columns
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, signed
from reports.stats.intervals import t_interval
from reports.tables.published import GREYED, Numbered, about_of, has_several_sources, line_of
from reports.tables.published import sources as sources_of

_LABELS = (("HD95", "hd95"), ("ASD", "asd"))


def sheet(
    rows: pd.DataFrame, reading: Reading, papers: list[Paper], expected: Expected | None = None
) -> Sheet | None:
    """A line for each pair of which both sides have one of them; None without a pair.

    Ours are means over cases at the final step, whatever the reading; expected: as of the table of
    scores.
    """
    stored = replace(reading, selection="final", aggregate="case")
    found = [each for each in beside(rows, papers) if any(_pairs(each))]
    if not found:
        return None
    has_many, numbered = has_several_sources(found), Numbered()
    lines, data = [], []
    for each in found:
        why = [*reasons(each, stored, expected), *_lost(each)]
        cells, records = _compared(each, reading)
        lines.append(line_of(each, cells, why, numbered, has_many))
        data += [columns(each.key) | one | about_of(each, why) for one in records]
    heads = [Head("labelled"), Head("method"), Head("dataset"), *[Head("paper")] * has_many]
    heads += [Head(h, label) for label, _ in _LABELS for h in ("ours", "printed", "difference")]
    notes = [*_notes(reading), *numbered.notes]
    return Sheet(
        "published-distances", "Distances compared with published results (less is better)",
        [*heads, Head("caveats")], lines, pd.DataFrame(data), notes, sources_of(found, papers),
        words=3 + has_many, greyed=GREYED,
    )  # fmt: skip


def _pairs(each: Beside) -> Iterator[tuple[str, str]]:
    """Printed distance, and our column of the same definition and unit, where both are there."""
    read = each.paper.distances
    if read is None:
        return
    for name, definition in (("hd95", read.hd95), ("asd", read.asd)):
        column = f"{name}_{definition}_{read.unit}"
        is_printed = not math.isnan(each.scores.get(name, math.nan))
        if is_printed and column in each.ours and each.ours[column].notna().any():
            yield name, column


def _compared(each: Beside, reading: Reading) -> tuple[list[Cell], list[dict[str, Any]]]:
    cells, records, pairs = [], [], dict(_pairs(each))
    for _, name in _LABELS:
        if name not in pairs:
            cells += [NOTHING] * 3
            continue
        values = each.ours[pairs[name]].dropna().to_numpy(float)
        own, printed = t_interval(values, reading.ci_level, reading.ddof), each.scores[name]
        counted = f" (n={own.n})" if own.n != each.paper.runs else ""
        text = mean_and_width(own.mean / 100, own.half_width / 100) + counted
        cells += [
            Cell(text, own.mean),
            Cell(mean_and_width(printed / 100), printed),
            Cell(signed((own.mean - printed) / 100), own.mean - printed),
        ]
        records.append(
            {
                "metric": pairs[name], "n": own.n, "ours": own.mean,
                "ours_ci_half_width": own.half_width, "printed": printed,
                "difference": own.mean - printed,
            }
        )  # fmt: skip
    return cells, records


def _lost(each: Beside) -> list[Reason]:
    """What counts where a class is not predicted, which moves a mean by voxels."""
    counts = each.paper.distances.lost_class
    if counts == "diagonal" or not each.printed.is_own:
        return []
    theirs = _LOST[counts]
    return [Reason(f"a class that is not predicted counts as the image's diagonal, {theirs}")]


_LOST = {
    "zero": "theirs 0, which lowers HD95 and ASD",
    "other": "theirs something else",
    "unknown": "theirs is unknown",
}


def _notes(reading: Reading) -> list[str]:
    return [
        "distances in the definition and unit of each paper: HD95 of both directions pooled and "
        "ASD from the prediction alone are MedPy's hd95 and asd. Theirs are in voxels of the file; "
        "ours in voxels of the prepared volume, of images in pixels at the run's size",
        f"ours: mean over cases at the final step, mean ± {100 * reading.ci_level:g} % t "
        "half-width over seeds",
    ]
