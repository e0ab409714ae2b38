"""Diagrams beside the tables: ranks over datasets, training curves, costs."""

import math
from collections.abc import Iterator

from reports import canvas
from reports.inputs import Inputs, Named, width
from reports.sheet import percent


def ranks(inputs: Inputs) -> Iterator[Named]:
    """Critical-difference diagrams (Demšar 2006): bars join what is not told apart."""
    for ratio, (places, difference, datasets) in inputs.ranks.items():
        names = sorted(places, key=lambda name: (places[name], name))
        groups = alike([places[name] for name in names], difference)
        figure, axes = canvas.grid(1, 1, 5.2, 0.8 + 0.17 * len(names) + 0.1 * len(groups))
        one = axes[0, 0]
        best, worst = 1.0, float(len(names))
        bars = 0.45 + 0.35 * len(groups)
        for i, name in enumerate(names):
            is_left = i < (len(names) + 1) // 2
            level = bars + 0.8 * (i if is_left else len(names) - 1 - i)
            end = best - 0.1 if is_left else worst + 0.1
            place = places[name]
            one.plot([place, place, end], [0, level, level], color="black", linewidth=0.8)
            one.annotate(
                f"{name} {place:.2f}", (end, level), xytext=(-4 if is_left else 4, 0),
                textcoords="offset points", va="center", ha="right" if is_left else "left",
            )  # fmt: skip
        for i, (first, last) in enumerate(groups):
            at = [places[names[first]] - 0.04, places[names[last]] + 0.04]
            one.plot(at, [0.35 * (i + 1)] * 2, color="#d55e00", linewidth=3, solid_capstyle="butt")
        one.plot([best, best + difference], [-1.1, -1.1], color="black", linewidth=1.5, marker="|")
        one.annotate(f"critical difference {difference:.2f}", (best, -1.35))
        one.set_xlim(best - 0.1, max(worst, best + difference) + 0.1)
        one.set_ylim(bars + 0.8 * (len(names) + 1) // 2 + 0.2, -1.9)
        one.set_xticks(range(1, len(names) + 1))
        one.spines[["left", "bottom"]].set_visible(False)
        one.xaxis.tick_top()
        one.axhline(0, color="black", linewidth=0.8)
        one.set_yticks([])
        one.grid(visible=False)
        yield Named(
            f"ranks-{100 * ratio:g}".replace(".", "-"),
            f"Average ranks on {datasets} datasets at {percent(ratio)} labelled; bars join what is "
            "not told apart",
            "Rank 1 is best. " + "; ".join(f"{n}: {places[n]:.2f}" for n in names) + ".",
            figure,
        )  # fmt: skip


def alike(places: list[float], difference: float) -> list[tuple[int, int]]:
    """First and last of each largest group of sorted ranks that differ by less than that."""
    groups: list[tuple[int, int]] = []
    for first in range(len(places)):
        last = max(i for i in range(first, len(places)) if places[i] - places[first] < difference)
        if last > first and (not groups or last > groups[-1][1]):
            groups.append((first, last))
    return groups


def curves(inputs: Inputs) -> Iterator[Named]:
    """Dice on the evaluation set while training: thin each seed, thick their mean."""
    column = f"dc_{inputs.reading.aggregate}"
    if column not in inputs.histories:
        return
    known = inputs.histories.dropna(subset=[column])
    counts = known.groupby(["dataset", "ratio", "variant", "seed"]).size()
    if counts.empty or counts.max() < 2:
        return
    figure, axes = canvas.grid(len(inputs.datasets), len(inputs.ratios), 3.0, 2.3)
    for i, dataset in enumerate(inputs.datasets):
        for j, ratio in enumerate(inputs.ratios):
            here = known[(known.dataset == dataset) & (known.ratio == ratio)]
            one = axes[i, j]
            for variant, look in inputs.looks.items():
                runs = here[here.variant == variant].pivot(
                    index="step", columns="seed", values=column
                )
                for seed in runs if runs.shape[1] > 1 else ():
                    one.plot(runs.index, 100 * runs[seed], color=look.color, lw=0.4, alpha=0.4)
                if len(runs):
                    one.plot(
                        runs.index, 100 * runs.mean(axis=1), label=variant, markevery=0.25,
                        **look.line(),
                    )  # fmt: skip
            canvas.floor(one, inputs.floors[dataset])
            one.set(title=f"{dataset}, {percent(ratio)} labelled", xlabel="step", ylabel="Dice (%)")
    canvas.legend(figure)
    yield Named(
        "training-curves",
        "Dice on the evaluation set while training; the last step is reported, nothing is chosen",
        f"At the last step: {inputs.told(list(inputs.means))}.", figure,
    )  # fmt: skip


def costs(inputs: Inputs) -> Iterator[Named]:
    """Dice over the time of a step, at the largest share below full supervision."""
    rows = inputs.rows
    ratio = max((r for r in inputs.ratios if r < 1), default=None)
    if ratio is None or not {"seconds_train", "flops_per_step"} <= set(rows.columns):
        return
    here = rows[rows.ratio == ratio].assign(
        seconds=lambda f: f.seconds_train.astype(float) / f.steps, flops=rows.flops_per_step
    )
    medians = here.groupby(["dataset", "variant"])[["seconds", "flops"]].median().dropna()
    datasets = [d for d in inputs.datasets if d in medians.index.get_level_values(0)]
    if not datasets:
        return
    columns = min(2, len(datasets))
    figure, axes = canvas.grid(math.ceil(len(datasets) / columns), columns, 3.4, 2.6)
    for one in axes.flat[len(datasets) :]:
        one.remove()
    told = []
    for one, dataset in zip(axes.flat, datasets, strict=False):
        for variant, (seconds, flops) in medians.loc[dataset].sort_values("seconds").iterrows():
            interval, look = inputs.means[dataset, ratio, variant], inputs.looks[variant]
            one.errorbar(
                seconds, interval.mean, width(interval), elinewidth=0.8,
                label=variant, **look.dots(),
            )  # fmt: skip
            one.annotate(
                f"{flops / 1e9:.3g}", (seconds, interval.mean), xytext=(4, 3), fontsize=6,
                textcoords="offset points",
            )  # fmt: skip
            told.append(
                f"{variant} on {dataset}: {seconds:.3g} s, {flops / 1e9:.3g} GFLOP, "
                f"Dice {interval.mean:.2f}"
            )
        canvas.floor(one, inputs.floors[dataset])
        one.set_xscale("log", base=2)
        one.xaxis.set_major_formatter(lambda x, _: f"{x:.3g}")
        one.set(title=f"{dataset}, {percent(ratio)} labelled", ylabel=inputs.dice)
        one.set_xlabel("seconds of a training step; numbers: GFLOP")
    canvas.legend(figure)
    yield Named(
        "cost", "What a training step costs, and Dice at the end",
        "; ".join(told) + ".", figure,
    )  # fmt: skip
