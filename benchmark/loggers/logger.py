"""What a logger is told of a job, and what the tool asks of it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from jaxtyping import UInt8
from numpy import ndarray

from benchmark.store import layout


class About(NamedTuple):
    """The job whose curves they are."""

    key: str
    label: str
    settings: Mapping[str, Any]
    """What could change its numbers; values may be nested."""
    study: str
    study_folder: Path


class Place(NamedTuple):
    """How far a logger came."""

    run: str = ""
    """By which it finds again what it has begun; "" begins anew."""
    step: int = 0
    """The last one that it was given."""


class Logger(Protocol):
    """One job's curves in one program. Whatever it raises switches it off, and nothing else."""

    def __init__(self, about: About, place: Place): ...

    @property
    def run(self) -> str:
        """As of `Place`."""

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Finite values at a step; the part of a name before "/" is its group."""

    def show(self, step: int, pictures: Mapping[str, UInt8[ndarray, "_ _ 3"]]) -> None: ...

    def end(self, step: int, results: Mapping[str, float], is_done: bool) -> None:
        """No more comes. results: finite numbers of the record; is_done: else the job failed."""


def folder_of(name: str, about: About) -> Path:
    """The logger's folder in the study, made; OSError where links would lead out of it."""
    folder = layout.logs(about.study_folder, name)
    for path in (folder.parent, folder):
        if path.is_symlink():
            raise OSError(f"{path} is a link, and links in a study are not followed")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings by dotted names, as they are typed."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        inner = isinstance(value, Mapping)
        found |= flat(value, f"{prefix}{name}.") if inner else {f"{prefix}{name}": value}
    return found


def from_environment(name: str, otherwise: str) -> str:
    """What the user set for the program; an empty text is none."""
    return os.environ.get(name) or otherwise
