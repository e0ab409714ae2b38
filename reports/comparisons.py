"""Which differences between methods are more than chance: families of paired tests.

A family is all methods against one control on one dataset at one ratio, by Dice alone; the other
metrics are descriptive. Holm's correction is within a family.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports import significance
from reports.aggregate import Key, Reading, by_seed, ordered
from reports.intervals import Interval, t_interval
from reports.sheet import NOTHING, Cell, Head, Sheet, percent, rounded, signed
from reports.significance import MIN_PAIRS

ALPHA = 0.05


class Comparison(NamedTuple):
    """A variant against the control: differences are variant minus control."""

    key: Key
    control: str
    difference: Interval
    p: float
    """NaN if there are too few pairs to test."""
    p_holm: float
    effect: float
    """Hedges' g of the differences."""
    wins: int
    superiority: float
    """P(a run of the variant is better than a run of the control), over all pairs of runs."""
    detectable: float
    """The difference that this many pairs would find with 80 % power at Holm's first step."""

    @property
    def is_tested(self) -> bool:
        return not math.isnan(self.p)

    @property
    def is_significant(self) -> bool:
        return self.is_tested and self.p_holm < ALPHA


class MissingPairs(ValueError):
    """A comparison that was asked for has no pairs of equal seeds."""


def family(
    where: tuple[str, float],
    values: pd.DataFrame,
    control: str,
    *,
    level: float = 0.90,
    test: str = "sign-flip",
) -> list[Comparison]:
    """All other variants against the control; values: a line a seed, a column a variant.

    Variants without a common seed are left out; with fewer than 6 pairs they are not tested.
    """
    found = []
    for variant in ordered(set(values.columns) - {control}):
        pairs = values[[variant, control]].dropna().to_numpy()
        if len(pairs):
            found.append(_comparison((*where, variant), pairs, control, level=level, test=test))
    tested = [i for i, comparison in enumerate(found) if comparison.is_tested]
    if tested:
        adjusted = significance.holm(np.array([found[i].p for i in tested]))
        for i, p in zip(tested, adjusted, strict=True):
            pairs = values[[found[i].key[2], control]].dropna().to_numpy()
            found[i] = found[i]._replace(
                p_holm=float(p), detectable=_detectable(pairs, ALPHA / len(tested))
            )
    return found


def _comparison(
    key: Key, pairs: np.ndarray, control: str, *, level: float, test: str
) -> Comparison:
    a, b = pairs.T
    d = significance.differences(a, b)
    is_tested = len(d) >= MIN_PAIRS
    return Comparison(
        key=key,
        control=control,
        difference=t_interval(d, level),
        p=significance.TESTS[test](d) if is_tested else math.nan,
        p_holm=math.nan,
        effect=significance.hedges_g(d) if is_tested else math.nan,
        wins=int((d > 0).sum()),
        superiority=significance.superiority(a, b),
        detectable=math.nan,
    )


def _detectable(pairs: np.ndarray, alpha: float) -> float:
    d = significance.differences(*pairs.T)
    return significance.detectable_effect(len(d), alpha) * float(d.std(ddof=1))


def against_control(
    rows: pd.DataFrame, reading: Reading, control: str, *, test: str = "sign-flip"
) -> list[Comparison]:
    """Every family of the table. Families without the control are left out."""
    found = []
    for where, values in by_seed(rows, reading.column("dc")).items():
        if control in values:
            found += family(where, values, control, level=reading.ci_level, test=test)
    return found


def require_pairs(rows: pd.DataFrame, control: str) -> None:
    """Raise `MissingPairs` if a trial has no partner of the control with its seed."""
    if control not in set(rows.variant):
        known = ", ".join(ordered(rows.variant))
        raise MissingPairs(f'no finished trial of the control "{control}"; there are: {known}')
    missing = []
    for (dataset, ratio), values in by_seed(rows, "ratio").items():
        partner = values[control] if control in values else pd.Series(np.nan, values.index)
        for variant in ordered(set(values.columns) - {control}):
            n = int((values[variant].notna() & partner.isna()).sum())
            if n:
                missing.append(f"{variant}/{dataset}/{percent(ratio)} ({n})")
    if missing:
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise MissingPairs(
            f'the control "{control}" was not run, or not finished, with all seeds: there are '
            f"seeds without a partner in {shown}. Run it there, or leave --control out: then "
            "common seeds are compared"
        )


