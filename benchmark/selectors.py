"""How parts of a grid are written on the command line: variants, seeds, ratios."""

import json
from typing import Any

from benchmark.errors import UserError


def parse_variant(text: str) -> tuple[str, dict[str, Any]]:
    """`cps[weight=0.5]` → ("cps", {"weight": 0.5}); values are read as JSON, else as words."""
    method, bracket, inside = text.strip().partition("[")
    if bracket and not inside.endswith("]"):
        raise UserError(f"a variant is written method[name=value,…], got {text!r}")
    changes = {}
    for part in filter(None, inside.removesuffix("]").split(",")):
        name, equals, value = part.partition("=")
        if not (name.strip() and equals and value.strip()):
            raise UserError(f"a variant is written method[name=value,…], got {text!r}")
        changes[name.strip()] = _value(value.strip())
    return method.strip(), changes


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def split_outside_brackets(text: str) -> list[str]:
    """`a,b[x=1,y=2]` → ["a", "b[x=1,y=2]"]."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def parse_seeds(text: str) -> list[int]:
    """`10` → seeds 0 … 9; `0-4,7` → [0, 1, 2, 3, 4, 7]; `7,` → [7]."""
    mistake = UserError(
        f'seeds are a number of seeds ("10") or a list ("0-4,7", "7,"), got {text!r}'
    )
    try:
        if text.strip().isdigit():
            seeds = list(range(int(text)))
        else:
            seeds = []
            for part in filter(None, text.replace(" ", "").split(",")):
                first, dash, last = part.partition("-")
                seeds += range(int(first), int(last if dash else first) + 1)
    except ValueError:
        raise mistake from None
    if not seeds:
        raise mistake
    return list(dict.fromkeys(seeds))


def parse_ratios(text: str) -> list[float]:
    """`1,5,20` (percent) → [0.01, 0.05, 0.2]."""
    try:
        percents = [float(part.strip().removesuffix("%")) for part in text.split(",")]
    except ValueError:
        raise UserError(
            f'ratios are percentages of labelled images, such as "1,2,5,10,20", got {text!r}'
        ) from None
    return [round(value / 100, 12) for value in percents]
