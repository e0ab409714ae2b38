"""What choosing the epoch adds, a line a method: on a validation set, on the evaluation set."""

import numpy as np
import pandas as pd

from reports.select import SELECTIONS, WHERE, Reading, columns, datasets_of, lines
from reports.sheet import NOTHING, Cell, Head, Sheet, of_fewer, rounded, signed
from reports.stats.intervals import Interval, t_interval
from reports.tables.footers import aggregation, masks_used


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Dice of the final step beside Dice at the epochs (and threshold) that were chosen; None of no
    trials.
    """
    if rows.empty:
        return None
    datasets = datasets_of(rows)
    names = {name: f"{prefix}dc_{reading.aggregate}" for name, prefix in SELECTIONS.items()}
    validated = rows[rows[names["val"]].notna()] if names["val"] in rows else rows[:0]
    if validated.empty:
        del names["val"]
    _, *chosen = names
    labels = [*names, *(f"gap {name}" if len(chosen) > 1 else "gap" for name in chosen)]
    heads = [Head("labelled"), Head("method")]
    heads += [Head(label, dataset) for dataset in datasets for label in labels]
    body, data = [], []
    configurations = dict(list(rows.groupby(WHERE)))
    full_n = max(map(len, configurations.values()))
    for budget, variant in lines(rows):
        line = [Cell(budget.text, budget.order), Cell(variant)]
        for dataset in datasets:
            trials = configurations.get((dataset, budget, variant))
            if trials is None:
                line += [NOTHING] * len(labels)
                continue
            values = {name: trials[column].to_numpy(float) for name, column in names.items()}
            gaps = {name: values[name] - values["final"] for name in chosen}
            apart = {name: t_interval(gap, reading.ci_level) for name, gap in gaps.items()}
            line += [Cell(rounded(v.mean(), 2), float(v.mean())) for v in values.values()]
            line += [
                Cell(signed(gap.mean, gap.half_width) + of_fewer(gap.n, full_n), gap.mean)
                for gap in apart.values()
            ]
            data.append(_record(columns((dataset, budget, variant)), values, apart))
        body.append(line)
    title = "Optimism gap: what choosing on the evaluation set adds to Dice"
    notes = _notes(reading, full_n, validated)
    return Sheet("optimism", title, heads, body, pd.DataFrame(data), notes)


def _record(where: dict, values: dict[str, np.ndarray], apart: dict[str, Interval]) -> dict:
    """A line of the CSV; the gap without a name is the oracle's."""
    record = {**where, "n": len(values["final"])}
    record |= {name: found.mean() for name, found in values.items()}
    for name, gap in apart.items():
        prefix = "" if name == "oracle" else f"{name}_"
        record |= {f"{prefix}gap": gap.mean, f"{prefix}gap_ci_half_width": gap.half_width}
    return record


def _notes(reading: Reading, full_n: int, validated: pd.DataFrame) -> list[str]:
    val = "val: the epoch that is best on the validation set, argmax; "
    return [
        f"final: last step, argmax; {'' if validated.empty else val}oracle: the epoch and the "
        "threshold with the best Jaccard on the evaluation set itself; gap: mean ± "
        f"{100 * reading.ci_level:g} % t half-width over seeds of the difference from final, in "
        f"points of Dice, n = {full_n} unless given in brackets",
        aggregation(reading),
        "a method that trains unsteadily gains more by such a choice: tables that make it favour "
        "that method",
        *([] if validated.empty else [f"val: {masks_used(validated)}"]),
    ]


def gaps(rows: pd.DataFrame, reading: Reading) -> Interval:
    """The optimism gap over all trials, for one sentence."""
    gap = rows[f"oracle_dc_{reading.aggregate}"] - rows[f"dc_{reading.aggregate}"]
    return t_interval(gap.to_numpy(float), reading.ci_level)
