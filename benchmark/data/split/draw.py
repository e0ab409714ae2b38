"""Draws by hash: nothing depends on the order of files, on the platform or on a random state."""

import hashlib
import math
from collections.abc import Iterable, Sequence


def ranked(ids: Iterable[str], *salt: int | str) -> list[str]:
    """The ids in the order of sha256("salt|…|id")."""
    prefix = "|".join(map(str, salt))
    return sorted(ids, key=lambda i: hashlib.sha256(f"{prefix}|{i}".encode()).digest())


def count(n: int, share: float) -> int:
    """ceil(n · share), at least 1; rounded first, for 100 · 0.07 is 7.000000000000001 in floats."""
    return max(1, math.ceil(round(n * share, 9)))


def labelled_subset(ids: Sequence[str], dataset: str, seed: int, share: float) -> list[str]:
    """The first `count` by rank, so smaller subsets lie in larger ones."""
    return ranked(ids, dataset, seed)[: count(len(ids), share)]


def whole_groups(
    ids: Sequence[str], groups: Sequence[str], share: float, *salt: int | str
) -> set[str]:
    """At least `share` of the cases: the first groups by rank, each of them whole.

    An empty group is a case by itself. Smaller shares lie in larger ones.
    """
    members: dict[str, list[str]] = {}
    for case, group in zip(ids, groups, strict=True):
        members.setdefault(group or f"case {case}", []).append(case)
    wanted, chosen = count(len(ids), share), set()
    for group in ranked(members, *salt):
        if len(chosen) >= wanted:
            break
        chosen.update(members[group])
    return chosen
