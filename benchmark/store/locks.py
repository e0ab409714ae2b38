"""Who works on a study: whole runs exclude each other, shards exclude their like."""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from filelock import Timeout

from benchmark import files
from benchmark.errors import ExitCode, UserError
from benchmark.files import write_atomically
from benchmark.study.syntax import Part, Shard, SingleTrial, part_of_suffix

_PROBE_SECONDS = 1.0  # others hold a lock for an instant when they ask whether it is held
_LOCK, _RUNNING = ".lock", ".running"
TUNE = ".ray"
"""Tune's folder in a study, for as long as a run lasts; each part of a grid has its own suffix."""
_LARGEST = 2**20  # bytes of a list of what runs


class Claim:
    """A run's hold on a study, with the list of what it runs for `bench status` to read."""

    def __init__(self, running: Path):
        self._running = running

    def note_running(self, keys: Iterable[str]) -> None:
        """Replace the list; it counts only while the run holds its lock."""
        write_atomically(self._running, "".join(f"{key}\n" for key in keys))


@contextlib.contextmanager
def claimed(study_folder: Path, part: Part) -> Iterator[Claim]:
    """Hold the study, or a part of it; `UserError` (exit code 4) if a run is in the way.

    In the way of a whole run is any other; in the way of a shard is a whole run, the same shard,
    and a shard of another number of shards. Each takes its own lock before it looks at the others',
    so of two that start at once at most one goes on.
    """
    own = study_folder / f"{_LOCK}{part.suffix}"
    running = study_folder / f"{_RUNNING}{part.suffix}"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(own, _PROBE_SECONDS))
        except Timeout:
            raise _occupied(study_folder, part) from None
        for lock in study_folder.glob(f"{_LOCK}*"):
            other = part_of_suffix(lock.name.removeprefix(_LOCK))
            if lock != own and not may_stand_beside(part, other) and _is_held(lock):
                raise _occupied(study_folder, other)
        claim = Claim(running)
        claim.note_running([])
        stack.callback(running.unlink, missing_ok=True)
        yield claim


def may_stand_beside(one: Part, other: Part) -> bool:
    """May both run at once? Single trials may, and different shards of as many."""
    if isinstance(one, SingleTrial) and isinstance(other, SingleTrial):
        return one != other
    if isinstance(one, Shard) and isinstance(other, Shard):
        return one.count == other.count > 1 and one.index != other.index
    return False


def held_suffixes(study_folder: Path) -> list[str]:
    """Of the parts whose runs are live."""
    suffixes = [lock.name.removeprefix(_LOCK) for lock in study_folder.glob(f"{_LOCK}*")]
    return [suffix for suffix in suffixes if is_held(study_folder, suffix)]


def is_held(study_folder: Path, suffix: str) -> bool:
    """Is a run of this part live, or asked after by somebody at this very moment?"""
    with held(study_folder, suffix) as is_free:
        return not is_free


@contextlib.contextmanager
def held(study_folder: Path, suffix: str) -> Iterator[bool]:
    """The part's lock, without waiting; gives whether it could be had."""
    lock = study_folder / f"{_LOCK}{suffix}"
    if not lock.exists():  # no run of it has ever started; one that does makes it first
        yield True
        return
    try:
        with files.locked(lock, 0.0):
            yield True
    except (Timeout, OSError):
        yield False


def running_keys(study_folder: Path) -> set[str]:
    """Keys that live runs say they are running; the list of a killed run does not count."""
    keys: set[str] = set()
    for file in study_folder.glob(f"{_RUNNING}*"):
        with contextlib.suppress(FileNotFoundError, ValueError):  # the run has just ended
            listed = files.read_within(study_folder, file, _LARGEST).decode().split()
            if listed and _is_held(file.with_name(file.name.replace(_RUNNING, _LOCK))):
                keys.update(listed)
    return keys


def _is_held(lock: Path) -> bool:
    try:
        with files.locked(lock, _PROBE_SECONDS / 2):
            return False
    except Timeout:
        return True
    except OSError as error:
        # Another user's study, where only the list can be read. Who locks, follows no link.
        return isinstance(error, PermissionError)


def _occupied(study_folder: Path, part: Part) -> UserError:
    return UserError(
        f"another `{part.command}` works on {study_folder}; wait for it, or name another --study",
        ExitCode.RESOURCES,
    )
