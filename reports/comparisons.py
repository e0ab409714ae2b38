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
    p_bh: float
    """After Benjamini and Hochberg, for exploring: in the CSV alone."""
    effect: float
    """Hedges' g of the differences."""
    rank_biserial: float
    """Ranks of the gains minus ranks of the losses, over their sum."""
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
    columns = {name: values[name].to_numpy(float) for name in values.columns}
    pairs: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for variant in ordered(set(columns) - {control}):
        a, b = columns[variant], columns[control]
        both = np.isfinite(a) & np.isfinite(b)
        if both.any():
            pairs[variant] = a[both], b[both]
    found = [_comparison((*where, v), a, b, control, level=level) for v, (a, b) in pairs.items()]
    tested = [i for i, comparison in enumerate(found) if comparison.difference.n >= MIN_PAIRS]
    if tested:
        gains = [significance.differences(*pairs[found[i].key[2]]) for i in tested]
        p = np.array([significance.TESTS[test](d) for d in gains])
        corrected = significance.holm(p), significance.false_discovery_rate(p)
        for i, d, raw, holm, bh in zip(tested, gains, p, *corrected, strict=True):
            effect = significance.detectable_effect(len(d), ALPHA / len(tested))
            found[i] = found[i]._replace(
                p=float(raw),
                p_holm=float(holm),
                p_bh=float(bh),
                effect=significance.hedges_g(d),
                rank_biserial=significance.rank_biserial(d),
                detectable=effect * float(d.std(ddof=1)),
            )
    return found


def _comparison(
    key: Key, a: np.ndarray, b: np.ndarray, control: str, *, level: float
) -> Comparison:
    """What is known without a test."""
    d = significance.differences(a, b)
    return Comparison(
        key=key,
        control=control,
        difference=t_interval(d, level),
        p=math.nan,
        p_holm=math.nan,
        p_bh=math.nan,
        effect=math.nan,
        rank_biserial=math.nan,
        wins=int((d > 0).sum()),
        superiority=significance.superiority(a, b),
        detectable=math.nan,
    )


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


def is_decidable(family: list[Comparison]) -> bool:
    """Can the family's test find anything at all? Not if its smallest Holm p is above the level."""
    return _reachable(family) < ALPHA


def _reachable(family: list[Comparison]) -> float:
    pairs = [c.difference.n for c in family if c.is_tested]
    return min(1.0, significance.smallest_p(min(pairs), len(pairs))) if pairs else 1.0


def describe(families: Iterable[list[Comparison]], what: str) -> list[str]:
    """Footer lines: correction, smallest reachable p, minimum detectable difference."""
    families = [family for family in families if family]
    tested = [family for family in families if any(c.is_tested for c in family)]
    if not families:
        return []
    if not tested:
        most = max(c.difference.n for family in families for c in family)
        return [
            f"differences {what} are not tested: {most} pair{'s' * (most != 1)} of seeds at most, "
            f"{MIN_PAIRS} are needed"
        ]
    sizes = sorted({sum(c.is_tested for c in family) for family in tested})
    widths = [c.detectable for family in tested for c in family if c.is_tested]
    lines = [
        f"differences {what}: paired by seed, Holm over {_range(sizes, '{}')} comparison"
        f"{'s' * (sizes != [1])} on each dataset and ratio, level {ALPHA:g}; smallest p that could "
        f"be reached {max(map(_reachable, tested)):.2g}; minimum detectable difference (80 % "
        f"power) {_range([min(widths), max(widths)], '{:.2f}', 100)} points of Dice"
    ]
    left = sum(not c.is_tested for family in families for c in family)
    if left:
        lines.append(f"{left} comparisons have fewer than {MIN_PAIRS} pairs and are not tested")
    hopeless = sum(not is_decidable(family) for family in tested)
    if hopeless:
        lines.append(
            f"on {hopeless} of {len(tested)} no difference could be found, however large: too many "
            "comparisons for so few seeds"
        )
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
    mean, half_width, n, _ = c.difference
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
        "ci_half_width": c.difference.half_width, "p": c.p, "p_holm": c.p_holm, "p_bh": c.p_bh,
        "hedges_g": c.effect, "rank_biserial": c.rank_biserial, "wins": c.wins,
        "superiority": c.superiority,
        "minimum_detectable_difference": c.detectable,
    }  # fmt: skip
