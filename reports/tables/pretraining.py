"""What the pretrainings made that trials started from: does the network use its mask?"""

import pandas as pd

from reports.select import METRICS, datasets_of, ordered, variants_of
from reports.sheet import NOTHING, Cell, Head, Sheet, mean_and_width, shortened

_HEADS = {
    "error_own": Head("own", "error with the mask"),
    "error_permuted": Head("another's", "error with the mask"),
    "error_constant": Head("constant", "error with the mask"),
    "variance": Head("of none"),
    "mask_entropy": Head("entropy"),
    "mask_brightness": Head("brightness"),
}
"""Figures that have a name of their own here; others stand under theirs."""
_FITS = {"pretrained_dc_labelled": "labelled", "pretrained_dc_dev": "development"}
_MEANINGS = {
    "error_own": "error: squared, of the image in [-1, 1] remade from its own mask, from another "
    "image's, from a constant one; a network that uses its mask does worse with another's",
    "variance": "of none: the error of one grey level for all images",
    "mask_entropy": "entropy: of the mask, 1 is undecided; share: of pixels in a class (their "
    "order means nothing)",
    "mask_brightness": "brightness: correlation of the mask with the image's brightness, its size",
}


def sheet(rows: pd.DataFrame, found: pd.DataFrame) -> Sheet | None:
    """A line a dataset and variant, means over its pretrainings; None where nothing is known.

    rows: trials that are shown; found: as of `benchmark.store.tables.pretrainings`.
    """
    if found.empty:
        return None
    known = {"dataset", "variant", "key", "steps", "doubts"}
    figures = [name for name in found.columns if name not in known]
    fits = [name for name in _FITS if name in rows and rows[name].notna().any()]
    lines, data = [], []
    for dataset in (name for name in datasets_of(rows) if name in set(found.dataset)):
        here = found[found.dataset == dataset]
        for variant in (name for name in variants_of(rows) if name in set(here.variant)):
            own = here[here.variant == variant]
            trials = rows[(rows.dataset == dataset) & (rows.variant == variant)]
            means = {name: float(own[name].mean()) for name in figures}
            fit = {name: float(trials[name].mean()) for name in fits}
            lines.append([
                Cell(dataset), Cell(variant), _whole(len(own)), _whole(int(own.steps.max())),
                *(_number(means[name]) for name in figures),
                *(_share(fit[name]) for name in fits),
            ])  # fmt: skip
            data.append({"dataset": dataset, "variant": variant, "n": len(own), **means, **fit})
    heads = [Head("dataset"), Head("method"), Head("n"), Head("steps")]
    heads += [_HEADS.get(name) or Head(name.replace("_", " ")) for name in figures]
    heads += [Head(_FITS[name], f"{METRICS[0][0]} of the mask") for name in fits]
    return Sheet(
        "pretraining", "Pretrainings, seen without labels", heads, lines, pd.DataFrame(data),
        _notes(figures, fits),
    )  # fmt: skip


def doubtful(found: pd.DataFrame) -> list[str]:
    """A line for each set of pretrainings with something wrong in it, and who starts from it."""
    if found.empty:
        return []
    sharing: dict[tuple[str, frozenset[str]], list[str]] = {}
    for (dataset, variant), own in found.groupby(["dataset", "variant"], sort=True):
        sharing.setdefault((dataset, frozenset(own.key)), []).append(variant)
    doubts = dict(zip(found.key, found.doubts, strict=True))
    lines = []
    for (dataset, keys), variants in sharing.items():
        odd = [doubts[key] for key in sorted(keys) if doubts[key]]
        if odd:
            lines.append(
                f"warning: pretraining of {shortened(ordered(variants))} on {dataset} "
                f"({len(odd)} of {len(keys)}): {'; '.join(odd[0])}"
            )
    return lines


def _notes(figures: list[str], fits: list[str]) -> list[str]:
    lines = [line for name, line in _MEANINGS.items() if name in figures]
    if fits:
        lines.append(
            "Dice of the mask: pooled, before training, in the order of its classes that fits the "
            "labelled images best; the pretraining saw no label"
        )
    return lines


def _whole(value: int) -> Cell:
    return Cell(str(value), value)


def _number(value: float) -> Cell:
    return NOTHING if pd.isna(value) else Cell(f"{value:.3f}", value)


def _share(value: float) -> Cell:
    return NOTHING if pd.isna(value) else Cell(mean_and_width(value), value)
