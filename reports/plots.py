"""Plots of Dice: over labelled shares, of each run, and of the ablations that papers print."""

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from reports import canvas
from reports.aggregate import ordered
from reports.inputs import Inputs, Named, width
from reports.sheet import percent

DEFAULT_ROUNDS = 5  # of `ours`: its plain variant has no rounds=… in its name


def efficiency(inputs: Inputs) -> Iterator[Named]:
    """Dice over the labelled share, a curve a method."""
    shares = {d: sorted({k[1] for k in inputs.means if k[0] == d}) for d in inputs.datasets}
    datasets = [d for d, ratios in shares.items() if len(ratios) > 1]
    if not datasets:
        return
    columns = min(2, len(datasets))
    rows = math.ceil(len(datasets) / columns)
    figure, axes = canvas.grid(rows, columns, 3.4, 2.5)
    for one in axes.flat[len(datasets) :]:
        one.remove()
    for one, dataset in zip(axes.flat, datasets, strict=False):
        for i, (variant, look) in enumerate(inputs.looks.items()):
            found = [(r, inputs.means.get((dataset, r, variant))) for r in shares[dataset]]
            found = [(r, interval) for r, interval in found if interval is not None]
            if found:
                # Side by side, or the bars hide each other.
                shift = 0.035 * (i - (len(inputs.looks) - 1) / 2)
                one.errorbar(
                    [math.log2(r) + shift for r, _ in found],
                    [interval.mean for _, interval in found],
                    [width(interval) for _, interval in found],
                    label=variant, elinewidth=0.8, **look.line(),
                )  # fmt: skip
        canvas.floor(one, inputs.floors[dataset])
        one.set_xticks([math.log2(r) for r in shares[dataset]], map(percent, shares[dataset]))
        one.set(title=dataset, xlabel="labelled images", ylabel=inputs.dice)
        one.grid(axis="x", visible=False)
    canvas.legend(figure)
    keys = [(d, r, v) for d in datasets for v in inputs.looks for r in shares[d]]
    yield Named(
        "label-efficiency", "Dice over the share of labelled images, with intervals over seeds",
        f"Curves of mean Dice. {inputs.told(keys)}.", figure,
    )  # fmt: skip


def _per_cell(inputs: Inputs, height: float) -> tuple[Any, Iterator[tuple[Any, str, float, list]]]:
    """A figure with a row of axes a dataset and a column a ratio, methods along y."""
    most = max(len({k[2] for k in inputs.means if k[:2] == w}) for w in _places(inputs))
    figure, axes = canvas.grid(
        len(inputs.datasets), len(inputs.ratios), 2.5 if len(inputs.ratios) > 2 else 3.2,
        0.7 + height * most,
    )  # fmt: skip

    def each() -> Iterator[tuple[Any, str, float, list]]:
        for i, dataset in enumerate(inputs.datasets):
            for j, ratio in enumerate(inputs.ratios):
                one = axes[i, j]
                variants = [v for v in inputs.looks if (dataset, ratio, v) in inputs.means]
                if not variants:
                    one.remove()
                    continue
                yield one, dataset, ratio, variants
                one.axvline(inputs.floors[dataset], zorder=1, label="floor", **canvas.FLOOR)
                one.set(title=f"{dataset}, {percent(ratio)} labelled", xlabel=inputs.dice)
                one.set_yticks(range(len(variants)), variants)
                one.set_ylim(len(variants) - 0.5, -0.5)
                one.grid(axis="y", visible=False)

    return figure, each()


def _places(inputs: Inputs) -> set[tuple[str, float]]:
    return {key[:2] for key in inputs.means}


def seeds(inputs: Inputs) -> Iterator[Named]:
    """Every run as a dot, with mean and interval."""
    column = inputs.reading.column("dc")
    groups = dict(list(inputs.rows.groupby(["dataset", "ratio", "variant"])[column]))
    figure, each = _per_cell(inputs, 0.24)
    for one, dataset, ratio, variants in each:
        for y, variant in enumerate(variants):
            values = 100 * groups[dataset, ratio, variant].to_numpy(float)
            spread = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            look = inputs.looks[variant]
            one.plot(values, y + spread, alpha=0.55, markeredgewidth=0, **look.dots())
            interval = inputs.means[dataset, ratio, variant]
            one.errorbar(
                interval.mean, y, xerr=width(interval), fmt="|", color="black", markersize=11,
                elinewidth=1.3, zorder=4,
            )  # fmt: skip
    yield Named(
        "seeds", "Every run as a dot; bars are means with their intervals; dotted: the floor",
        f"Dice of each seed. {inputs.told(list(inputs.means))}.", figure,
    )  # fmt: skip


