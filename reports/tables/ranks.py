"""Ranks over datasets, a line a method and label budget, with Friedman's test below."""

from typing import NamedTuple

import pandas as pd

from reports.select import WHERE, Budget, Complete, Reading, floors, most_complete
from reports.sheet import Cell, Head, Sheet, of_fewer, shortened, with_interval
from reports.stats.intervals import MIN_RESAMPLED, Interval
from reports.stats.ranks import LOW_POWER, Ranking, rank, score

_ALPHA = 0.10
_FEW = f"; with fewer than {MIN_RESAMPLED} such an interval is too narrow"


class Ranked(NamedTuple):
    """The ranking at one label budget."""

    names: list[str]
    """Of the variants, as the ranking has them."""
    ranking: Ranking
    complete: Complete
    """The datasets, and the variants that were not run on all of them."""


def rankings(rows: pd.DataFrame, reading: Reading) -> dict[Budget, Ranked]:
    """Budget → ranking, where three or more variants were run on two or more datasets.

    Ranked are the variants that were run on all datasets that `most_complete` finds.
    """
    means = rows.groupby(["budget", "dataset", "variant"])[reading.column("dc")].mean()
    found = {}
    for budget, trials in rows.groupby("budget"):
        complete = most_complete({v: frozenset(d) for v, d in trials.groupby("variant").dataset}, 3)
        if complete is not None:
            names = complete.variants
            scores = means.xs(budget).unstack("variant").loc[complete.where, names]
            found[budget] = Ranked(names, rank(scores.to_numpy(float), _ALPHA), complete)
    return found


def sheet(rows: pd.DataFrame, reading: Reading) -> Sheet | None:
    """Average ranks over datasets; None with fewer than two datasets or three methods."""
    found = rankings(rows, reading)
    if not found:
        return None
    lines, data, notes = [], [], []
    full_n = int(rows.groupby(WHERE).size().max())
    for budget, (names, ranking, complete) in found.items():
        shown = (rows.budget == budget) & rows.dataset.isin(complete.where)
        scores = _scores(rows[shown & rows.variant.isin(names)], reading)
        for place, name in sorted(zip(ranking.ranks, names, strict=True)):
            interval = scores[name]
            lines.append(
                [
                    Cell(budget.text, budget.order), Cell(name), Cell(f"{place:.2f}", place),
                    Cell(with_interval(interval) + of_fewer(interval.n, full_n), interval.mean),
                ]
            )  # fmt: skip
            data.append(
                {
                    "budget": budget.text, "ratio": budget.share, "variant": name,
                    "rank": place, "n": interval.n,
                    "datasets": len(complete.where), "score": interval.mean,
                    "score_low": interval.low, "score_high": interval.high,
                }
            )  # fmt: skip
        notes.append(f"{budget.text}: {_tested(ranking, len(complete.where))}")
        if complete.left_out:
            notes.append(
                f"{budget.text}: not run on all of {', '.join(complete.where)}: "
                f"{shortened(complete.left_out)}"
            )
    notes.append(
        "p: Friedman's test, ranks permuted within datasets; F: Iman and Davenport's form of it; "
        "score: Dice on a scale from the floor (0) to a perfect mask (100), mean over datasets, "
        f"{100 * reading.ci_level:g} % bootstrap interval over seeds within each dataset, the "
        f"datasets being fixed; n = {full_n} unless the dataset with fewest runs has fewer, in "
        f"brackets{_FEW if full_n < MIN_RESAMPLED else ''}"
    )
    heads = [Head("labelled"), Head("method"), Head("average rank"), Head("score")]
    return Sheet("ranks", "Ranks over datasets", heads, lines, pd.DataFrame(data), notes)


def _tested(ranking: Ranking, datasets: int) -> str:
    """What Friedman's test says of one budget."""
    low = ", low power" if datasets < LOW_POWER else ""
    f = f" (F = {ranking.f:.3g}, p = {ranking.p:.3g})" if ranking.is_f_finite else ""
    return (
        f"{datasets} datasets{low}; χ² = {ranking.chi_square:.3g}, p = "
        f"{ranking.p_permutation:.3g}{f}; ranks closer than {ranking.critical_difference:.2f} do "
        f"not differ significantly (Nemenyi, {_ALPHA:g})"
    )


def _scores(rows: pd.DataFrame, reading: Reading) -> dict[str, Interval]:
    """Variant → its score over the datasets of one budget."""
    floor = floors(rows, reading.aggregate)
    lowest = rows.dataset.map(lambda name: floor[name].values["dc"])
    scaled = (rows[reading.column("dc")].astype(float) - lowest) / (1 - lowest)
    return {
        variant: score(
            [values.to_numpy(float) for _, values in group.groupby(rows.dataset)], reading.ci_level
        )
        for variant, group in scaled.groupby(rows.variant)
    }
