"""The augmentation of SSL4MIS: how often, and which symmetries; masks go with their images."""

from collections import Counter

import numpy as np
import pytest
import torch
from scipy import ndimage

from benchmark.randomness import generator
from benchmark.training.augmentation import augmented

N = 4000


def pictures(*shape: int, n: int = N) -> tuple[torch.Tensor, torch.Tensor]:
    """One numbered picture n times; its mask is the same."""
    x = torch.arange(1.0, 1 + np.prod(shape)).reshape(1, 1, *shape).expand(n, 1, *shape)
    return x, x[:, 0].long()


def drawn(shape: tuple[int, ...], symmetry: str, n: int = N) -> torch.Tensor:
    x, y = pictures(*shape, n=n)
    black = torch.zeros(n, 1)
    x, y = augmented(x, y, "ssl4mis", symmetry, generator(0, "test"), black)
    assert torch.equal(x[:, 0].long(), y)
    return y


def kinds(y: torch.Tensor, *reference: torch.Tensor) -> list[float]:
    """How often each of these pictures is among them."""
    return [float((y == one).flatten(1).all(1).float().mean()) for one in reference]


def test_half_are_turned_and_flipped_a_quarter_rotated_a_quarter_left_alone():
    """Of a square: 4 turns times 2 flips are 4 reflections, each twice as likely: none is a turn.

    Of the rotations some are too small to move a pixel.
    """
    one = torch.arange(1, 1 + 81).reshape(9, 9)
    y = drawn((9, 9), "all")
    flips = [one.flip(0), one.flip(1), one.T, one.rot90(2).T]
    assert kinds(y, *flips) == pytest.approx([1 / 8] * 4, abs=0.02)
    assert sum(kinds(y, one.rot90(1), one.rot90(2), one.rot90(3))) == 0
    # A corner lies 4 pixels from the centre both ways. It stays where it is while
    # 4 (1 - cos a) + 4 sin |a| < .5, so up to 6 degrees: 13 of 40 angles.
    assert kinds(y, one)[0] == pytest.approx((1 + 13 / 40) / 4, abs=0.02)
    # It comes from outside where 4 cos a + 4 sin |a| > 4.5, so from 8 degrees on: 25 of 40.
    assert float((y[:, 0, 0] == 0).float().mean()) == pytest.approx(25 / 40 / 4, abs=0.02)


def test_rotations_are_by_whole_degrees_from_minus_20_to_19_and_nearest():
    """Against scipy's nearest neighbour, of a large picture: the angles that are found."""
    rng = np.random.default_rng(0)
    picture = rng.integers(1, 200, (48, 48)).astype(np.float32)
    x = torch.from_numpy(picture)[None, None].expand(300, 1, 48, 48)
    found, _ = augmented(x, None, "ssl4mis", "none", generator(1, "test"), torch.zeros(300, 1))
    known = {a: ndimage.rotate(picture, a, order=0, reshape=False) for a in range(-22, 23)}
    angles = Counter()
    for one in found[:, 0].numpy():
        alike = {a: float((one == turned).mean()) for a, turned in known.items()}
        best = max(alike, key=alike.get)
        assert alike[best] > 0.97, (best, alike[best])
        angles[best] += 1
    assert min(angles) == -20 and max(angles) == 19
    assert 0.65 < angles[0] / 300 < 0.85  # with symmetry: none three quarters stay as they are


def test_what_comes_from_outside_is_black_and_background():
    x = torch.full((400, 2, 16, 16), 5.0)
    y = torch.ones(400, 16, 16, dtype=torch.long)
    black = torch.tensor([[-1.5, -2.5]]).expand(400, 2)
    x, y = augmented(x, y, "ssl4mis", "all", generator(0, "test"), black)
    outside = y == 0
    assert outside.any() and not outside[:, 8, 8].any()
    assert (x[:, 0][outside] == -1.5).all() and (x[:, 1][outside] == -2.5).all()
    assert (x[:, 0][~outside] == 5).all()


def test_without_quarter_turns_there_are_flips_and_half_turns():
    one = torch.arange(1, 1 + 81).reshape(9, 9)
    for y in (drawn((9, 9), "flips"), drawn((7, 9), "all")):
        here = one if y.shape[-2] == 9 else torch.arange(1, 1 + 63).reshape(7, 9)
        assert kinds(y, here.flip(0), here.flip(1)) == pytest.approx([1 / 4, 1 / 4], abs=0.025)
    assert kinds(drawn((9, 9), "none"), one.flip(0), one.flip(1), one.T) == [0, 0, 0]


def test_volumes_are_always_turned_about_the_last_axis_and_flipped():
    one = torch.arange(1, 1 + 75).reshape(5, 5, 3)
    y = drawn((5, 5, 3), "all", n=2000)
    reflections = [one.flip(0), one.flip(1), one.transpose(0, 1), one.rot90(2).transpose(0, 1)]
    assert kinds(y, *reflections) == pytest.approx([1 / 4] * 4, abs=0.03)


def test_none_changes_nothing_and_symmetries_are_what_they_were():
    x, y = pictures(4, 4, n=50)
    black = torch.zeros(50, 1)
    same, mask = augmented(x, y, "none", "all", generator(0, "test"), black)
    assert torch.equal(same, x) and torch.equal(mask, y)
    turned, _ = augmented(x, y, "symmetries", "all", generator(0, "test"), black)
    assert len(torch.unique(turned.flatten(1), dim=0)) == 8
