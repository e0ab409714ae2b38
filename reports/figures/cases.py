"""The worst and the best cases of each method: target and prediction over the image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped, UInt8
from numpy import ndarray

from reports.figures import style
from reports.figures.inputs import Inputs, Named, plain
from reports.select import Budget, Configuration, classes_of
from reports.tables.cases import Case, extremes

_SHOWN = 2  # of the worst, and of the best
_SIDE = 0.95  # inches of a picture
_OPACITY = 0.45  # of a mask over its image

_Wanted = dict[Configuration, list[tuple[str, Case]]]


def cases(inputs: Inputs) -> Iterator[Named]:
    """A figure a dataset, at its largest budget below all labels: those whose pictures are kept."""
    wanted = _wanted(inputs)
    names = {where: [case.name for _, case in own] for where, own in wanted.items()}
    pictures = inputs.pictures_of(names) if wanted else {}
    for dataset, budget in dict.fromkeys((where[0], where[1]) for where in wanted):
        own = {
            where[2]: (chosen, pictures[where])
            for where, chosen in wanted.items()
            if where[:2] == (dataset, budget) and where in pictures
        }
        if own:
            yield _figure(inputs, dataset, budget, own)


def _wanted(inputs: Inputs) -> _Wanted:
    """The worst and the best that are shown, in the order of the methods."""
    found = extremes(inputs.cases)
    largest: dict[str, Budget] = {}
    for dataset, budget, _ in found:
        if not budget.is_whole_pool:
            largest[dataset] = max(budget, largest.get(dataset, budget))
    wanted: _Wanted = {}
    for dataset in [name for name in inputs.datasets if name in largest]:
        for variant in inputs.curves:
            if chosen := found.get((dataset, largest[dataset], variant)):
                worst = [("worst", case) for case in chosen.worst[:_SHOWN]]
                best = [("best", case) for case in chosen.best[:_SHOWN][::-1]]
                wanted[dataset, largest[dataset], variant] = worst + best
    return wanted


_Kept = Mapping[str, Mapping[str, Any]]  # case → image, target, prediction, seed


def _figure(
    inputs: Inputs,
    dataset: str,
    budget: Budget,
    own: Mapping[str, tuple[Sequence[tuple[str, Case]], _Kept]],
) -> Named:
    """A line a method: of each case its target, then its prediction."""
    names = classes_of(inputs.rows).get(dataset, ["foreground"])
    n_cases = max(len(chosen) for chosen, _ in own.values())
    figure, axes = style.grid(len(own), 2 * n_cases, _SIDE, _SIDE + 0.14)
    style.make_room(figure, own)
    told = []
    for line, (variant, (chosen, kept)) in zip(axes, own.items(), strict=True):
        line[0].set_ylabel(variant, rotation=0, ha="right", va="center", fontsize=6)
        for one in line:
            style.bare(one)
        for i, (kind, case) in enumerate(chosen):
            text = f"{case.name}: {100 * case.mean:.1f}"
            told.append(f"{variant}, {kind}: {text}")
            _draw(list(line[2 * i : 2 * i + 2]), kept.get(case.name), (kind, text))
    if len(names) > 1:
        style.class_legend(figure, names)
    return Named(
        f"cases-{plain(f'{dataset}-{budget.text}')}",
        f"{dataset}, {budget.text} labelled: worst and best cases of each method, target and "
        f"prediction; Dice is the mean over seeds, the picture is of one{inputs.left_out}",
        "Of each case the image with its target, and with the prediction.",
        figure,
        told,
        {"dataset": dataset, "labelled": budget.text},
    )


def _draw(pair: Sequence[Any], kept: Mapping[str, Any] | None, texts: tuple[str, str]) -> None:
    """texts: worst or best, and the case with its score."""
    # A title is as long as both pictures are broad: alone it would push them apart.
    pair[0].set_title(": ".join(texts), fontsize=5, loc="left").set_in_layout(False)
    if kept is None:
        pair[0].annotate("no picture kept", (0, 0.9), xycoords="axes fraction", fontsize=5)
        return
    for one, name in zip(pair, ("target", "prediction"), strict=True):
        one.imshow(overlaid(kept["image"], kept[name]), **style.PIXELS)
    pair[0].set_xlabel("target", fontsize=5, labelpad=1)
    pair[1].set_xlabel(f"predicted, seed {kept['seed']}", fontsize=5, labelpad=1)


def overlaid(
    image: UInt8[ndarray, "h w ..."], mask: Shaped[ndarray, "h w"]
) -> UInt8[ndarray, "h w 3"]:
    """The image in grey with the classes of the mask in their colours over it."""
    flat = image if image.ndim == 2 else image.mean(-1) if image.shape[-1] == 3 else image[..., 0]
    grey = np.repeat(flat[..., None].astype(float), 3, -1)
    hue = style.colours_of(mask)
    blended = (1 - _OPACITY) * grey + _OPACITY * hue
    return np.rint(np.where(mask[..., None] > 0, blended, grey)).astype(np.uint8)
