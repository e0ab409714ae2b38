"""How parts of a grid are typed and named: variants, seeds, shards (budgets: `data.split`)."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple, TypeVar

from benchmark.data.split.budget import parse_budgets
from benchmark.data.split.roles import Fold
from benchmark.errors import UserError

ALL = "all"
"""Every method, or every prepared dataset."""

SEEDS = ("seed", "subset_seed")
"""Settings in which the trials of one configuration differ."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Variant:
    """A method with some of its hyper-parameters changed, as it is typed and named."""

    method: str
    bundles: tuple[str, ...] = ()
    """Words that set several hyper-parameters together."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameter → value."""

    @classmethod
    def parse(cls, text: str) -> "Variant":
        """`ours[paper,rounds=3]` → ours, the bundle paper, rounds: 3.

        Values are read as JSON, else as words. Raises `UserError` for what is written otherwise.
        """
        method, bracket, inside = text.strip().partition("[")
        mistake = UserError(f"a variant is written method[name=value,…], got {text!r}")
        if (bracket and not inside.endswith("]")) or "=" in method:
            raise mistake
        bundles: list[str] = []
        changes: dict[str, Any] = {}
        for part in filter(None, inside.removesuffix("]").split(",")):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not name or bool(equals) != bool(value):
                raise mistake
            if equals:
                changes[name] = value_of(value)
            else:
                bundles.append(name)
        return cls(method.strip(), tuple(bundles), changes)

    def with_change(self, name: str, value: Any) -> "Variant":
        """The same with one more hyper-parameter changed."""
        return Variant(self.method, self.bundles, {**self.changes, name: value})

    @property
    def name(self) -> str:
        """As it can be typed."""
        changes = [f"{name}={typed(value)}" for name, value in self.changes.items()]
        inside = ",".join([*self.bundles, *changes])
        return f"{self.method}[{inside}]" if inside else self.method


def value_of(text: str) -> Any:
    """A value as it is typed: JSON, else a word."""
    if text in ("True", "False"):  # as Python has them
        return text == "True"
    if re.fullmatch(r"-?\.\d+", text):  # .5, which JSON does not have
        return float(text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def typed(value: Any) -> str:
    """A value as it is written inside a variant's brackets, and read from there."""
    if value is None:
        return "null"
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"


def trial_name(
    variant: str, dataset: str, budget: str, seed: int | str, fold: Fold | None = None
) -> str:
    """For people: cps/glas/5 %/seed 3, cps/glas/5 %/seed 3/fold 2/5."""
    return f"{variant}/{dataset}/{budget}/seed {seed}" + (f"/{fold}" if fold else "")


def seed_name(seed: int, subset_seed: int | None) -> str:
    """3; or "3, subset 1" where the labelled subset has a seed of its own."""
    return f"{seed}" if subset_seed is None else f"{seed}, subset {subset_seed}"


def varied(seeds: Sequence[int], vary: str) -> list[tuple[int, int | None]]:
    """(seed of weights and order, seed of the labelled subset or None where it is the same).

    vary: all, of both together; subset or weights, the other one staying at the first seed; cross,
    every subset with every seed of weights, those of fewer seeds first.
    """
    seeds = list(dict.fromkeys(seeds))
    first = seeds[0]
    if vary == "cross":
        pairs = sorted(product(range(len(seeds)), repeat=2), key=lambda p: (max(p), p))
        found = [(seeds[i], seeds[j]) for i, j in pairs]
    else:
        found = [
            (first if vary == "subset" else s, first if vary == "weights" else s) for s in seeds
        ]
    return [(seed, None if subset == seed else subset) for seed, subset in found]


class Shard(NamedTuple):
    """One of equal parts of a grid, counted from 1."""

    index: int = 1
    count: int = 1

    def of(self, items: Sequence[_T]) -> list[_T]:
        """Its part, dealt out like cards.

        Each round starts one shard later: the variants of a grid recur, so with as many shards as
        variants one shard would else get all trials of the dearest method.
        """
        found = []
        for position, item in enumerate(items):
            turn, place = divmod(position, self.count)
            if (place + turn) % self.count == self.index - 1:
                found.append(item)
        return found

    @property
    def is_whole(self) -> bool:
        return self.count == 1

    @property
    def suffix(self) -> str:
        """For the names of files that each shard has of its own; "" for a whole grid."""
        return "" if self.is_whole else f"-{self.index}-of-{self.count}"

    @property
    def command(self) -> str:
        """The run, as it was typed."""
        return "bench run" if self.is_whole else f"bench run --shard {self.index}/{self.count}"


WHOLE = Shard()


class SingleTrial(NamedTuple):
    """One trial of a grid, run by itself."""

    key: str

    @property
    def suffix(self) -> str:
        """As of `Shard`."""
        return f"-trial-{self.key}"

    @property
    def command(self) -> str:
        """As of `Shard`."""
        return f"bench run --trial {self.key}"


Part = Shard | SingleTrial


def part_of_suffix(suffix: str) -> Part:
    """The part with this suffix; of another form, the whole grid."""
    if found := re.fullmatch(r"-(\d+)-of-(\d+)", suffix):
        return Shard(int(found[1]), int(found[2]))
    if found := re.fullmatch(r"-trial-(\w+)", suffix):
        return SingleTrial(found[1])
    return WHOLE


def parse_shard(text: str) -> Shard:
    """`2/8` → the second of eight."""
    found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
    shard = Shard(int(found[1]), int(found[2])) if found else Shard(0)
    if not 1 <= shard.index <= shard.count:
        raise UserError(
            f'--shard must be i/n, part i of n, counted from 1, such as "2/8"; got {text!r}'
        )
    return shard


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


def typed_seeds(seeds: Iterable[int]) -> str:
    """As `--seeds` reads them: 0, 1, 2 → "3"; 0, 1, 4 → "0-1,4"; 7 → "7,"."""
    found = sorted(set(map(int, seeds)))
    if found == list(range(len(found))):
        return str(len(found))
    text = ",".join(_run(run) for run in _runs(found))
    return text if "," in text or "-" in text else f"{text},"


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Ascending numbers, those that follow each other together."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _run(run: Sequence[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"


GRID: Mapping[str, Callable[[str], list[Any]]] = {
    "methods": split_outside_brackets,
    "datasets": split_outside_brackets,
    "labels": parse_budgets,
    "seeds": parse_seeds,
    "also_test": split_outside_brackets,
}
"""Part of a grid → what reads it as it is typed."""