def against_best(rows: pd.DataFrame, reading: Reading) -> dict[tuple[str, float], list[Comparison]]:
    """(dataset, ratio) → all others against the variant with the best mean, for the marks."""
    found = {}
    for where, values in by_seed(rows, reading.column("dc")).items():
        best = values.mean().idxmax()
        found[where] = family(where, values, best, level=reading.ci_level)
    return found


def describe(families: Iterable[list[Comparison]], what: str) -> list[str]:
    """Footer lines: correction, smallest reachable p, minimum detectable difference."""
    families = [family for family in families if family]
    tested = [[c for c in family if c.is_tested] for family in families]
    tested = [family for family in tested if family]
    if not families:
        return []
    if not tested:
        most = max(c.difference.n for family in families for c in family)
        return [
            f"differences {what} are not tested: {most} pair{'s' * (most != 1)} of seeds at most, "
            f"{MIN_PAIRS} are needed"
        ]
    sizes = sorted({len(family) for family in tested})
    reachable = max(
        significance.smallest_p(min(c.difference.n for c in family), len(family))
        for family in tested
    )
    widths = [c.detectable for family in tested for c in family]
    lines = [
        f"differences {what}: paired by seed, Holm over {_range(sizes, '{}')} comparisons on each "
        f"dataset and ratio, level {ALPHA:g}; smallest p that could be reached "
        f"{min(1.0, reachable):.2g}; minimum detectable difference (80 % power) "
        f"{_range([min(widths), max(widths)], '{:.2f}', 100)} points of Dice"
    ]
    left = sum(len(family) for family in families) - sum(len(family) for family in tested)
    if left:
        lines.append(f"{left} comparisons have fewer than {MIN_PAIRS} pairs and are not tested")
    return lines


def _range(values: list[int] | list[float], form: str, factor: int = 1) -> str:
    low, high = form.format(factor * values[0]), form.format(factor * values[-1])
    return low if low == high else f"{low} to {high}"


def sheet(comparisons: list[Comparison], control: str, reading: Reading, test: str) -> Sheet:
    """Every difference from the control, with its interval first and its p after."""
    heads = [
        Head("labelled"), Head("method"), Head("dataset"), Head("difference"), Head("pairs"),
        Head("p"), Head("p (Holm)"), Head("effect g"), Head("wins"), Head("P(better)"),
    ]  # fmt: skip
    comparisons = sorted(comparisons, key=lambda c: (c.key[1], c.key[0]))
    rows = [_row(c) for c in comparisons]
    data = pd.DataFrame([_line(c) for c in comparisons])
    families: dict[tuple[str, float], list[Comparison]] = {}
    for c in comparisons:
        families.setdefault(c.key[:2], []).append(c)
    footer = [
        f"difference: Dice of the method minus Dice of {control} at equal seeds, in points, mean ± "
        f"{100 * reading.ci_level:g} % t half-width over pairs; p: "
        f"{_TEST_NAMES[test]}; effect g: mean over deviation of the differences, with Hedges' "
        "correction; P(better): over all pairs of runs",
        *describe(families.values(), f"from {control}"),
        "the test set is fixed: p speaks of other seeds on these images, not of other images",
    ]
    return Sheet("differences", f"Differences from {control}", heads, rows, data, footer, words=3)


_TEST_NAMES = {
    "sign-flip": "sign-flip test of the mean difference (exact up to 16 pairs)",
    "t": "paired t test",
    "wilcoxon": "Wilcoxon's signed-rank test",
}


def _row(c: Comparison) -> list[Cell]:
    dataset, ratio, variant = c.key
    mean, half_width, n = c.difference
    cells = [
        Cell(percent(ratio), ratio), Cell(variant), Cell(dataset),
        Cell(signed(mean, half_width), mean), Cell(str(n), n),
    ]  # fmt: skip
    cells += [Cell(f"{p:.3g}", p) if not math.isnan(p) else NOTHING for p in (c.p, c.p_holm)]
    cells.append(Cell(f"{c.effect:.2f}", c.effect) if math.isfinite(c.effect) else NOTHING)
    return [
        *cells,
        Cell(f"{c.wins}/{n}", c.wins / n),
        Cell(rounded(c.superiority, 0) + " %", c.superiority),
    ]


def _line(c: Comparison) -> dict[str, object]:
    dataset, ratio, variant = c.key
    return {
        "dataset": dataset, "ratio": ratio, "variant": variant, "control": c.control,
        "pairs": c.difference.n, "mean_difference": c.difference.mean,
        "ci_half_width": c.difference.half_width, "p": c.p, "p_holm": c.p_holm,
        "hedges_g": c.effect, "wins": c.wins, "superiority": c.superiority,
        "minimum_detectable_difference": c.detectable,
    }  # fmt: skip
