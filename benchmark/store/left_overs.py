"""What killed runs and merges left behind, and nobody needs."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from benchmark import scratch
from benchmark.store import locks
from benchmark.study.syntax import WHOLE, Part
from benchmark.wording import shortened

_TEMPORARY = ("*.tmp", "trials/*/*.tmp", "pretrained/*/*.tmp", "datasets/*.tmp")
_OURS = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")
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
        if _OURS.fullmatch(file.name) and scratch.is_abandoned(file)
    ]
    own_suffix = own.suffix if own else None
    found += [
        folder
        for folder in sorted(study_folder.glob(f"{locks.TUNE}*"))
        if _suffix(folder) == own_suffix or not locks.is_held(study_folder, _suffix(folder))
    ]
    if own == WHOLE or not locks.held_suffixes(study_folder):
        found += [path for pattern in _SHARED for path in sorted(study_folder.glob(pattern))]
    return found


def remove(paths: list[Path], study_folder: Path, own: Part) -> list[Path]:
    """Delete what `of_study` found; returns what is gone.

    Another part of the grid may have started since: its folder goes only while its lock is held.
    """
    for path in paths:
        if not path.name.startswith(locks.TUNE) or _suffix(path) == own.suffix:
            scratch.remove(path)
            continue
        with locks.held(study_folder, _suffix(path)) as is_free:
            if is_free:
                scratch.remove(path)
    return [path for path in paths if not os.path.lexists(path)]


def _suffix(tune_folder: Path) -> str:
    """Of the part of the grid whose folder it is."""
    return tune_folder.name.removeprefix(locks.TUNE)


def temporary() -> list[Path]:
    """Temporary folders of the tool, and of the Ray that it starts, whose owners are gone."""
    return scratch.abandoned_folders(ray_base())


def ray_base() -> Path:
    """Where Ray's temporary folders lie: short paths, for those of its sockets are within them."""
    return Path(os.environ.get("RAY_TMPDIR", "/tmp"))


def listed(sizes: Mapping[Path, int]) -> str:
    """For people: how much it is, and what."""
    named = shortened([str(path) for path in sizes], _NAMED)
    return f"{len(sizes)} ({sum(sizes.values()) / 2**20:.1f} MiB): {named}"
