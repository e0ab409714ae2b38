"""Rows of trials → one cell per (dataset, ratio, variant): mean and interval over seeds."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from reports.intervals import INTERVALS, Interval, crossed_interval

Key = tuple[str, float, str]
"""Dataset, labelled ratio, variant."""


@dataclass(frozen=True)
class Reading:
    """Which of the stored figures a table shows."""

    selection: str = "final"  # final | oracle
    aggregate: str = "pooled"  # pooled | case
    ci_level: float = 0.90
    ci: str = "seeds"  # what is drawn anew: seeds | cases | both
    interval: str = "t"  # over seeds: t | logit-t | bootstrap
    ddof: int = 1  # of t

    def column(self, metric: str) -> str:
        """Name of the column in `results.csv`."""
        prefix = "oracle_" if self.selection == "oracle" else ""
        return f"{prefix}{metric}_{self.aggregate}"


class Cost(NamedTuple):
    """What one trial of a cell takes: medians over its seeds (NaN where it was not measured)."""

    parameters: float
    """Of all networks that are trained."""
    flops: float
    """Of a step, forward and backward."""
    seconds: float
    """Of a step."""
    total: float
    """Seconds of all steps, with the whole pretraining that the trial started from, if any."""
    memory: float
    """Peak, in MiB."""


def costs(rows: pd.DataFrame) -> dict[Key, Cost]:
    """(dataset, ratio, variant) → what it takes."""
    before = rows.seconds_pretrain if "seconds_pretrain" in rows else pd.Series(0.0, rows.index)
    measured = pd.DataFrame(
        {
            "parameters": rows.parameters,
            "flops": rows.flops_per_step,
            "seconds": rows.seconds_train / rows.steps,
            "total": rows.seconds_train.astype(float) + before.astype(float).fillna(0),
            "memory": rows.peak_memory_mib,
        }
    ).astype(float)
    medians = measured.groupby([rows.dataset, rows.ratio, rows.variant]).median()
    return {key: Cost(*map(float, line)) for key, line in medians.iterrows()}


class Selected(NamedTuple):
    """The rows that one table may show together, and what was left out, in words."""

    rows: pd.DataFrame
    left_out: list[str]


def comparable(rows: pd.DataFrame) -> Selected:
    """Done trials of one setting per cell: of several, the one that finished last.

    A table never mixes development with test set, other data with other data, or two settings
    under one name; what it leaves out it says.
    """
    left_out = []
    failed = rows[rows.status != "done"]
    if len(failed):
        left_out.append(f"{_trials(len(failed))} failed: {', '.join(sorted(set(failed.error)))}")
    rows = rows[rows.status == "done"]
    groups = (
        ("another evaluation set", [], "evaluate_on"),
        ("other data", ["dataset"], "data_hash"),
        ("other settings", ["dataset", "ratio", "variant"], "cell"),
    )
    for what, within, column in groups:
        kept = _newest(rows, within, column)
        if len(kept) < len(rows):
            left_out.append(f"{_trials(len(rows) - len(kept))} with {what} (older) not shown")
        rows = kept
    return Selected(rows, left_out)


def _trials(n: int) -> str:
    return f"{n} trial{'s' if n != 1 else ''}"


def _newest(rows: pd.DataFrame, within: list[str], column: str) -> pd.DataFrame:
    """Within each group, the rows whose value in `column` belongs to the latest finished row."""
    if rows.empty:
        return rows
    ordered = rows.sort_values("finished_at", kind="stable")
    if not within:
        return rows[rows[column] == ordered[column].iloc[-1]]
    last = ordered.groupby(within)[column].transform("last")
    return rows[rows[column] == last.reindex(rows.index)]


def cells(
    rows: pd.DataFrame, reading: Reading, metric: str, cases: pd.DataFrame | None = None
) -> dict[Key, Interval]:
    """(dataset, ratio, variant) → mean and interval of a metric, dc or ji.

    cases: for intervals over cases; a line per trial and case with dataset, ratio, variant, seed,
    case and the metric.
    """
    if reading.ci != "seeds":
        return _crossed_cells(cases, reading, metric)
    grouped = rows.groupby(["dataset", "ratio", "variant"])[reading.column(metric)]
    make = INTERVALS[reading.interval]
    options = {"level": reading.ci_level}
    if reading.interval == "t":
        options["ddof"] = reading.ddof
    return {key: make(values.to_numpy(float), **options) for key, values in grouped}


def _crossed_cells(cases: pd.DataFrame, reading: Reading, metric: str) -> dict[Key, Interval]:
    found = {}
    for key, lines in cases.groupby(["dataset", "ratio", "variant"]):
        matrix = lines.pivot(index="seed", columns="case", values=metric).to_numpy(float)
        crossed = crossed_interval(matrix, reading.ci_level)
        found[key] = Interval(crossed.mean, getattr(crossed, reading.ci), len(matrix))
    return found


def by_seed(rows: pd.DataFrame, column: str) -> dict[tuple[str, float], pd.DataFrame]:
    """(dataset, ratio) → values of a column: a line a seed, a column a variant; NaN if missing."""
    return {
        key: group.pivot(index="seed", columns="variant", values=column).astype(float)
        for key, group in rows.groupby(["dataset", "ratio"])
    }


class Floor(NamedTuple):
    """The better of the two trivial predictions on a dataset."""

    name: str
    """foreground or background: what is predicted everywhere."""
    values: dict[str, float]
    """Of dc and ji."""


def floors(rows: pd.DataFrame, aggregate: str) -> dict[str, Floor]:
    """The floor of each dataset: a method below it has learnt nothing."""
    found = {}
    for dataset, trials in rows.groupby("dataset"):
        first = trials.iloc[0]  # all trials of a dataset share them
        column = f"all_{{}}_{{}}_{aggregate}"
        name = max(("foreground", "background"), key=lambda n: first[column.format(n, "dc")])
        values = {metric: float(first[column.format(name, metric)]) for metric in ("dc", "ji")}
        found[dataset] = Floor(name, values)
    return found


def ordered(variants: Iterable[str]) -> list[str]:
    """The baseline first, then by name, numbers by their size: rounds=3 before rounds=10."""
    return sorted(set(variants), key=lambda name: (name != "supervised", _pieces(name)))


def _pieces(name: str) -> list[str | int]:
    """Text and whole numbers by turns."""
    pieces = re.split(r"(\d+)", name)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]
