"""Grey values of any kind become bytes or 16-bit numbers."""

import math
from fractions import Fraction

import numpy as np
import pytest

from benchmark.data.decoding import greys
from benchmark.data.decoding.greys import Limits, limits, stored
from benchmark.randomness import generator


def whole(values) -> Limits:
    """Bytes as they are; else from the least to the greatest."""
    return Limits(0, 255) if values.dtype == np.uint8 else limits(values, [], [])


def test_bytes_are_kept_and_standardised_by_their_own_mean_and_deviation():
    """Half 0, half 255: mean and deviation 1/2 of the range."""
    values = np.repeat(np.array([0, 255], np.uint8), 32).reshape(4, 4, 4)
    found = greys.stored(values, whole(values))
    assert np.array_equal(found.values, values)
    assert (found.mean, found.std) == pytest.approx((0.5, 0.5))


def test_standardised_values_come_back_within_half_a_grey_level():
    values = generator("test").normal(0, 1, (8, 8, 8)).astype(np.float32)
    found = greys.stored(values, whole(values), is_standardised=True)
    back = (found.values / 255 - found.mean) / found.std
    assert np.abs(back - values).max() <= np.ptp(values) / 510 * 1.001


def test_moments_are_exact_whatever_processor_sums():
    """Of sums of whole numbers, rounded once: they are in the keys of trials."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        levels = rng.integers(0, 256, (97, 31), dtype=np.uint8)
        values = [int(v) for v in levels.ravel()]
        n, total, squares = len(values), sum(values), sum(v * v for v in values)
        mean = Fraction(total, 255 * n)
        variance = Fraction(squares, 255**2 * n) - mean**2
        assert greys.moments(levels) == (float(mean), math.sqrt(float(variance)))
    assert greys.moments(np.full((4, 4), 51, np.uint8)) == (0.2, 1e-6)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (np.int16, -11000, 32000),
        (np.int16, -32768, 32767),
        (np.int8, -128, 127),
        (np.int32, -(2**31), 2**31 - 1),
        (np.uint16, 0, 65535),
        (np.int64, -(2**40), 2**40),
        (np.float16, -60000.0, 60000.0),
    ],
)
def test_the_width_of_greys_does_not_wrap_in_the_files_own_type(dtype, low, high):
    """Levels rise with the values, from 0 to 255; the middle is 127.5, either neighbour of it."""
    middle = low / 2 + high / 2
    values = np.array([low, middle, high]).astype(dtype).reshape(3, 1, 1)
    levels = greys.stored(values, whole(values)).values.ravel()
    assert levels[0] == 0 and levels[1] in (127, 128) and levels[2] == 255


def test_what_is_no_grey_is_no_volume():
    with pytest.raises(ValueError, match="no grey values, but complex64"):
        greys.require_numbers(np.ones((2, 2, 2), np.complex64), "a.nii")


def soft_tissue(shape=(24, 24, 16)) -> np.ndarray:
    """Half air, half tissue of 20 to 120 HU with a little bone: as CT has it."""
    rng = np.random.default_rng(0)
    values = np.full(shape, -1024, np.int16)
    values[:12] = rng.integers(20, 121, values[:12].shape)
    values[0, 0] = 3071
    return values


def levels_of_tissue(found, values) -> int:
    return len(np.unique(found.values[(values >= 20) & (values <= 120)]))


def test_the_range_of_ct_does_not_crush_its_tissue():
    """101 values of tissue within 4,096: of 256 levels it would have seven."""
    values = soft_tissue()
    within = whole(values)
    found = stored(values, within)
    assert found.values.dtype == np.uint16
    assert levels_of_tissue(found, values) == 101
    assert not found.was_crushed
    windowed = stored(values, limits(values, [-160.0, 240.0], []))
    assert windowed.values.dtype == np.uint8 and levels_of_tissue(windowed, values) >= 60


def test_one_hot_voxel_is_clipped_by_percentiles_and_said_without():
    """Noise of standard deviation 15 and one voxel of 1e8: 16 bits are too few as well."""
    values = np.random.default_rng(0).normal(100, 15, (20, 20, 20)).astype(np.float32)
    plain = stored(values, limits(values, [], greys.DEFAULT_CLIP))
    values[3, 3, 3] = 1e8
    found = stored(values, limits(values, [], greys.DEFAULT_CLIP))
    differences = np.abs(found.values.astype(int) - plain.values)
    assert found.values[3, 3, 3] == 255 and np.sort(differences.ravel())[-2] <= 1
    assert not found.was_crushed and found.levels > 250
    assert stored(values, whole(values)).was_crushed


def test_percentiles_that_are_equal_keep_everything():
    """An object of 4 voxels among 1000: it would be gone."""
    values = np.zeros((10, 10, 10), np.int16)
    values[0, 0, :4] = 500
    assert limits(values, [], greys.DEFAULT_CLIP) == (0, 500)


def test_sixteen_bits_are_standardised_as_bytes_are():
    """Half 0, half all: mean and deviation 1/2 of the range; 257 of 255 levels each."""
    half = np.repeat(np.array([0, 255], np.uint8), 8)
    wide = greys.widened(half, np.dtype(np.uint16))
    assert wide.max() == 65535
    assert greys.moments(wide) == pytest.approx((0.5, 0.5))
    assert greys.widened(half, np.dtype(np.uint8)) is half


def test_a_constant_volume_has_one_level():
    values = np.full((4, 4, 4), 7, np.int16)
    found = stored(values, whole(values))
    assert found.levels == 1 and found.std == 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_counted(bad):
    with pytest.raises(ValueError, match=r"a\.nii holds 2 values that are not finite"):
        greys.require_numbers(np.array([1, bad, bad]), "a.nii")


def test_what_is_looked_at_is_bytes_and_twelve_bits_are_not_black():
    """0 … 4095 in 16 bits: the upper 8 bits would be 0 … 15."""
    deep = np.array([[0, 2048], [1024, 4095]], np.uint16)
    assert greys.as_bytes(deep).tolist() == [[0, 127], [63, 255]]
    plain = np.array([[3, 7]], np.uint8)
    assert greys.as_bytes(plain) is plain
