import time
from itertools import product

import numpy as np
import pytest
import torch

from benchmark.distance import diagonal, signed_distance, signed_distances, surface_distances

PIXEL = (1.0, 1.0)


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


def spur() -> tuple[np.ndarray, np.ndarray]:
    """A square of 32 pixels, and the same with a spur of ten."""
    true = square((64, 64), (16, 16), (48, 48))
    return true | square((64, 64), (30, 48), (32, 58)), true


def test_both_readings_of_a_spur():
    """Worked numbers: pooled percentile as in MedPy, larger percentile as in MONAI; both means."""
    found = surface_distances(*spur(), PIXEL)
    assert found.hd95_joint == pytest.approx(3.75)
    assert found.hd95_directed == pytest.approx(6.95)
    assert found.asd_directed == pytest.approx(0.3953884598, abs=1e-9)
    assert found.asd_joint == pytest.approx(0.4210526316, abs=1e-9)


def random_masks(dims: int):
    rng = np.random.default_rng(dims)
    for _ in range(5):
        noise = rng.random((2, *[9] * dims))
        for axis in range(1, dims + 1):
            noise = noise + np.roll(noise, 1, axis)
        yield noise > np.median(noise, tuple(range(1, dims + 1)), keepdims=True) * 1.1


@pytest.mark.filterwarnings("ignore:monai.*always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize("dims", [2, 3])
def test_monai_agrees(dims):
    """On random masks that touch the edges, with another spacing along each axis."""
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance

    spacing = (0.5, 1.25, 2.0)[:dims]
    for predicted, true in random_masks(dims):
        ours = surface_distances(predicted, true, spacing)
        pair = [torch.tensor(mask)[None, None].float() for mask in (predicted, true)]
        options = {"include_background": True, "spacing": spacing}
        hd95 = compute_hausdorff_distance(*pair, percentile=95, **options).item()
        asd = compute_average_surface_distance(*pair, symmetric=True, **options).item()
        assert ours.hd95_directed == pytest.approx(hd95, rel=1e-5)
        assert ours.asd_joint == pytest.approx(asd, rel=1e-5)


def test_swapping_the_masks_and_moving_them_changes_nothing():
    predicted, true = spur()
    found = surface_distances(predicted, true, PIXEL)
    assert surface_distances(true, predicted, PIXEL) == pytest.approx(found)
    moved = [np.roll(mask, (-16, 6), (0, 1)) for mask in (predicted, true)]  # onto the edges
    assert surface_distances(*moved, PIXEL) == pytest.approx(found)


def test_spacing_scales_distances():
    found = surface_distances(*spur(), (0.625, 0.625))
    assert found.hd95_joint == pytest.approx(0.625 * 3.75)


def test_empty_masks_count():
    """Both empty agree; one empty is as far as the image is wide, never NaN."""
    empty, true = np.zeros((3, 4), bool), square((3, 4), (0, 0), (1, 1))
    assert set(surface_distances(empty, empty, PIXEL)) == {0.0}
    for pair in ((empty, true), (true, empty)):
        assert set(surface_distances(*pair, (1.0, 1.0))) == {5.0}
    assert diagonal((3, 4), (2.0, 2.0)) == 10


def test_no_pair_of_pixels_is_further_apart_than_the_diagonal():
    for corners in product((0, 4), repeat=2):
        far = square((5, 5), corners, [c + 1 for c in corners])
        assert surface_distances(square((5, 5), (0, 0), (1, 1)), far, PIXEL).hd95_joint < diagonal(
            (5, 5), PIXEL
        )


@pytest.mark.slow
def test_a_heart_in_a_whole_scan_takes_no_second():
    """Two balls of 60 voxels in 320 × 320 × 88: beyond their box nothing is computed."""
    grid = np.indices((320, 320, 88))
    balls = [
        sum((g - c) ** 2 for g, c in zip(grid, centre, strict=True)) < 30**2
        for centre in ((160, 160, 44), (164, 160, 44))
    ]
    started = time.perf_counter()
    found = surface_distances(*balls, (0.625, 0.625, 0.625))
    assert time.perf_counter() - started < 5
    assert 0 < found.asd_joint < found.hd95_joint <= 4 * 0.625 + 1e-9
