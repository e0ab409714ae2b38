"""Folds of the labelled images of a seed: cross-validation that looks at no other mask.

What is held out is as a test set is: neither labelled nor unlabelled, whole patients where these
are known, so that a method is scored on what it has never seen. All else is unlabelled as in a run.
"""

from collections.abc import Collection

from benchmark.data.prepared import Manifest
from benchmark.data.split.budget import Budget
from benchmark.data.split.draw import ranked
from benchmark.data.split.labelled import labelled_ids, trained_ids
from benchmark.data.split.parts import groups_of, parts
from benchmark.data.split.roles import Roles
from benchmark.errors import ExitCode, UserError
from benchmark.wording import counted, shortened

MOST = 5
"""Folds of a labelled subset; fewer where it has fewer patients, or cases."""


def number(manifest: Manifest, roles: Roles, budget: Budget, seed: int) -> int:
    """How many folds the labelled subset of a seed has; `UserError` where it cannot be divided."""
    units = _units(manifest, roles, labelled_ids(manifest, roles, budget, seed))
    if len(units) < 2:
        what = "case" if next(iter(units)).startswith(_ALONE) else "patient"
        raise UserError(
            f"{manifest.name} at {budget.text}: one {what} is labelled with seed {seed}, and "
            "cross-validation inside the labelled images needs two. Label more, or tune on the "
            "development set (--on dev), which costs its masks",
            ExitCode.DATA,
        )
    return min(MOST, len(units))


def held_out(manifest: Manifest, roles: Roles, labelled: Collection[str], seed: int) -> list[str]:
    """The cases of the fold that is evaluated, in the order of the pool; none without a fold.

    labelled: images of the whole subset. Patients, or cases, are dealt out by rank.
    """
    if (fold := roles.fold) is None:
        return []
    units = _units(manifest, roles, labelled)
    if fold.count > len(units):
        raise UserError(f"{fold} of {manifest.name}: what is labelled has {len(units)} parts")
    dealt = ranked(units, manifest.name, seed, "folds")[fold.index - 1 :: fold.count]
    own = {case for unit in dealt for case in units[unit]}
    return [case for case in parts(manifest, roles).pool if case in own]


def out_of_sight(manifest: Manifest, held: Collection[str]) -> list[str]:
    """All cases that are not trained on: those held out, and whatever else is of their patients."""
    group = _groups(manifest)
    patients = {group[case] for case in held} - {""}
    return [c.id for c in manifest.cases if c.id in held or group[c.id] in patients]


_ALONE = "case "


def _units(manifest: Manifest, roles: Roles, labelled: Collection[str]) -> dict[str, list[str]]:
    """What stays together of the labelled cases: patients; a case whose patient is unknown."""
    group, units = _groups(manifest), {}
    for case in _whole_cases(manifest, roles, set(labelled)):
        units.setdefault(group[case] or f"{_ALONE}{case}", []).append(case)
    return units


def _whole_cases(manifest: Manifest, roles: Roles, labelled: set[str]) -> list[str]:
    """The labelled cases; `UserError` for volumes of which only some slices are labelled."""
    pool = parts(manifest, roles).pool
    images = {case: set(trained_ids(manifest, roles, [case])) for case in pool}
    if part := [case for case in pool if images[case] & labelled and not images[case] <= labelled]:
        raise UserError(
            f"{counted(len(part), 'volume')} of {manifest.name} ({shortened(part)}) have single "
            "labelled slices, and volumes are evaluated whole: cross-validation would look at "
            "masks that are not labelled. Tune on the development set (--on dev)",
            ExitCode.DATA,
        )
    return [case for case in pool if images[case] & labelled]


def _groups(manifest: Manifest) -> dict[str, str]:
    """Case → its patient; "" where none is known, or the card lets splits cut them."""
    if manifest.card.keeps_groups:
        return groups_of(manifest)
    return {case.id: "" for case in manifest.cases}
