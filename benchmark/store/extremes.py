"""Pictures of single cases, from the files that trials leave beside their records."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from numpy import ndarray

from benchmark.store.layout import trial_folder
from benchmark.store.tables import pictures_in

_KINDS = ("image", "target", "prediction")
_FILES = ("extremes.npz", "panel.npz")

Pictures = dict[str, dict[str, ndarray | int]]
"""Case → its image, target and prediction, and the seed of the trial that predicted it."""


def pictures(
    study_folder: Path, rows: pd.DataFrame, wanted: Mapping[tuple, Sequence[str]]
) -> dict[tuple, Pictures]:
    """Of the cases that are wanted of a dataset, budget and variant, those that were kept.

    Each from the trial of the lowest seed that kept it; no more files are opened than that takes.
    """
    found: dict[tuple, Pictures] = {}
    for where, trials in rows.groupby(["dataset", "budget", "variant"]):
        missing = set(wanted.get(where, ()))
        own: Pictures = {}
        for row in trials.sort_values("seed").itertuples():
            if not missing:
                break
            for case, kept in _kept(study_folder, row.key, missing):
                own[case] = {**kept, "seed": row.seed}
                missing.discard(case)
        if own:
            found[where] = own
    return found


def _kept(
    study_folder: Path, key: str, wanted: set[str]
) -> Iterator[tuple[str, dict[str, ndarray]]]:
    """Of one trial."""
    for name in _FILES:
        file = trial_folder(study_folder, key) / name
        if not wanted or not file.exists():
            continue
        content = pictures_in(study_folder, file, {"case"})
        for i, case in enumerate(map(str, content["case"])):
            parts = {kind: content.get(f"{kind}_{i}") for kind in _KINDS}
            if case in wanted and all(part is not None for part in parts.values()):
                yield case, parts
