"""What one trial, or one pretraining, may see of a prepared dataset."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from benchmark.data.prepared import Arrays, CaseEntry, Prepared, short_hash
from benchmark.data.slices import Slices
from benchmark.data.split.budget import Budget
from benchmark.data.split.folds import held_out, out_of_sight
from benchmark.data.split.labelled import labelled_ids, trained_ids, unlabelled_ids
from benchmark.data.split.parts import parts
from benchmark.data.split.roles import Roles


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
    """The test set, the development set, or a fold of what is labelled else."""
    mean: Float[ndarray, "n c"]
    """Of each image that a network sees: of a case, or of a slice."""
    std: Float[ndarray, "n c"]
    classes: int
    cases: list[CaseEntry]
    """What is known of each row of what is evaluated."""
    symmetry: str
    """As of the card."""
    val: Labelled | None = None
    """What the epoch may be chosen on, for the reading that does; None without such a set."""
    class_names: tuple[str, ...] = ()
    """Of the card, the background first."""
    slices: Slices | None = None
    """Of volumes that are trained on slice by slice: what is labelled and unlabelled are slices,
    what is evaluated are volumes."""

    @property
    def on_val(self) -> "TrialData":
        """The same with the validation set in the place of what is evaluated."""
        return self._replace(evaluation=self.val, val=None)

    @property
    def on_unlabelled(self) -> "TrialData":
        """The same with the unlabelled images there: to see what is predicted of them.

        Of slices whole volumes.
        """
        indices, (_, masks, _, _) = self.unlabelled.indices, self.evaluation
        if self.slices is not None:
            indices = np.unique(self.slices.volumes[indices])
        ids = [self.cases[row].id for row in indices]
        images = self.evaluation.images
        return self._replace(evaluation=Labelled(images, masks, indices, ids))

    @property
    def on_labelled(self) -> "TrialData":
        """The same with the labelled images there, as they are trained on."""
        if self.slices is None:
            return self._replace(evaluation=self.labelled)
        of_each = [self.cases[volume] for volume in self.slices.volumes]
        return self._replace(evaluation=self.labelled, cases=of_each, slices=None)

    @property
    def channels(self) -> int:
        return self.mean.shape[1]

    @property
    def spatial_dims(self) -> int:
        """Of what is trained on: 2 or 3."""
        return self.labelled.masks[0].ndim

    @property
    def sides(self) -> tuple[int, ...]:
        """Of an image that a network sees; of volumes those of the first."""
        seen = self.evaluation if self.slices is None else self.slices
        return seen.masks[0].shape

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


class _Trained(NamedTuple):
    """What can be trained on: the cases of a dataset, or the slices of its volumes."""

    images: Arrays
    masks: Arrays
    row: dict[str, int]
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]

    def rows(self, ids: Iterable[str]) -> Int[ndarray, " k"]:
        return np.array([self.row[id] for id in ids], dtype=np.int64)

    def unlabelled(self, ids: Iterable[str]) -> Unlabelled:
        return Unlabelled(self.images, self.rows(ids))

    def labelled(self, ids: list[str]) -> Labelled:
        return Labelled(self.images, self.masks, self.rows(ids), ids)


def _trained(prepared: Prepared, roles: Roles) -> _Trained:
    manifest, slices = prepared.manifest, prepared.slices
    if roles.slices != (slices is not None):
        raise ValueError(f"{manifest.name} is not there as this trial sees it: slices or volumes")
    ids = trained_ids(manifest, roles, (case.id for case in manifest.cases))
    row = {id: i for i, id in enumerate(ids)}
    if slices is None:
        return _Trained(prepared.images, prepared.masks, row, prepared.mean, prepared.std)
    mean, std = (values[slices.volumes] for values in (prepared.mean, prepared.std))
    return _Trained(slices.images, slices.masks, row, mean, std)


def for_pretraining(prepared: Prepared, roles: Roles) -> Images:
    """All images that are trained on (without the development set, if that is evaluated)."""
    trained = _trained(prepared, roles)
    # In the order of the arrays, whatever the pool's.
    ids = sorted(unlabelled_ids(prepared.manifest, roles), key=trained.row.__getitem__)
    symmetry = prepared.manifest.card.symmetry
    return Images(trained.unlabelled(ids), trained.mean, trained.std, symmetry)


def for_trial(prepared: Prepared, roles: Roles, *, budget: Budget, seed: int) -> TrialData:
    """The labelled subset, the unlabelled images without masks, what is evaluated and chosen on."""
    manifest, found = prepared.manifest, parts(prepared.manifest, roles)
    chosen = set(labelled_ids(manifest, roles, budget, seed))
    unlabelled = unlabelled_ids(manifest, roles, chosen)
    if held := held_out(manifest, roles, chosen, seed):
        gone = set(trained_ids(manifest, roles, out_of_sight(manifest, held)))
        chosen, unlabelled = chosen - gone, [id for id in unlabelled if id not in gone]
    trained = _trained(prepared, roles)
    whole = _trained(prepared._replace(slices=None), roles._replace(slices=False))
    labelled = [id for id in trained_ids(manifest, roles, found.pool) if id in chosen]
    return TrialData(
        labelled=trained.labelled(labelled),
        unlabelled=trained.unlabelled(unlabelled),
        evaluation=whole.labelled(held or found.evaluation),
        mean=trained.mean,
        std=trained.std,
        classes=len(manifest.card.classes),
        cases=manifest.cases,
        symmetry=manifest.card.symmetry,
        val=whole.labelled(found.val) if found.val else None,
        class_names=tuple(manifest.card.classes),
        slices=prepared.slices,
    )


def for_test(prepared: Prepared) -> TrialData:
    """A test set alone: there is nothing to learn from."""
    manifest, slices = prepared.manifest, prepared.slices
    trained = _trained(prepared, Roles(slices=slices is not None))
    whole = _trained(prepared._replace(slices=None), Roles())
    return TrialData(
        labelled=trained.labelled([]),
        unlabelled=trained.unlabelled([]),
        evaluation=whole.labelled(manifest.ids("test")),
        mean=trained.mean,
        std=trained.std,
        classes=len(manifest.card.classes),
        cases=manifest.cases,
        symmetry=manifest.card.symmetry,
        class_names=tuple(manifest.card.classes),
        slices=slices,
    )
