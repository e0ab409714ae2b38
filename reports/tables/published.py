"""Our results beside printed ones, with the reasons why they may not be comparable."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import yaml
from jaxtyping import Float
from numpy import ndarray

from reports.select import GIVEN, HARMLESS, METRICS, Configuration, Reading, ordered
from reports.select import columns as columns_of
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, shortened, signed
from reports.stats.intervals import Summary, standard_deviation_of, t_interval, welch
from reports.tables.footers import flat

Expected = Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]
"""Preset and a trial → the settings that the preset gives such a trial; None if unknown."""

_COLUMNS = ("dataset", "labelled_percent", "method", "dc_mean", "dc_ci90_half")


@dataclass(frozen=True)
class Paper:
    """Printed results and what they are; the schema is in `results/README.md`."""

    name: str
    """Of its files."""
    paper: str
    """Citation."""
    runs: int
    ci_level: float
    ddof: int
    preset: str
    selection: str
    aggregate: str
    size: dict[str, str]
    results: pd.DataFrame
    notes: list[str] = field(default_factory=list)


class _Beside(NamedTuple):
    """Our trials of a configuration, and what the paper prints for it."""

    paper: Paper
    key: Configuration
    ours: pd.DataFrame
    printed: pd.Series


class Unreadable(ValueError):
    """Published results that are not as `results/README.md` describes them."""


def read(*folders: Path) -> list[Paper]:
    """Every pair of NAME.csv and NAME.yaml; of equal names in several folders, the last's.

    `Unreadable` names a pair that is not as described.
    """
    files = {file.name: file for folder in folders for file in sorted(folder.glob("*.csv"))}
    papers = []
    for file in files.values():
        about = file.with_suffix(".yaml")
        try:
            results = pd.read_csv(file)
            missing = set(_COLUMNS) - set(results.columns)
            if missing:
                raise ValueError(f"it has no column {', '.join(sorted(missing))}")
            for column in set(results.columns) - {"table", "dataset", "method"}:
                results[column] = pd.to_numeric(results[column])
            about_it = yaml.safe_load(about.read_text(encoding="utf-8"))
            papers.append(_checked(Paper(name=file.stem, results=results, **about_it)))
        except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
            raise Unreadable(
                f"the published results {file} with {about.name} are not as results/README.md "
                f"describes them: {error}"
            ) from error
    return papers


def _checked(paper: Paper) -> Paper:
    """Raises ValueError or TypeError for what is no number of runs, level or list of notes."""
    if not (paper.runs > 1 and 0 < paper.ci_level < 1 and paper.ddof in (0, 1)):
        raise ValueError("runs are 2 or more, ci_level lies between 0 and 1, ddof is 0 or 1")
    if not (isinstance(paper.size, dict) and isinstance(paper.notes, list)):
        raise ValueError("size is a table by dataset, notes are a list")
    return paper


def sheet(
    rows: pd.DataFrame, reading: Reading, papers: list[Paper], expected: Expected | None = None
) -> Sheet | None:
    """A line for each of our configurations that a paper prints too; None if there is none.

    expected: the settings that a trial would have under a preset; None: not looked at.
    """
    found = [
        _Beside(paper, (dataset, budget, variant), trials[trials.variant == variant], printed)
        for paper in papers
        for (budget, dataset), trials in rows.groupby(["budget", "dataset"])
        for variant in ordered(trials.variant)
        if (printed := _printed(paper, (dataset, budget, variant))) is not None
    ]
    if not found:
        return None
    order = ordered(rows.variant)  # and, of one configuration, by paper
    found.sort(key=lambda each: (each.key[1], each.key[0], order.index(each.key[2])))
    has_many = len({each.paper.name for each in found}) > 1
    reasons: list[str] = []
    lines, data = [], []
    for each in found:
        why = _reasons(each, reading, expected)
        reasons += [reason for reason in why if reason not in reasons]
        cells, record = _compared(each, reading)
        marks = ", ".join(str(n) for n in sorted(reasons.index(reason) + 1 for reason in why))
        dataset, budget, variant = each.key
        where = [Cell(budget.text, budget.order), Cell(variant), Cell(dataset)]
        source = [Cell(each.paper.name)] * has_many
        lines.append([*where, *source, *cells, Cell(marks or "–")])
        about = {"paper": each.paper.paper, "not_comparable": "; ".join(why)}
        data += [columns_of(each.key) | line | about for line in record]
    heads = [Head("labelled"), Head("method"), Head("dataset"), *[Head("paper")] * has_many]
    for label, _ in METRICS:
        heads += [Head(h, label) for h in ("ours", "printed", "difference")]
        heads += [Head("p (Welch)", label)] * (label == "DC")
    return Sheet(
        "published", "Compared with published results", [*heads, Head("caveats")], lines,
        pd.DataFrame(data), _footer(papers, reading, reasons), words=3 + has_many,
    )  # fmt: skip


def _printed(paper: Paper, configuration: Configuration) -> pd.Series | None:
    """The paper's line for it; of a changed hyper-parameter there is none."""
    dataset, budget, variant = configuration
    results = paper.results
    if budget.share is None:
        return None
    found = results[
        (results.dataset == dataset)
        & ((results.labelled_percent - 100 * budget.share).abs() < 1e-6)
        & (results.method == variant)
    ]
    return None if found.empty else found.iloc[0]


