"""Plots of Dice: over labelled shares, of each run, and of the ablations that papers print."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from reports import canvas
from reports.aggregate import ordered
from reports.inputs import Inputs, Named, bars, plain
from reports.sheet import percent

DEFAULT_ROUNDS = 5  # of `ours`: its plain variant has no rounds=… in its name


def efficiency(inputs: Inputs) -> Iterator[Named]:
    """Dice over the labelled share, a curve a method."""
    shares = {d: sorted({k[1] for k in inputs.means if k[0] == d}) for d in inputs.datasets}
    datasets = [d for d, ratios in shares.items() if len(ratios) > 1]
    if not datasets:
        return
    figure, axes = canvas.tiles(len(datasets))
    for one, dataset in zip(axes, datasets, strict=True):
        for i, (variant, look) in enumerate(inputs.curves.items()):
            found = [(r, inputs.means.get((dataset, r, variant))) for r in shares[dataset]]
            found = [(r, interval) for r, interval in found if interval is not None]
            if found:
                # Side by side, or the bars hide each other.
                shift = 0.045 * (i - (len(inputs.curves) - 1) / 2)
                one.errorbar(
                    [math.log2(r) + shift for r, _ in found],
                    [interval.mean for _, interval in found],
                    bars(interval for _, interval in found),
                    label=variant, elinewidth=0.8, **look.line(),
                )  # fmt: skip
        canvas.floor(one, inputs.floors[dataset])
        one.set_xticks([math.log2(r) for r in shares[dataset]], map(percent, shares[dataset]))
        one.set(title=dataset, xlabel="labelled images", ylabel=inputs.dice)
        one.grid(axis="x", visible=False)
    canvas.legend(figure)
    keys = [(d, r, v) for d in datasets for v in inputs.curves for r in shares[d]]
    yield Named(
        "label-efficiency",
        f"Dice over the share of labelled images, with intervals over seeds{inputs.left_out}",
        f"Curves of mean Dice. {inputs.told(keys)}.", figure,
    )  # fmt: skip


def _by_ratio(inputs: Inputs, dataset: str) -> tuple[Any, Iterator[tuple[Any, float, list]]]:
    """A figure with a column a ratio and the methods along y, named once.

    Then of each ratio its axes, and the places and names of its variants.
    """
    keys = [key for key in inputs.means if key[0] == dataset]
    ratios = sorted({ratio for _, ratio, _ in keys})
    rows = [v for v in inputs.looks if any(key[2] == v for key in keys)]
    figure, axes = canvas.grid(
        1, len(ratios), 1.9 if len(ratios) > 2 else 3.2, max(1.7, 0.7 + 0.22 * len(rows)),
        sharey=True,
    )  # fmt: skip

    def each() -> Iterator[tuple[Any, float, list]]:
        for one, ratio in zip(axes[0], ratios, strict=True):
            yield one, ratio, [(y, v) for y, v in enumerate(rows) if (dataset, ratio, v) in keys]
            one.axvline(inputs.floors[dataset], zorder=1, label="floor", **canvas.FLOOR)
            one.set(title=f"{percent(ratio)} labelled", xlabel=inputs.dice)
            one.set_yticks(range(len(rows)), rows)
            one.set_ylim(len(rows) - 0.5, -0.5)
            one.grid(axis="y", visible=False)

    return figure, each()


def seeds(inputs: Inputs) -> Iterator[Named]:
    """Every run as a dot, with mean and interval, a figure a dataset."""
    column = inputs.reading.column("dc")
    groups = dict(list(inputs.rows.groupby(["dataset", "ratio", "variant"])[column]))
    for dataset in inputs.datasets:
        figure, each = _by_ratio(inputs, dataset)
        for one, ratio, variants in each:
            for y, variant in variants:
                values = 100 * groups[dataset, ratio, variant].to_numpy(float)
                spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
                look = inputs.looks[variant]
                one.plot(values, y + spread, alpha=0.55, markeredgewidth=0, **look.dots())
                interval = inputs.means[dataset, ratio, variant]
                one.errorbar(
                    interval.mean, y, xerr=bars([interval]), fmt="|", color="black", markersize=10,
                    elinewidth=1.3, zorder=4,
                )  # fmt: skip
        keys = [key for key in inputs.means if key[0] == dataset]
        yield Named(
            f"seeds-{plain(dataset)}",
            f"{dataset}: every run as a dot; bars are means with intervals; dotted: the floor",
            f"Dice of each seed. {inputs.told(keys)}.", figure,
        )  # fmt: skip


def optimism(inputs: Inputs) -> Iterator[Named]:
    """From the final to the oracle reading, a figure a dataset."""
    aggregate = inputs.reading.aggregate
    names = [f"dc_{aggregate}", f"oracle_dc_{aggregate}"]
    pairs = 100 * inputs.rows.groupby(["dataset", "ratio", "variant"])[names].mean()
    for dataset in inputs.datasets:
        figure, each = _by_ratio(inputs, dataset)
        for one, ratio, variants in each:
            y = [y for y, _ in variants]
            final, oracle = pairs.loc[[(dataset, ratio, v) for _, v in variants]].to_numpy().T
            one.hlines(y, final, oracle, color="#b0b0b0", linewidth=2, zorder=2)
            one.plot(final, y, "o", color="black", zorder=3, label="final step, argmax")
            one.plot(
                oracle, y, "o", mfc="white", mec="#d55e00", mew=1.3, zorder=3,
                label="oracle: chosen on these images",
            )  # fmt: skip
        canvas.legend(figure)
        gaps = (pairs[names[1]] - pairs[names[0]]).loc[dataset].groupby("variant").mean()
        told = "; ".join(f"{name}: {gaps[name]:.2f}" for name in ordered(gaps.index))
        yield Named(
            f"optimism-{plain(dataset)}",
            f"{dataset}: what choosing epoch and threshold on the evaluation set adds to Dice",
            f"Mean gain in points of Dice by method. {told}.", figure,
        )  # fmt: skip


def without(variant: str, pattern: str) -> tuple[str, str | None]:
    """The variant without the change that matches, and the change's value; None if it has none."""
    method, _, inside = variant.removesuffix("]").partition("[")
    changes = inside.split(",") if inside else []
    found = [change for change in changes if re.fullmatch(pattern, change)]
    rest = ",".join(change for change in changes if change not in found)
    value = found[0].partition("=")[2] if found else None
    return f"{method}[{rest}]" if rest else method, value


