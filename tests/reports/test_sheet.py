"""How numbers are rounded and signed."""

import math

import pytest

from reports.sheet import Mark, in_full, number, ranked, shortened, signed


@pytest.mark.parametrize(
    ("mean", "half_width", "expected"),
    [
        (0.8460, 0.0036469, ("84.60", "0.36")),
        (0.70, 0.1234, ("70.0", "12.3")),
        (0.70, 0.00994, ("70.00", "0.99")),
        (0.70, 0.00996, ("70.0", "1.0")),
        (0.70125, 0.00125, ("70.12", "0.12")),  # ties go to the even digit
        (0.70135, 0.00135, ("70.14", "0.14")),
        (1.0, 0.0, ("100.00", "0.00")),
    ],
)
def test_numbers_are_rounded_half_even_to_two_digits_of_the_width(mean, half_width, expected):
    assert number(mean, half_width) == expected


@pytest.mark.parametrize(
    ("difference", "half_width", "text"),
    [
        (0.00632, 0.00198, "+0.63 ± 0.20"),
        (-0.02, 0.034, "−2.0 ± 3.4"),
        (-0.00001, 0.001, "+0.00 ± 0.10"),
        (-0.0001, 0.06, "+0.0 ± 6.0"),
        (-0.0006, 0.06, "−0.1 ± 6.0"),
        (0.0, float("nan"), "+0.00"),
    ],
)
def test_differences_carry_their_sign(difference, half_width, text):
    assert signed(difference, half_width) == text


B, S = Mark.BEST, Mark.SECOND


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"a": 0.5, "b": 0.7, "c": 0.6}, {"b": B, "c": S}),
        ({"a": 0.5, "b": 0.7}, {"b": B}),
        ({"a": 0.5}, {}),
        ({"a": 0.7, "b": 0.7, "c": 0.6}, {"a": B, "b": B}),
        ({"a": 0.7, "b": 0.6, "c": 0.6, "d": 0.1}, {"a": B, "b": S, "c": S}),
        ({"a": math.nan, "b": 0.6, "c": 0.5}, {"b": B, "c": S}),
        ({"a": math.inf, "b": 0.6, "c": 0.5}, {"b": B, "c": S}),
        ({"a": math.nan, "b": math.nan}, {}),
    ],
)
def test_equal_scores_share_a_mark_and_what_is_no_number_has_none(values, expected):
    assert ranked(values) == expected
    assert ranked({name: -value for name, value in values.items()}, lowest=True) == expected


def test_a_list_is_cut_short_but_where_it_is_wanted_in_full():
    names = list("abcd")
    assert shortened(names, 2) == "a, b and 2 more"
    assert shortened(names, 4, "; ") == "a; b; c; d"
    with in_full():
        assert shortened(names, 2) == "a, b, c, d"
    assert shortened(names, 2) == "a, b and 2 more"
