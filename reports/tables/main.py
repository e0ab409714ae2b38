"""The main table: rows grouped by label budget, DC and JI of each dataset, as papers print it."""

import math
from collections import Counter

import numpy as np
import pandas as pd

from reports.select import (
    WHERE,
    Budget,
    Configuration,
    Cost,
    Floor,
    Reading,
    columns,
    costs,
    datasets_of,
    floors,
    intervals,
    lines,
    named,
)
from reports.sheet import (
    COSTS_OF,
    NOTHING,
    Cell,
    Head,
    Mark,
    Sheet,
    mean_and_width,
    of_fewer,
    ranked,
    shortened,
    with_interval,
)
from reports.stats.intervals import Interval, interquartile_mean
from reports.tables import comparisons
from reports.tables.footers import cost_notes, doubts, keys

_TITLES = {"dc": "Dice (DC)", "ji": "Jaccard (JI)"}
_COSTS = ("M param.", "GFLOP/step", "s/step", "total s", "MiB")


def sheet(
    rows: pd.DataFrame,
    reading: Reading,
    *,
    with_costs: bool = False,
    cases: pd.DataFrame | None = None,
    left_out: list[str] | None = None,
    test: str = "sign-flip",
) -> Sheet:
    """The table of comparable trials. Its first row is the better trivial prediction.

    with_costs: also what a trial of each row takes; cases: see `select.intervals`; left_out: what
    the table does not show, for its footer; test: for the marks of what is like the best.
    """
    datasets = datasets_of(rows)
    metrics = reading.shares
    values = {metric: intervals(rows, reading, metric, cases) for metric in metrics}
    families = comparisons.against_best(rows, reading, test=test) if "dc" in metrics else {}
    marks = _Marks(values, families)
    full_n = max(interval.n for found in values.values() for interval in found.values())
    taken = costs(rows) if with_costs else {}
    floor = floors(rows, reading.aggregate)
    body = [_floor_row(floor, datasets, list(metrics), with_costs)]
    for budget, variant in lines(rows):
        line = [Cell(budget.text, budget.order), Cell(variant)]
        for dataset in datasets:
            for metric in metrics:
                line.append(marks.cell((dataset, budget, variant), metric, full_n))
        if with_costs:
            for dataset in datasets:
                line += _cost_cells(taken.get((dataset, budget, variant)))
        body.append(line)
    return Sheet(
        name="table",
        title=f"Mean {' and '.join(_TITLES[name] for name in metrics)}",
        heads=_heads(datasets, list(metrics.values()), with_costs),
        rows=body,
        data=_data(rows, reading, values, floor, taken),
        notes=[
            *keys(rows, reading, full_n, floor),
            *marks.daggers,
            *comparisons.described(families.values(), "from the best", test),
            *(cost_notes() if with_costs else []),
        ],
        footer=[
            *doubts(rows, reading, floor),
            *marks.missing,
            *comparisons.untested(families.values()),
            *(left_out or []),
        ],
        marked=marks.marked,
    )


class _Marks:
    """Which scores are best, second, and not distinguishable from the best."""

    def __init__(
        self,
        values: dict[str, dict[Configuration, Interval]],
        families: dict[tuple[str, Budget], list[comparisons.Comparison]],
    ):
        self._values = values
        self._marks: dict[tuple[str, Configuration], Mark] = {}
        self._few: dict[Configuration, int] = {}
        for metric, found in values.items():
            for group in {key[:2] for key in found}:
                self._rank(metric, [key for key in found if key[:2] == group])
        self._tied = {
            c.key
            for family in families.values()
            for c in family
            if c.is_decidable and not c.is_significant
        }
        tested = values.get("dc", {})
        sizes = Counter(key[:2] for key in tested)
        others = {
            key
            for key in tested
            if sizes[key[:2]] > 1 and self._marks.get(("dc", key)) != Mark.BEST
        }
        found = [c for family in families.values() for c in family]
        self._alone = comparisons.not_compared(others, found, "the best, not compared")

    def _rank(self, metric: str, keys: list[Configuration]) -> None:
        """The marks of one dataset and budget."""
        found = self._values[metric]
        may_win = comparisons.contenders({key[2]: found[key].n for key in keys})
        self._few |= {key: found[key].n for key in keys if key[2] not in may_win}
        marks = ranked({key: found[key].mean if key[2] in may_win else math.nan for key in keys})
        self._marks |= {(metric, key): mark for key, mark in marks.items()}

    def cell(self, key: Configuration, metric: str, full_n: int) -> Cell:
        interval = self._values[metric].get(key)
        if interval is None:
            return NOTHING
        text = with_interval(interval) + of_fewer(interval.n, full_n)
        mark = self._marks.get((metric, key), Mark.NONE)
        return Cell(text, interval.mean, mark, metric == "dc" and key in self._tied)

    @property
    def marked(self) -> str:
        """As of `Sheet`."""
        tied = "; ≈ DC not distinguishable from the best" if self._tied else ""
        return f"mean of each dataset and budget{tied}" if self._marks else ""

    @property
    def missing(self) -> list[str]:
        """Why some have no mark."""
        lines = list(self._alone)
        if self._few:
            few = sorted(self._few.items(), key=lambda item: (item[0][1], item[0][2], item[0][0]))
            shown = shortened([f"{named(key)} (n={n})" for key, n in few])
            lines.append(f"not ranked: fewer runs than the other methods: {shown}")
        return lines

    @property
    def daggers(self) -> list[str]:
        """What they mean, if there are any."""
        has_some = any(i.leaves_unit for found in self._values.values() for i in found.values())
        return ["† the interval reaches beyond 0 or 100, where no score can lie"] * has_some


