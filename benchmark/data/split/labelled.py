"""Which cases of a train pool are labelled, and which are seen without their masks.

What is drawn are cases, or all cases of groups. Of volumes that are trained on in slices all slices
of a drawn volume are labelled: a budget of 7 patients may be 136 slices.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from benchmark.data import lists, slices
from benchmark.data.layouts.names import as_ids
from benchmark.data.prepared import Manifest
from benchmark.data.split.budget import Budget, part_of_unlabelled
from benchmark.data.split.draw import count, labelled_subset, ranked, whole_groups
from benchmark.data.split.parts import groups_of, parts
from benchmark.data.split.roles import Roles
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.wording import counted, shortened


def trained_ids(manifest: Manifest, roles: Roles, cases: Iterable[str]) -> list[str]:
    """What a network is trained on of these cases: they themselves, or their slices, in order."""
    if not roles.slices:
        return list(cases)
    depth = {case.id: case.shape[2] for case in manifest.cases}
    return [name for case in cases for name in slices.names(case, depth[case])]


def labelled_ids(manifest: Manifest, roles: Roles, budget: Budget, seed: int) -> list[str]:
    """The labelled images of a trial, as the budget says; slices, where these are trained on.

    A share is of single cases, or of all cases of groups, as the card's `subset` says. They depend
    on (dataset, seed, budget) and the pool alone: all methods see the same ones. Raises `UserError`
    for more than there are, and for a list that is not of the pool.
    """
    pool = parts(manifest, roles).pool
    if budget.listed:
        return _listed(manifest, roles, pool, with_ids(budget, manifest))
    chosen = _drawn(manifest, pool, budget, seed)
    ordered = chosen if isinstance(chosen, list) else [case for case in pool if case in chosen]
    return trained_ids(manifest, roles, ordered)


def _drawn(manifest: Manifest, pool: list[str], budget: Budget, seed: int) -> list[str] | set[str]:
    """Cases; where single ones are drawn, in the order of the draw."""
    name, group = manifest.name, groups_of(manifest)
    if budget.patients is not None:
        return _first_groups(manifest, pool, group, budget, seed)
    if budget.cases is not None:
        _require_enough(manifest, budget, len(pool), "cases")
        return ranked(pool, name, seed)[: budget.cases]
    if manifest.card.subset == "cases":
        return labelled_subset(pool, name, seed, budget.share)
    return whole_groups(pool, [group[case] for case in pool], budget.share, name, seed)


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
    """The budget with the cases of its list, if it is one: of its file, of the card, or published.

    `UserError` for a list that there is not.
    """
    if not budget.listed or budget.ids:
        return budget
    own = manifest.card.lists
    if budget.listed in own:
        return replace(budget, ids=tuple(own[budget.listed]))
    published = lists.find(manifest.card.published_lists, budget.listed)
    if published is None:
        raise unknown(
            f"list of labelled cases of {manifest.name}",
            budget.listed,
            [*own, *lists.names(manifest.card.published_lists)],
            "bench data lists says which are published, or give list:FILE with a case a line",
        )
    return replace(budget, ids=published.ids)


def _listed(manifest: Manifest, roles: Roles, pool: list[str], budget: Budget) -> list[str]:
    """The images of a list, in the order of the pool.

    It may name cases, all cases of a patient by the patient's name, or single slices; as files with
    their folders too: data/slices/patient099_frame01_slice_15.h5.
    """
    known = _by_name(manifest, roles, pool)
    named = [next((id for id in (name, *as_ids(name)) if id in known), name) for name in budget.ids]
    if outside := [name for name in named if name not in known]:
        raise UserError(
            f"--labels list:{budget.listed}: {counted(len(outside), 'case')} of it not in the "
            f"train pool of {manifest.name} ({shortened(outside)}; cases are called "
            f"{shortened(sorted(pool))}): missing, without a mask, or held out (a development set "
            "is drawn from the train pool, unless there is a val/)",
            ExitCode.DATA,
        )
    chosen = {image for name in named for image in known[name]}
    if roles.slices or not manifest.card.is_volume:
        return [image for image in trained_ids(manifest, roles, pool) if image in chosen]
    return _whole_volumes(manifest, pool, chosen, budget)


def _by_name(manifest: Manifest, roles: Roles, pool: list[str]) -> dict[str, list[str]]:
    """What each name that a list may hold stands for; of volumes always their slices."""
    as_slices = roles._replace(slices=manifest.card.is_volume)
    cases = {case: trained_ids(manifest, as_slices, [case]) for case in pool}
    images = {image: [image] for its in cases.values() for image in its}
    group, groups = groups_of(manifest), {}
    for case, its in cases.items():
        groups.setdefault(group[case], []).extend(its)
    groups.pop("", None)
    return groups | images | cases


def _whole_volumes(
    manifest: Manifest, pool: list[str], chosen: set[str], budget: Budget
) -> list[str]:
    """Volumes of which all slices are chosen; `UserError` for parts of one."""
    as_slices = Roles(slices=True)
    its = {case: set(trained_ids(manifest, as_slices, [case])) for case in pool}
    if part := [case for case in pool if its[case] & chosen and not its[case] <= chosen]:
        raise UserError(
            f"--labels list:{budget.listed}: it names single slices of "
            f"{counted(len(part), 'volume')} ({shortened(part)}), and volumes are labelled whole. "
            "Train on slices (--slices)",
            ExitCode.DATA,
        )
    return [case for case in pool if its[case] <= chosen]


def unlabelled_ids(manifest: Manifest, roles: Roles, labelled: Collection[str] = ()) -> list[str]:
    """What may be seen without a mask: the rest of the pool and the images that have none.

    labelled: what a trial has labelled; of a pretraining, which looks at all images, nothing.
    Parts of it are the first cases by rank, the same for all seeds, so that smaller ones lie in
    larger ones, and a pretraining sees nothing that its trials do not. A share is of all cases that
    may be unlabelled: those of them that a trial has labelled are not replaced.
    """
    found, given = parts(manifest, roles), set(labelled)
    every = [*found.pool, *found.without_masks]
    rest = dict(_not_given(manifest, roles, every, given))
    kept = _part(manifest.name, roles.unlabelled, every, list(rest))
    return [image for case, its in rest.items() if case in kept for image in its]


def _not_given(
    manifest: Manifest, roles: Roles, cases: list[str], given: set[str]
) -> Iterator[tuple[str, list[str]]]:
    """Cases with their images that are not labelled, where there are such."""
    for case in cases:
        if its := [image for image in trained_ids(manifest, roles, [case]) if image not in given]:
            yield case, its


def _part(dataset: str, wanted: str, every: list[str], rest: list[str]) -> set[str]:
    """The cases that are used as unlabelled ones."""
    if wanted == "all":
        return set(rest)
    part = part_of_unlabelled(wanted)
    if part.share is not None:
        return set(ranked(every, dataset, "unlabelled")[: count(len(every), part.share)])
    if part.cases > len(rest):
        raise UserError(f"--unlabelled {part.text}: {dataset} leaves {len(rest)} images unlabelled")
    return set(ranked(rest, dataset, "unlabelled")[: part.cases])
