"""Temporary files and folders, made so that a later start can tell whether their owner lives.

The owner holds a lock on what it makes; the system lets it go when the owner dies, however it dies.
Where a file system has no locks, age decides.
"""

import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_PREFIX = "bench-"
_OWNER = ".owner"
_OLD_SECONDS = 3600.0
_YOUNG_SECONDS = 60.0
_UNHURRIED = os.O_RDWR | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
"""Opens a pipe without waiting, and follows no link: the places are shared."""


def hold(stream: IO) -> None:
    """Own the opened file until it is closed, or this process is gone."""
    if fcntl is not None:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_abandoned(file: Path) -> bool:
    """Is the temporary file's owner gone? False for what is no file, or another user's."""
    try:
        descriptor = os.open(file, _UNHURRIED)
    except OSError:
        return False
    try:
        found = os.fstat(descriptor)
        age = time.time() - found.st_mtime
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
            return False
        if not found.st_size and age < _YOUNG_SECONDS:
            return False  # opened, and perhaps not yet held
        if fcntl is None:
            return age > _OLD_SECONDS
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return age > _OLD_SECONDS
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def folder(purpose: str, base: Path | None = None) -> Iterator[Path]:
    """A temporary folder, removed at the end. base: the system's place for such, if None."""
    made = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-", dir=base))
    try:
        with (made / _OWNER).open("wb") as owner:
            hold(owner)
            owner.write(b"held while its owner lives\n")
            owner.flush()
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def holds(file: str) -> bool:
    """Does, or did, the file lie in a folder that `folder` makes in the system's place?"""
    place = tempfile.tempdir  # where it was looked for; to look again could fail
    return place is not None and file.startswith(os.path.join(place, _PREFIX))


def abandoned_folders(*bases: Path) -> list[Path]:
    """Folders that `folder` made and whose owner was killed, in the system's place and in these."""
    places = dict.fromkeys([Path(tempfile.gettempdir()), *bases])
    found = [made for place in places for made in sorted(place.glob(f"{_PREFIX}*-*"))]
    return [made for made in found if not made.is_symlink() and is_abandoned(made / _OWNER)]


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; what goes away meanwhile counts nothing."""
    files = [str(path)] if path.is_symlink() or not path.is_dir() else []
    for folder, _, names in os.walk(path):  # which passes over what goes away
        files += [os.path.join(folder, name) for name in names]
    total = 0
    for file in files:
        with contextlib.suppress(OSError):
            total += os.lstat(file).st_size
    return total


def remove(path: Path) -> None:
    """Delete a file, a link or a whole folder, if that can be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        path.unlink()
