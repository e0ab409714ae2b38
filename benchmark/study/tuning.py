"""Tuning: from values to tries, from their scores to a choice. Pure; what runs them is elsewhere.

Every method gets as many tries as any other, or all of its combinations where these are fewer.
"""

import math
import statistics
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any, NamedTuple

from benchmark.data.split.draw import ranked
from benchmark.errors import UserError
from benchmark.keys import plain
from benchmark.study.syntax import Variant, split_outside_brackets, value_of

METRIC = "dc_pooled"
"""What a try is scored by, at the final step: what tables show unless told otherwise."""
_MOST = 100_000  # combinations


@dataclass(frozen=True)
class Search:
    """What is compared, and how often."""

    methods: list[Variant]
    """The variants that are tuned: a method, or one with some hyper-parameters fixed."""
    over: dict[str, list[Any]] = field(default_factory=dict)
    """Hyper-parameter → its values."""
    tries: int = 8
    draw: int = 0
    """Seed of the draw where there are more combinations than tries."""


def parse_over(texts: Iterable[str]) -> dict[str, list[Any]]:
    """["weight=.1,1", "rounds=3"] → {"weight": [0.1, 1], "rounds": [3]}."""
    over: dict[str, list[Any]] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        parts = split_outside_brackets(values)
        if not (equals and name.strip() and parts):
            raise UserError(
                f'--over is a hyper-parameter and its values, such as "weight=.1,1", got {text!r}'
            )
        if name.strip() in over:
            raise UserError(f"--over {name.strip()} was given twice: put all values into one")
        over[name.strip()] = list(dict.fromkeys(map(value_of, parts)))
    return over


def tries_of(base: Variant, search: Search, known: Collection[str]) -> list[Variant]:
    """The tries of a method, in the order of the values; drawn by hash if there are too many.

    known: its hyper-parameters. Others are left out of its tries; with none of them there is one.
    """
    own = {name: values for name, values in search.over.items() if name in known}
    if fixed := sorted(own.keys() & base.changes.keys()):
        raise UserError(f"{base.name} fixes {', '.join(fixed)}, which --over varies: give it once")
    if (n := math.prod(map(len, own.values()))) > _MOST:
        raise UserError(f"--over has {n} combinations for {base.name}, and may have {_MOST}")
    every = [
        Variant(base.method, base.bundles, {**base.changes, **dict(zip(own, values, strict=True))})
        for values in product(*own.values())
    ]
    if len(every) <= search.tries:
        return every
    drawn = set(ranked((v.name for v in every), "tries", search.draw)[: search.tries])
    return [variant for variant in every if variant.name in drawn]


def notes(search: Search, known: Mapping[str, Collection[str]]) -> list[str]:
    """What is not as equal as it was asked for. known: hyper-parameters of each method."""
    lines = []
    for name in search.over:
        if not any(name in known[base.method] for base in search.methods):
            methods = ", ".join(base.name for base in search.methods)
            raise UserError(f"--over {name}: none of {methods} has it (bench list methods -v)")
    for base in search.methods:
        n = len(tries_of(base, search, known[base.method]))
        lacking = [name for name in search.over if name not in known[base.method]]
        if lacking or n < search.tries:
            without = f" has no {', '.join(lacking)}" if lacking else ""
            lines.append(
                f"{base.name}{without}: {n} of {search.tries} tries, all of its combinations"
                if n < search.tries
                else f"{base.name}{without}: {n} tries all the same"
            )
    return lines


class Score(NamedTuple):
    """Of a try: over seeds, each the mean over its folds; of one seed over its folds."""

    units: dict[str, float]
    """Seed ("seed 0"), or fold ("fold 1/5") → its score."""

    @property
    def mean(self) -> float:
        """NaN without units."""
        return statistics.fmean(self.units.values()) if self.units else math.nan

    @property
    def standard_deviation(self) -> float:
        """Of the units, ddof 1; NaN of fewer than two."""
        return statistics.stdev(self.units.values()) if len(self.units) > 1 else math.nan


def scored(found: Iterable[tuple[int, str, float]]) -> Score:
    """Of (seed, what was evaluated, score); no number counts where a fold has nothing to find."""
    of_seeds: dict[int, dict[str, float]] = {}
    for seed, evaluated, score in found:
        if math.isfinite(score):
            of_seeds.setdefault(seed, {})[evaluated] = score
    if len(of_seeds) == 1:
        return Score(next(iter(of_seeds.values())))
    return Score({f"seed {s}": statistics.fmean(own.values()) for s, own in of_seeds.items()})


def best(scores: Mapping[str, Score]) -> str | None:
    """The try with the highest mean, of equal ones the first; None if none has a score."""
    known = [name for name, score in scores.items() if not math.isnan(score.mean)]
    return max(known, key=lambda name: scores[name].mean, default=None)


def lead(scores: Mapping[str, Score]) -> Score | None:
    """By how much the best try is ahead of the next one, unit by unit; None of a single try."""
    first = best(scores)
    second = best({name: score for name, score in scores.items() if name != first})
    if first is None or second is None:
        return None
    ours, theirs = scores[first].units, scores[second].units
    return Score({unit: ours[unit] - theirs[unit] for unit in ours if unit in theirs})


def differing(tuned: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Settings, dotted, that are others than those a choice was made under, with both values."""
    then, today = dict(_flat(tuned)), dict(_flat(now))
    return [
        f"{name} was {then.get(name, 'not set')} and is {today.get(name, 'not set')}"
        for name in dict.fromkeys([*then, *today])
        if plain(then.get(name)) != plain(today.get(name))
    ]


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
