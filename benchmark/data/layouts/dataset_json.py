"""dataset.json, of nnU-Net (both generations) and the Medical Segmentation Decathlon.

It says which channels and classes there are and, of the older generation, which file is whose mask.
"""

import json
import posixpath
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError
from benchmark.wording import shortened

_NAME = "dataset.json"
_LISTS = {"training": "train", "validation": "val", "test": "test"}


class Listed(NamedTuple):
    """A case that dataset.json names. Paths are in the source; mask: "" if it names none."""

    id: str
    split: str
    images: tuple[str, ...]
    mask: str


class Description(NamedTuple):
    """A dataset.json. where: for messages; folder: its own, with "/" at its end, or ""."""

    where: str
    file: str
    folder: str
    fields: Mapping[str, Any]

    def refusal(self, why: str) -> UserError:
        """The error for what it says."""
        return UserError(f"{self.where}: {why}", ExitCode.DATA)

    @property
    def n_training(self) -> int:
        """How many training cases it counts; 0: it does not say."""
        number = self.fields.get("numTraining")
        is_number = isinstance(number, int) and not isinstance(number, bool)
        return number if is_number and number > 0 else 0

    def text(self, *keys: str) -> str:
        """The first of these fields that is a text, in one line."""
        found = (self.fields.get(key) for key in keys)
        return next((" ".join(v.split()) for v in found if isinstance(v, str) and v.strip()), "")


def find(source: Source) -> Description | None:
    """The dataset.json that lies highest in the source; None if there is none.

    `UserError` if it cannot be read, or several lie there.
    """
    files = [name for name in source.files if posixpath.basename(name).lower() == _NAME]
    if not files:
        return None
    depth = min(name.count("/") for name in files)
    highest = [name for name in files if name.count("/") == depth]
    if len(highest) > 1:
        raise UserError(
            f"{source.path} holds {len(highest)} datasets, {shortened(highest)}: give the folder "
            "of one of them",
            ExitCode.DATA,
        )
    (file,) = highest
    where = f"{file} of {source.path}"
    fields = _read(source.read(file), where)
    folder = posixpath.dirname(file)
    return Description(where, file, f"{folder}/" if folder else "", fields)


def _read(content: bytes, where: str) -> dict[str, Any]:
    """UTF-8 or UTF-16, with or without what marks it; each field at most once."""
    try:
        fields = json.loads(content, object_pairs_hook=_once_each)
    except UnicodeDecodeError as error:
        raise UserError(f"{where} is not UTF-8: save it as such", ExitCode.DATA) from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{where} is no JSON: {error}. JSON has no comments, no brackets ( ), and no comma "
            "after the last field",
            ExitCode.DATA,
        ) from error
    if not isinstance(fields, dict):
        raise UserError(f"{where} is no list of fields, such as labels", ExitCode.DATA)
    return fields


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f'"{twice[0]}" stands there twice')
    return dict(pairs)


def channels(about: Description) -> dict[int, str]:
    """Names of the channels by their numbers, of which the ends of files are made (_0000).

    Empty if it does not say them.
    """
    said = about.fields.get("channel_names", about.fields.get("modality"))
    if isinstance(said, str):
        said = [said]
    if isinstance(said, list):
        said = dict(enumerate(said))
    try:
        found = {int(number): str(name) for number, name in said.items()}
    except (AttributeError, TypeError, ValueError):
        found = {}
    return {} if not found or min(found) < 0 else dict(sorted(found.items()))


def labels(about: Description) -> dict[str, tuple[int, ...]]:
    """Class → the numbers that masks have for it: several where it is a region."""
    said = about.fields.get("labels")
    if not isinstance(said, dict) or not said:
        raise about.refusal('it names no labels, such as {"background": 0, "liver": 1}')
    if all(_number(key) is not None and isinstance(value, str) for key, value in said.items()):
        found = [(name, (_number(number),)) for number, name in said.items()]
    else:
        found = [(name, _numbers(about, name, value)) for name, value in said.items()]
    names = [name for name, _ in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise about.refusal(f'two labels are called "{twice[0]}"')
    return dict(sorted(found, key=lambda label: min(label[1])))


def _numbers(about: Description, name: str, value: object) -> tuple[int, ...]:
    numbers = [_number(one) for one in (value if isinstance(value, list) else [value])]
    if not numbers or None in numbers:
        raise about.refusal(
            f'the label "{name}" is {value!r}: no whole number, and no list of such'
        )
    return tuple(sorted(numbers))


def _number(value: object) -> int | None:
    """A whole number, which may be written as a text; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None


def listed(about: Description) -> list[Listed]:
    """The cases that it names one by one, with their masks; none if the folders say it.

    Of a test set without masks it says nothing here.
    """
    if isinstance(cases := about.fields.get("dataset"), dict) and cases:
        return [_listed(about, case, "train", str(id)) for id, case in cases.items()]
    found = []
    for field, split in _LISTS.items():
        cases = about.fields.get(field)
        for case in cases if isinstance(cases, list) else []:
            if isinstance(case, dict) and (split == "train" or case.get("label")):
                found.append(_listed(about, case, split, ""))
    return list(dict.fromkeys(found))


def _listed(about: Description, case: object, split: str, id: str) -> Listed:
    """id: its name, or "" where that of its image is meant."""
    fields = case if isinstance(case, dict) else {}
    images = fields.get("images", fields.get("image"))
    images = images if isinstance(images, list) else [images]
    mask = fields.get("label", "")
    if not images or not all(isinstance(path, str) and path for path in (*images, mask or "-")):
        raise about.refusal(
            f"a case of its list is {case!r:.100}, and should name its image and label"
        )
    paths = tuple(_path(about, path) for path in images)
    return Listed(id or paths[0], split, paths, _path(about, mask) if mask else "")


def _path(about: Description, path: str) -> str:
    """In the source, of a path that is written from the folder of dataset.json on.

    Of one that begins with somebody's disk or root, folder and name alone.
    """
    path = path.replace("\\", "/").strip()
    if re.match(r"/|[A-Za-z]:/", path):
        path = "/".join(path.split("/")[-2:])
    return posixpath.normpath(about.folder + path)
