import numpy as np
import pytest
import torch

from benchmark.toolkit.distances import boundary, signed_distance, signed_distances


def square(sides, start, stop) -> np.ndarray:
    mask = np.zeros(sides, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


def test_a_single_pixel():
    """It is boundary: 0, not -1. Distances to it over the largest, 2√2."""
    expected = [
        [1.0, 0.7905694, 0.7071068],
        [0.7905694, 0.5, 0.3535534],
        [0.7071068, 0.3535534, 0.0],
    ]
    found = signed_distance(square((5, 5), (2, 2), (3, 3)))
    assert found[:3, :3] == pytest.approx(np.array(expected), abs=1e-7)
    assert np.array_equal(found, found[::-1]) and np.array_equal(found, found.T)


def test_a_square_is_negative_inside_and_zero_on_its_boundary():
    found = signed_distance(square((7, 7), (2, 2), (5, 5)))
    assert found[3, 3] == -1
    assert (found[2:5, 2:5] == 0).sum() == 8
    assert found[1, 3] == pytest.approx(0.3535534, abs=1e-7)
    assert found[0, 0] == 1


def test_each_side_is_scaled_by_itself_and_the_image_s_edge_is_no_boundary():
    run = signed_distance(square((9,), (2,), (7,)))
    assert run == pytest.approx(np.array([1, 0.5, 0, -2 / 3, -1, -2 / 3, 0, 0.5, 1]))
    half = signed_distance(square((4, 4), (0, 0), (4, 2)))
    assert np.allclose(half, [[-1, 0, 0.5, 1]] * 4)


def test_the_complement_is_not_the_negative():
    """The boundary lies on the inner side of both."""
    mask = square((9,), (2,), (7,))
    assert not np.allclose(signed_distance(~mask), -signed_distance(mask))


@pytest.mark.parametrize(("absent", "empty", "full"), [(0.0, 0, 0), (1.0, 1, -1)])
def test_a_mask_with_one_side_only_is_finite(absent, empty, full):
    assert (signed_distance(np.zeros((4, 4), bool), absent) == empty).all()
    assert (signed_distance(np.ones((4, 4), bool), absent) == full).all()


def test_batches_get_one_channel_per_foreground_class():
    y = torch.zeros(2, 7, 7, dtype=torch.long)
    y[0, 2:5, 2:5] = 1
    y[1, 0, 0] = 2
    found = signed_distances(y, classes=3)
    assert found.shape == (2, 2, 7, 7) and found.dtype == torch.float32
    assert found[0, 0, 3, 3] == -1 and found[1, 1, 6, 6] == 1
    assert (found[0, 1] == 0).all() and (found[1, 0] == 0).all()


def test_the_boundary_is_foreground_beside_background_across_a_face():
    """Of a square of 3 × 3 all but its middle; diagonal neighbours do not count."""
    ring = square((5, 5), (1, 1), (4, 4)) & ~square((5, 5), (2, 2), (3, 3))
    mask = square((5, 5), (1, 1), (4, 4))
    assert np.array_equal(boundary(mask, edge_is_boundary=False), ring)
    notched = square((5, 5), (0, 0), (5, 5)) & ~square((5, 5), (0, 0), (1, 1))
    assert np.argwhere(boundary(notched, edge_is_boundary=False)).tolist() == [[0, 1], [1, 0]]


def test_foreground_at_the_image_s_edge_is_boundary_only_if_asked_for():
    """Left half of 4 × 4: its right column; with the image's edge its left one too."""
    half = square((4, 4), (0, 0), (4, 2))
    assert np.array_equal(boundary(half, edge_is_boundary=False), square((4, 4), (0, 1), (4, 2)))
    assert np.array_equal(boundary(half, edge_is_boundary=True), half)
