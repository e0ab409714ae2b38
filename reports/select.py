"""Rows of trials → one cell per (dataset, ratio, variant): mean and interval over seeds."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from reports.intervals import INTERVALS, Interval, crossed_interval
from reports.sheet import percent, shortened

Key = tuple[str, float, str]
"""Dataset, labelled ratio, variant."""
METRICS = (("DC", "dc"), ("JI", "ji"))
"""Heads of columns, and the names of their figures."""
_LONG = 120  # characters of an error in a footer


def named(key: Key) -> str:
    """A cell as a footer names it: cps/glas/5 %."""
    dataset, ratio, variant = key
    return f"{variant}/{dataset}/{percent(ratio)}"


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


def comparable(rows: pd.DataFrame, evaluate_on: str | None = None) -> Selected:
    """Done trials of one setting per cell: of several, the one that finished last.

    A table never mixes development with test set (evaluate_on: which; None: the test set if there
    are trials of it), other data with other data, or two settings under one name; what it leaves
    out it says.
    """
    failed, rows = rows[rows.status != "done"], rows[rows.status == "done"]
    sets = set(rows.evaluate_on)
    chosen = evaluate_on or ("test" if "test" in sets else max(sets, default=""))
    failed = failed[failed.evaluate_on == chosen]
    left_out = [f"{_trials(len(failed))} failed: {reasons(failed)}"] if len(failed) else []
    others = rows[rows.evaluate_on != chosen]
    for name, trials in others.groupby("evaluate_on"):
        shown = f"{_trials(len(trials))} evaluated on {name} not shown"
        left_out.append(f"{shown} (--evaluate-on {name} does)")
    rows = rows[rows.evaluate_on == chosen]
    groups = (
        ("other data", ["dataset"], "data_hash"),
        ("other settings", ["dataset", "ratio", "variant"], "cell"),
    )
    for what, within, column in groups:
        kept = _newest(rows, within, column)
        if len(kept) < len(rows):
            left_out.append(f"{_trials(len(rows) - len(kept))} with {what} (older) not shown")
        rows = kept
    return Selected(rows, left_out)


def reasons(failed: pd.DataFrame) -> str:
    """Why trials failed: the first line of each error, the most frequent first."""
    lines = [str(error).strip().partition("\n")[0] or "no reason given" for error in failed.error]
    counts = Counter(line if len(line) <= _LONG else line[:_LONG] + "…" for line in lines)
    return shortened([f"{line} ({n})" for line, n in counts.most_common()], shown=3)


def _trials(n: int) -> str:
    return f"{n} trial{'s' if n != 1 else ''}"


def _newest(rows: pd.DataFrame, within: list[str], column: str) -> pd.DataFrame:
    """Within each group, the rows whose value in `column` belongs to the latest finished row."""
    if rows.empty:
        return rows
    ordered = rows.sort_values("finished_at", kind="stable")
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


class Complete(NamedTuple):
    """Variants that were run in all of some places, which are datasets or labelled shares."""

    where: list
    """The places, ascending."""
    variants: list[str]
    left_out: list[str]
    """Variants that were not run in all of them."""


def most_complete(run: Mapping[str, frozenset], least_variants: int = 1) -> Complete | None:
    """Of variants and the places of each: the places that keep the most figures comparable.

    That is, most variants times places. So a variant that was run in one place more, or less,
    changes nothing for the others. None if so many variants have not two places in common.
    """

    def figures(places: frozenset) -> tuple[int, int, list]:
        variants = sum(own >= places for own in run.values())
        return variants * len(places), variants, sorted(places)

    shared: set[frozenset] = set()  # what any of the variants have in common
    for own in set(run.values()):
        shared |= {own} | {own & places for places in shared}
    enough = [s for s in shared if len(s) >= 2 and figures(s)[1] >= least_variants]
    common = max(enough, key=figures, default=None)
    if common is None:
        return None
    names = ordered(run)
    return Complete(
        sorted(common),
        [name for name in names if run[name] >= common],
        [name for name in names if not run[name] >= common],
    )


def ordered(variants: Iterable[str]) -> list[str]:
    """The baseline first, then by name, numbers by their size: rounds=3 before rounds=10."""
    return sorted(set(variants), key=lambda name: (name != "supervised", _pieces(name)))


def _pieces(name: str) -> list[str | int]:
    """Text and whole numbers by turns."""
    pieces = re.split(r"(\d+)", name)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]
