"""`grid.csv`: every trial that a run of the study planned, so that what is left can be counted."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from filelock import FileLock

from benchmark.folders import write_atomically
from benchmark.trials import Trial

COLUMNS = ("key", "dataset", "evaluate_on", "ratio", "variant", "seed")
Row = Mapping[str, str]


def row(trial: Trial) -> dict[str, str]:
    """The line of a trial."""
    return {name: str(getattr(trial, name)) for name in COLUMNS}


def add(study_folder: Path, rows: Iterable[Row]) -> None:
    """Merge rows into the file; those of earlier runs stay, and stay in front."""
    file = study_folder / "grid.csv"
    with FileLock(study_folder / ".grid.lock", timeout=60):  # shards start at the same moment
        older = read(study_folder)
        merged = older | {r["key"]: r for r in rows}
        if merged == older:
            return
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(merged.values())
        write_atomically(file, text.getvalue())


def read(study_folder: Path) -> dict[str, Row]:
    """Key → row, in the order of planning; empty if there is no file."""
    try:
        with (study_folder / "grid.csv").open(encoding="utf-8", newline="") as stream:
            return {r["key"]: r for r in csv.DictReader(stream)}
    except FileNotFoundError:
        return {}
