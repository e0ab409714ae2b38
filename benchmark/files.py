"""Files: the one way to write them, and where the packaged ones lie. Imports nothing heavy."""

import contextlib
import errno
import hashlib
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from benchmark import scratch
from benchmark.errors import UserError

_PACKAGE = Path(__file__).parent
_LONGEST_LINE = 200  # bytes, more than a label with a checksum has


def packaged(name: str) -> Path:
    """The folder "datasets" or "results/published": the wheel's copy, else the checkout's."""
    copied = _PACKAGE / "_resources" / name
    return copied if copied.is_dir() else _PACKAGE.parent / name


@contextlib.contextmanager
def replacing(file: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become the file's, all or none of them, whatever is killed when.

    A folder that stands in its place is set aside, a link replaced.
    Several hosts may write the same file on shared storage: process ids are not enough to name
    the temporary one.
    """
    temporary = file.with_name(f".{file.name}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with naming(file):
            with temporary.open("wb") as stream:
                scratch.hold(stream)
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
                if file.is_dir() and not file.is_symlink():
                    set_aside(file)
                temporary.replace(file)  # while it is held, or it would seem abandoned
            settle(file.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """An OSError within has this file's name, and its reason.

    A full disk names no file, and NumPy, which calls a short write an error, not even that.
    """
    try:
        yield
    except OSError as error:
        is_short_write = "requested and" in str(error) and "written" in str(error)
        code = error.errno or (errno.ENOSPC if is_short_write else errno.EIO)
        raise OSError(code, os.strerror(code), str(file)) from error


def settle(folder: Path) -> None:
    """Make what was renamed within the folder outlast a loss of power, and the folder itself.

    The fsync of a file keeps its content, not its name.
    """
    _sync(folder)
    _sync(folder.parent)


def settled_copy(source: str, target: str) -> str:
    """`shutil.copy2` whose content outlasts a loss of power, for `shutil.copytree`."""
    shutil.copy2(source, target)
    _sync(Path(target))
    return target


def _sync(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to, but not listed; any on Windows
        return
    try:
        os.fsync(handle)
    except OSError as error:  # some network storage, and Windows, have no such thing
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def is_of_the_disk(error: BaseException | None) -> bool:
    """Is there no room, a quota, or no right to write at all, whoever asks?"""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return isinstance(error, OSError) and error.errno in full


def write_atomically(file: Path, text: str) -> None:
    """The whole text, or what was there before."""
    with replacing(file) as stream:
        stream.write(text.encode())


def write_new(file: Path, text: str) -> None:
    """The text in a file that is not there yet; `UserError` if something is, whatever it is."""
    try:
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise UserError(f"{file} is there already, and is not overwritten") from None
    except FileNotFoundError:
        raise UserError(f"no such folder: {file.parent}") from None


def read_within(folder: Path, file: Path, largest: int) -> bytes:
    """The content of a file below the folder that a stranger may have put there.

    Raises ValueError for what the tool writes nowhere: a link, which could lead out of the folder,
    a folder or a device in the file's place, more bytes than `largest`.
    """
    path = file
    while path != folder:
        if path.is_symlink():
            raise ValueError("a link, and links are not followed")
        path = path.parent
    if file.exists() and not file.is_file():
        raise ValueError("a folder" if file.is_dir() else "no file")
    with file.open("rb") as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"more than {largest} bytes, which no study has there")
    return content


def read_each(folder: Path, name: str, largest: int) -> Iterator[tuple[Path, bytes | ValueError]]:
    """Of each folder within this one, by name: its file of this name, as `read_within` reads it.

    An error in place of what would raise one there; folders without the file are left out. Ten
    thousand take a third of a second.
    """
    if not folder.is_dir():
        return
    is_link = folder.is_symlink()
    with os.scandir(folder) as found:
        inner = sorted(found, key=lambda entry: entry.name)
    for entry in inner:
        path = folder / entry.name
        content = None if is_link or entry.is_symlink() else _plain(f"{entry.path}/{name}", largest)
        if content is None:  # no plain file: is there one at all, and what is wrong with it?
            try:
                content = read_within(folder.parent, path / name, largest)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except ValueError as error:  # what the world does to a file is no damage: it is raised
                content = error
        yield path, content


def _plain(file: str, largest: int) -> bytes | None:
    """The content of a file that is no link and not too large; None of anything else."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            return None
        with open(handle, "rb", closefd=False) as stream:
            return stream.read(found.st_size + 1)
    finally:
        os.close(handle)


def locked(file: Path, timeout: float = -1.0) -> FileLock:
    """A lock on the file, to be held with `with`; raises OSError for a link, which is not followed.

    Who may write into its folder may hold it. timeout: seconds until `filelock.Timeout`; -1 waits.
    """
    if file.is_symlink():
        raise OSError(errno.ELOOP, "a link stands in its place", str(file))
    return FileLock(file, timeout=timeout, mode=file.parent.stat().st_mode & 0o666)


def set_aside(file: Path) -> Path:
    """Rename a damaged file to NAME.damaged, in place of an earlier one; returns that path."""
    target = file.with_name(f"{file.name}.damaged")
    scratch.remove(target)
    return file.replace(target)


class Damaged(Exception):
    """A file is not as it was written."""


def write_sealed(file: Path, content: bytes | memoryview, label: str) -> None:
    """The content behind a line with its checksum and a label of one word."""
    with replacing(file) as stream:
        stream.write(_seal(content, label))
        stream.write(content)


def read_sealed(file: Path) -> tuple[str, bytes]:
    """Label and content; raises `Damaged` if they are not what was written."""
    if file.is_symlink() or (file.exists() and not file.is_file()):
        raise Damaged
    with file.open("rb") as stream:
        line, content = stream.readline(_LONGEST_LINE), stream.read()
    label = line.decode(errors="replace").partition(" ")[0]
    if line != _seal(content, label):
        raise Damaged
    return label, content


def _seal(content: bytes | memoryview, label: str) -> bytes:
    digest = hashlib.sha256(label.encode())
    digest.update(content)
    return f"{label} sha256 {digest.hexdigest()}\n".encode()


def checksum(content: bytes | memoryview) -> str:
    """SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
