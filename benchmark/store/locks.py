"""Several `bench run` on one study: whole runs exclude each other, shards exclude their like."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from benchmark.errors import ExitCode, UserError
from benchmark.folders import write_atomically
from benchmark.selectors import Cell, Shard

_PROBE_SECONDS = 1.0  # others hold a lock for an instant when they ask whether it is held


class Claim:
    """A run's hold on a study, with the list of what it runs for `bench status` to read."""

    def __init__(self, running: Path):
        self._running = running

    def note_running(self, keys: Iterable[str]) -> None:
        """Replace the list; it counts only while the run holds its lock."""
        write_atomically(self._running, "".join(f"{key}\n" for key in keys))


@contextlib.contextmanager
def claimed(study_folder: Path, shard: Shard | Cell) -> Iterator[Claim]:
    """Hold the study, or one shard of it; `UserError` (exit code 4) if a run is in the way.

    In the way of a whole run is any other; in the way of a shard is a whole run, the same shard,
    and a shard of another number of shards. Each takes its own lock before it looks at the others',
    so of two that start at once at most one goes on.
    """
    lock = study_folder / f".lock{shard.suffix}"
    running = study_folder / f".running{shard.suffix}"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FileLock(lock, timeout=_PROBE_SECONDS))
        except Timeout:
            raise _occupied(study_folder, lock) from None
        for other in study_folder.glob(".lock*"):
            if not _may_stand_beside(lock, other) and _is_held(other):
                raise _occupied(study_folder, other)
        claim = Claim(running)
        claim.note_running([])
        stack.callback(running.unlink, missing_ok=True)
        yield claim


def running_keys(study_folder: Path) -> set[str]:
    """Keys that live runs say they are running; the list of a killed run does not count."""
    keys: set[str] = set()
    for file in study_folder.glob(".running*"):
        with contextlib.suppress(FileNotFoundError):  # the run has just ended
            listed = file.read_text(encoding="utf-8").split()
            if listed and _is_held(file.with_name(file.name.replace(".running", ".lock"))):
                keys.update(listed)
    return keys


def _may_stand_beside(own: Path, other: Path) -> bool:
    """Is it the own lock, or that of another shard of as many, or of another cell?"""
    if own == other or (_is_cell(own) and _is_cell(other)):
        return True
    _, of, count = own.name.partition("-of-")
    return bool(of) and other.name.endswith(f"-of-{count}")


def _is_cell(lock: Path) -> bool:
    return lock.name.startswith(".lock-cell-")


def _is_held(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=_PROBE_SECONDS / 2):
            return False
    except Timeout:
        return True
    except PermissionError:  # another user's study, where only the list can be read
        return True


def _occupied(study_folder: Path, lock: Path) -> UserError:
    shard = lock.name.removeprefix(".lock").removeprefix("-").replace("-of-", "/")
    who = f"another `bench run --shard {shard}`" if shard else "another `bench run`"
    return UserError(
        f"{who} works on {study_folder}; wait for it, or name another --study", ExitCode.RESOURCES
    )
