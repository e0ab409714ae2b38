"""The cases of a dataset by what they are in a run."""

from typing import NamedTuple

from benchmark.data.prepared import Manifest
from benchmark.data.split.draw import whole_groups
from benchmark.data.split.roles import Roles

DEV_SHARE = 0.2
"""Of the train pool, in the development set."""


class Parts(NamedTuple):
    """Ids of cases; of volumes that are trained on in slices they are the volumes'."""

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
    groups. Of folds of the labelled images nothing else is evaluated: which images they are depends
    on the budget and the seed (`folds`).
    """
    train, val, test = (manifest.ids(split) for split in ("train", "val", "test"))
    without_masks = manifest.ids("unlabelled")
    if roles.val_as == "train":
        train = train + val
    if roles.val_as != "dev":
        val = []
    if roles.is_within_labelled:
        return Parts(train, without_masks, [], [])
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


def groups_of(manifest: Manifest) -> dict[str, str]:
    """Case → its group, "" if none is known."""
    return {case.id: case.group for case in manifest.cases}
