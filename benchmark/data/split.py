"""Who is labelled, who is in the development set: fixed by hashes of the case ids.

Nothing here depends on the order of files, on the platform or on a random state.
"""

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


def labelled_subset(ids: Sequence[str], dataset: str, seed: int, ratio: float) -> list[str]:
    """The labelled cases: the first `count` by rank, so smaller ratios are subsets of larger ones.

    They depend on (dataset, seed, ratio) and the pool alone: all methods see the same ones.
    """
    return ranked(ids, dataset, seed)[: count(len(ids), ratio)]


def held_out(ids: Sequence[str], groups: Sequence[str], share: float, *salt: int | str) -> set[str]:
    """About `share` of the cases, whole groups at a time (an empty group is a case by itself)."""
    members: dict[str, list[str]] = {}
    for case, group in zip(ids, groups, strict=True):
        members.setdefault(group or f"case {case}", []).append(case)
    wanted, chosen = count(len(ids), share), set()
    for group in ranked(members, *salt):
        if len(chosen) >= wanted:
            break
        chosen.update(members[group])
    return chosen
