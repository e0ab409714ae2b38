"""Published lists of cases: who is labelled, trained on and tested in the field's own splits.

Each is a text file under `datasets/lists/<dataset>/`: lines "# key: value" about it, then an id a
line. Only ids are kept, which are facts; a file works with `--labels list:FILE` as well.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmark import files

_REMARK = "# "


@dataclass(frozen=True)
class PublishedList:
    """A list, and what is known of it."""

    dataset: str
    """Name of the card whose cases it names."""
    name: str
    what: str
    """Such as "the 7 labelled patients"."""
    of: str
    """The data, in words."""
    repositories: int
    """In how many of those that were read it stands, equal, or as a part of a list that does."""
    sources: tuple[str, ...]
    """repository@commit:path."""
    derived_from: str
    """Of which list that has sources it is a part; "" of others."""
    caveats: tuple[str, ...]
    """What is wrong with it, or easily mistaken."""
    sha1: str
    ids: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Are the ids those of which the hash was taken (UTF-8, each with a line end)?"""
        text = "".join(f"{id}\n" for id in self.ids)
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() == self.sha1


def datasets() -> list[str]:
    """Names of the datasets of which there are lists."""
    return sorted(folder.name for folder in _folder().iterdir() if folder.is_dir())


def names(dataset: str) -> list[str]:
    """Those of a dataset."""
    return sorted((file.stem for file in (_folder() / dataset).glob("*.txt")), key=_natural)


def find(dataset: str, name: str) -> PublishedList | None:
    """The list of that name; None if there is none."""
    return _read(dataset, name) if name in names(dataset) else None


def _folder() -> Path:
    return files.packaged("datasets") / "lists"


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """ssl4mis-3 before ssl4mis-14, and both before ssl4mis-test."""
    numbers = (re.fullmatch(r"(\d+)(p?)", part) or part for part in name.split("-"))
    return [(True, 0, n) if isinstance(n, str) else (False, int(n[1]), n[2]) for n in numbers]


@cache
def _read(dataset: str, name: str) -> PublishedList:
    lines = (_folder() / dataset / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    said: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(_REMARK):
            key, _, value = line.removeprefix(_REMARK).partition(": ")
            said.setdefault(key, []).append(value)
    return PublishedList(
        dataset,
        name,
        what=said["what"][0],
        of=said["of"][0],
        repositories=int(said["repositories"][0]),
        sources=tuple(said.get("source", ())),
        derived_from=said.get("derived from", [""])[0],
        caveats=tuple(said.get("caveat", ())),
        sha1=said["sha1"][0],
        ids=tuple(line for line in lines if not line.startswith(_REMARK)),
    )
