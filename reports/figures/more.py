"""Figures beside the tables: ranks over datasets, training curves, costs."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reports import select
from reports.figures import style
from reports.figures.inputs import Inputs, Named, bars, plain
from reports.select import Budget
from reports.tables.ranks import rankings

_BANDS = 4  # in one plot: more hide each other


def ranks(inputs: Inputs) -> Iterator[Named]:
    """Critical-difference diagrams (Demšar 2006)."""
    for budget, (variants, ranking, complete) in rankings(inputs.rows, inputs.reading).items():
        places = dict(zip(variants, ranking.ranks, strict=True))
        difference, datasets = ranking.critical_difference, len(complete.where)
        names = sorted(places, key=lambda name: (places[name], name))
        groups = alike([places[name] for name in names], difference)
        levels = 0.4 * len(groups) + 0.75 * ((len(names) + 1) // 2)
        figure, axes = style.grid(1, 1, 3.6, 0.75 + 0.26 * levels)
        for _ in ("left", "right"):
            style.make_room(figure, names)
        one = axes[0, 0]
        worst = float(len(names))
        _draw_scale(one, worst, difference)
        for i, name in enumerate(names):
            is_left = i < (len(names) + 1) // 2
            level = 0.4 * len(groups) + 0.75 * (1 + (i if is_left else len(names) - 1 - i)) - 0.2
            end, place = 0.9 if is_left else worst + 0.1, places[name]
            one.plot([place, place, end], [0, level, level], color="black", linewidth=0.8)
            one.annotate(
                f"{name} {place:.2f}", (end, level), xytext=(-4 if is_left else 4, 0),
                textcoords="offset points", va="center", ha="right" if is_left else "left",
            )  # fmt: skip
        for i, (first, last) in enumerate(groups):
            at = [places[names[first]] - 0.04, places[names[last]] + 0.04]
            one.plot(at, [0.4 * (i + 1)] * 2, color="#d55e00", linewidth=3, solid_capstyle="butt")
        one.set_xlim(0.9, max(worst, 1 + difference) + 0.1)
        one.set_ylim(levels + 0.1, -2.2)
        one.set_axis_off()
        yield Named(
            f"ranks-{plain(budget.text)}",
            f"Average ranks on {datasets} datasets at {budget.text} labelled; bars connect methods "
            "that do not differ significantly",
            "The methods at their average ranks; rank 1 is best.",
            figure,
            [f"{name}: {places[name]:.2f}" for name in names],
            {"labelled": budget.text},
        )


def _draw_scale(axes: Any, worst: float, difference: float) -> None:
    """The line of the ranks at height 0, and the critical difference above it."""
    axes.plot([1, worst], [0, 0], color="black", linewidth=0.8)
    for place in range(1, int(worst) + 1):
        axes.plot([place, place], [-0.15, 0], color="black", linewidth=0.8)
        axes.annotate(f"{place}", (place, -0.2), ha="center", va="bottom", fontsize=7)
    axes.plot([1, 1 + difference], [-1.2, -1.2], color="black", linewidth=1.5, marker="|")
    axes.annotate(f"critical difference {difference:.2f}", (1, -1.4), va="bottom")


def alike(places: list[float], difference: float) -> list[tuple[int, int]]:
    """First and last of each largest group of sorted ranks that differ by less than that."""
    groups: list[tuple[int, int]] = []
    for first in range(len(places)):
        last = max(i for i in range(first, len(places)) if places[i] - places[first] < difference)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def curves(inputs: Inputs) -> Iterator[Named]:
    """Dice on the evaluation set while training: the mean over seeds, and their range."""
    column = f"dc_{inputs.reading.aggregate}"
    if column not in inputs.histories:
        return
    known = inputs.histories.dropna(subset=[column])
    counts = known.groupby([*select.WHERE, "seed"]).size()
    if counts.empty or counts.max() < 2:
        return
    grouped = known.groupby([*select.WHERE, "step"])[column]
    spread = 100 * grouped.agg(["mean", "min", "max"])
    for dataset in [d for d in inputs.datasets if d in spread.index]:
        budgets = [b for b in inputs.budgets if (dataset, b) in spread.index]
        lines = {
            (budget, variant): spread.loc[dataset, budget, variant]
            for budget in budgets
            for variant in inputs.curves
            if (dataset, budget, variant) in spread.index
        }
        has_bands = len({variant for _, variant in lines}) <= _BANDS
        figure = _curves_of(inputs, dataset, budgets, lines, has_bands=has_bands)
        keys = [key for key in inputs.means if key[0] == dataset]
        yield Named(
            f"training-curves-{plain(dataset)}",
            f"{dataset}: Dice on the evaluation set while training, mean "
            f"{'and range ' * has_bands}over seeds; the last step is reported, nothing is "
            f"chosen{inputs.left_out}",
            "Curves of Dice over the steps of training. Told: the last step.",
            figure, inputs.told(keys), {"dataset": dataset},
        )  # fmt: skip


def _curves_of(
    inputs: Inputs,
    dataset: str,
    budgets: list[Budget],
    lines: Mapping[tuple[Budget, str], pd.DataFrame],
    *,
    has_bands: bool,
) -> Any:
    """lines: mean, min and max over seeds by step. Without bands each has its name at its end."""
    figure, axes = style.tiles(len(budgets))
    for one, budget in zip(axes, budgets, strict=True):
        for variant, look in inputs.curves.items():
            if (line := lines.get((budget, variant))) is None:
                continue
            if has_bands:
                one.fill_between(
                    line.index, line["min"], line["max"], color=look.color, alpha=0.1, linewidth=0
                )
            one.plot(line.index, line["mean"], label=variant, markevery=0.25, **look.line())
        one.set(title=f"{budget.text} labelled", xlabel="step", ylabel="Dice (%)")
    style.equal(axes, "x")
    style.floors(axes, [inputs.floors[dataset]] * len(axes))
    if has_bands:
        style.legend(figure)
        return figure
    edge = float(axes[0].get_xlim()[1])
    for one, budget in zip(axes, budgets, strict=True):
        own = {variant: line["mean"] for (b, variant), line in lines.items() if b == budget}
        ends = {name: (float(line.index[-1]), float(line.iloc[-1])) for name, line in own.items()}
        floor = {"floor": (edge, inputs.floors[dataset])}
        style.name_ends(one, ends | floor, inputs.curves)
    return figure


def costs(inputs: Inputs) -> Iterator[Named]:
    """Dice over the time of a step, at the largest budget below full supervision."""
    budget = max((b for b in inputs.budgets if not b.is_whole_pool), default=None)
    if budget is None or not {"seconds_train", "flops_per_step"} <= set(inputs.rows.columns):
        return
    found = {
        key: cost
        for key, cost in select.costs(inputs.rows).items()
        if key[1] == budget
        and key[2] in inputs.curves
        and not math.isnan(cost.seconds + cost.flops)
    }
    datasets = [name for name in inputs.datasets if any(key[0] == name for key in found)]
    if not datasets:
        return
    figure, axes = style.tiles(len(datasets))
    told = []
    for one, dataset in zip(axes, datasets, strict=True):
        for variant, look in inputs.curves.items():
            key = (dataset, budget, variant)
            if key not in found:
                continue
            interval, cost = inputs.means[key], found[key]
            # In three dimensions a step is another: then the legend cannot tell.
            work = f" ({cost.flops / 1e9:.3g} GFLOP)" if len(datasets) == 1 else ""
            one.errorbar(
                cost.seconds, interval.mean, bars([interval]), elinewidth=0.8, label=variant + work,
                **look.dots(),
            )  # fmt: skip
            told.append(
                f"{variant} on {dataset}: {cost.seconds:.3g} s, {cost.flops / 1e9:.3g} GFLOP, "
                f"Dice {interval.mean:.2f}"
            )
        style.log_axis(one)
        one.set(title=f"{dataset}, {budget.text} labelled", ylabel=inputs.dice)
        one.set_xlabel("seconds of a training step")
    style.equal(axes, "x")
    style.floors(axes, [inputs.floors[dataset] for dataset in datasets])
    style.legend(figure)
    yield Named(
        "cost", f"What a training step costs, and Dice at the end{inputs.left_out}",
        "Mean Dice of each method over the seconds of its training step.", figure, told,
        {"labelled": budget.text}, has_intervals=True,
    )  # fmt: skip
