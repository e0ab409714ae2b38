"""What the user downloaded, as it is: a folder or a zip, read in the same way."""

import hashlib
import zipfile
from pathlib import Path

from benchmark.errors import ExitCode, UserError

SYNTHETIC = "SYNTHETIC.txt"  # lies beside images that a phantom wrote
_SYNTHETIC = (SYNTHETIC, "INVENTED.txt")  # the second of version 0.1.0
_CLUTTER = (*_SYNTHETIC, "__MACOSX", "Thumbs.db", "desktop.ini")


class Source:
    """Files by their path inside the folder or zip; hidden files and folders are left out."""

    def __init__(self, path: Path):
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        if path.is_dir():
            stats = {
                str(f.relative_to(path).as_posix()): f.stat()
                for f in sorted(path.rglob("*"))
                if f.is_file()
            }
            sizes = {name: (s.st_size, s.st_mtime_ns) for name, s in stats.items()}
        elif path.is_file():
            self._zip = _open_zip(path)
            entries = (i for i in self._zip.infolist() if not i.is_dir())
            members = list(entries)
            # Some tools for Windows write image\\00.png.
            self._member = {i.filename.replace("\\", "/"): i.filename for i in members}
            sizes = {i.filename.replace("\\", "/"): (i.file_size, i.CRC) for i in members}
        else:
            raise UserError(f"no such file or folder: {path}", ExitCode.DATA)
        self.is_synthetic = any(name.endswith(_SYNTHETIC) for name in sizes)
        self._sizes = {name: size for name, size in sizes.items() if not _is_clutter(name)}

    @property
    def files(self) -> list[str]:
        """Paths with forward slashes, sorted."""
        return sorted(self._sizes)

    @property
    def fingerprint(self) -> str:
        """Changes when a file is added, removed, resized or rewritten; reads no content."""
        return hashlib.sha256(repr(sorted(self._sizes.items())).encode()).hexdigest()[:16]

    def read(self, name: str) -> bytes:
        """Content of a file; OSError if it cannot be read, also from a damaged zip."""
        if self._zip is None:
            return (self.path / name).read_bytes()
        try:
            return self._zip.read(self._member[name])
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise OSError(f"damaged in the zip: {error}") from error
        except Exception as error:  # zlib.error is no OSError
            raise OSError(f"cannot be unpacked: {error}") from error


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise UserError(
            f"{path} is not a complete zip file ({path.stat().st_size:,} bytes; {error}). "
            "A download or copy that stopped half-way looks like this: fetch it again, or give "
            "the unpacked folder",
            ExitCode.DATA,
        ) from error


def _is_clutter(name: str) -> bool:
    parts = name.split("/")
    return any(part.startswith(".") or part in _CLUTTER for part in parts)
