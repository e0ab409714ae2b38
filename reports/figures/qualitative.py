"""The qualitative panel: what was to be found, and what each method found."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from reports.figures import style
from reports.figures.inputs import Inputs, Named, plain
from reports.select import Budget, classes_of

_CASES = 3
_SIDE = 0.95  # inches of a picture


def panels(inputs: Inputs) -> Iterator[Named]:
    """Figure 3 of arXiv:2504.01547v2 for each dataset, at its largest budget below all labels."""
    for dataset in inputs.datasets:
        budgets = {b for d, b, _ in inputs.panels if d == dataset and not b.is_whole_pool}
        if budgets:
            yield _panel(inputs, dataset, max(budgets))


def _panel(inputs: Inputs, dataset: str, budget: Budget) -> Named:
    found = {
        variant: inputs.panels[dataset, budget, variant]
        for variant in inputs.curves
        if (dataset, budget, variant) in inputs.panels
    }
    names = classes_of(inputs.rows).get(dataset, ["foreground"])
    first = next(iter(found.values()))
    cases = list(first["case"][:_CASES])
    columns = _columns(found)
    figure, axes = style.grid(len(cases), len(columns), _SIDE, _SIDE + 0.12)
    told = []
    for i, case in enumerate(cases):
        for one, (head, variant, kind) in zip(axes[i], columns, strict=True):
            picture = found[variant][f"{kind}_{i}"]
            _draw(one, _shown(picture, kind, len(names) + 1))
            if i == 0:
                one.set_title(head, fontsize=6)
            if kind in ("prediction", "pseudo_label"):
                value = 100 * dice(picture, found[variant][f"target_{i}"], len(names) + 1)
                one.set_xlabel(f"{value:.1f}", fontsize=6, labelpad=1)
                told.append(f"{variant} {kind.replace('_', ' ')} on {case}: {value:.1f}")
        axes[i, 0].set_ylabel(str(case), fontsize=6)
    if len(names) > 1:
        style.class_legend(figure, names)
    mean = f" (mean over {', '.join(names)})" if len(names) > 1 else ""
    return Named(
        f"qualitative-{plain(f'{dataset}-{budget.text}')}",
        f"{dataset}, {budget.text} labelled: the first cases of the evaluation set, not chosen; "
        f"below each mask its Dice{mean}{inputs.left_out}",
        "Images, targets, and the masks that each method predicts.",
        figure,
        told,
        {"dataset": dataset, "labelled": budget.text},
    )


def pretrainings(inputs: Inputs) -> Iterator[Named]:
    """What the pretraining of each dataset and variant makes: its masks, and images of them."""
    order = {variant: place for place, variant in enumerate(inputs.looks)}
    found = sorted(
        inputs.pretrainings.items(),
        key=lambda item: (item[0][0], order.get(item[0][1], len(order))),
    )
    for (dataset, variant), content in found:
        kinds = [name.removesuffix("_0") for name in content if name.endswith("_0")]
        heads = [_HEADS.get(kind, kind.replace("_", " ")) for kind in kinds]
        n_classes = len(classes_of(inputs.rows).get(dataset, [""])) + 1
        n = min(_CASES, sum(name.startswith("image_") for name in content))
        figure, axes = style.grid(n, len(kinds), _SIDE, _SIDE + 0.12)
        for i in range(n):
            for one, kind, head in zip(axes[i], kinds, heads, strict=True):
                _draw(one, _shown(content[f"{kind}_{i}"], kind, n_classes))
                if i == 0:
                    one.set_title(head, fontsize=6)
        yield Named(
            f"pretrained-{plain(f'{dataset}-{variant}')}",
            f"{dataset}, what {variant} has learnt before training, without a label",
            f"{n} images of the train pool, from left to right: {', '.join(heads)}.".replace(
                "\n", " "
            ),
            figure,
            of={"dataset": dataset},
        )


_HEADS = {
    "pseudo_label": "mask",
    "remade": "remade from\nits mask",
    "remade_from_another": "remade from\nanother's mask",
}


def _draw(axes: Any, picture: ndarray) -> None:
    axes.imshow(picture, cmap="gray", vmin=0, vmax=255, **style.PIXELS)
    style.bare(axes)


def _columns(found: Mapping[str, Mapping[str, ndarray]]) -> list[tuple[str, str, str]]:
    """Head, variant and kind of picture, from left to right."""
    first = next(iter(found))
    columns = [("image", first, "image"), ("target", first, "target")]
    for variant, content in found.items():
        name = variant.replace("[", "\n[", 1)
        for kind, head in (
            ("reconstruction", f"{name}\nremade"),
            ("pseudo_label", f"{name}\nteacher"),
            ("prediction", name),
        ):
            if f"{kind}_0" in content:
                columns.append((head, variant, kind))
    return columns


def _shown(picture: ndarray, kind: str, classes: int) -> ndarray:
    """Images as they are, of neither grey nor colours the first channel; masks as their classes.

    Two classes are black and white; of more each has a colour that is the same in every picture.
    """
    if kind not in ("target", "prediction", "pseudo_label"):
        return picture if picture.ndim == 2 or picture.shape[-1] == 3 else picture[..., 0]
    if classes > 2:
        return style.colours_of(picture)
    return (255 * (picture > 0)).astype(np.uint8)


def dice(predicted: ndarray, target: ndarray, classes: int) -> float:
    """Of the foreground, 1 if there is none in both; of several classes the mean over those there.

    Those that occur in the target, as in the tables; NaN where none does.
    """
    if classes == 2:
        return _overlap(predicted > 0, target > 0)
    there = [k for k in range(1, classes) if (target == k).any()]
    return float(np.mean([_overlap(predicted == k, target == k) for k in there] or [np.nan]))


def _overlap(a: ndarray, b: ndarray) -> float:
    total = int(a.sum() + b.sum())
    return 1.0 if total == 0 else float(2 * (a & b).sum() / total)
