"""Literals of three grey pixels, .2 .4 .9, whose mean is .5, and of one colour of these numbers."""

import pytest
import torch

from benchmark.toolkit import grey_levels


def three_pixels():
    return torch.tensor([[[0.2, 0.4, 0.9]]])  # (1, 1, 3)


def one_colour():
    return torch.tensor([0.2, 0.4, 0.9]).reshape(3, 1, 1)


def numbers(v) -> list[float]:
    return pytest.approx(v.flatten().tolist(), abs=1e-6)


def test_brightness_is_a_factor():
    assert numbers(grey_levels.brightened(three_pixels(), 1.5)) == [0.3, 0.6, 1.35]


@pytest.mark.parametrize(
    ("factor", "expected"), [(0.5, [0.35, 0.45, 0.7]), (1.5, [0.05, 0.35, 1.1])]
)
def test_contrast_is_about_the_mean(factor, expected):
    assert numbers(grey_levels.contrasted(three_pixels(), factor)) == expected


def test_each_channel_has_its_own_mean_but_colours_have_one_grey():
    """Channels of .2 and .4: nothing to change. Grey .3972: half of each, and .1986."""
    v = torch.tensor([0.2, 0.4]).reshape(2, 1, 1).expand(2, 2, 2)
    assert torch.allclose(grey_levels.contrasted(v, 0.5), v)
    found = grey_levels.contrasted_colours(one_colour(), 0.5)
    assert numbers(found) == [0.2986, 0.3986, 0.6486]


def test_colours_have_the_grey_of_the_whole_image():
    """Pixels of grey .2 and .6: mean .4; saturation, about the grey of each, changes nothing."""
    v = torch.tensor([0.2, 0.6]).expand(3, 1, 2)
    found = grey_levels.contrasted_colours(v, 0.5)
    assert numbers(found) == [0.3, 0.5] * 3
    assert numbers(grey_levels.saturated(v, 0.5)) == [0.2, 0.6] * 3


def test_saturation_is_about_the_grey_of_each_pixel():
    """.299 · .2 + .587 · .4 + .114 · .9 = .3972."""
    assert numbers(grey_levels.saturated(one_colour(), 0.5)) == [0.2986, 0.3986, 0.6486]
    assert numbers(grey_levels.saturated(one_colour(), 0.0)) == [0.3972] * 3


@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (0.0, [0.2, 0.4, 0.9]),
        (1 / 3, [0.9, 0.2, 0.4]),  # red to green, green to blue, blue to red
        (-1 / 3, [0.4, 0.9, 0.2]),
        (0.5, [0.9, 0.7, 0.2]),  # from 26/7 sixths to 5/7 of the way from red to yellow
        (0.25, [0.9, 0.2, 0.75]),  # 73/14 sixths: from magenta to red, blue loses 3/14 of .7
    ],
)
def test_hue_turns_and_keeps_the_largest_and_the_least(turn, expected):
    assert numbers(grey_levels.hue_turned(one_colour(), turn)) == expected


@pytest.mark.parametrize("grey", [0.0, 0.3, 1.0])
def test_grey_has_no_hue(grey):
    assert numbers(grey_levels.hue_turned(torch.full((3, 1, 1), grey), 0.2)) == [grey] * 3


def test_a_volume_is_stretched_and_shifted_by_its_mean():
    """1.5 times 0, .25, .5, 1, whose mean is then .65625; a fifth of it less."""
    v = torch.tensor([0.0, 0.25, 0.5, 1.0]).reshape(1, 1, 2, 2)
    found = grey_levels.stretched(v, 1.5, -0.2)
    assert numbers(found) == [-0.13125, 0.24375, 0.61875, 1.36875]


def test_a_point_is_blurred_into_a_gaussian():
    """Deviation 1, to three of it: exp(-i²/2) over 2.5059488, their sum."""
    image = torch.zeros(1, 9, 9)
    image[0, 4, 4] = 1
    line = [0.0, 0.0044330, 0.0540056, 0.2420362, 0.3990503, 0.2420362, 0.0540056, 0.0044330, 0.0]
    found = grey_levels.blurred(image, 1.0)
    assert numbers(found.sum(1)) == line
    assert numbers(found.sum(2)) == line
    assert found[0, 4, 4].item() == pytest.approx(0.3990503**2, abs=1e-6)


def test_the_ends_are_mirrored_and_volumes_are_blurred_along_three_axes():
    """Deviation 1 on a line of two, so one beyond each end: weights .6065, 1, .6065."""
    line = torch.tensor([[[0.0, 1.0]]])
    share = 0.2740686  # .6065307 / 2.2130613, twice: the other pixel is on both sides
    found = grey_levels.blurred(line, 1.0)
    assert numbers(found) == [2 * share, 1 - 2 * share]
    volume = torch.zeros(1, 7, 7, 7)
    volume[0, 3, 3, 3] = 1
    assert grey_levels.blurred(volume, 1.0)[0, 3, 3, 3].item() == pytest.approx(0.0635457, abs=1e-6)


def test_a_very_narrow_blur_leaves_an_image_and_a_flat_one_stays_flat():
    torch.manual_seed(0)
    image = torch.randn(2, 8, 8)
    assert torch.allclose(grey_levels.blurred(image, 0.1), image, atol=1e-6)
    flat = torch.full((1, 8, 8), 0.7)
    assert torch.allclose(grey_levels.blurred(flat, 2.0), flat, atol=1e-6)
