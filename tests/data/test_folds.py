"""Folds of what is labelled: whole patients, dealt out evenly, and no other mask."""

import pytest

from benchmark.data.split.budget import Budget
from benchmark.data.split.folds import held_out, number, out_of_sight
from benchmark.data.split.labelled import labelled_ids
from benchmark.data.split.parts import groups_of, parts
from benchmark.data.split.roles import Fold, Roles
from benchmark.data.split.trial_data import for_trial
from benchmark.errors import UserError
from tests.data import test_slices
from tests.data.test_roles import manifest


def folds_of(data, text: str, seed: int = 0) -> list[list[str]]:
    """The cases of each fold."""
    budget = Budget.parse(text)
    chosen = labelled_ids(data, Roles("folds"), budget, seed)
    n = number(data, Roles("folds"), budget, seed)
    return [held_out(data, Roles(str(Fold(i + 1, n))), chosen, seed) for i in range(n)]


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("2patients", [2, 2]),
        ("4patients", [2, 2, 2, 2]),
        ("100%", [4, 2, 2, 2, 2]),  # six patients of two images; the first of five folds has two
    ],
)
def test_patients_are_held_out_whole_and_each_once(text, sizes):
    data = manifest()
    of, folds = groups_of(data), folds_of(data, text)
    assert [len(fold) for fold in folds] == sizes
    chosen = labelled_ids(data, Roles(), Budget.parse(text), 0)
    assert sorted(case for fold in folds for case in fold) == sorted(chosen)
    patients = [{of[case] for case in fold} for fold in folds]
    assert sum(map(len, patients)) == len(set.union(*patients))


def test_without_patients_folds_are_of_cases_and_as_the_seed_draws_them():
    data = manifest(grouped=False)
    assert [len(fold) for fold in folds_of(data, "7cases")] == [2, 2, 1, 1, 1]
    assert folds_of(data, "7cases") == folds_of(data, "7cases")
    assert folds_of(data, "7cases") != folds_of(data, "7cases", seed=1)


def test_where_a_card_lets_splits_cut_groups_folds_do_too():
    assert [len(fold) for fold in folds_of(manifest(keeps_groups=False), "1patients")] == [1, 1]


@pytest.mark.parametrize(
    ("text", "grouped", "what"),
    [("1case", False, "case"), ("1case", True, "patient"), ("1patients", True, "patient")],
)
def test_one_alone_is_refused_and_the_development_set_named(text, grouped, what):
    told = rf"one {what} is labelled with seed 0, .* needs two.*\(--on dev\)"
    with pytest.raises(UserError, match=told):
        folds_of(manifest(grouped=grouped), text)


def test_a_fold_evaluates_nothing_of_the_test_set_or_of_a_validation_set():
    for name in ("folds", "fold 1/5"):
        found = parts(manifest(val=3), Roles(name))
        assert (len(found.pool), found.evaluation, found.val) == (12, [], [])


def test_other_images_of_a_patient_who_is_held_out_are_not_seen_either():
    data = manifest(lists={"two": ["train00", "train02"]})  # one image each of p0 and p1
    assert sorted(folds_of(data, "list:two")) == [["train00"], ["train02"]]
    assert out_of_sight(data, ["train00"]) == ["train00", "train01"]
    assert out_of_sight(manifest(grouped=False), ["train00"]) == ["train00"]


def test_a_fold_that_the_subset_does_not_have_is_refused():
    with pytest.raises(UserError, match="fold 3/3 of mine: what is labelled has 2 parts"):
        held_out(manifest(), Roles("fold 3/3"), ["train00", "train02"], 0)


@pytest.mark.parametrize("text", ["fold 3/2", "fold 0/2", "fold 1/2 ", "Fold 1/2", "test"])
def test_what_is_no_fold_is_none(text):
    assert Fold.parse(text) is None


def test_of_slices_volumes_are_held_out_and_evaluated_whole():
    found = test_slices.prepared()
    labelled, evaluated = set(), set()
    for fold in ("fold 1/2", "fold 2/2"):
        roles = Roles(fold, slices=True)
        data = for_trial(found, roles, budget=Budget.parse("2patients"), seed=0)
        assert (len(data.labelled), len(data.evaluation)) == (5, 2)  # of p1 3 + 2, of p2 4 + 1
        assert data.val is None and len(data.unlabelled) == 0
        assert {i[:2] for i in data.labelled.ids}.isdisjoint({i[:2] for i in data.evaluation.ids})
        labelled |= {i[:2] for i in data.labelled.ids}
        evaluated |= set(data.evaluation.ids)
    assert labelled == {"p1", "p2"}
    assert evaluated == {"p1_ed", "p1_es", "p2_ed", "p2_es"}


def test_volumes_with_single_labelled_slices_are_refused():
    data = test_slices.manifest(lists={"few": ["p1_ed_slice_1", "p2_es"]})
    with pytest.raises(UserError, match=r"1 volume of own \(p1_ed\) have single labelled slices"):
        number(data, Roles("folds", slices=True), Budget.parse("list:few"), 0)
