"""The verb `bench status`: how far a study is, read while it runs.

Only what is needed of each record is read, so that ten thousand of them take a second.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from benchmark.data.split.roles import FOLDS, Fold
from benchmark.errors import UserError
from benchmark.files import read_each
from benchmark.store import layout, locks, planned
from benchmark.study import sources
from benchmark.study.syntax import trial_name

_HEAD = 1024  # bytes of a record: the status stands among the first fields
_STATUS = re.compile(rb'^ ?"status": ?"(\w+)"', re.MULTILINE)
_METHOD_CODE = re.compile(rb'^ ?"method_code": ?"(\w+)"', re.MULTILINE)
_SHOWN = 20  # running and failed trials that are named


class Line(NamedTuple):
    """One line of the table: all seeds of a variant on a dataset at a budget."""

    dataset: str
    evaluate_on: str
    budget: str
    variant: str

    @property
    def dataset_label(self) -> str:
        return self.dataset + ("" if self.evaluate_on == "test" else f" ({self.evaluate_on})")


class Status(NamedTuple):
    """State of each trial that was ever planned, or has a record."""

    lines: dict[str, Line]
    """Of each key, in the order of planning."""
    seeds: dict[str, str]
    states: dict[str, str]
    """done, failed, damaged, running, or waiting, of each key."""
    pretrainings: list[str]
    """Keys of the pretrainings that run."""
    older: Counter[str]
    """Method → how many of its trials were done by other code of it than there is now."""
    damaged: list[str]
    """What is wrong with each record that cannot be read."""


def read(study_folder: Path) -> Status:
    """The state of a study.

    Running is what a run that still holds its lock says it is running; a trial that failed before
    and is tried again is running. Everything else is what its record says.
    """
    rows = planned.read(study_folder)
    states, older, damaged = dict.fromkeys(rows, "waiting"), Counter[str](), []
    for folder, content in read_each(study_folder / "trials", layout.RECORD, layout.LARGEST_RECORD):
        text = b"" if isinstance(content, ValueError) else content.rstrip()
        key, found = folder.name, _STATUS.search(text[:_HEAD])
        if found is None or key not in rows or not text.endswith(b"}"):
            try:  # whole: of a study older than grid.csv, copied in by hand, or damaged
                row = _row_of(folder)
            except UserError as error:
                damaged.append(str(error))
                states |= {key: "damaged"} if key in rows else {}
                continue
            states[key] = row.pop("status")
            rows.setdefault(key, row)
        else:
            states[key] = found[1].decode()
        if states[key] == "done" and (code := _METHOD_CODE.search(text[:_HEAD])):
            method = rows[key]["variant"].partition("[")[0]
            older[method] += code[1].decode() != sources.method_code(method)
    running = locks.running_keys(study_folder)
    states |= dict.fromkeys(running & rows.keys(), "running")
    lines = {
        key: Line(row["dataset"], _set(row["evaluate_on"]), row["budget"], row["variant"])
        for key, row in rows.items()
    }
    seeds = {key: str(row["seed"]) for key, row in rows.items()}
    return Status(lines, seeds, states, sorted(running - rows.keys()), +older, damaged)


def _set(evaluated: str) -> str:
    """What is evaluated; folds of one labelled subset are one line."""
    return FOLDS if Fold.parse(evaluated) else evaluated


def _row_of(folder: Path) -> dict[str, str]:
    from benchmark.store import record_file  # longer to import than all the rest

    found = record_file.read(folder).model_dump()
    return {name: str(found[name]) for name in (*planned.COLUMNS, "status")}


def describe(study_folder: Path) -> str:
    """The table of a study, then its running and failed trials by name."""
    status = read(study_folder)
    counts: dict[Line, Counter[str]] = {}
    for key, line in status.lines.items():
        counts.setdefault(line, Counter())[status.states[key]] += 1
    head = ["dataset", "labelled", "variant", "done", "failed", "running", "total"]
    body = [
        [line.dataset_label, line.budget, line.variant, *_numbers(count)]
        for line, count in counts.items()
    ]
    total = sum(counts.values(), Counter())
    lines = _aligned([head, *body, ["all", "", "", *_numbers(total)]])
    if status.pretrainings:
        lines += ["", "pretraining:"]
    for key in status.pretrainings:
        folder = layout.pretraining_folder(study_folder, key)
        lines.append(f"  {key}  {layout.last_log_line(folder)}".rstrip())
    for state in ("running", "failed"):
        lines += _named(study_folder, status, state)
    lines += ["", *(f"damaged: {error}" for error in status.damaged)] if status.damaged else []
    for method, n in status.older.items():
        lines += ["", f"{n} of {method} made by other code of it than there is now: bench run … "
                  f"--rerun {method} runs them again"]  # fmt: skip
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
        line, folder = status.lines[key], layout.trial_folder(study_folder, key)
        name = trial_name(line.variant, line.dataset_label, line.budget, status.seeds[key])
        lines.append(f"  {key}  {name}  {layout.last_log_line(folder)}".rstrip())
    if len(keys) > _SHOWN:
        lines.append(f"  … and {len(keys) - _SHOWN} more")
    return lines
