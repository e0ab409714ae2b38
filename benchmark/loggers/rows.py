"""A row of a history, or the results of a record, as the values of curves: pure functions."""

import math
import re
from collections.abc import Mapping
from typing import Any

STEP = "step"
"""The name in a row of how many steps were trained: where its values stand on a curve."""

_GROUPS = {
    r"epoch|learning_rate": "training/",
    r"loss_.*": "loss/",
    r"best_.*": "oracle_threshold/",
    r"on_val_.*": "validation/",
    r"(dc|ji|sensitivity|precision)_.*|n_.*": "evaluation/",
}
"""Pattern of names → their group; what a method says of itself is none of these."""


def values_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Of a history's row, by group: loss/ce, evaluation/dc_pooled, diagnostics/confidence."""
    return {_grouped(name): value for name, value in _numbers(row).items() if name != STEP}


def results_of(numbers: Mapping[str, Any]) -> dict[str, float]:
    """Of a record."""
    return {f"results/{name}": value for name, value in _numbers(numbers).items()}


def _grouped(name: str) -> str:
    group = next((g for known, g in _GROUPS.items() if re.fullmatch(known, name)), "diagnostics/")
    return group + name.removeprefix("loss_").removeprefix("best_").removeprefix("on_val_")


def _numbers(row: Mapping[str, Any]) -> dict[str, float]:
    """Those that a curve can have: no blanks, no NaN."""
    return {
        name: float(value)
        for name, value in row.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }
