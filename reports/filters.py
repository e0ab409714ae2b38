"""Trials that a reader asked for alone: left out once, before anything is made of them."""

from dataclasses import dataclass, fields

import pandas as pd

from reports.comparable import Selected
from reports.select import ordered, subset_seeds
from reports.sheet import shortened

_SHOWN = 12  # names in a sentence


@dataclass(frozen=True)
class Filter:
    """What is shown alone; of an empty part, all."""

    methods: tuple[str, ...] = ()
    """Variants; "ours[*]": all of a method."""
    datasets: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Texts of label budgets: "5 %", "7 patients"."""
    seeds: tuple[int, ...] = ()


class Absent(ValueError):
    """Something that was asked for does not occur, or not together."""


def filtered(trials: pd.DataFrame, wanted: Filter) -> Selected:
    """The trials that were asked for, and a line on what that leaves out.

    trials: as of `benchmark.store.tables.trials`, whatever their status. Raises `Absent`.
    """
    if trials.empty:
        return Selected(trials, [])
    kept = pd.Series(True, trials.index)
    left_out = []
    for part in (field.name for field in fields(wanted)):
        asked = getattr(wanted, part)
        if not asked:
            continue
        names = _names(trials, part)
        _require_all(asked, part, trials, names)
        is_asked = _is_asked(trials, part, asked)
        kept &= is_asked
        if n := len(names) - len(set(names) & set(_names(trials[is_asked], part))):
            left_out.append(f"--{part} leaves out {n} of {len(names)} {_NOUNS[part]}")
    if not kept.any():
        typed = " ".join(
            f"--{field.name}" for field in fields(wanted) if getattr(wanted, field.name)
        )
        raise Absent(f"{typed}: each of these occurs in the study, but no trial has all of them")
    return Selected(trials[kept], left_out)


_NOUNS = {
    "methods": "methods", "datasets": "datasets", "labels": "label budgets", "seeds": "seeds",
}  # fmt: skip


def _names(trials: pd.DataFrame, part: str) -> list:
    """What occurs, in the order of a table."""
    if part == "methods":
        return ordered(trials.variant)
    if part == "datasets":
        return sorted(set(trials.dataset))
    if part == "labels":
        return list(trials.sort_values("budget_order").budget.drop_duplicates())
    return sorted({int(seed) for column in _varying_seeds(trials) for seed in column})


def _varying_seeds(trials: pd.DataFrame) -> list[pd.Series]:
    """Of weights and of labelled subsets: those that tell the trials of the study apart."""
    of_subsets = subset_seeds(trials)
    return [s for s in (trials.seed, of_subsets) if s.nunique() > 1] or [trials.seed]


def _is_asked(trials: pd.DataFrame, part: str, asked: tuple) -> pd.Series:
    if part == "seeds":
        columns = [column.isin(asked) for column in _varying_seeds(trials)]
        return pd.concat(columns, axis=1).all(axis=1)
    if part == "methods":
        whole = {name.removesuffix("[*]") for name in asked if name.endswith("[*]")}
        return trials.variant.isin(asked) | trials.method.isin(whole)
    return trials[{"datasets": "dataset", "labels": "budget"}[part]].isin(asked)


def _require_all(asked: tuple, part: str, trials: pd.DataFrame, names: list) -> None:
    there = {*names, *(f"{name}[*]" for name in trials.method)}
    if missing := [name for name in asked if name not in there]:
        what = ", ".join(map(str, missing[:_SHOWN]))
        raise Absent(f"--{part} {what}: not in this study, which has {_listed(names)}")


def _listed(names: list) -> str:
    """Whole numbers as ranges: 0-9, 12."""
    if not all(isinstance(name, int) for name in names):
        return shortened(names, _SHOWN)
    runs: list[list[int]] = []
    for number in names:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)
