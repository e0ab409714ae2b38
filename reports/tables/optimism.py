"""What choosing epoch and threshold on the evaluation set adds, a line a method."""

import pandas as pd

from reports.select import WHERE, Reading, columns, lines
from reports.sheet import NOTHING, Cell, Head, Sheet, of_fewer, rounded, signed
from reports.stats.intervals import Interval, t_interval


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet:
    """Dice of the final step beside Dice at the epoch and threshold chosen on the same images."""
    aggregate = reading.aggregate
    datasets = sorted(rows.dataset.unique())
    labels = ("final", "oracle", "gap")
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
            final = trials[f"dc_{aggregate}"].to_numpy(float)
            oracle = trials[f"oracle_dc_{aggregate}"].to_numpy(float)
            gap = t_interval(oracle - final, reading.ci_level)
            line += [
                Cell(rounded(final.mean(), 2), float(final.mean())),
                Cell(rounded(oracle.mean(), 2), float(oracle.mean())),
                Cell(signed(gap.mean, gap.half_width) + of_fewer(gap.n, full_n), gap.mean),
            ]
            data.append(
                {
                    **columns((dataset, budget, variant)), "n": gap.n, "final": final.mean(),
                    "oracle": oracle.mean(), "gap": gap.mean, "gap_ci_half_width": gap.half_width,
                }
            )  # fmt: skip
        body.append(line)
    footer = [
        "final: last step, argmax; oracle: the epoch and the threshold with the best Jaccard on "
        f"the evaluation set itself; gap: mean ± {100 * reading.ci_level:g} % t half-width over "
        f"seeds of their difference, in points of Dice, n = {full_n} unless given in brackets",
        "a method that trains unsteadily gains more by such a choice: tables that make it favour "
        "that method",
    ]
    title = "Optimism gap: what choosing on the evaluation set adds to Dice"
    return Sheet("optimism", title, heads, body, pd.DataFrame(data), footer)


def gaps(rows: pd.DataFrame, reading: Reading) -> Interval:
    """The optimism gap over all trials, for one sentence."""
    gap = rows[f"oracle_dc_{reading.aggregate}"] - rows[f"dc_{reading.aggregate}"]
    return t_interval(gap.to_numpy(float), reading.ci_level)