def pretraining(inputs: Inputs) -> Iterator[Named]:
    """Figure 4 of arXiv:2504.01547v2: with and without the first stage."""
    bases = {
        base: variant
        for variant in inputs.looks
        for base, value in [without(variant, "pretrain=.*")]
        if value == "false" and base in inputs.looks
    }
    for base, bare in bases.items():
        datasets = [d for d in inputs.datasets if any(k[::2] == (d, bare) for k in inputs.means)]
        figure, axes = canvas.tiles(len(datasets))
        for one, dataset in zip(axes, datasets, strict=True):
            for variant, shift, look in (
                (base, -0.1, {"marker": "o", "color": "#0072b2"}),
                (bare, 0.1, {"marker": "s", "color": "#d55e00", "mfc": "white"}),
            ):
                found = [inputs.means.get((dataset, r, variant)) for r in inputs.ratios]
                drawn = [(x, i) for x, i in enumerate(found) if i is not None]
                one.errorbar(
                    [x + shift for x, _ in drawn], [i.mean for _, i in drawn],
                    bars(i for _, i in drawn), label=variant, linestyle="none", **look,
                )  # fmt: skip
            canvas.floor(one, inputs.floors[dataset])
            one.set_xticks(range(len(inputs.ratios)), map(percent, inputs.ratios))
            one.set(title=dataset, xlabel="labelled images", ylabel=inputs.dice)
            one.set_xlim(-0.5, len(inputs.ratios) - 0.5)
        canvas.legend(figure)
        keys = [(d, r, v) for d in datasets for r in inputs.ratios for v in (base, bare)]
        yield Named(
            "pretraining" if base == "ours" else f"pretraining-{plain(base)}",
            f"{base} with and without its first stage", f"Means of Dice. {inputs.told(keys)}.",
            figure,
        )  # fmt: skip


def rounds(inputs: Inputs) -> Iterator[Named]:
    """Figure 5 of arXiv:2504.01547v2: Dice over the number of rounds."""
    families: dict[str, dict[int, str]] = {}
    for variant in inputs.looks:
        base, value = without(variant, "rounds=[0-9]+")
        if base == "ours" or base.startswith("ours["):
            families.setdefault(base, {})[DEFAULT_ROUNDS if value is None else int(value)] = variant
    for base, members in families.items():
        if len(members) < 2:
            continue
        figure, axes = canvas.tiles(len(inputs.datasets))
        order = canvas.looks([f"{i}" for i in range(len(inputs.ratios))])
        for one, dataset in zip(axes, inputs.datasets, strict=True):
            for ratio, look in zip(inputs.ratios, order.values(), strict=True):
                found = [
                    (r, inputs.means[dataset, ratio, v])
                    for r, v in sorted(members.items())
                    if (dataset, ratio, v) in inputs.means
                ]
                one.errorbar(
                    [r for r, _ in found], [i.mean for _, i in found],
                    bars(i for _, i in found), label=f"{percent(ratio)} labelled",
                    **look.line(),
                )  # fmt: skip
            canvas.floor(one, inputs.floors[dataset])
            one.set(title=dataset, xlabel="rounds", ylabel=inputs.dice, xticks=sorted(members))
        canvas.legend(figure)
        keys = [
            (d, r, v)
            for d in inputs.datasets
            for r in inputs.ratios
            for _, v in sorted(members.items())
        ]
        yield Named(
            "rounds" if base == "ours" else f"rounds-{plain(base)}",
            f"{base}: Dice over the number of rounds", f"Curves of mean Dice. {inputs.told(keys)}.",
            figure,
        )  # fmt: skip
