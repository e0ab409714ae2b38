"""The verb `bench status`: how far a study is, read while it runs.

Only what is needed of each record is read, so that ten thousand of them take a second.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmark import grid, sharing
from benchmark.errors import ExitCode, UserError
from benchmark.folders import trial_folder
from benchmark.study import label, percent

_HEAD = 1024  # bytes of a record: the status stands among the first fields
_STATUS = re.compile(rb'^ ?"status": ?"(\w+)"', re.MULTILINE)
_SHOWN = 20  # running and failed trials that are named


class Cell(NamedTuple):
    """One line of the table: all seeds of a variant on a dataset at a ratio."""

    dataset: str
    evaluate_on: str
    ratio: float
    variant: str

    @property
    def dataset_label(self) -> str:
        return self.dataset + (" (dev)" if self.evaluate_on == "dev" else "")


class Status(NamedTuple):
    """State of each trial that was ever planned, or has a record."""

    cells: dict[str, Cell]
    """Of each key, in the order of planning."""
    seeds: dict[str, str]
    states: dict[str, str]
    """done, failed, running, or waiting, of each key."""
    pretrainings: list[str]
    """Keys of the pretrainings that run."""


def read(study_folder: Path) -> Status:
    """The state of a study.

    Running is what a run that still holds its lock says it is running; a trial that failed before
    and is tried again is running. Everything else is what its record says.
    """
    rows = grid.read(study_folder)
    states = dict.fromkeys(rows, "waiting")
    for file, head in _records(study_folder):
        key, found = file.parent.name, _STATUS.search(head)
        if key not in rows:  # a study older than grid.csv, or trials copied in by hand
            rows[key] = _row_of(file)
        states[key] = found[1].decode() if found else _row_of(file)["status"]
    running = sharing.running_keys(study_folder)
    states |= dict.fromkeys(running & rows.keys(), "running")
    cells = {
        key: Cell(row["dataset"], row["evaluate_on"], float(row["ratio"]), row["variant"])
        for key, row in rows.items()
    }
    seeds = {key: str(row["seed"]) for key, row in rows.items()}
    return Status(cells, seeds, states, sorted(running - rows.keys()))


def _records(study_folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Each record with its beginning."""
    trials = study_folder / "trials"
    for name in sorted(os.listdir(trials)) if trials.is_dir() else []:
        try:
            with open(f"{trials}/{name}/record.json", "rb") as stream:
                yield trials / name / "record.json", stream.read(_HEAD)
        except (FileNotFoundError, NotADirectoryError):
            continue


def _row_of(file: Path) -> dict[str, str]:
    try:
        record = json.loads(file.read_bytes())
        return {name: str(record[name]) for name in (*grid.COLUMNS, "status")}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"the record {file} is not readable ({error}): restore it, or delete {file.parent} to "
            "run it again",
            ExitCode.DATA,
        ) from error


def describe(study_folder: Path) -> str:
    """The table of a study, then its running and failed trials by name."""
    status = read(study_folder)
    counts: dict[Cell, Counter[str]] = {}
    for key, cell in status.cells.items():
        counts.setdefault(cell, Counter())[status.states[key]] += 1
    head = ["dataset", "labelled", "variant", "done", "failed", "running", "total"]
    body = [
        [cell.dataset_label, percent(cell.ratio), cell.variant, *_numbers(count)]
        for cell, count in counts.items()
    ]
    total = sum(counts.values(), Counter())
    lines = _aligned([head, *body, ["all", "", "", *_numbers(total)]])
    if status.pretrainings:
        lines += ["", "pretraining:"]
    for key in status.pretrainings:
        lines.append(f"  {key}  {_last_line(study_folder / 'pretrained' / key)}".rstrip())
    for state in ("running", "failed"):
        lines += _named(study_folder, status, state)
    return "\n".join(lines)


def _numbers(count: Counter[str]) -> list[str]:
    return [*(str(count[state]) for state in ("done", "failed", "running")), str(count.total())]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Words to the left, the four numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if i < 3 else text.rjust(width)
            for i, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _named(study_folder: Path, status: Status, state: str) -> list[str]:
    keys = [key for key, found in status.states.items() if found == state]
    lines = ["", f"{state}:"] if keys else []
    for key in keys[:_SHOWN]:
        cell = status.cells[key]
        name = label(cell.variant, cell.dataset_label, cell.ratio, status.seeds[key])
        lines.append(f"  {key}  {name}  {_last_line(trial_folder(study_folder, key))}".rstrip())
    if len(keys) > _SHOWN:
        lines.append(f"  … and {len(keys) - _SHOWN} more")
    return lines


def _last_line(folder: Path) -> str:
    """The end of the log there: of what runs, its last epoch."""
    try:
        log = (folder / "log.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    return log.strip().rpartition("\n")[2]
