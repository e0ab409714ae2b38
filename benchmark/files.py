"""Where studies and trials lie on disk, and the one way to write there; imports nothing heavy."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from benchmark.errors import ExitCode, UserError, unknown


def trial_folder(study_folder: Path, key: str) -> Path:
    """Where the trial of this key keeps its files."""
    return study_folder / "trials" / key


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file's, all or none of them, whatever is killed when.

    Several hosts may write the same file on shared storage: process ids are not enough to name
    the temporary one.
    """
    scratch = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.tmp")
    with scratch.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(file)


def write_atomically(file: Path, text: str) -> None:
    """The whole text, or what was there before."""
    with replacing(file) as stream:
        stream.write(text.encode())


def studies(results_root: Path) -> list[str]:
    """Names of the studies under the results folder, the most recently run first."""
    folders = {f.parent for f in results_root.glob("*/study.yaml")}
    return [f.name for f in sorted(folders, key=_last_run, reverse=True)]


def _last_run(folder: Path) -> float:
    return (folder / "study.yaml").stat().st_mtime


def chosen_study(results_root: Path, name: str | None) -> str:
    """The name, or the newest study; `UserError` (exit code 3) if there is none at all."""
    known = studies(results_root)
    if not known:
        raise UserError(
            f"no study under {results_root}; make one, such as: bench run --preset demo",
            ExitCode.DATA,
        )
    if name is not None and name not in known:
        raise unknown("study", name, known)
    return name or known[0]
