"""How numbers are rounded and signed."""

import pytest

from reports.sheet import number, signed


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
