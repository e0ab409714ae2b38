"""What the user downloaded, as it is: a folder, a zip or a tar, read in the same way."""

import bz2
import contextlib
import errno
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property, partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from benchmark.data.arrays import Arrays
from benchmark.errors import ExitCode, UserError

SYNTHETIC = "SYNTHETIC.txt"  # lies beside images that a phantom wrote
_SYNTHETIC = (SYNTHETIC, "INVENTED.txt")  # the second of version 0.1.0
_CLUTTER = (*_SYNTHETIC, "__MACOSX", "Thumbs.db", "desktop.ini")
_ZIPS = (".zip", ".npz")  # the second of NumPy
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".npz")
_PACKED = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
_BLOCK = 512  # bytes: tars consist of such, and end with one of zeros
_DAMAGED = (EOFError, ValueError, zlib.error, lzma.LZMAError)


class _Entry(NamedTuple):
    """stamp: changes when the file is rewritten; objection: why it cannot be read, or ""."""

    stamp: tuple[int | str, ...]
    opened: Callable[[], AbstractContextManager[BinaryIO]]
    objection: str = ""


class Source:
    """Files by their path inside the folder or archive; hidden files and folders are left out.

    Links of a folder are followed. What cannot be read (a broken link, a pipe, a link inside an
    archive) is listed like a file: only who reads it learns why not.
    """

    def __init__(self, path: Path):
        self.path = path
        entries: dict[str, _Entry] = {}
        for name, entry in _entries(path):
            if name in entries and path.suffix.lower() in _ZIPS:  # a tar's last one replaces
                raise UserError(
                    f"{path} holds {name} twice: unpack it, and keep one", ExitCode.DATA
                )
            entries[name] = entry
        self.is_synthetic = any(name.endswith(_SYNTHETIC) for name in entries)
        self._entries = {name: one for name, one in entries.items() if not _is_clutter(name)}

    @property
    def files(self) -> list[str]:
        """Paths with forward slashes, sorted."""
        return sorted(self._entries)

    @property
    def fingerprint(self) -> str:
        """Changes when a file is added, removed, resized or rewritten; reads no content."""
        stamps = sorted((name, one.stamp) for name, one in self._entries.items())
        return hashlib.sha256(repr(stamps).encode()).hexdigest()[:16]

    @property
    def unreadable(self) -> list[str]:
        """Files that cannot be read, each with the reason."""
        entries = sorted(self._entries.items())
        return [f"{name} {entry.objection}" for name, entry in entries if entry.objection]

    def read(self, name: str) -> bytes:
        """Content of a file; OSError if it cannot be read, also from a damaged archive."""
        with self.opened(name) as stream:
            return stream.read()

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A file as a stream, for what need not lie in memory twice; OSError as of `read`."""
        entry = self._entries[name]
        if entry.objection:
            raise OSError(f"{name} {entry.objection}")
        with entry.opened() as stream:
            yield stream

    @cached_property
    def arrays(self) -> Arrays:
        """Of its .npy files."""
        return Arrays(self.opened)


def _entries(path: Path) -> Iterator[tuple[str, _Entry]]:
    if path.is_dir():
        return _in_folder(path, "", frozenset(map(_identity, path.resolve().parents)))
    if not path.exists():
        raise UserError(f"no such file or folder: {path}", ExitCode.DATA)
    if path.is_file() and _is_tar(path):
        return _in_tar(path)
    if path.is_file() and (path.suffix.lower() in _ZIPS or zipfile.is_zipfile(path)):
        return _in_zip(path)
    if path.is_file() and path.name.lower().endswith(_ARCHIVES):
        raise _incomplete(path, "tar", "it does not begin as one")
    raise UserError(
        f"{path} is neither a folder nor an archive ({', '.join(_ARCHIVES)}): give the folder in "
        "which the images and masks lie",
        ExitCode.DATA,
    )


def _in_folder(
    folder: Path, above: str, parents: frozenset[tuple[int, int]]
) -> Iterator[tuple[str, _Entry]]:
    """Files below the folder, linked ones too; a link to one of its parents is not followed."""
    if _identity(folder) in parents:
        return
    for file in sorted(folder.iterdir()):
        name = above + file.name
        try:
            about = file.stat()
        except OSError as error:
            if not file.is_symlink():
                raise
            target = os.readlink(file)
            why = f"is a broken link, to {target} ({error.strerror}): put the file in its place"
            yield name, _Entry((target,), partial(file.open, "rb"), why)
            continue
        if not stat.S_ISDIR(about.st_mode):
            why = "" if stat.S_ISREG(about.st_mode) else "is a pipe, socket or device, no file"
            stamp = (about.st_size, about.st_mtime_ns)
            yield name, _Entry(stamp, partial(file.open, "rb"), why)
        elif not _is_clutter(file.name):
            yield from _in_folder(file, f"{name}/", parents | {_identity(folder)})


def _identity(folder: Path) -> tuple[int, int]:
    about = folder.stat()
    return about.st_dev, about.st_ino


def _in_zip(path: Path) -> Iterator[tuple[str, _Entry]]:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _incomplete(path, "zip", error) from error
    for member in archive.infolist():
        name = member.filename.replace("\\", "/")  # some tools for Windows write image\00.png
        if name.endswith("/"):
            continue
        if member.flag_bits & 1:
            raise UserError(
                f"{path} is encrypted ({name} needs a password): unpack it, and give the folder",
                ExitCode.DATA,
            )
        is_link = stat.S_ISLNK(member.external_attr >> 16)
        why = "is a link inside the zip: give the unpacked folder" if is_link else _leaving(name)
        opened = partial(_from_zip, archive, member)
        yield _plain(name), _Entry((member.file_size, member.CRC), opened, why)


@contextlib.contextmanager
def _from_zip(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[BinaryIO]:
    try:
        with archive.open(member) as stream:
            yield stream
    except (zipfile.BadZipFile, *_DAMAGED) as error:
        raise OSError(f"damaged in the zip: {error}") from error
    except (NotImplementedError, RuntimeError) as error:  # such as Deflate64, of Windows
        raise OSError(f"cannot be unpacked: {error} (give the unpacked folder)") from error


def _in_tar(path: Path) -> Iterator[tuple[str, _Entry]]:
    stream = _unpacked(path)
    try:
        archive = tarfile.TarFile(fileobj=stream)
        members = archive.getmembers()
        # Past its first header, tarfile takes whatever is no header for the end.
        stream.seek(archive.offset)
        if stream.read(_BLOCK) != bytes(_BLOCK):
            raise tarfile.ReadError("it does not end as one")
    except tarfile.TarError as error:
        raise _incomplete(path, "tar", error) from error
    changed = path.stat().st_mtime_ns
    for member in members:
        if not member.isdir():
            why = _leaving(member.name)
            if member.islnk() or member.issym():
                why = f"is a link inside the tar, to {member.linkname}: give the unpacked folder"
            elif not member.isreg():
                why = "is a pipe or device, no file"
            opened = partial(_from_tar, archive, member)
            yield _plain(member.name), _Entry((member.size, member.mtime, changed), opened, why)


@contextlib.contextmanager
def _from_tar(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[BinaryIO]:
    try:
        with archive.extractfile(member) as stream:
            yield stream
    except tarfile.TarError as error:
        raise OSError(f"damaged in the tar: {error}") from error


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except _DAMAGED:  # in its first block
        return False


def _unpacked(path: Path) -> BinaryIO:
    """The plain tar: a compressed one is unpacked once, for nobody can go back and forth in it."""
    with path.open("rb") as stream:
        start = stream.read(6)
    unpack = next((unpack for magic, unpack in _PACKED.items() if start.startswith(magic)), None)
    if unpack is None:
        return path.open("rb")
    plain = tempfile.TemporaryFile()  # noqa: SIM115  (gone when nobody holds it)
    try:
        with unpack(path) as stream:
            shutil.copyfileobj(stream, plain, 1 << 20)
    except _DAMAGED as error:
        raise _incomplete(path, "tar", error) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise UserError(
                f"{path} does not fit into {tempfile.gettempdir()} when it is unpacked: set TMPDIR "
                "to a folder with more room, or give the unpacked folder",
            ) from error
        if error.errno is None:  # of gzip and bz2, not of the disk
            raise _incomplete(path, "tar", error) from error
        raise
    plain.seek(0)
    return plain


def _incomplete(path: Path, kind: str, why: object) -> UserError:
    return UserError(
        f"{path} is not a complete {kind} file ({path.stat().st_size:,} bytes; {why}). "
        "A download or copy that stopped half-way looks like this: fetch it again, or give "
        "the unpacked folder",
        ExitCode.DATA,
    )


def _leaving(name: str) -> str:
    is_outside = name.startswith("/") or ".." in name.split("/")
    return "leads out of the archive by its name: give the unpacked folder" if is_outside else ""


def _plain(name: str) -> str:
    """Without what says nothing: ./image/00.png is image/00.png."""
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _is_clutter(name: str) -> bool:
    parts = [part for part in name.split("/") if part != ".."]
    return any(part.startswith(".") or part in _CLUTTER for part in parts)
