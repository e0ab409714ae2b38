"""Records and the files beside them → frames, for reports."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray

from benchmark import results
from benchmark.folders import trial_folder

_WHERE = ["dataset", "ratio", "variant", "seed"]


def trials(study_folder: Path) -> pd.DataFrame:
    """One row a trial: the columns of `results.csv`."""
    return results.table(results.read_records(study_folder))


def stacked(study_folder: Path, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The tables of this name (history.csv, cases.csv) of these trials, one under the other.

    Each line says of which dataset, ratio, variant and seed it is; trials without the file have
    none.
    """
    parts = []
    for row in rows[["key", *_WHERE]].to_dict("records"):
        file = trial_folder(study_folder, row.pop("key")) / name
        if file.exists():
            parts.append(pd.read_csv(file).assign(**row))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_WHERE)


def panels(
    study_folder: Path, rows: pd.DataFrame
) -> dict[tuple[str, float, str], dict[str, ndarray]]:
    """(dataset, ratio, variant) → pictures of the trial with the lowest seed that has them."""
    found: dict[tuple[str, float, str], dict[str, ndarray]] = {}
    for row in rows.sort_values("seed")[["key", *_WHERE]].to_dict("records"):
        where = (row["dataset"], float(row["ratio"]), row["variant"])
        file = trial_folder(study_folder, row["key"]) / "panel.npz"
        if where not in found and file.exists():
            with np.load(file) as content:
                found[where] = dict(content)
    return found
