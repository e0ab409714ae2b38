"""The folder of a prepared dataset: there whole or not at all; and what killed work left."""

import contextlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from filelock import Timeout

from benchmark import scratch
from benchmark.data import prepared
from benchmark.data.preparation.assembling import Made
from benchmark.files import locked, replacing, settle, write_atomically

_FORMER = ".old"
_FILES = ("images.npy", "masks.npy", "manifest.json", "tests")


@contextlib.contextmanager
def claimed(name: str, data_root: Path) -> Iterator[None]:
    """Alone with the dataset's folder, and without what killed preparations left beside it."""
    data_root.mkdir(parents=True, exist_ok=True)
    with locked(lock_of(name, data_root)):
        for left in _of_killed(name, data_root):
            _clear_away(left, data_root / name)
        yield


def write(made: Mapping[str, Made], data_root: Path) -> None:
    """Write beside the target, then rename: a killed prepare leaves no half dataset."""
    name = made[""].manifest.name
    target = data_root / name
    new = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=data_root))
    try:
        for further, (manifest, images, masks) in made.items():
            folder = new / prepared.test_set(".", further) if further else new
            folder.mkdir(parents=True, exist_ok=True)
            for file, array in (("images.npy", images), ("masks.npy", masks)):
                with replacing(folder / file) as stream:
                    np.save(stream, array)
            write_atomically(folder / "manifest.json", manifest.model_dump_json(indent=1))
        _share(new, data_root)
        former = new.with_name(f"{new.name}{_FORMER}")
        if target.exists():
            target.rename(former)
        new.rename(target)
        settle(target)
        scratch.remove(former)
    finally:
        scratch.remove(new)


def _share(folder: Path, data_root: Path) -> None:
    """Who may use the data root may use the dataset, whatever the umask of who prepared it."""
    everybody = data_root.stat().st_mode
    for path in (*folder.rglob("*"), folder):
        path.chmod(path.stat().st_mode | everybody & (0o777 if path.is_dir() else 0o666))


def left_overs(data_root: Path) -> list[Path]:
    """What killed preparations left of their work."""
    found = []
    for lock in sorted(data_root.glob(".*.lock")):
        name = lock.name.removeprefix(".").removesuffix(".lock")
        if not re.fullmatch(r"[a-z0-9_]+", name) or not _of_killed(name, data_root):
            continue
        with contextlib.suppress(Timeout, OSError), locked(lock, 0.0):
            found += _of_killed(name, data_root)
    return found


def remove_left_overs(data_root: Path) -> None:
    """Delete them; a dataset that was about to be replaced stays."""
    for path in left_overs(data_root):
        name = path.name.split(".")[1]
        with contextlib.suppress(Timeout, OSError), locked(lock_of(name, data_root), 0.0):
            _clear_away(path, data_root / name)


def lock_of(name: str, data_root: Path) -> Path:
    """The file that whoever prepares the dataset locks."""
    return data_root / f".{name}.lock"


def _of_killed(name: str, data_root: Path) -> list[Path]:
    """Folders beside the dataset; only its preparation, which holds its lock, has such."""
    ours = re.compile(rf"\.{name}\.[a-z0-9_]{{8}}({re.escape(_FORMER)})?")
    return sorted(
        path
        for path in data_root.glob(f".{name}.*")
        if ours.fullmatch(path.name)
        and path.is_dir()
        and not path.is_symlink()
        and all(file.name in _FILES or file.suffix == ".tmp" for file in path.iterdir())
    )


def _clear_away(path: Path, target: Path) -> None:
    """Delete the folder; the former dataset comes back if nothing has taken its place."""
    if path.suffix == _FORMER and not target.exists():
        path.rename(target)
    else:
        scratch.remove(path)
