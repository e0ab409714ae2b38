"""`grid.csv`: every trial that a run of a study planned, so that what is left can be counted."""

import contextlib
import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmark import files
from benchmark.files import write_atomically
from benchmark.study.syntax import seed_name
from benchmark.study.trials import Trial
from benchmark.wording import percent

COLUMNS = ("key", "dataset", "evaluate_on", "budget", "variant", "seed")
_VARIANT = re.compile(r"\w+(\[.*\])?")
_LARGEST = 2**26  # bytes
Row = Mapping[str, str]


def row(trial: Trial) -> dict[str, str]:
    """The line of a trial."""
    return {
        "key": trial.key,
        "dataset": trial.dataset,
        "evaluate_on": trial.conditions.evaluate_on,
        "budget": trial.budget.text,
        "variant": trial.variant,
        "seed": seed_name(trial.seed, trial.subset_seed),
    }


def add(study_folder: Path, rows: Iterable[Row]) -> None:
    """Merge rows into the file; those of earlier runs stay, and stay in front."""
    file = study_folder / "grid.csv"
    with files.locked(study_folder / ".grid.lock", 60.0):  # shards start at the same moment
        merged = read(study_folder) | {r["key"]: r for r in rows}
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(merged.values())
        if file.is_symlink() or not file.is_file() or file.read_bytes() != text.getvalue().encode():
            write_atomically(file, text.getvalue())


def read(study_folder: Path) -> dict[str, Row]:
    """Key → row, in the order of planning; empty if there is no file.

    The file can be made again, so what cannot be read of it is as good as missing.
    """
    try:
        content = files.read_within(study_folder, study_folder / "grid.csv", _LARGEST)
    except (FileNotFoundError, ValueError):
        return {}
    text = content.decode("utf-8-sig", errors="replace").replace("\0", "")
    rows = (_with_budget(row) for row in csv.DictReader(io.StringIO(text, newline=None)))
    return {row["key"]: {name: row[name] for name in COLUMNS} for row in rows if _is_whole(row)}


def _is_whole(row: Mapping[str, Any]) -> bool:
    values = [row.get(name) for name in COLUMNS]
    has_all = all(isinstance(value, str) and value.isprintable() and value for value in values)
    return has_all and row["seed"].isdecimal() and bool(_VARIANT.fullmatch(row["variant"]))


def _with_budget(row: dict[str, str]) -> dict[str, str]:
    """The row; version 0.1.0 wrote the labelled share as `ratio`."""
    with contextlib.suppress(KeyError, TypeError, ValueError):
        row["budget"] = percent(float(row.pop("ratio")))
    return row
