"""A card as it is written down: a field a line, with what was found as a remark."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmark.data.draft.look import Found

_ORDER = (
    "readers", "is_volume", "channels", "modalities", "size", "clip", "classes", "mask", "values",
    "mask_channel", "test_share", "unlabelled",
)  # fmt: skip
_ADVICE = {
    "size": "as prepared: [height, width]; a run may take less, not more",
    "classes": "background first; give them their names",
    "modalities": "a file for each channel: how their names end",
    "values": "what masks hold → number of the class",
}


def card(found: Found, path: Path) -> str:
    """The YAML of the card of what lies at the path; every optional field it had no word for last.

    Every line that begins with # is a choice to make, or to delete.
    """
    return "\n".join(_lines(found, path)) + "\n"


def _lines(found: Found, path: Path) -> Iterator[str]:
    yield f"# A card made from {path.name}: check each line; docs/own-dataset.md explains them all."
    yield _line("name", found.fields["name"], "what --datasets takes")
    yield _line("title", "", "for people, as all four of these")
    for name in ("homepage", "terms", "citation"):
        yield _line(name, "", "")
    for name in _ORDER:
        if name in found.fields:
            told = (found.remarks.get(name, ""), _ADVICE.get(name, ""))
            yield _line(name, found.fields[name], "; ".join(filter(None, told)))
    for note in found.notes:
        yield f"# {note}"
    yield "# symmetry: none   # where left and right are classes; flips: no quarter turns"


def _line(name: str, value: Any, remark: str) -> str:
    text = f"{name}: {_yaml(value)}"
    return f"{text:32} # {remark}" if remark else text


def _yaml(value: Any) -> str:
    """In one line; JSON is YAML, but for numbers as keys."""
    if isinstance(value, dict):
        pairs = (f"{_yaml(key)}: {_yaml(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_yaml, value)) + "]"
    if (
        isinstance(value, str)
        and value.replace("_", "").isalnum()
        and yaml.safe_load(value) == value
    ):
        return value
    return json.dumps(value, ensure_ascii=False)
