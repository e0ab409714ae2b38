"""A names file: how datasets and methods are called in a paper, in which order and groups."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.errors import UserError

if TYPE_CHECKING:
    from reports.names import Names

_KEYS = ("datasets", "methods", "groups")
_LARGEST = 2**20  # bytes


def read(file: Path) -> "Names":
    """The names; `UserError` for a file of another form.

    datasets, methods: the study's name → the one that is shown, in the order of the tables; groups:
    the group → the study's names of its methods.
    """
    from reports.names import Names

    content = _content(file)
    if not isinstance(content, dict) or not content:
        raise UserError(f"{file} has to hold some of {', '.join(_KEYS)}; got {content!r}")
    if odd := [key for key in content if key not in _KEYS]:
        raise UserError(f"{file}: no key {odd[0]!r}; there are {', '.join(_KEYS)}")
    datasets, methods = (_texts(file, content, key) for key in ("datasets", "methods"))
    groups = _groups(file, content.get("groups") or {})
    return Names(datasets, methods, groups)


def _content(file: Path) -> Any:
    import yaml

    try:
        with file.open("rb") as stream:
            text = stream.read(_LARGEST).decode("utf-8-sig")
        return yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise UserError(f"the names file {file} cannot be read: {why}") from error


def _texts(file: Path, content: dict[str, Any], key: str) -> dict[str, str]:
    """Name → name; no two are shown alike."""
    found = content.get(key) or {}
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(shown, str) and shown.strip()
        for name, shown in found.items()
    ):
        raise UserError(
            f"{file}: {key} has to be a mapping of the study's names to those that are shown, such "
            f"as {{glas: GlaS}}; got {found!r}"
        )
    twice = [shown for shown, n in Counter(found.values()).items() if n > 1]
    if twice:
        raise UserError(f"{file}: two {key} would be shown as {twice[0]!r}")
    return {name: shown.strip() for name, shown in found.items()}


def _groups(file: Path, found: Any) -> dict[str, tuple[str, ...]]:
    """Group → methods; none in two groups."""
    if not isinstance(found, dict) or not all(
        isinstance(members, list) and all(isinstance(name, str) for name in members)
        for members in found.values()
    ):
        raise UserError(
            f"{file}: groups has to be a mapping of groups to lists of methods, such as "
            f"{{Consistency: [mean_teacher, uamt]}}; got {found!r}"
        )
    counts = Counter(name for members in found.values() for name in members)
    if twice := [name for name, n in counts.items() if n > 1]:
        raise UserError(f"{file}: {twice[0]} stands in several groups")
    return {str(group): tuple(members) for group, members in found.items()}
