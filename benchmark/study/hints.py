"""What was meant by a setting that there is not: another word for it, or a hyper-parameter."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmark.errors import UserError, unknown
from benchmark.wording import shortened

_WORDS = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "wd": "weight_decay",
    "decay": "weight_decay",
    "optimizer": "optimiser",
    "optim": "optimiser",
    "scheduler": "schedule",
    "loss": "criterion",
    "bs": "batch_labelled",
    "batch": "batch_labelled",
    "batch_size": "batch_labelled",
    "max_epochs": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "steps": "steps_per_epoch",
    "iterations": "steps_per_epoch",
    "warmup": "warmup_epochs",
    "clip": "gradient_clip",
    "grad_clip": "gradient_clip",
    "augment": "augmentation",
    "augmentations": "augmentation",
    "amp": "precision",
    "image_size": "size",
    "img_size": "size",
    "resolution": "size",
    "patch_size": "patch",
    "threads": "threads_per_trial",
}
"""What other tools call it."""


def of_setting(key: str, known: Sequence[str], where: str = "setting") -> UserError:
    """The error for a setting that there is not, with the one that was meant.

    known: all settings, dotted. where: as in "setting training_of.cps", whose fields known are.
    """
    group, _, last = key.rpartition(".")
    meant = _WORDS.get(last.lower(), last.lower())
    close = [name for name in known if name.rpartition(".")[2] == meant]
    close.sort(key=lambda name: (name.rpartition(".")[0] != group, not name.startswith("training")))
    if close:
        return UserError(f'no {where} "{key}"; did you mean "{close[0]}"? (bench run --help)')
    return unknown(where, key, known, "bench run --help")


def of_hyperparameter(
    name: str,
    value: str,
    chosen: Iterable[str],
    defaults: Mapping[str, Mapping[str, Any]],
) -> UserError | None:
    """The error for a hyper-parameter that was typed as a setting; None if no method has it.

    chosen: the methods of the run, which are meant first. defaults: hyper-parameters by method.
    """
    owners = [method for method, own in defaults.items() if name in own]
    if not owners:
        return None
    own = [method for method in chosen if method in owners] or owners
    method = own[0] if len(own) == 1 or own is not owners else "METHOD"
    value = value or "…"
    return UserError(
        f'no setting "{name}": it is a hyper-parameter of {shortened(own)}. Type --methods '
        f'"{method}[{name}={value}]" for a variant, or hyperparameters.{method}.{name}={value} '
        f"wherever {method} runs (bench list methods -v)"
    )
