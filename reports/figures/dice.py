"""Plots of Dice: over label budgets, of each run, and of the ablations that papers print."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from reports.figures import style
from reports.figures.inputs import Inputs, Named, bars, plain
from reports.select import WHERE, Budget, datasets_of, on_own, variants_of


def efficiency(inputs: Inputs) -> Iterator[Named]:
    """Dice over the labelled share, a curve a method."""
    budgets = {d: sorted({k[1] for k in inputs.means if k[0] == d}) for d in inputs.datasets}
    datasets = [d for d, found in budgets.items() if len(found) > 1]
    if not datasets:
        return
    places = {dataset: _places(budgets[dataset]) for dataset in datasets}
    figure, axes = style.tiles(len(datasets))
    for one, dataset in zip(axes, datasets, strict=True):
        for i, (variant, look) in enumerate(inputs.curves.items()):
            found = [(b, inputs.means.get((dataset, b, variant))) for b in budgets[dataset]]
            found = [(b, interval) for b, interval in found if interval is not None]
            if found:
                # Side by side, or the bars hide each other.
                shift = 0.045 * (i - (len(inputs.curves) - 1) / 2)
                one.errorbar(
                    [places[dataset][b] + shift for b, _ in found],
                    [interval.mean for _, interval in found],
                    bars(interval for _, interval in found),
                    label=variant, elinewidth=0.8, **look.line(),
                )  # fmt: skip
        ticks = places[dataset]
        one.set_xticks(list(ticks.values()), [budget.text for budget in ticks])
        one.set(title=dataset, xlabel="labelled", ylabel=inputs.dice)
        one.grid(axis="x", visible=False)
    style.floors(axes, [inputs.floors[dataset] for dataset in datasets])
    if all(budget.share is not None for found in budgets.values() for budget in found):
        style.equal(axes, "x")
    style.legend(figure)
    keys = [(d, r, v) for d in datasets for v in inputs.curves for r in budgets[d]]
    yield Named(
        "label-efficiency",
        f"Dice over what is labelled, with intervals over seeds{inputs.left_out}",
        "Mean Dice over how much is labelled, a curve a method.", figure, inputs.told(keys),
        has_intervals=True,
    )  # fmt: skip


def _places(budgets: Sequence[Budget]) -> dict[Budget, float]:
    """Along an axis: of shares their logarithms; others one by one."""
    if any(budget.share is None for budget in budgets):
        return {budget: float(place) for place, budget in enumerate(budgets)}
    return {budget: math.log2(budget.share) for budget in budgets}


def _by_budget(inputs: Inputs, dataset: str) -> tuple[Any, Iterator[tuple[Any, Budget, list]]]:
    """A figure with a column a budget and the methods along y, named once.

    Then of each budget its axes, and the places and names of its variants.
    """
    keys = [key for key in inputs.means if key[0] == dataset]
    budgets = sorted({budget for _, budget, _ in keys})
    rows = [v for v in inputs.looks if any(key[2] == v for key in keys)]
    figure, axes = style.grid(
        1, len(budgets), 1.9 if len(budgets) > 2 else 2.6, max(1.7, 0.7 + 0.22 * len(rows)),
        sharey=True,
    )  # fmt: skip
    style.make_room(figure, rows)

    def each() -> Iterator[tuple[Any, Budget, list]]:
        for one, budget in zip(axes[0], budgets, strict=True):
            yield one, budget, [(y, v) for y, v in enumerate(rows) if (dataset, budget, v) in keys]
            one.set(title=f"{budget.text} labelled", xlabel=inputs.dice)
            one.set_yticks(range(len(rows)), rows)
            one.set_ylim(len(rows) - 0.5, -0.5)
            one.grid(axis="y", visible=False)
        style.floors(list(axes[0]), [inputs.floors[dataset]] * len(budgets), "x")

    return figure, each()


def seeds(inputs: Inputs) -> Iterator[Named]:
    """Every run as a dot, with mean and interval, a figure a dataset."""
    column = inputs.reading.column("dc")
    groups = dict(list(inputs.rows.groupby(WHERE)[column]))
    for dataset in inputs.datasets:
        figure, each = _by_budget(inputs, dataset)
        for one, budget, variants in each:
            for y, variant in variants:
                values = 100 * groups[dataset, budget, variant].to_numpy(float)
                spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
                look = inputs.looks[variant]
                one.plot(values, y + spread, alpha=0.55, markeredgewidth=0, **look.dots())
                interval = inputs.means[dataset, budget, variant]
                one.errorbar(
                    interval.mean, y, xerr=bars([interval]), fmt="|", color="black", markersize=10,
                    elinewidth=1.3, zorder=4,
                )  # fmt: skip
        keys = [key for key in inputs.means if key[0] == dataset]
        yield Named(
            f"seeds-{plain(dataset)}",
            f"{dataset}: every run as a dot; bars are means with intervals; dotted, or at the "
            "edge if it is far: the floor",
            "Dice of each seed, and their mean.", figure, inputs.told(keys), {"dataset": dataset},
            has_intervals=True,
        )  # fmt: skip


def optimism(inputs: Inputs) -> Iterator[Named]:
    """From the final to the oracle score, a figure a dataset."""
    aggregate = inputs.reading.aggregate
    names = [f"dc_{aggregate}", f"oracle_dc_{aggregate}"]
    rows = on_own(inputs.rows)
    pairs = 100 * rows.groupby(WHERE)[names].mean()
    for dataset in datasets_of(rows):
        figure, each = _by_budget(inputs, dataset)
        for one, budget, variants in each:
            y = [y for y, _ in variants]
            final, oracle = pairs.loc[[(dataset, budget, v) for _, v in variants]].to_numpy().T
            one.hlines(y, final, oracle, color="#b0b0b0", linewidth=2, zorder=2)
            one.plot(final, y, "o", color="black", zorder=3, label="final step, argmax")
            one.plot(
                oracle, y, "o", mfc="white", mec="#d55e00", mew=1.3, zorder=3,
                label="oracle: chosen on these images",
            )  # fmt: skip
        style.legend(figure)
        gaps = (pairs[names[1]] - pairs[names[0]]).loc[dataset].groupby("variant").mean()
        told = [f"{name}: {gaps[name]:.2f}" for name in variants_of(rows) if name in gaps]
        yield Named(
            f"optimism-{plain(dataset)}",
            f"{dataset}: what choosing epoch and threshold on the evaluation set adds to Dice",
            "Gain in points of Dice of each method.", figure, told, {"dataset": dataset},
        )  # fmt: skip


def pretraining(inputs: Inputs) -> Iterator[Named]:
    """Figure 4 of arXiv:2504.01547v2: with and without the first stage."""
    for family in inputs.families("pretrain"):
        if not {True, False} <= family.keys():
            continue
        whole, bare = family[True], family[False]
        datasets = [d for d in inputs.datasets if any(k[::2] == (d, bare) for k in inputs.means)]
        figure, axes = style.tiles(len(datasets))
        for one, dataset in zip(axes, datasets, strict=True):
            for variant, shift, look in (
                (whole, -0.1, {"marker": "o", "color": "#0072b2"}),
                (bare, 0.1, {"marker": "s", "color": "#d55e00", "mfc": "white"}),
            ):
                found = [inputs.means.get((dataset, b, variant)) for b in inputs.budgets]
                drawn = [(x, i) for x, i in enumerate(found) if i is not None]
                one.errorbar(
                    [x + shift for x, _ in drawn], [i.mean for _, i in drawn],
                    bars(i for _, i in drawn), label=variant, linestyle="none", **look,
                )  # fmt: skip
            one.set_xticks(range(len(inputs.budgets)), [b.text for b in inputs.budgets])
            one.set(title=dataset, xlabel="labelled", ylabel=inputs.dice)
            one.set_xlim(-0.5, len(inputs.budgets) - 0.5)
        style.floors(axes, [inputs.floors[dataset] for dataset in datasets])
        style.legend(figure)
        keys = [(d, b, v) for d in datasets for b in inputs.budgets for v in (whole, bare)]
        yield Named(
            f"pretraining-{plain(whole)}",
            f"{whole} with and without its first stage",
            "Mean Dice of both at each label budget.",
            figure,
            inputs.told(keys),
            has_intervals=True,
        )


def rounds(inputs: Inputs) -> Iterator[Named]:
    """Figure 5 of arXiv:2504.01547v2: Dice over the number of rounds."""
    for members in inputs.families("rounds"):
        base = min(members.values(), key=lambda name: (name not in inputs.plain, len(name)))
        figure, axes = style.tiles(len(inputs.datasets))
        order = style.looks([f"{i}" for i in range(len(inputs.budgets))])
        for one, dataset in zip(axes, inputs.datasets, strict=True):
            for budget, look in zip(inputs.budgets, order.values(), strict=True):
                found = [
                    (r, inputs.means[dataset, budget, v])
                    for r, v in sorted(members.items())
                    if (dataset, budget, v) in inputs.means
                ]
                one.errorbar(
                    [r for r, _ in found], [i.mean for _, i in found],
                    bars(i for _, i in found), label=f"{budget.text} labelled",
                    **look.line(),
                )  # fmt: skip
            one.set(title=dataset, xlabel="rounds", ylabel=inputs.dice, xticks=sorted(members))
        style.equal(axes, "x")
        style.floors(axes, [inputs.floors[dataset] for dataset in inputs.datasets])
        style.legend(figure)
        keys = [
            (d, b, v)
            for d in inputs.datasets
            for b in inputs.budgets
            for _, v in sorted(members.items())
        ]
        yield Named(
            f"rounds-{plain(base)}",
            f"{base}: Dice over the number of rounds",
            "Mean Dice over the number of rounds, a curve a label budget.",
            figure,
            inputs.told(keys),
            has_intervals=True,
        )
