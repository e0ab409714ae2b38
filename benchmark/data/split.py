"""Who is labelled, who is held out, and what a trial may see of a prepared dataset.

All of it is fixed by hashes of the case ids: nothing depends on the order of files, on the platform
or on a random state.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from benchmark.data.prepared import Arrays, CaseEntry, Manifest, Prepared, short_hash

DEV_SHARE = 0.2
"""Of the train pool, in the development set."""


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


class Unlabelled(NamedTuple):
    """Images without masks: what a trial gets of the unlabelled pool."""

    images: Arrays
    indices: Int[ndarray, " k"]

    def __len__(self) -> int:
        return len(self.indices)


class Labelled(NamedTuple):
    """Images with masks."""

    images: Arrays
    masks: Arrays
    indices: Int[ndarray, " k"]
    ids: list[str]

    def __len__(self) -> int:
        return len(self.indices)


class TrialData(NamedTuple):
    """What one trial may see. `evaluation` is the test set, or the development set."""

    labelled: Labelled
    unlabelled: Unlabelled
    evaluation: Labelled
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]
    classes: int
    cases: list[CaseEntry]
    """What is known of each row."""
    symmetry: str
    """As of the card."""

    @property
    def channels(self) -> int:
        return self.mean.shape[1]

    @property
    def spatial_dims(self) -> int:
        return self.evaluation.masks[0].ndim

    @property
    def subset_hash(self) -> str:
        """Of the labelled ids: equal for all methods of one (dataset, budget, seed)."""
        return short_hash(sorted(self.labelled.ids))


class Images(NamedTuple):
    """The whole train pool without a mask: what a pretraining may see."""

    unlabelled: Unlabelled
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]
    symmetry: str


def split_ids(manifest: Manifest, evaluate_on: str) -> tuple[list[str], list[str]]:
    """(train pool, evaluation set): the test set, or a fixed 20 % of the train pool for "dev".

    The development set is drawn by hash and is then neither labelled nor unlabelled.
    """
    train = manifest.ids("train")
    if evaluate_on == "test":
        return train, manifest.ids("test")
    group = groups_of(manifest) if manifest.card.keeps_groups else {}
    groups = [group.get(case, "") for case in train]
    dev = whole_groups(train, groups, DEV_SHARE, manifest.name, "dev")
    return [i for i in train if i not in dev], [i for i in train if i in dev]


def labelled_ids(manifest: Manifest, evaluate_on: str, *, seed: int, share: float) -> list[str]:
    """The labelled cases of a trial: single ones, or all of a group, as the card's `subset` says.

    They depend on (dataset, seed, share) and the pool alone: all methods see the same ones.
    """
    pool, _ = split_ids(manifest, evaluate_on)
    if manifest.card.subset == "cases":
        return labelled_subset(pool, manifest.name, seed, share)
    group = groups_of(manifest)
    chosen = whole_groups(pool, [group[case] for case in pool], share, manifest.name, seed)
    return [case for case in pool if case in chosen]


def groups_of(manifest: Manifest) -> dict[str, str]:
    """Case → its group, "" if none is known."""
    return {case.id: case.group for case in manifest.cases}


def for_pretraining(prepared: Prepared, *, evaluate_on: str) -> Images:
    """All images of the train pool (without the development set, if that is evaluated)."""
    ids = set(split_ids(prepared.manifest, evaluate_on)[0])
    rows = [i for i, case in enumerate(prepared.manifest.cases) if case.id in ids]
    indices = np.array(rows, dtype=np.int64)
    unlabelled = Unlabelled(prepared.images, indices)
    return Images(unlabelled, prepared.mean, prepared.std, prepared.manifest.card.symmetry)


def for_trial(prepared: Prepared, *, share: float, seed: int, evaluate_on: str) -> TrialData:
    """The labelled subset, the unlabelled rest of the pool without masks, the evaluation set."""
    manifest, images, masks, mean, std = prepared
    pool, evaluation = split_ids(manifest, evaluate_on)
    chosen = set(labelled_ids(manifest, evaluate_on, seed=seed, share=share))
    row = {case.id: i for i, case in enumerate(manifest.cases)}

    def indices(ids: list[str]) -> Int[ndarray, " k"]:
        return np.array([row[i] for i in ids], dtype=np.int64)

    labelled = [i for i in pool if i in chosen]
    return TrialData(
        labelled=Labelled(images, masks, indices(labelled), labelled),
        unlabelled=Unlabelled(images, indices([i for i in pool if i not in chosen])),
        evaluation=Labelled(images, masks, indices(evaluation), evaluation),
        mean=mean,
        std=std,
        classes=len(manifest.card.classes),
        cases=manifest.cases,
        symmetry=manifest.card.symmetry,
    )
