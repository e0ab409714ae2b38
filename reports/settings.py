"""Settings of trials in words: one value for all, or the usual one and who has another."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reports.select import WHERE, datasets_of, variants_of
from reports.sheet import counted
from reports.wording import listed

_OF = {"variant": "for", "dataset": "on", "budget": "at"}


def stated(rows: pd.DataFrame, values: pd.Series) -> str:
    """The value of all rows; "A, but B for ours and cps" or "… on la" where it differs.

    values: a text a row; rows whose text is "" say nothing. "" if none does.
    """
    rows, values = rows[values != ""], values[values != ""]
    if values.empty:
        return ""
    if values.nunique() == 1:
        return values.iloc[0]
    usual = values.value_counts().index[0]
    others = [value for value in dict.fromkeys(values) if value != usual]
    return f"{usual}, but {'; '.join(f'{v} {_whose(rows, values == v)}' for v in others)}"


def _whose(rows: pd.DataFrame, has_it: pd.Series) -> str:
    """Whose the rows are: by method, by dataset or by budget if that tells them apart."""
    for column, word in _OF.items():
        own = set(rows[has_it][column])
        if not own & set(rows[~has_it][column]):
            return f"{word} {listed(_ordered(rows, column, own))}"
    found = rows[has_it].drop_duplicates(WHERE)
    return "for " + listed(
        [f"{row.variant} on {row.dataset} at {row.budget.text}" for row in found.itertuples()]
    )


def _ordered(rows: pd.DataFrame, column: str, own: set) -> list[str]:
    if column == "budget":
        return [budget.text for budget in sorted(own)]
    names = variants_of(rows) if column == "variant" else datasets_of(rows)
    return [name for name in names if name in own]


def at(settings: Mapping[str, Any], path: str) -> Any:
    """A dotted setting; None where the record does not have it."""
    found: Any = settings
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def optimiser(settings: Mapping[str, Any], stage: str) -> str:
    """Adam (learning rate 0.003, weight decay 5e-05); "" where the record does not say."""
    name = at(settings, f"{stage}.optimiser")
    if name is None:
        return ""
    details = [f"learning rate {at(settings, f'{stage}.learning_rate'):g}"]
    if name == "sgd":
        details.append(f"momentum {at(settings, f'{stage}.momentum'):g}")
    else:
        details.append(f"betas {listed([f'{b:g}' for b in at(settings, f'{stage}.betas')])}")
    details.append(f"weight decay {at(settings, f'{stage}.weight_decay'):g}")
    if clip := at(settings, f"{stage}.gradient_clip"):
        details.append(f"gradients clipped at a norm of {clip:g}")
    return f"{_OPTIMISERS.get(name, name)} ({', '.join(details)})"


_OPTIMISERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD"}


def schedule(settings: Mapping[str, Any], stage: str) -> str:
    """What the learning rate does."""
    name = at(settings, f"{stage}.schedule")
    if name == "poly":
        power = at(settings, f"{stage}.poly_power") or 0.9  # of records from before
        return f"decays as a polynomial of power {power:g}"
    if name != "step":
        known = {"constant": "is constant", "cosine": "decays along a cosine"}
        return known.get(name, f"has the schedule {name}" if name else "")
    factor, every, warmup = (
        at(settings, f"{stage}.{key}")
        for key in ("decay_factor", "decay_every_epochs", "warmup_epochs")
    )
    before = f", after a linear warm-up of {warmup}" if warmup else ""
    return f"is multiplied by {factor:g} every {every} epochs{before}"


def epochs(settings: Mapping[str, Any], stage: str) -> str:
    """How many."""
    found = at(settings, f"{stage}.epochs")
    return "" if found is None else counted(int(found), "epoch")


def criterion(settings: Mapping[str, Any]) -> str:
    """The supervised loss."""
    name = at(settings, "training.criterion")
    known = {
        "ce": "cross-entropy", "dice": "Dice loss",
        "ce_dice": "the mean of cross-entropy and Dice loss",
    }  # fmt: skip
    return known.get(name, name or "")


def batches(settings: Mapping[str, Any]) -> str:
    """How many images a step sees."""
    labelled, unlabelled = (
        at(settings, f"training.batch_{kind}") for kind in ("labelled", "unlabelled")
    )
    seen = "patches" if at(settings, "patch") else "images"
    return "" if labelled is None else f"{labelled} labelled and {unlabelled} unlabelled {seen}"


def augmentation(settings: Mapping[str, Any], stage: str = "training") -> str:
    """How images are changed in training."""
    if at(settings, stage) is None:
        return ""
    name = at(settings, f"{stage}.augmentation") or "symmetries"  # of records from before
    known = {
        "none": "no augmentation",
        "symmetries": "flips and quarter turns, those that the dataset allows",
        "ssl4mis": "quarter turns and a flip, or a rotation by up to 20 degrees",
        "nnunet": "flips and quarter turns and nnU-Net's augmentation (rotation, scaling, noise, "
        "blur, brightness, contrast, low resolution, gamma)",
    }
    return known.get(name, name)


def network(settings: Mapping[str, Any]) -> str:
    """Name, widths, dropout."""
    found = at(settings, "network")
    if not isinstance(found, Mapping):
        return ""
    name = str(found.get("name", ""))
    if name != "unet":
        weights = found.get("weights")
        return f"a network {name} ({f'weights {weights}' if weights else 'from random weights'})"
    widths = ", ".join(map(str, found.get("widths", [])))
    dropout = ", ".join(f"{rate:g}" for rate in found.get("dropout", []))
    return f"a U-Net with {widths} channels and dropout of {dropout} at its levels"


def input_size(settings: Mapping[str, Any]) -> str:
    """What the network sees of an image or a volume."""
    if patch := at(settings, "patch"):
        return f"patches of {_times(patch)} voxels"
    kind = "slices" if at(settings, "slices") else "images"
    size = at(settings, "size")
    return f"{kind} resized to {_times(size)} pixels" if size else f"{kind} at their prepared size"


def _times(sides: list[int]) -> str:
    return " × ".join(map(str, sides))
