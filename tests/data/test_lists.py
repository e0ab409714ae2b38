"""Published lists: whole, found by name, and used as budgets and test sets."""

import pytest

from benchmark.data import cards, lists
from benchmark.data.card import Card

ALL = [(dataset, name) for dataset in lists.datasets() for name in lists.names(dataset)]


def test_there_are_those_of_six_datasets():
    assert lists.datasets() == ["acdc", "amos", "brats19", "la", "pancreas", "synapse"]
    assert len(ALL) == 52


@pytest.mark.parametrize(("dataset", "name"), ALL)
def test_each_has_the_ids_that_its_hash_is_of_and_says_where_it_stands(dataset, name):
    found = lists.find(dataset, name)
    assert found.is_whole and len(set(found.ids)) == len(found.ids)
    assert found.what and found.of
    assert found.sources or found.derived_from


def test_lists_are_in_the_order_of_their_numbers():
    assert lists.names("la") == ["uamt-4", "uamt-8", "uamt-16", "uamt-test", "uamt-train"]
    assert lists.names("synapse")[:3] == ["dhc2023-10p", "dhc2023-20p", "dhc2023-40p"]


def test_the_seven_labelled_patients_are_136_slices():
    patients = lists.find("acdc", "ssl4mis-7").ids
    slices = lists.find("acdc", "ssl4mis-7-slices").ids
    assert patients == (
        "patient099", "patient038", "patient050", "patient100", "patient058", "patient021",
        "patient049",
    )  # fmt: skip
    assert len(slices) == 136 and {id[:10] for id in slices} == set(patients)
    assert slices[0] == "patient099_frame01_slice_15"


def test_a_list_that_is_wrong_elsewhere_says_so():
    caveats = " ".join(lists.find("la", "uamt-16").caveats)
    assert "WRONG in two repositories" in caveats


def test_cards_take_their_test_sets_from_lists():
    card = cards.find("acdc")
    assert (len(card.val_ids), len(card.test_ids)) == (20, 40)
    assert card.test_ids[0] == lists.find("acdc", "ssl4mis-test-volumes").ids[0]
    with pytest.raises(ValueError, match=r"no published list nope of acdc .there are: pymic-7"):
        Card(name="acdc", test_ids="list:nope")
    own = Card(name="mine", lists_of="la", is_volume=True, test_ids="list:uamt-test")
    assert len(own.test_ids) == 20


def test_the_test_set_of_la_is_the_published_list():
    assert set(cards.find("la").test_ids) == set(lists.find("la", "uamt-test").ids)
