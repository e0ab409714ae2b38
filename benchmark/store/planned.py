"""`grid.csv`: every trial that a run of a study planned, so that what is left can be counted."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path

from filelock import FileLock

from benchmark.files import write_atomically
from benchmark.study.trials import Trial
from benchmark.wording import percent

COLUMNS = ("key", "dataset", "evaluate_on", "budget", "variant", "seed")
Row = Mapping[str, str]


def row(trial: Trial) -> dict[str, str]:
    """The line of a trial."""
    return {
        "key": trial.key,
        "dataset": trial.dataset,
        "evaluate_on": trial.conditions.evaluate_on,
        "budget": trial.budget.text,
        "variant": trial.variant,
        "seed": str(trial.seed),
    }


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
            return {r["key"]: _with_budget(r) for r in csv.DictReader(stream)}
    except FileNotFoundError:
        return {}


def _with_budget(row: dict[str, str]) -> dict[str, str]:
    """The row; version 0.1.0 wrote the labelled share as `ratio`."""
    if "ratio" in row:
        row["budget"] = percent(float(row.pop("ratio")))
    return row
