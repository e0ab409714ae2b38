"""Our figures beside printed ones, with the reasons why they may not be comparable."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import yaml

from reports.aggregate import Reading, ordered
from reports.intervals import Summary, deviation_of, t_interval, welch
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, percent, signed

_COLUMNS = ("dataset", "labelled_percent", "method", "dc_mean", "dc_ci90_half")


@dataclass(frozen=True)
class Paper:
    """Printed figures and what they are; the schema is in `results/README.md`."""

    paper: str
    runs: int
    ci_level: float
    ddof: int
    preset: str
    selection: str
    aggregate: str
    size: dict[str, str]
    cells: pd.DataFrame
    notes: list[str] = field(default_factory=list)


class Unreadable(ValueError):
    """Published figures that are not as `results/README.md` describes them."""


def read(folder: Path) -> list[Paper]:
    """Every pair of NAME.csv and NAME.yaml; `Unreadable` names one that is not as described."""
    papers = []
    for file in sorted(folder.glob("*.csv")):
        about = file.with_suffix(".yaml")
        try:
            cells = pd.read_csv(file)
            missing = set(_COLUMNS) - set(cells.columns)
            if missing:
                raise ValueError(f"it has no column {', '.join(sorted(missing))}")
            papers.append(Paper(cells=cells, **yaml.safe_load(about.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise Unreadable(
                f"the published figures {file} with {about.name} are not as results/README.md "
                f"describes them: {error}"
            ) from error
    return papers


def sheet(rows: pd.DataFrame, reading: Reading, papers: list[Paper]) -> Sheet | None:
    """A line for each of our cells that a paper prints too; None if there is none."""
    lines, data, reasons = [], [], []
    for paper in papers:
        for (ratio, dataset), trials in rows.groupby(["ratio", "dataset"]):
            for variant in ordered(trials.variant):
                printed = _printed(paper, dataset, float(ratio), variant)
                if printed is not None:
                    ours = trials[trials.variant == variant]
                    why = _reasons(ours, reading, paper, dataset)
                    reasons += [reason for reason in why if reason not in reasons]
                    where = (float(ratio), dataset, variant)
                    line, record = _compared(ours, reading, paper, printed)
                    numbers = sorted(reasons.index(reason) + 1 for reason in why)
                    marks = ", ".join(map(str, numbers)) or "–"
                    cells = [Cell(percent(ratio), float(ratio)), Cell(variant), Cell(dataset)]
                    lines.append([*cells, *line, Cell(marks)])
                    data.append(
                        dict(zip(("ratio", "dataset", "variant"), where, strict=True))
                        | record
                        | {"paper": paper.paper, "not_comparable": "; ".join(why)}
                    )
    if not lines:
        return None
    heads = [Head("labelled"), Head("method"), Head("dataset")]
    heads += [Head(h) for h in ("ours DC", "printed DC", "difference", "p (Welch)", "but")]
    return Sheet(
        "published", "Beside the published figures", heads, lines, pd.DataFrame(data),
        _footer(papers, reading, reasons), words=3,
    )  # fmt: skip


def _printed(paper: Paper, dataset: str, ratio: float, variant: str) -> pd.Series | None:
    """The paper's line for a cell; of a changed hyper-parameter there is none."""
    cells = paper.cells
    found = cells[
        (cells.dataset == dataset)
        & ((cells.labelled_percent - 100 * ratio).abs() < 1e-6)
        & (cells.method == variant)
    ]
    return None if found.empty else found.iloc[0]


def _compared(
    ours: pd.DataFrame, reading: Reading, paper: Paper, printed: pd.Series
) -> tuple[list[Cell], dict[str, int | float]]:
    values = ours[reading.column("dc")].to_numpy(float)
    interval = t_interval(values, reading.ci_level, reading.ddof)
    mean, half_width = float(printed.dc_mean) / 100, float(printed.dc_ci90_half) / 100
    difference = interval.mean - mean
    p = math.nan
    if interval.n > 1 and half_width > 0:
        deviation = deviation_of(half_width, paper.runs, paper.ci_level, paper.ddof)
        own = Summary(interval.mean, float(values.std(ddof=1)), interval.n)
        _, p = welch(own, Summary(mean, deviation, paper.runs))
    counted = f" (n={interval.n})" if interval.n != paper.runs else ""
    line = [
        Cell(mean_and_width(interval.mean, interval.half_width) + counted, interval.mean),
        Cell(mean_and_width(mean, half_width), mean),
        Cell(signed(difference), difference),
        NOTHING if math.isnan(p) else Cell(f"{p:.3g}", p),
    ]
    record = {
        "n": interval.n, "dc": interval.mean, "dc_ci_half_width": interval.half_width,
        "printed_dc": mean, "printed_ci_half_width": half_width, "difference": difference,
        "p_welch": p,
    }  # fmt: skip
    return line, record


def _reasons(ours: pd.DataFrame, reading: Reading, paper: Paper, dataset: str) -> list[str]:
    """Why the difference may have other causes than the method."""
    reasons = []
    presets = "/".join(sorted(set(ours.preset)))
    if presets != paper.preset:
        reasons.append(f"preset {presets}, not {paper.preset}: another budget, other settings")
    if len(ours) != paper.runs:
        reasons.append(f"not as many runs as theirs ({paper.runs}): n in brackets")
    if reading.selection != paper.selection:
        reasons.append(f"selection {reading.selection}, theirs {paper.selection}")
    if reading.aggregate != paper.aggregate:
        reasons.append(f"aggregation {reading.aggregate}, theirs {paper.aggregate}")
    sizes, theirs = set(ours["size"]), paper.size.get(dataset)
    if theirs and sizes != {theirs}:
        reasons.append(f"images of {'/'.join(sorted(sizes)) or 'the prepared size'}, not {theirs}")
    if set(ours.evaluate_on) != {"test"}:
        reasons.append("evaluated on a part of the training images, not on the test set")
    partial = sorted(set(ours.data_partial.fillna("")) - {""})
    return reasons + [f"data incomplete: {note}" for note in partial]


def _footer(papers: list[Paper], reading: Reading, reasons: list[str]) -> list[str]:
    lines = [f"printed: {paper.paper}; {paper.runs} runs" for paper in papers]
    lines += [note for paper in papers for note in paper.notes]
    lines.append(
        f"ours: mean ± {100 * reading.ci_level:g} % t half-width over seeds; p: Welch's test from "
        "the printed summaries; unpaired, different protocol: it does not say that a method differs"
    )
    lines += [f"but {i}: {reason}" for i, reason in enumerate(reasons, 1)]
    return lines
