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
        """Replace the list; it counts only while the run holds its lock.

        It is for people alone: a disk that takes nothing is told by the job that meets it.
        """
        try:
            write_atomically(self._running, "".join(f"{key}\n" for key in keys))
        except OSError as error:
            if not files.is_of_the_disk(error):
                raise


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
            suffix = lock.name.removeprefix(_LOCK)
            other = part_of_suffix(suffix)
            if lock == own or may_stand_beside(part, other):
                continue
            if is_held(study_folder, suffix, _PROBE_SECONDS / 2):
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


def is_held(study_folder: Path, suffix: str, seconds: float = 0.0) -> bool:
    """Is a run of this part live? Without seconds to wait, also if somebody else asks just now."""
    with held(study_folder, suffix, seconds) as is_ours:
        return not is_ours


@contextlib.contextmanager
def held(study_folder: Path, suffix: str, seconds: float = 0.0) -> Iterator[bool]:
    """The part's lock, if it can be had; gives whether no run of it is live."""
    lock = study_folder / f"{_LOCK}{suffix}"
    with contextlib.ExitStack() as stack:
        is_free = True
        try:
            if lock.exists():  # a run makes it before anything else
                stack.enter_context(files.locked(lock, seconds))
        except (Timeout, PermissionError):  # of another user's study only the list can be read
            is_free = False
        except OSError:  # who locks, follows no link
            pass
        yield is_free


def running_keys(study_folder: Path) -> set[str]:
    """Keys that live runs say they are running; the list of a killed run does not count."""
    keys: set[str] = set()
    for file in study_folder.glob(f"{_RUNNING}*"):
        with contextlib.suppress(FileNotFoundError, ValueError):  # the run has just ended
            listed = files.read_within(study_folder, file, _LARGEST).decode().split()
            suffix = file.name.removeprefix(_RUNNING)
            if listed and is_held(study_folder, suffix, _PROBE_SECONDS / 2):
                keys.update(listed)
    return keys


def _occupied(study_folder: Path, part: Part) -> UserError:
    return UserError(
        f"another `{part.command}` works on {study_folder}; wait for it, or name another --study",
        ExitCode.RESOURCES,
    )
