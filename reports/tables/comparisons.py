"""Which differences between methods are more than chance: families of paired tests.

A family is all methods against one control on one dataset at one label budget, by Dice alone; the
other metrics are descriptive. Holm's correction is within a family.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports.select import (
    WHERE,
    Budget,
    Configuration,
    Reading,
    by_seed,
    in_order,
    named,
    ordered,
)
from reports.sheet import counted, shortened
from reports.stats import significance
from reports.stats.intervals import Interval, t_interval
from reports.stats.significance import MIN_PAIRS

ALPHA = 0.05


class Tested(NamedTuple):
    """What a test says of a comparison."""

    p: float
    p_holm: float
    p_bh: float
    """After Benjamini and Hochberg, for exploring: in the CSV alone."""
    effect: float
    """Hedges' g of the differences."""
    rank_biserial: float
    """Ranks of the gains minus ranks of the losses, over their sum."""
    detectable: float
    """What a paired t test of this many pairs finds with 80 % power at Holm's first step.

    NaN where the test in use could not find any difference, however large.
    """
    reachable: float
    """The smallest p_holm that this many pairs and comparisons allow, however large the gain."""


UNTESTED = Tested(*[math.nan] * 7)


class Comparison(NamedTuple):
    """A variant against the control: differences are variant minus control."""

    key: Configuration
    control: str
    difference: Interval
    wins: int
    superiority: float
    """P(a run of the variant is better than a run of the control), over all pairs of runs."""
    test: Tested = UNTESTED
    """`UNTESTED` with too few pairs."""

    @property
    def is_tested(self) -> bool:
        return not math.isnan(self.test.p)

    @property
    def is_significant(self) -> bool:
        return self.is_tested and self.test.p_holm < ALPHA

    @property
    def is_decidable(self) -> bool:
        """Could the test have found anything at all?"""
        return self.is_tested and self.test.reachable < ALPHA