def _compared(each: _Beside, reading: Reading) -> tuple[list[Cell], list[dict[str, Any]]]:
    """The cells of a line, and a record of each metric that is printed."""
    cells, records = [], []
    for label, metric in METRICS:
        ours = each.ours[reading.column(metric)].to_numpy(float)
        own = t_interval(ours, reading.ci_level, reading.ddof)
        mean, half_width = (
            float(each.printed.get(f"{metric}_{name}", math.nan)) / 100
            for name in ("mean", "ci90_half")
        )
        difference, p = own.mean - mean, _welch(ours, each.paper, mean, half_width)
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


def _welch(ours: Float[ndarray, " n"], paper: Paper, mean: float, half_width: float) -> float:
    """Its p; NaN where either side has no standard deviation."""
    n = len(ours)
    if n < 2 or not half_width > 0:
        return math.nan
    deviation = standard_deviation_of(half_width, paper.runs, paper.ci_level, paper.ddof)
    own = Summary(float(ours.mean()), float(ours.std(ddof=1)), n)
    return welch(own, Summary(mean, deviation, paper.runs))[1]


def _reasons(each: _Beside, reading: Reading, expected: Expected | None) -> list[str]:
    """Why the difference may have other causes than the method."""
    ours, paper, reasons = each.ours, each.paper, []
    presets = "/".join(sorted(set(ours.preset)))
    if presets != paper.preset:
        reasons.append(f"preset {presets}, not {paper.preset}: another budget, other settings")
    elif expected is not None:
        reasons += _departures(ours.iloc[0], paper.preset, expected)
    if len(ours) != paper.runs:
        reasons.append(f"not as many runs as theirs ({paper.runs}): n in brackets")
    if reading.selection != paper.selection:
        reasons.append(f"selection {reading.selection}, theirs {paper.selection}")
    if reading.aggregate != paper.aggregate:
        reasons.append(f"aggregation {reading.aggregate}, theirs {paper.aggregate}")
    sizes, theirs = set(ours["size"]), paper.size.get(each.key[0])
    if theirs and sizes != {theirs}:
        reasons.append(f"images of {'/'.join(sorted(sizes)) or 'the prepared size'}, not {theirs}")
    if set(ours.evaluate_on) != {"test"}:
        reasons.append("evaluated on a part of the training images, not on the test set")
    partial = sorted(set(ours.data_partial.fillna("")) - {""})
    return reasons + [f"data incomplete: {note}" for note in partial]


def _departures(trial: pd.Series, preset: str, expected: Expected) -> list[str]:
    """Settings that were typed over those of the preset; a trial has the same name with them."""
    wanted = expected(preset, trial.to_dict() | {"budget": trial.budget.text})
    if wanted is None:
        return [f"settings could not be compared with those of the preset {preset}"]
    own, theirs = (dict(flat(v, GIVEN | HARMLESS)) for v in (trial.settings, wanted))
    found = [
        f"{name} {own.get(name, '–')} (not {theirs.get(name, '–')})"
        for name in dict.fromkeys([*theirs, *own])
        if own.get(name) != theirs.get(name)
    ]
    return [f"settings changed from the preset {preset}: {shortened(found)}"] if found else []


def _footer(papers: list[Paper], reading: Reading, reasons: list[str]) -> list[str]:
    lines = [
        f"printed ({paper.name}): {paper.paper}; {paper.runs} runs, ± {100 * paper.ci_level:g} % "
        f"half-width, standard deviation over n{' - 1' if paper.ddof else ''}"
        for paper in papers
    ]
    lines += [note for paper in papers for note in paper.notes]
    lines.append(
        f"ours: mean ± {100 * reading.ci_level:g} % t half-width over seeds, standard deviation "
        f"over n{' - 1' if reading.ddof else ''}; p: Welch's test from "
        "the printed summaries; unpaired, different protocol: it does not say that a method differs"
    )
    lines += [f"caveat {i}: {reason}" for i, reason in enumerate(reasons, 1)]
    return lines
