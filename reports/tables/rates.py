"""Sensitivity, precision and surface Dice of the final step, beside its Dice."""

import re

import pandas as pd

from reports.select import WHERE, Reading, columns, datasets_of, lines
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, of_fewer
from reports.stats.intervals import t_interval


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """A line a budget and variant; None for trials of versions that did not measure them."""
    aggregate = "case" if reading.aggregate == "case" else "pooled"
    measured = {
        "DC": f"dc_{aggregate}", "sensitivity": f"sensitivity_{aggregate}",
        "precision": f"precision_{aggregate}",
        **{_label(name): name for name in sorted(rows.columns) if name.startswith("nsd_")},
    }  # fmt: skip
    if measured["sensitivity"] not in rows or rows[measured["sensitivity"]].isna().all():
        return None
    shown = reading.shown(list(measured.values()))
    measured = {label: name for label, name in measured.items() if name in shown}
    datasets = datasets_of(rows)
    groups = dict(list(rows.groupby(WHERE)))
    full_n = max(map(len, groups.values()))
    body, data = [], []
    for budget, variant in lines(rows):
        line = [Cell(budget.text, budget.order), Cell(variant)]
        for dataset in datasets:
            trials = groups.get((dataset, budget, variant))
            for label, name in measured.items():
                values = pd.Series(dtype=float) if trials is None else trials[name].dropna()
                if values.empty:
                    line.append(NOTHING)
                    continue
                found = t_interval(values.to_numpy(float), reading.ci_level)
                text = mean_and_width(found.mean, found.half_width) + of_fewer(found.n, full_n)
                line.append(Cell(text, found.mean))
                data.append(
                    {
                        **columns((dataset, budget, variant)), "metric": label, "n": found.n,
                        "mean": found.mean, "ci_half_width": found.half_width,
                    }
                )  # fmt: skip
        body.append(line)
    heads = [Head("labelled"), Head("method")]
    heads += [Head(label, dataset) for dataset in datasets for label in measured]
    over = {"pooled": "over all pixels together", "case": "mean over cases"}[aggregate]
    notes = [
        f"in %, final step, {over}; surface Dice (NSD): mean over cases of the share of both "
        f"surfaces within the tolerance; mean ± {100 * reading.ci_level:g} % t half-width over "
        f"seeds, n = {full_n} unless given in brackets",
    ]
    title = "Sensitivity, precision and surface Dice"
    return Sheet("rates", title, heads, body, pd.DataFrame(data), notes)


def _label(column: str) -> str:
    """nsd_0_5_mm → NSD 0.5 mm."""
    amount, unit = re.fullmatch(r"nsd_(.*)_(mm|voxels)", column).groups()
    return f"NSD {amount.replace('_', '.')} {unit}"
