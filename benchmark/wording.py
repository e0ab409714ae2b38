"""Words and numbers for people."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def counted(n: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{n} {noun}{'s' * (n != 1)}"


def percent(share: float) -> str:
    """0.05 → "5 %"."""
    return f"{100 * share:.10g} %"


def times(sides: Iterable[int]) -> str:
    """(128, 96) → 128×96."""
    return "×".join(map(str, sides))


def shortened(names: Sequence[str], shown: int = 3) -> str:
    """a, b, c and 4 more."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(name or "the top folder" for name in names[:shown]) + more


def command(*words: object) -> str:
    """A command line as a shell reads it."""
    return shlex.join(map(str, words))


def without_formula(value: Any) -> Any:
    """A text for a field of a CSV: spreadsheet programs run what begins like a formula."""
    is_text = isinstance(value, str) and len(value) > 1
    is_formula = is_text and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def printable(value: Any) -> Any:
    """Text, also within lists and mappings, without what steers a terminal; lines stay lines."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c == "\n" else " " for c in value)
    if isinstance(value, Mapping):
        return {printable(name): printable(inner) for name, inner in value.items()}
    return [printable(inner) for inner in value] if isinstance(value, list) else value