def family(
    where: tuple[str, Budget],
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
    tests = _tested([pair for pair in pairs.values() if len(pair[0]) >= MIN_PAIRS], test)
    found = []
    for variant, (a, b) in pairs.items():
        d = significance.differences(a, b)
        found.append(
            Comparison(
                key=(*where, variant),
                control=control,
                difference=t_interval(d, level),
                wins=int((d > 0).sum()),
                superiority=significance.superiority(a, b),
                test=next(tests) if len(d) >= MIN_PAIRS else UNTESTED,
            )
        )
    return found


def _tested(pairs: list[tuple[np.ndarray, np.ndarray]], test: str) -> Iterator[Tested]:
    """The tests of a family, corrected for their number, in the order of its pairs."""
    gains = [significance.differences(a, b) for a, b in pairs]
    if not gains:
        return
    p = np.array([significance.TESTS[test](d) for d in gains])
    p_holm, p_bh = significance.holm(p), significance.false_discovery_rate(p)
    bounds = np.array([significance.smallest_p(len(d), test) for d in gains])
    for i, (d, reachable) in enumerate(zip(gains, significance.holm(bounds), strict=True)):
        effect = math.nan
        if reachable < ALPHA:
            effect = significance.detectable_effect(len(d), ALPHA / len(gains))
        yield Tested(
            p=float(p[i]),
            p_holm=float(p_holm[i]),
            p_bh=float(p_bh[i]),
            effect=significance.hedges_g(d),
            rank_biserial=significance.rank_biserial(d),
            detectable=effect * float(d.std(ddof=1)),
            reachable=float(reachable),
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


def unpaired(rows: pd.DataFrame, control: str) -> list[str]:
    """Footer lines on trials that have no partner of the control with their seed."""
    seeds = {key: set(found) for key, found in rows.groupby(WHERE).seed}
    absent, apart, fewer = [], [], []
    for key in sorted(seeds, key=in_order(rows)):
        partners = seeds.get((*key[:2], control), set())
        common = len(seeds[key] & partners)
        if not partners:
            absent.append(named(key))
        elif not common:
            apart.append(named(key))
        elif common < len(seeds[key]):
            fewer.append(f"{named(key)} ({common} of {len(seeds[key])})")
    told = {
        f"left out, {control} was not run or not finished there": absent,
        f"no seed in common with {control}": apart,
        f"compared at fewer seeds than they have, {control} lacks the others": fewer,
    }
    return [f"{what}: {shortened(cells, 12)}" for what, cells in told.items() if cells]


def contenders(runs: Mapping[str, int]) -> set[str]:
    """Of variants with their numbers of runs, those of which one may be called the best.

    Not those with fewer runs than others and too few to be tested: a lucky single run is no best.
    """
    least = min(MIN_PAIRS, max(runs.values(), default=0))
    return {variant for variant, n in runs.items() if n >= least}


def against_best(
    rows: pd.DataFrame, reading: Reading, *, test: str = "sign-flip"
) -> dict[tuple[str, Budget], list[Comparison]]:
    """(dataset, budget) → all others against the variant with the best mean, for the marks.

    Trials whose score is no finite number are left out: there is nothing to compare.
    """
    found = {}
    column = reading.column("dc")
    finite = rows[np.isfinite(rows[column].astype(float))]
    for where, values in by_seed(finite, column).items():
        best = values[sorted(contenders(values.count().to_dict()))].mean().idxmax()
        found[where] = family(where, values, best, level=reading.ci_level, test=test)
    return found


def describe(families: Iterable[list[Comparison]], what: str, test: str = "sign-flip") -> list[str]:
    """Lines under a table: how was tested, and what could not be."""
    families = list(families)
    return [*described(families, what, test), *untested(families)]


def described(
    families: Iterable[list[Comparison]], what: str, test: str = "sign-flip"
) -> list[str]:
    """Test, correction, smallest reachable p, minimum detectable difference."""
    families = [family for family in families if family]
    tested = [[c for c in family if c.is_tested] for family in families]
    tested = [family for family in tested if family]
    if not families:
        return []
    if not tested:
        most = max(c.difference.n for family in families for c in family)
        return [
            f"differences {what} are not tested: {counted(most, 'pair')} of seeds at most, "
            f"{MIN_PAIRS} are needed"
        ]
    every = [c for family in tested for c in family]
    sizes = sorted({len(family) for family in tested})
    bounds = sorted(c.test.reachable for c in every)
    reach = f"; smallest p that could be reached {_range(bounds, '{:.2g}')}" if bounds[-1] else ""
    widths = sorted(c.test.detectable for c in every if c.is_decidable)
    power = (
        f"; minimum detectable difference (80 % power of a paired t test) "
        f"{_range(widths, '{:.2f}', 100)} points of Dice"
        if widths
        else ""
    )
    return [
        f"differences {what}: {TEST_NAMES[test]}, paired by seed, Holm over {_range(sizes, '{}')} "
        f"comparison{'s' * (sizes != [1])} on each dataset and budget, level {ALPHA:g}{reach}"
        f"{power}"
    ]


def untested(families: Iterable[list[Comparison]]) -> list[str]:
    """Which comparisons no test could decide; nothing where none was tested."""
    every = [c for family in families for c in family]
    tested = [c for c in every if c.is_tested]
    few = [c.key for c in every if not c.is_tested] if tested else []
    lines = []
    if few:
        lines.append(
            f"not tested, fewer than {MIN_PAIRS} pairs: {shortened(list(map(named, few)))}"
        )
    hopeless = [c.key for c in tested if not c.is_decidable]
    if hopeless:
        lines.append(
            f"{len(hopeless)} of {len(tested)} comparisons could not reach p < {_short(ALPHA)} at "
            "any effect size (too few seeds for this many comparisons): "
            f"{shortened(list(map(named, hopeless)))}"
        )
    return lines


def _short(p: float) -> str:
    """.05, as papers print it."""
    return f"{p:g}".lstrip("0")


def not_compared(
    configurations: set[Configuration], found: Iterable[Comparison], to: str
) -> list[str]:
    """A footer line that names the configurations, none a control, without a comparison."""
    left = sorted(configurations - {c.key for c in found}, key=lambda key: (key[1], key[2], key[0]))
    return [f"no seed in common with {to}: {shortened(list(map(named, left)))}"] if left else []


TEST_NAMES = {
    "sign-flip": "sign-flip test of the mean",
    "t": "paired t test",
    "wilcoxon": "Wilcoxon's signed-rank test",
}


def _range(values: list[int] | list[float], form: str, factor: int = 1) -> str:
    low, high = form.format(factor * values[0]), form.format(factor * values[-1])
    return low if low == high else f"{low} to {high}"
