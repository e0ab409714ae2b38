"""Who is labelled, who is held out, and what a trial may see of a prepared dataset.

All of it is fixed by hashes of the case ids: nothing depends on the order of files, on the platform
or on a random state.
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from benchmark.data.budget import Budget
from benchmark.data.prepared import Arrays, CaseEntry, Manifest, Prepared, short_hash
from benchmark.data.roles import Roles
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.wording import counted, shortened

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
    """What one trial may see."""

    labelled: Labelled
    unlabelled: Unlabelled
    evaluation: Labelled
    """The test set, or the development set."""
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]
    classes: int
    cases: list[CaseEntry]
    """What is known of each row."""
    symmetry: str
    """As of the card."""
    val: Labelled | None = None
    """What the epoch may be chosen on, for the reading that does; None without such a set."""
    class_names: tuple[str, ...] = ()
    """Of the card, the background first."""

    @property
    def on_val(self) -> "TrialData":
        """The same with the validation set in the place of what is evaluated."""
        return self._replace(evaluation=self.val, val=None)

    @property
    def on_unlabelled(self) -> "TrialData":
        """The same with the unlabelled images there: to see what is predicted of them."""
        images, indices = self.unlabelled
        ids = [self.cases[row].id for row in indices]
        return self._replace(evaluation=Labelled(images, self.evaluation.masks, indices, ids))

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
    """All that is trained on, without masks: what a pretraining may see."""

    unlabelled: Unlabelled
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]
    symmetry: str


class Parts(NamedTuple):
    """Ids of cases by what they are in a run."""

    pool: list[str]
    """The train pool: images with masks, of which a budget labels some."""
    without_masks: list[str]
    """Unlabelled under every budget."""
    evaluation: list[str]
    val: list[str]
    """What the epoch of a trial may be chosen on; none if that is what is evaluated."""


def parts(manifest: Manifest, roles: Roles) -> Parts:
    """The cases of a dataset by what they are in a run.

    A development set that is drawn is neither labelled nor unlabelled, nor are images of its
    groups.
    """
    train, val, test = (manifest.ids(split) for split in ("train", "val", "test"))
    without_masks = manifest.ids("unlabelled")
    if roles.val_as == "train":
        train = train + val
    if roles.val_as != "dev":
        val = []
    if roles.evaluate_on == "test":
        return Parts(train, without_masks, test, val)
    if val:
        return Parts(train, without_masks, val, [])
    group = groups_of(manifest) if manifest.card.keeps_groups else {}
    groups = [group.get(case, "") for case in train]
    dev = whole_groups(train, groups, DEV_SHARE, manifest.name, "dev")
    held_out = {group[case] for case in dev if group.get(case)}
    return Parts(
        [i for i in train if i not in dev],
        [i for i in without_masks if group.get(i) not in held_out],
        [i for i in train if i in dev],
        [],
    )


def labelled_ids(manifest: Manifest, roles: Roles, budget: Budget, seed: int) -> list[str]:
    """The labelled cases of a trial, as the budget says.

    A share is of single cases, or of all cases of groups, as the card's `subset` says. They depend
    on (dataset, seed, budget) and the pool alone: all methods see the same ones. Raises `UserError`
    for more than there are, and for a list that is not of the pool.
    """
    pool, name = parts(manifest, roles).pool, manifest.name
    if budget.listed:
        return _listed(manifest, pool, budget)
    group = groups_of(manifest)
    if budget.patients is not None:
        chosen = _first_groups(manifest, pool, group, budget, seed)
    elif budget.cases is not None:
        _require_enough(manifest, budget, len(pool), "cases")
        return ranked(pool, name, seed)[: budget.cases]
    elif manifest.card.subset == "cases":
        return labelled_subset(pool, name, seed, budget.share)
    else:
        chosen = whole_groups(pool, [group[case] for case in pool], budget.share, name, seed)
    return [case for case in pool if case in chosen]


def _first_groups(
    manifest: Manifest, pool: list[str], group: dict[str, str], budget: Budget, seed: int
) -> set[str]:
    """All cases of the budget's first groups by rank: the same ones that a share begins with."""
    if unknown := [case for case in pool if not group[case]]:
        raise UserError(
            f"--labels {budget.text}: nothing says whose {counted(len(unknown), 'case')} of "
            f"{manifest.name} are ({shortened(unknown)}). The card's field group takes a pattern "
            "for their names, or a table; prepare the data again with it",
            ExitCode.DATA,
        )
    members = {group[case] for case in pool}
    _require_enough(manifest, budget, len(members), "patients")
    first = set(ranked(members, manifest.name, seed)[: budget.patients])
    return {case for case in pool if group[case] in first}


