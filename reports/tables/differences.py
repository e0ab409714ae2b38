"""The table of differences from a control: interval first, then p, effect and wins."""

import math

import pandas as pd

from reports.select import Budget, Reading, columns
from reports.sheet import NOTHING, Cell, Head, Sheet, rounded, signed
from reports.tables.comparisons import Comparison, describe


def sheet(comparisons: list[Comparison], control: str, reading: Reading, test: str) -> Sheet:
    """A line a comparison, in their order, its interval first and its p after."""
    heads = [
        Head("labelled"), Head("method"), Head("dataset"), Head("difference"), Head("pairs"),
        Head("p"), Head("p (Holm)"), Head("effect g"), Head("wins"), Head("P(better)"),
    ]  # fmt: skip
    rows = [_row(c) for c in comparisons]
    data = pd.DataFrame([_line(c) for c in comparisons])
    families: dict[tuple[str, Budget], list[Comparison]] = {}
    for c in comparisons:
        families.setdefault(c.key[:2], []).append(c)
    notes = [
        f"difference: Dice of the method minus Dice of {control} at equal seeds, in points, mean ± "
        f"{100 * reading.ci_level:g} % t half-width over pairs; effect g: mean over standard "
        "deviation of the differences, with Hedges' correction; P(better): over all pairs of runs",
        *describe(families.values(), f"from {control}", test),
        "the images are fixed: p-values generalise over seeds, not over images",
    ]
    return Sheet("differences", f"Differences from {control}", heads, rows, data, notes, words=3)


def _row(c: Comparison) -> list[Cell]:
    dataset, budget, variant = c.key
    mean, half_width, n, _ = c.difference
    cells = [
        Cell(budget.text, budget.order), Cell(variant), Cell(dataset),
        Cell(signed(mean, half_width), mean), Cell(str(n), n),
    ]  # fmt: skip
    cells += [
        Cell(f"{p:.3g}", p) if not math.isnan(p) else NOTHING for p in (c.test.p, c.test.p_holm)
    ]
    effect = c.test.effect
    cells.append(Cell(f"{effect:.2f}", effect) if math.isfinite(effect) else NOTHING)
    return [
        *cells,
        Cell(f"{c.wins}/{n}", c.wins / n),
        Cell(rounded(c.superiority, 0) + " %", c.superiority),
    ]


def _line(c: Comparison) -> dict[str, object]:
    return {
        **columns(c.key), "control": c.control, "pairs": c.difference.n,
        "mean_difference": c.difference.mean, "ci_half_width": c.difference.half_width,
        "p": c.test.p, "p_holm": c.test.p_holm, "p_bh": c.test.p_bh, "hedges_g": c.test.effect,
        "rank_biserial": c.test.rank_biserial, "wins": c.wins, "superiority": c.superiority,
        "minimum_detectable_difference": c.test.detectable,
        "smallest_p_holm": c.test.reachable,
    }  # fmt: skip