def _floor_row(
    floor: dict[str, Floor], datasets: list[str], metrics: list[str], with_costs: bool
) -> list[Cell]:
    kinds = {floor[dataset].name for dataset in datasets}
    name = f"all {kinds.pop()}" if len(kinds) == 1 else "all foreground or background"
    line = [Cell("", 0.0), Cell(f"floor: {name}")]
    for dataset in datasets:
        for metric in metrics:
            value = floor[dataset].values[metric]
            line.append(Cell(mean_and_width(value), value))
    return line + [NOTHING] * (len(_COSTS) * len(datasets) if with_costs else 0)


def _cost_cells(cost: Cost | None) -> list[Cell]:
    if cost is None:
        return [NOTHING] * len(_COSTS)
    amounts = (
        cost.parameters / 1e6, cost.flops / 1e9, cost.seconds, cost.total, cost.memory,
    )  # fmt: skip
    formats = ("{:.2f}", "{:.3g}", "{:.3g}", "{:.0f}", "{:.0f}")
    return [
        NOTHING if math.isnan(amount) else Cell(form.format(amount), float(amount))
        for amount, form in zip(amounts, formats, strict=True)
    ]


def _heads(datasets: list[str], labels: list[str], with_costs: bool) -> list[Head]:
    heads = [Head("labelled"), Head("method")]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    if with_costs:
        of = [f"{COSTS_OF}{dataset}" for dataset in datasets] if len(datasets) > 1 else [""]
        heads += [Head(label, group) for group in of for label in _COSTS]
    return heads


def _data(
    rows: pd.DataFrame,
    reading: Reading,
    values: dict[str, dict[Configuration, Interval]],
    floor: dict[str, Floor],
    taken: dict[Configuration, Cost],
) -> pd.DataFrame:
    """One line a score, in full precision."""
    body: list[dict[str, object]] = []
    for dataset, best in floor.items():
        for metric in values:
            value = best.values[metric]
            line = {"dataset": dataset, "variant": f"floor: all {best.name}", "metric": metric}
            body.append(line | {"mean": value, "n": 0})
    for metric, found in values.items():
        groups = dict(list(rows.groupby(WHERE)[reading.column(metric)]))
        for where, interval in found.items():
            runs, n = groups[where].to_numpy(float), interval.n
            low, high = np.clip([interval.low, interval.high], 0, 1)  # NaN stays: no interval
            body.append(
                {
                    **columns(where), "metric": metric, "mean": interval.mean,
                    "ci_half_width": interval.half_width,
                    "ci_low": low, "ci_high": high, "n": n,
                    "standard_deviation": float(runs.std(ddof=1)) if n > 1 else math.nan,
                    "interquartile_mean": interquartile_mean(runs),
                    "min": float(runs.min()), "max": float(runs.max()),
                }
            )  # fmt: skip
    for where, cost in taken.items():
        body += [
            columns(where) | {"metric": name, "mean": value}
            for name, value in cost._asdict().items()
        ]
    return pd.DataFrame(body).astype({"n": "Int64"})