def _require_enough(manifest: Manifest, budget: Budget, there: int, unit: str) -> None:
    wanted = budget.cases if unit == "cases" else budget.patients
    if wanted > there:
        raise UserError(
            f"--labels {budget.text}: the train pool of {manifest.name} has {there} {unit}"
        )


def with_ids(budget: Budget, manifest: Manifest) -> Budget:
    """The budget with the cases of its list, if it is one: of its file, or of the card."""
    if not budget.listed or budget.ids:
        return budget
    lists = manifest.card.lists
    if budget.listed not in lists:
        raise unknown(
            f"list of labelled cases of {manifest.name}", budget.listed, lists,
            "lists in the card, or list:FILE with a case a line",
        )  # fmt: skip
    return replace(budget, ids=tuple(lists[budget.listed]))


def _listed(manifest: Manifest, pool: list[str], budget: Budget) -> list[str]:
    """The cases of a list, in the order of the pool."""
    named = with_ids(budget, manifest).ids
    if outside := [case for case in named if case not in pool]:
        raise UserError(
            f"--labels list:{budget.listed}: {counted(len(outside), 'case')} of it not in the "
            f"train pool of {manifest.name} ({shortened(outside)}): missing, without a mask, "
            "or held out (a development set is drawn from the train pool, unless there is a val/)",
            ExitCode.DATA,
        )
    chosen = set(named)
    return [case for case in pool if case in chosen]


def unlabelled_ids(manifest: Manifest, roles: Roles, labelled: Collection[str] = ()) -> list[str]:
    """What may be seen without a mask: the rest of the pool and the images that have none.

    labelled: what a trial has labelled; of a pretraining, which looks at all images, nothing.
    Parts of it are the first by rank, the same for all seeds, so that smaller ones lie in larger
    ones, and a pretraining sees nothing that its trials do not. A share is of all images that may
    be unlabelled: those of them that a trial has labelled are not replaced.
    """
    found = parts(manifest, roles)
    every = [*found.pool, *found.without_masks]
    given = set(labelled)
    rest = [case for case in every if case not in given]
    if roles.unlabelled == "all":
        return rest
    part = Budget.parse(roles.unlabelled)
    if part.share is not None:
        kept = set(ranked(every, manifest.name, "unlabelled")[: count(len(every), part.share)])
    else:
        if part.cases > len(rest):
            raise UserError(
                f"--unlabelled {part.text}: {manifest.name} leaves {len(rest)} images unlabelled"
            )
        kept = set(ranked(rest, manifest.name, "unlabelled")[: part.cases])
    return [case for case in rest if case in kept]


def groups_of(manifest: Manifest) -> dict[str, str]:
    """Case → its group, "" if none is known."""
    return {case.id: case.group for case in manifest.cases}


def for_pretraining(prepared: Prepared, roles: Roles) -> Images:
    """All images that are trained on (without the development set, if that is evaluated)."""
    ids = set(unlabelled_ids(prepared.manifest, roles))
    rows = [i for i, case in enumerate(prepared.manifest.cases) if case.id in ids]
    indices = np.array(rows, dtype=np.int64)
    unlabelled = Unlabelled(prepared.images, indices)
    return Images(unlabelled, prepared.mean, prepared.std, prepared.manifest.card.symmetry)


def for_trial(prepared: Prepared, roles: Roles, *, budget: Budget, seed: int) -> TrialData:
    """The labelled subset, the unlabelled images without masks, what is evaluated and chosen on."""
    manifest, images, masks, mean, std = prepared
    found = parts(manifest, roles)
    chosen = set(labelled_ids(manifest, roles, budget, seed))
    row = {case.id: i for i, case in enumerate(manifest.cases)}

    def indices(ids: list[str]) -> Int[ndarray, " k"]:
        return np.array([row[i] for i in ids], dtype=np.int64)

    def with_masks(ids: list[str]) -> Labelled:
        return Labelled(images, masks, indices(ids), ids)

    return TrialData(
        labelled=with_masks([i for i in found.pool if i in chosen]),
        unlabelled=Unlabelled(images, indices(unlabelled_ids(manifest, roles, chosen))),
        evaluation=with_masks(found.evaluation),
        mean=mean,
        std=std,
        classes=len(manifest.card.classes),
        cases=manifest.cases,
        symmetry=manifest.card.symmetry,
        val=with_masks(found.val) if found.val else None,
        class_names=tuple(manifest.card.classes),
    )
