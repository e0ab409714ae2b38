"""A job that failed: how far it came, in whose words it ended, how to see it again."""

import re
from collections.abc import Iterable
from pathlib import Path

from benchmark.data.split.budget import typed_budget
from benchmark.store import layout
from benchmark.store.record import PretrainingRecord, Record
from benchmark.study.syntax import typed_seeds
from benchmark.wording import command, counted

_TRACEBACK = "Traceback (most recent call last):"
_SHOWN_FRAMES = 4  # the last ones, where it went wrong


def story(record: Record | PretrainingRecord, folder: Path) -> list[str]:
    """Phase, last readings, node, memory, the error's own words, and the command that repeats it.

    folder: of the job.
    """
    memory = record.peak_memory_mib
    facts = {
        "came to": reached(folder, record.key),
        "node": ", ".join(filter(None, [getattr(record, "host", ""), record.device])),
        "memory": f"{memory:.0f} MiB at its peak" if memory else "",
        "log": str(folder / "log.txt"),
    }
    lines = [f"{name:8} {text}" for name, text in facts.items() if text]
    lines += [f"  {line}" for line in last_frames(layout.log_of(folder, record.key))]
    if isinstance(record, Record):
        lines.append(f"again, alone, with a traceback: {again(record, folder.parent.parent)}")
    return lines


def reached(folder: Path, key: str) -> str:
    """The phase that it failed in, with the last readings before."""
    epochs = layout.log_lines(folder, key, "epoch ")
    if not epochs:
        return "its beginning, before an epoch was trained"
    trained, total = layout.last_epoch(folder, key) or (0, 1)
    phase = "the end, after training" if trained == total else "training"
    return f"{phase}, after {epochs[-1]}"


def last_frames(log: str) -> list[str]:
    """Of the last traceback in a log: where it went wrong, and the error's own words."""
    _, found, traceback = log.rpartition(_TRACEBACK)
    if not found:
        return []
    lines = [line for line in traceback.splitlines() if line.strip()]
    end = next((i for i, line in enumerate(lines) if not line.startswith(" ")), len(lines) - 1)
    frames = [i for i in range(end) if lines[i].startswith('  File "')]
    first = frames[-_SHOWN_FRAMES] if len(frames) >= _SHOWN_FRAMES else 0
    return [line.rstrip() for line in lines[first : end + 1]]


def again(record: Record, study_folder: Path) -> str:
    """The command line that runs this trial alone, here."""
    if record.evaluate_on not in ("test", "dev"):  # a fold, which bench tune alone makes
        return f"the same bench tune, with --trial {record.key} -v"
    return command(
        "bench", "run", "--preset", study_folder / layout.SETTINGS, "--methods", record.variant,
        "--datasets", record.dataset, "--labels", typed_budget(record.budget),
        "--seeds", typed_seeds([record.seed, record.subset]), "--results", study_folder.parent,
        "--trial", record.key, "-v",
    )  # fmt: skip


def alike(records: Iterable[Record]) -> list[str]:
    """Failures of one message together: the message, how often, and whose."""
    of: dict[str, list[Record]] = {}
    for record in records:
        of.setdefault(without_numbers(record.error), []).append(record)
    return [
        f"{counted(len(found), 'trial')}: {found[0].error} (the first: bench show {found[0].key})"
        for found in of.values()
    ]


def without_numbers(error: str) -> str:
    """An error's words, in which steps, keys and sizes do not count: which ones are alike."""
    return re.sub(r"\b[0-9a-f]{16}\b|\d+(\.\d+)?", "#", error)
