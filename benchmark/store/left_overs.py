"""What killed runs and merges left behind, and nobody needs."""

import os
from pathlib import Path

from benchmark import scratch
from benchmark.store import locks
from benchmark.study.syntax import Part

_TEMPORARY = ("*.tmp", "trials/*/*.tmp", "pretrained/*/*.tmp")
_NAMED = 3
_SHARED = (".merging", ".token-*")


def of_study(study_folder: Path, own: Part | None = None) -> list[Path]:
    """Half-written files, Tune's folders and half-copied trials whose owners are gone.

    own: what the caller holds of the study, and has not begun to work on.
    """
    found = [
        file
        for pattern in _TEMPORARY
        for file in sorted(study_folder.glob(pattern))
        if scratch.is_abandoned(file)
    ]
    held = locks.held_suffixes(study_folder) - {own and own.suffix}
    found += [
        folder
        for folder in sorted(study_folder.glob(f"{locks.TUNE}*"))
        if folder.name.removeprefix(locks.TUNE) not in held
    ]
    if not held:
        found += [path for pattern in _SHARED for path in sorted(study_folder.glob(pattern))]
    return found


def temporary() -> list[Path]:
    """Temporary folders of the tool, and of the Ray that it starts, whose owners are gone."""
    return scratch.abandoned_folders(ray_base())


def ray_base() -> Path:
    """Where Ray's temporary folders lie: short paths, for those of its sockets are within them."""
    return Path(os.environ.get("RAY_TMPDIR", "/tmp"))


def listed(paths: list[Path]) -> str:
    """For people: how much it is, and what."""
    size = sum(map(scratch.size_of, paths)) / 2**20
    named = ", ".join(map(str, paths[:_NAMED])) + (" …" if len(paths) > _NAMED else "")
    return f"{len(paths)} ({size:.1f} MiB): {named}"
