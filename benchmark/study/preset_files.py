"""Presets as they are written: those of the tool, and a user's own files, read with care.

A file of one's own is a shipped preset (`preset: cpu`, else paper) with other settings. The
`study.yaml` that a study leaves is one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmark.errors import UserError, unknown
from benchmark.study.names import PRESETS, presets
from benchmark.study.syntax import GRID

DEFAULT = "paper"
SIDES = {"size": 2, "patch": 3}
"""Settings whose sides may be given as one number, if all are equal."""
_ENDINGS = (".yaml", ".yml")
_LARGEST = 2**20  # bytes


class Own(NamedTuple):
    """The preset that it is or changes, what a study of it is called, and its own settings."""

    base: str
    name: str
    settings: dict[str, Any]


def texts() -> dict[str, str]:
    """Name → text of each shipped preset; its first line, a comment, says what it is."""
    return {name: (PRESETS / f"{name}.yaml").read_text(encoding="utf-8") for name in presets()}


def read(preset: str) -> Own:
    """Of a name, that preset as it is; of a file, what it says.

    A file that gives no name to the study is called as itself. `UserError` for what is not there,
    and for a file that holds no settings.
    """
    if preset in presets():
        return Own(preset, preset, {})
    if not preset.endswith(_ENDINGS):
        raise unknown("preset", preset, presets(), "bench list presets, or a file NAME.yaml")
    settings = _settings(Path(preset))
    base = settings.pop("preset", DEFAULT)
    if base not in presets():
        raise unknown(f"preset (in {preset})", str(base), presets(), "bench list presets")
    name = settings.pop("name", "") or _named(Path(preset))
    return Own(base, str(name), settings)


def _named(file: Path) -> str:
    return file.absolute().parent.name if file.stem == "study" else file.stem


def _settings(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise UserError(f"no preset at {file}: no such file (bench list presets names the others)")
    content = file.read_bytes()
    try:
        if len(content) > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST} bytes")
        found = yaml.safe_load(content.decode())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UserError(f"preset {file} is not YAML: {error}") from error
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise UserError(f"preset {file} must hold settings, such as training: {{epochs: 20}}")
    return found


def listed(name: str, value: Any) -> Any:
    """Sides, and parts of a grid, that stand as one value in a file: as they would be typed."""
    if name in GRID and value is not None and not isinstance(value, list):
        return GRID[name](str(value))
    is_side = name in SIDES and type(value) is int
    return [value] * SIDES[name] if is_side else value


def dotted(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each setting under its dotted name; an empty group is itself one."""
    for name, value in settings.items():
        if isinstance(value, Mapping) and value:
            yield from dotted(value, f"{prefix}{name}.")
        elif value != {}:
            yield f"{prefix}{name}", value


def as_typed(value: Any) -> str:
    """As Hydra reads it in an override."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w.-]*", value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
