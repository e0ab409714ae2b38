"""How parts of a grid are written on the command line: variants, seeds, ratios."""

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from benchmark.errors import UserError

_T = TypeVar("_T")


class Shard(NamedTuple):
    """One of equal parts of a grid, counted from 1."""

    index: int = 1
    count: int = 1

    def of(self, items: Sequence[_T]) -> list[_T]:
        """Its part, dealt out like cards.

        Each round starts one shard later: the variants of a grid recur, so with as many shards as
        variants one shard would else get all trials of the dearest method.
        """
        return [x for p, x in enumerate(items) if (p + p // self.count) % self.count + 1 == self[0]]

    @property
    def suffix(self) -> str:
        """For the names of files that each shard has of its own; "" for a whole grid."""
        return f"-{self.index}-of-{self.count}" if self.count > 1 else ""


WHOLE = Shard()


class Cell(NamedTuple):
    """One trial of a grid, run by itself."""

    key: str

    @property
    def suffix(self) -> str:
        """As of `Shard`."""
        return f"-cell-{self.key}"


def parse_shard(text: str) -> Shard:
    """`2/8` → the second of eight."""
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0)
    if not 1 <= shard.index <= shard.count:
        raise UserError(
            f'--shard is i/n, the i-th of n parts, counted from 1, such as "2/8"; got {text!r}'
        )
    return shard


class Variant(NamedTuple):
    """A variant as it was typed."""

    method: str
    words: list[str]
    """Names of bundles."""
    changes: dict[str, Any]


def parse_variant(text: str) -> Variant:
    """`ours[paper,rounds=3]` → the method, the word "paper", {"rounds": 3}.

    Values are read as JSON, else as words.
    """
    method, bracket, inside = text.strip().partition("[")
    mistake = UserError(f"a variant is written method[name=value,…], got {text!r}")
    if bracket and not inside.endswith("]"):
        raise mistake
    words, changes = [], {}
    for part in filter(None, inside.removesuffix("]").split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not name or bool(equals) != bool(value):
            raise mistake
        if equals:
            changes[name] = _value(value)
        else:
            words.append(name)
    return Variant(method.strip(), words, changes)


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
