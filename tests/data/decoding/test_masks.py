"""What masks hold becomes classes, or is refused."""

import re

import numpy as np
import pytest

from benchmark.data.card import Card
from benchmark.data.decoding.masks import classes, read

THREE = Card(name="own", mask="labels", classes=["background", "one", "two"])
SOFT = Card(name="own", mask="> 0.5")
BINARY = Card(name="own")


@pytest.mark.parametrize(
    ("card", "values", "expected"),
    [
        (THREE, np.array([0.0, 0.9995, 2.0000001]), [0, 1, 2]),  # a scale factor in the header
        (THREE, np.array([0, 1, 2], np.int64), [0, 1, 2]),
        (SOFT, np.array([0.0, 0.4, 0.5, 0.51, 1.0]), [0, 0, 0, 1, 1]),
        (BINARY, np.array([0.0, 255.0]), [0, 1]),
        (BINARY, np.array([False, True]), [0, 1]),
    ],
)
def test_masks_survive_their_casts(card, values, expected):
    assert classes(values, card).tolist() == expected


@pytest.mark.parametrize(
    ("card", "values", "told"),
    [
        (THREE, np.array([0, 0.99608, 2.0]), "the mask holds 0.99608: no whole numbers"),
        (THREE, np.array([-1, 0, 2]), "the mask holds the values -1, 0, 2: no class is negative"),
        (BINARY, np.array([-1.0, 0.0]), "the mask holds the values -1, 0: no class is negative"),
        (THREE, np.array([0, np.nan]), "the mask holds 1 NaN"),
        (SOFT, np.array([0, np.nan, np.nan]), "the mask holds 2 NaN"),
        (THREE, np.array([0, np.inf]), "the mask holds inf: no whole numbers"),
        (THREE, np.array([0, 3]), "the values 0, 3, and classes are 0 … 2"),
        (THREE, np.array([0, 256 + 1]), "the values 0, 257, and classes are 0 … 2"),
        (THREE, np.array([0, 1 + 1j]), "the mask holds complex128, no numbers"),
        (BINARY, np.array([0, 0.9]), "the mask holds 0.9: no whole numbers"),
    ],
)
def test_masks_that_would_not_are_refused_with_the_value(card, values, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        classes(values, card)


def test_values_become_the_classes_that_the_card_gives_them():
    """Those of BraTS, and some to be left out; what is not named stays."""
    card = Card(name="own", mask="labels", classes=list("abcd"), values={4: 3, -1: 0})
    assert classes(np.array([0, 1, 2, 4, -1], np.int8), card).tolist() == [0, 1, 2, 3, 0]
    assert classes(np.array([4.0002, 1]), card).tolist() == [3, 1]
    with pytest.raises(ValueError, match=re.escape("0, 5, and classes are 0 … 3 (own)")):
        classes(np.array([0, 5]), card)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"values": {4: 1}}, "with mask: labels, not binary"),
        ({"values": {4: 2}, "mask": "labels"}, "there is no class 2"),
        ({"values": {"red": 1}, "mask": "labels"}, "colours such as \"#ff0000\", got 'red'"),
        ({"values": {"#ff0000": 1, 3: 0}, "mask": "labels"}, "not both"),
        ({"channels": 2}, "images have channels: 1"),
        ({"modalities": ["a", "b"], "is_volume": True}, "channels is 1, and there are 2"),
        ({"window": [3, 1]}, "window is"),
        ({"window": [1, 3], "clip": [1, 99]}, "window or clip, not both"),
        ({"clip": [1, 101]}, "less than or equal to 100"),
        ({"clip": [0.005, 0.995]}, "clip is in percent"),
        ({"crop": "label_box"}, "crop is of volumes"),
        ({"lists": {"-a": ["c1"]}}, "a list is named with letters, digits"),
        ({"lists": {"a.txt": ["c1"]}}, "a.txt is called as a file is"),
        (
            {"is_volume": True, "readers": ["pairs"]},
            "pairs reads images; volumes have readers of their own",
        ),
        ({"expected": {"training": 6}}, "Input should be 'train', 'val' or 'test'"),
        ({"size": [100000, 100000]}, "less than or equal to 8192"),
    ],
)
def test_cards_that_contradict_themselves_are_refused(fields, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        Card(name="own", **fields)


def test_what_lies_below_a_rule():
    def is_below(values, rule="> 127"):
        return read(np.array(values), Card(name="own", mask=rule)).is_below_rule

    assert is_below([0, 1])
    assert not is_below([0, 0]) and not is_below([0, 1, 128]) and not is_below([0, 1], "binary")


def test_the_value_of_the_foreground_is_kept_where_any_is_allowed():
    for values, value in (([0, 255], 255), ([0, 0], 0), ([1, 1], 1)):
        assert read(np.array(values), BINARY).value == value


def test_volumes_are_grey_and_read_as_volumes_unless_the_card_says_otherwise():
    assert (Card(name="own", is_volume=True).channels, Card(name="own").channels) == (1, 3)
    assert Card(name="own", is_volume=True).readers == ["volume_pairs"]
    assert Card(name="own", is_volume=True, channels=2, readers=["la"]).readers == ["la"]


def test_values_that_name_0_are_all_that_there_may_be():
    card = Card(name="own", mask="labels", classes=["a", "b", "c"], values={0: 0, 1: 1, 4: 2})
    assert classes(np.array([0, 1, 4, 4]), card).tolist() == [0, 1, 2, 2]
    with pytest.raises(ValueError, match="holds 2, 3, and what the card's values name is 0, 1, 4"):
        classes(np.array([0, 2, 3, 4]), card)
    some = Card(name="own", mask="labels", classes=["a", "b", "c"], values={4: 2})
    assert classes(np.array([0, 1, 2, 4]), some).tolist() == [0, 1, 2, 2]
