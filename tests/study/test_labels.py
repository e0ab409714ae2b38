"""Label budgets on seven images, of which few have an object."""

import pytest

from benchmark.data.card import Card
from benchmark.data.prepared import CaseEntry, Manifest
from benchmark.errors import UserError
from benchmark.study import labels
from benchmark.study.settings import Study


def manifest(n: int = 7, with_object: int = 7) -> Manifest:
    cases = [
        CaseEntry(id=f"c{i}", split="train", group="", foreground=0.2 * (i < with_object))
        for i in range(n)
    ]
    test = CaseEntry(id="t", split="test", group="", foreground=0.2)
    return Manifest(
        format=2, card=Card(name="mine"), source="", source_fingerprint="", data_hash="", mean=[],
        std=[], cases=[*cases, test],
    )  # fmt: skip


def told(ratios: list[float], seeds: int = 1, **about) -> list[str]:
    study = Study(labels=[f"{100 * ratio:g}%" for ratio in ratios], seeds=list(range(seeds)))
    return labels.notes(labels.subsets(study, {"mine": manifest(**about)}))


def test_budgets_that_label_the_very_same_images_are_named():
    """ceil(7 · .08) = ceil(7 · .1) = ceil(7 · .14) = 1, ceil(7 · .2) = 2."""
    found = told([0.08, 0.1, 0.14, 0.2])
    assert found == ["8 %, 10 %, 14 % label the same 1 image of mine"]
    assert told([0.1, 0.2, 0.5]) == []


def test_as_many_images_are_not_the_same_ones():
    """Two of a list, whatever the seed, and the two that seeds 0, 1, 2 draw."""
    card = Card(name="mine", lists={"two": ["c0", "c1"]})
    data = manifest().model_copy(update={"card": card})
    study = Study(labels=["list:two", "2cases"], seeds=[0, 1, 2])
    assert not any(
        "label the same" in line for line in labels.notes(labels.subsets(study, {"m": data}))
    )
    drawn = labels.labelled_ids(data, study.conditions.roles, study.budgets[1], 0)
    same = data.model_copy(update={"card": Card(name="mine", lists={"two": drawn})})
    study = Study(labels=["list:two", "2cases"], seeds=[0])
    assert labels.notes(labels.subsets(study, {"m": same})) == [
        "list two, 2 cases label the same 2 images of mine"
    ]


def test_a_fraction_typed_for_a_percentage_is_suspected():
    """`--ratios 0.05` is a share of 0.0005."""
    assert told([0.0005]) == [
        "0.05 % of the 7 images of mine is less than half an image: one is labelled (0.05 is read "
        "as percent)"
    ]


def test_subsets_without_an_object_are_named_with_their_seeds():
    assert told([0.2], seeds=10, with_object=7) == []
    (line,) = told([0.2], seeds=10, with_object=0)
    assert line == (
        "mine at 20 %: no labelled image has foreground with 10 seeds (0, 1, 2 and 7 more)"
    )


@pytest.mark.parametrize(("share", "is_refused"), [(0.85, False), (0.9, True), (1.0, False)])
def test_a_budget_that_leaves_nothing_unlabelled_is_refused(share, is_refused):
    """ceil(7 · .85) = 6; ceil(7 · .9) = 7. At 100 % the baseline runs alone."""
    study = Study(labels=[f"{100 * share:g}%"])
    if not is_refused:
        labels.check(labels.subsets(study, {"mine": manifest()}))
        return
    with pytest.raises(UserError, match=r"90 % of the 7 images .* nothing is left unlabelled"):
        labels.check(labels.subsets(study, {"mine": manifest()}))


def in_groups(groups: str, **card) -> Manifest:
    """Train cases of these groups, one letter each."""
    own = manifest(n=len(groups))
    cases = [
        case.model_copy(update={"group": group})
        for case, group in zip(own.cases, groups, strict=False)
    ]
    return own.model_copy(
        update={"cases": [*cases, own.cases[-1]], "card": Card(name="mine", **card)}
    )


def test_groups_of_which_a_budget_labels_a_part_are_counted():
    """One image of a pair is labelled: its group is cut; all of them: none is."""
    study = Study(labels=["20 %", "100 %"], seeds=[0])
    found = labels.notes(labels.subsets(study, {"mine": in_groups("AABB")}))
    assert found == [
        "mine at 20 %: 1 of 2 groups (patients, subjects) labelled in part; --labels "
        "Npatients, or subset: groups in the card, draws whole ones"
    ]
    whole = {"mine": in_groups("AABB", subset="groups")}
    assert labels.notes(labels.subsets(study, whole)) == []
    assert labels.counts(labels.subsets(study, whole)) == [
        "mine: 20 % = 2/4, 100 % = 4/4 images labelled; 2, 0 unlabelled; 1 evaluated"
    ]


def test_counts_differ_by_seed_where_groups_are_drawn():
    """Three images are in group A and one in B: whichever comes first."""
    study = Study(labels=["20 %"], seeds=list(range(10)))
    whole = {"mine": in_groups("AAAB", subset="groups")}
    assert labels.counts(labels.subsets(study, whole)) == [
        "mine: 20 % = 1-3/4 images labelled; 1-3 unlabelled; 1 evaluated"
    ]


def test_a_group_that_is_the_whole_pool_leaves_nothing_unlabelled():
    with pytest.raises(UserError, match=r"20 % of the 4 images .* nothing is left unlabelled"):
        labels.check(
            labels.subsets(Study(labels=["20 %"]), {"mine": in_groups("AAAA", subset="groups")})
        )