def optimism(inputs: Inputs) -> Iterator[Named]:
    """From the final to the oracle reading."""
    aggregate = inputs.reading.aggregate
    names = [f"dc_{aggregate}", f"oracle_dc_{aggregate}"]
    pairs = 100 * inputs.rows.groupby(["dataset", "ratio", "variant"])[names].mean()
    figure, each = _per_cell(inputs, 0.2)
    for one, dataset, ratio, variants in each:
        for y, variant in enumerate(variants):
            final, oracle = pairs.loc[(dataset, ratio, variant)]
            one.plot([final, oracle], [y, y], color="#b0b0b0", linewidth=2, zorder=2)
            label = {"label": "final step, argmax"} if y == 0 else {}
            one.plot(final, y, "o", color="black", zorder=3, **label)
            label = {"label": "oracle: chosen on these images"} if y == 0 else {}
            one.plot(oracle, y, "o", mfc="white", mec="#d55e00", mew=1.3, zorder=3, **label)
    canvas.legend(figure)
    gaps = (pairs[names[1]] - pairs[names[0]]).groupby("variant").mean()
    told = "; ".join(f"{name}: {gaps[name]:.2f}" for name in ordered(gaps.index))
    yield Named(
        "optimism", "What choosing epoch and threshold on the evaluation set adds to Dice",
        f"Mean gain in points of Dice by method. {told}.", figure,
    )  # fmt: skip


def parts(variant: str) -> tuple[str, list[str]]:
    """Of "ours[rounds=3,weight=1]": "ours" and ["rounds=3", "weight=1"]."""
    method, _, inside = variant.removesuffix("]").partition("[")
    return method, inside.split(",") if inside else []


def without(variant: str, pattern: str) -> tuple[str, str | None]:
    """The variant without the change that matches, and the change's value; None if it has none."""
    method, changes = parts(variant)
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
        datasets = [
            d for d in inputs.datasets if any((d, r, bare) in inputs.means for r in inputs.ratios)
        ]
        figure, axes = canvas.grid(1, len(datasets), 2.4, 2.3, sharey=True)
        for one, dataset in zip(axes.flat, datasets, strict=True):
            for variant, shift, look in (
                (base, -0.19, {"color": "#0072b2"}),
                (bare, 0.19, {"color": "white", "edgecolor": "#0072b2", "hatch": "////"}),
            ):
                found = [inputs.means.get((dataset, r, variant)) for r in inputs.ratios]
                drawn = [(x, i) for x, i in enumerate(found) if i is not None]
                one.bar(
                    [x + shift for x, _ in drawn], [i.mean for _, i in drawn], 0.36,
                    yerr=[width(i) for _, i in drawn], label=variant, linewidth=0.8, **look,
                )  # fmt: skip
            canvas.floor(one, inputs.floors[dataset])
            one.set_xticks(range(len(inputs.ratios)), map(percent, inputs.ratios))
            one.set(title=dataset, xlabel="labelled images")
        axes[0, 0].set_ylabel(inputs.dice)
        canvas.legend(figure)
        keys = [(d, r, v) for d in datasets for r in inputs.ratios for v in (base, bare)]
        yield Named(
            "pretraining" if base == "ours" else f"pretraining-{_plain(base)}",
            f"{base} with and without its first stage", f"Bars of mean Dice. {inputs.told(keys)}.",
            figure,
        )  # fmt: skip


def _plain(text: str) -> str:
    """Letters and hyphens, as names of files have."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def rounds(inputs: Inputs) -> Iterator[Named]:
    """Figure 5 of arXiv:2504.01547v2: Dice over the number of rounds."""
    families: dict[str, dict[int, str]] = {}
    for variant in inputs.looks:
        base, value = without(variant, "rounds=[0-9]+")
        families.setdefault(base, {})[DEFAULT_ROUNDS if value is None else int(value)] = variant
    for base, members in families.items():
        if len(members) < 2:
            continue
        figure, axes = canvas.grid(1, len(inputs.datasets), 2.6, 2.3)
        order = canvas.looks([f"{i}" for i in range(len(inputs.ratios))])
        for one, dataset in zip(axes.flat, inputs.datasets, strict=True):
            for ratio, look in zip(inputs.ratios, order.values(), strict=True):
                found = [
                    (r, inputs.means[dataset, ratio, v])
                    for r, v in sorted(members.items())
                    if (dataset, ratio, v) in inputs.means
                ]
                one.errorbar(
                    [r for r, _ in found], [i.mean for _, i in found],
                    [width(i) for _, i in found], label=f"{percent(ratio)} labelled",
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
            "rounds" if base == "ours" else f"rounds-{_plain(base)}",
            f"{base}: Dice over the number of rounds", f"Curves of mean Dice. {inputs.told(keys)}.",
            figure,
        )  # fmt: skip
