"""Which differences between methods are more than chance: families of paired tests.

A family is all methods against one control on one dataset at one ratio, by Dice alone; the other
metrics are descriptive. Holm's correction is within a family.
"""

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports import significance
from reports.aggregate import Key, Reading, by_seed, named, ordered
from reports.intervals import Interval, t_interval
from reports.sheet import shortened
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
    """What a paired t test of this many pairs finds with 80 % power at Holm's first step.

    NaN where the test in use could not find any difference, however large.
    """
    reachable: float
    """The smallest p_holm that this many pairs and comparisons allow, however large the gain."""

    @property
    def is_tested(self) -> bool:
        return not math.isnan(self.p)

    @property
    def is_significant(self) -> bool:
        return self.is_tested and self.p_holm < ALPHA

    @property
    def is_decidable(self) -> bool:
        """Could the test have found anything at all?"""
        return self.is_tested and self.reachable < ALPHA


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
        bounds = np.array([significance.smallest_p(len(d), test) for d in gains])
        corrected = (
            significance.holm(p), significance.false_discovery_rate(p), significance.holm(bounds),
        )  # fmt: skip
        for i, d, raw, holm, bh, reachable in zip(tested, gains, p, *corrected, strict=True):
            effect = math.nan
            if reachable < ALPHA:
                effect = significance.detectable_effect(len(d), ALPHA / len(tested))
            found[i] = found[i]._replace(
                p=float(raw),
                p_holm=float(holm),
                p_bh=float(bh),
                effect=significance.hedges_g(d),
                rank_biserial=significance.rank_biserial(d),
                detectable=effect * float(d.std(ddof=1)),
                reachable=float(reachable),
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
        reachable=math.nan,
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
                missing.append(f"{named((dataset, ratio, variant))} ({n})")
    if missing:
        shown = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise MissingPairs(
            f'the control "{control}" was not run, or not finished, with all seeds: there are '
            f"seeds without a partner in {shown}. Run it there, or leave --control out: then "
            "common seeds are compared"
        )


def contenders(runs: Mapping[str, int]) -> set[str]:
    """Of variants with their numbers of runs, those of which one may be called the best.

    Not those with fewer runs than others and too few to be tested: a lucky single run is no best.
    """
    least = min(MIN_PAIRS, max(runs.values(), default=0))
    return {variant for variant, n in runs.items() if n >= least}


def against_best(
    rows: pd.DataFrame, reading: Reading, *, test: str = "sign-flip"
) -> dict[tuple[str, float], list[Comparison]]:
    """(dataset, ratio) → all others against the variant with the best mean, for the marks."""
    found = {}
    for where, values in by_seed(rows, reading.column("dc")).items():
        best = values[sorted(contenders(values.count().to_dict()))].mean().idxmax()
        found[where] = family(where, values, best, level=reading.ci_level, test=test)
    return found


def describe(families: Iterable[list[Comparison]], what: str, test: str = "sign-flip") -> list[str]:
    """Footer lines: test, correction, smallest reachable p, minimum detectable difference."""
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
    every = [c for family in tested for c in family]
    sizes = sorted({len(family) for family in tested})
    bounds = sorted(c.reachable for c in every)
    reach = f"; smallest p that could be reached {_range(bounds, '{:.2g}')}" if bounds[-1] else ""
    widths = sorted(c.detectable for c in every if c.is_decidable)
    power = (
        f"; minimum detectable difference (80 % power of a paired t test) "
        f"{_range(widths, '{:.2f}', 100)} points of Dice"
        if widths
        else ""
    )
    lines = [
        f"differences {what}: {TEST_NAMES[test]}, paired by seed, Holm over {_range(sizes, '{}')} "
        f"comparison{'s' * (sizes != [1])} on each dataset and ratio, level {ALPHA:g}{reach}{power}"
    ]
    few = [c.key for family in families for c in family if not c.is_tested]
    if few:
        lines.append(
            f"not tested, fewer than {MIN_PAIRS} pairs: {shortened(list(map(named, few)))}"
        )
    hopeless = [c.key for c in every if not c.is_decidable]
    if hopeless:
        lines.append(
            f"in {len(hopeless)} of {len(every)} comparisons no difference could be found, however "
            f"large, too many comparisons for so few seeds: {shortened(list(map(named, hopeless)))}"
        )
    return lines


def not_compared(cells: set[Key], found: Iterable[Comparison], to: str) -> list[str]:
    """A footer line that names the cells, none a control, without a comparison."""
    left = sorted(cells - {c.key for c in found}, key=lambda key: (key[1], key[2], key[0]))
    return [f"no seed in common with {to}: {shortened(list(map(named, left)))}"] if left else []


TEST_NAMES = {
    "sign-flip": "sign-flip test of the mean",
    "t": "paired t test",
    "wilcoxon": "Wilcoxon's signed-rank test",
}


def _range(values: list[int] | list[float], form: str, factor: int = 1) -> str:
    low, high = form.format(factor * values[0]), form.format(factor * values[-1])
    return low if low == high else f"{low} to {high}"
