"""Records and the files beside them → frames, for reports."""

from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray

from benchmark import results
from benchmark.errors import ExitCode, UserError
from benchmark.folders import trial_folder

_WHERE = ["dataset", "ratio", "variant", "seed"]


def trials(study_folder: Path) -> pd.DataFrame:
    """One row a trial: the columns of `results.csv`, and `settings`: nested, as in the record."""
    records = results.read_records(study_folder)
    settings = {record.key: record.settings for record in records}
    frame = results.table(records)
    return frame.assign(settings=frame.key.map(settings))


def stacked(study_folder: Path, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The tables of this name (history.csv, cases.csv) of these trials, one under the other.

    Each line says of which trial it is, by key and by dataset, ratio, variant and seed; trials
    without the file have none.
    """
    parts = []
    for row in rows[["key", *_WHERE]].to_dict("records"):
        file = trial_folder(study_folder, row["key"]) / name
        if file.exists():
            parts.append(pd.read_csv(file).assign(**row))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["key", *_WHERE])


def cases(study_folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The lines of `cases.csv` of all these trials; `UserError` (exit code 3) if one has none."""
    missing = [
        row for row in rows.itertuples()
        if not (trial_folder(study_folder, row.key) / "cases.csv").exists()
    ]  # fmt: skip
    if missing:
        first = missing[0]
        raise UserError(
            f"intervals over cases need the file cases.csv of every trial; {len(missing)} of "
            f"{len(rows)} have none, such as {trial_folder(study_folder, first.key)} (seed "
            f"{first.seed} of {first.variant}): restore it, or delete the folder and run the "
            "trial again; --ci seeds does without",
            ExitCode.DATA,
        )
    return stacked(study_folder, rows, "cases.csv")


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
