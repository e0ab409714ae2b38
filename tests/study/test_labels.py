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
    study = Study(ratios=ratios, seeds=list(range(seeds)))
    return labels.notes(labels.subsets(study, {"mine": manifest(**about)}))


def test_budgets_that_label_the_very_same_images_are_named():
    """ceil(7 · .08) = ceil(7 · .1) = ceil(7 · .14) = 1, ceil(7 · .2) = 2."""
    found = told([0.08, 0.1, 0.14, 0.2])
    assert found == ["8 %, 10 %, 14 % label the same 1 image of mine"]
    assert told([0.1, 0.2, 0.5]) == []


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
    study = Study(ratios=[share])
    if not is_refused:
        labels.check(study, {"mine": manifest()})
        return
    with pytest.raises(UserError, match=r"90 % of the 7 images .* nothing is left unlabelled"):
        labels.check(study, {"mine": manifest()})
