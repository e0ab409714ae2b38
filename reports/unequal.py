"""Where methods of one table were not treated alike: budgets and settings, named for its footer."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reports.aggregate import ordered
from reports.sheet import percent, shortened

_MAY_DIFFER = {
    "dataset", "data_hash", "ratio", "seed", "method", "hyperparameters", "pretraining",
}  # fmt: skip
"""What tells trials of a table apart by intent."""
_OF_A_METHOD = ("hyperparameters", "pretraining")


def budgets(rows: pd.DataFrame) -> list[str]:
    """Training steps, with those of a pretraining, where they differ within dataset and ratio."""
    frame = rows.assign(before=rows.pretrain_steps.astype(float).fillna(0))
    groups, lines = 0, []
    for (dataset, ratio), trials in frame.groupby(["dataset", "ratio"]):
        groups += 1
        found: dict[tuple[int, int], list[str]] = {}
        for variant in ordered(trials.variant):
            first = trials[trials.variant == variant].iloc[0]
            found.setdefault((int(first.before), int(first.steps)), []).append(variant)
        if len(found) > 1:
            told = "; ".join(
                f"{_steps(*steps)} ({shortened(names, 3)})" for steps, names in found.items()
            )
            lines.append(f"{dataset} at {percent(ratio)}: {told}")
    if not lines:
        return []
    also = f", and on {len(lines) - 1} more of {groups}" if len(lines) > 1 else ""
    return [f"training steps differ between methods, on {lines[0]}{also}"]


def _steps(before: int, steps: int) -> str:
    return f"{before} of pretraining and {steps}" if before else f"{steps}"


def settings(rows: pd.DataFrame) -> list[str]:
    """Settings that differ between the variants or labelled shares of one dataset."""
    firsts = rows.drop_duplicates(["dataset", "ratio", "variant"])
    told: dict[str, list[str]] = {}  # what is said → the datasets of which it is true
    for dataset, trials in firsts.groupby("dataset"):
        cells = {(row.variant, float(row.ratio)): row.settings for row in trials.itertuples()}
        for text in [*_between(cells, _MAY_DIFFER), *_within(cells)]:
            told.setdefault(text, []).append(dataset)
    everywhere = rows.dataset.nunique()
    lines = [
        text if len(datasets) == everywhere else f"{text} on {', '.join(datasets)}"
        for text, datasets in told.items()
    ]
    return [f"settings differ: {shortened(lines, 8)}"] if lines else []


Cells = Mapping[tuple[str, float], Mapping[str, Any]]  # variant and ratio → settings


def _between(cells: Cells, leave: set[str]) -> list[str]:
    """Settings with more than one value among the cells."""
    values = {cell: dict(flat(settings, leave)) for cell, settings in cells.items()}
    names = dict.fromkeys(name for own in values.values() for name in own)
    texts = {name: {c: str(own.get(name, "–")) for c, own in values.items()} for name in names}
    return [f"{name} {text}" for name in names if (text := _exceptions(texts[name]))]


def _within(cells: Cells) -> list[str]:
    """What belongs to a method and should be one at all ratios under one name."""
    found = []
    for variant in ordered(name for name, _ in cells):
        own = {
            cell: {name: settings.get(name) or {} for name in _OF_A_METHOD}
            for cell, settings in cells.items()
            if cell[0] == variant
        }
        found += _between(own, set())
    return found


def _exceptions(values: Mapping[tuple[str, float], str]) -> str:
    """Value by (variant, ratio) → "0.5 (ours: 0.01)"; "" if all are one."""
    counts = pd.Series(list(values.values())).value_counts()
    if len(counts) < 2:
        return ""
    usual = counts.index[0]
    others: dict[str, list[str]] = {}
    for variant in ordered(name for name, _ in values):
        own = {ratio: value for (name, ratio), value in values.items() if name == variant}
        if set(own.values()) == {usual}:
            continue
        if len(set(own.values())) == 1:
            others.setdefault(next(iter(own.values())), []).append(variant)
            continue
        for ratio, value in own.items():
            if value != usual:
                others.setdefault(value, []).append(f"{variant} at {percent(ratio)}")
    told = "; ".join(f"{shortened(names, 3)}: {value}" for value, names in others.items())
    return f"{usual} ({told})"


def flat(values: Mapping[str, Any], leave: set[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted names with their values."""
    for name, value in values.items():
        if name in leave:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, set(), f"{prefix}{name}.")
        else:
            yield prefix + name, value
