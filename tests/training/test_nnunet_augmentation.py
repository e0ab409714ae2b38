"""nnU-Net's augmentation: its formulas, how often and how far, and that masks go with images."""

import inspect
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmark.data.split.trial_data import Labelled, TrialData, Unlabelled
from benchmark.randomness import generator
from benchmark.study.settings import Conditions, TrainingSettings
from benchmark.training.augmentation import augmented, nnunet
from benchmark.training.augmentation.intensity import (
    blurred,
    coarse,
    contrasted,
    gamma_corrected,
    kernels,
)
from benchmark.training.augmentation.spatial import Turns, allowed_turns, matrices, warped
from benchmark.training.batches import draw_batch

CPU = torch.device("cpu")
PLANE = Turns([(0, 1)], 180.0)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor([values], dtype=torch.float32)


def approx(*values: float):
    return pytest.approx(list(values), abs=2e-6)


# Formulas, by hand or in double precision elsewhere.


def test_gamma_keeps_mean_and_standard_deviation():
    """γ = .8 of 0 1 2 4: 4 (v/4)^.8 = 0, 1.3195079, 2.2973967, 4; then mean 1.75, s 1.7078251."""
    picture = numbers(0, 1, 2, 4)
    found = gamma_corrected(picture, torch.tensor([0.8]))
    assert found[0].tolist() == approx(-0.1803440, 1.1572619, 2.1485632, 3.8745190)
    inverse = -gamma_corrected(-picture, torch.tensor([0.8]))
    assert inverse[0].tolist() == approx(0.1354174, 0.9493522, 1.8206419, 4.0945886)


def test_gamma_of_a_constant_picture_is_that_picture():
    assert gamma_corrected(torch.full((1, 4), 3.0), torch.tensor([1.5])).tolist() == [[3.0] * 4]


def test_contrast_stays_within_the_range():
    """Mean 2: 2 + 1.25 (-2, -1, 0, 3) = -.5, .75, 2, 5.75."""
    found = contrasted(numbers(0, 1, 2, 5), torch.tensor([1.25]))
    assert found[0].tolist() == approx(0, 0.75, 2, 5)


def test_kernels_are_as_long_as_the_odd_number_nearest_to_six_sigma_and_a_half():
    """6 · .5 + .5 = 3.5: 3; 6 · .7 + .5 = 4.7: 5; 6 · 1 + .5 = 6.5: 7."""
    half, middle, one = kernels(np.array([0.5, 0.7, 1.0]))
    assert half.tolist() == approx(0, 0, 0.1065070, 0.7869860, 0.1065070, 0, 0)
    assert (middle > 0).tolist() == [False, *[True] * 5, False]
    right = [0.3990503, 0.2420362, 0.0540056, 0.0044330]
    assert one.tolist() == approx(*right[:0:-1], *right)


def test_blur_reflects_without_the_edge_itself():
    """A single 1 beside the edge is seen twice from there; along the other axis nothing varies."""
    picture = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]).expand(1, 2, 5)
    weights = torch.from_numpy(kernels(np.array([[1.0, 0.5]]))).float()
    row = blurred(picture, weights)[0, 1]
    assert row.tolist() == approx(0.2130140, 0.7869860, 0.1065070, 0, 0)


def test_blur_of_a_single_row_of_voxels():
    picture = torch.ones(1, 1, 8)
    weights = torch.from_numpy(kernels(np.array([[1.0, 1.0]]))).float()
    assert blurred(picture, weights)[0, 0].tolist() == approx(*[1] * 8)


def test_low_resolution_takes_nearest_pixels_and_enlarges_linearly():
    """Of 0 1 2 3 by half: 1 and 3, at -.25, .25, .75, 1.25 of their distance."""
    picture = torch.arange(4.0).expand(4, 4)
    for axes in ([0, 1], [1]):
        for row in coarse(picture, 0.5, axes):
            assert row.tolist() == [1, 1.5, 2.5, 3]
    assert torch.equal(coarse(picture, 0.5, [0]), picture)


# Rotation and scaling.


def placed(angle: float, scale: float) -> torch.Tensor:
    made = matrices(np.array([[float(angle)]]), np.array([float(scale)]), PLANE, 2)
    return torch.from_numpy(made).float()


def test_a_quarter_turn_moves_pixels_without_blur():
    """From (row, column) as seen from the centre to (-column, row): top left comes from below."""
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, None]
    found, mask = warped(x, x[:, 0].long(), placed(90, 1))
    assert found[0, 0].flatten().tolist() == pytest.approx([3, 1, 4, 2], abs=1e-5)
    assert mask[0].tolist() == [[3, 1], [4, 2]]


def test_rotations_are_in_pixels_of_images_that_are_not_square_too():
    """The columns of 4 × 8 pixels, seen from the centre, become the rows: 3.5 ∓ 1.5, ∓ .5."""
    x = torch.arange(8.0).expand(1, 1, 4, 8)
    found, _ = warped(x, None, placed(90, 1))
    for column in found[0, 0].T:
        assert column.tolist() == pytest.approx([2, 3, 4, 5], abs=1e-5)


def test_above_1_objects_shrink_and_what_lies_outside_is_mirrored():
    """Pixels -1.5 … 1.5 from the centre come from -3, -1, 1, 3: places -1.5, .5, 2.5, 4.5.

    Mirrored at -.5 and at 3.5 these are .5, .5, 2.5, 2.5.
    """
    x = torch.arange(4.0).expand(1, 1, 4, 4)
    found, _ = warped(x, None, placed(0, 2))
    for row in found[0, 0]:
        assert row.tolist() == pytest.approx([0.5, 0.5, 2.5, 2.5], abs=1e-5)


@pytest.mark.parametrize(
    ("mask", "found"),
    [
        ([[0, 1], [2, 2]], 2),  # a quarter, a quarter, a half
        ([[0, 1], [1, 0]], 0),  # of equal shares the lowest
        ([[7, 7], [1, 0]], 7),  # and never a mean of labels
        ([[5, 4], [4, 5]], 4),
        ([[3, 3], [3, 3]], 3),
    ],
)
def test_the_class_with_the_largest_share_wins(mask, found):
    """All places at the centre of four pixels."""
    _, y = warped(torch.zeros(1, 1, 2, 2), torch.tensor([mask]), torch.zeros(1, 2, 2))
    assert y.tolist() == [[[found] * 2] * 2]


def test_rotations_of_volumes_follow_each_other():
    """R_01 R_02 for 90 degrees each: rows 0 -1 0 | 0 0 -1 | 1 0 0."""
    turns = allowed_turns([8, 8, 8], "all")
    found = matrices(np.array([[90.0, 90.0, 0.0]]), np.array([1.0]), turns, 3)
    assert found[0].flatten().tolist() == pytest.approx([0, -1, 0, 0, 0, -1, 1, 0, 0], abs=1e-12)


@pytest.mark.parametrize(
    ("sides", "symmetry", "planes", "most"),
    [
        ([128, 128], "all", [(0, 1)], 180),
        ([128, 192], "all", [(0, 1)], 180),
        ([128, 196], "all", [(0, 1)], 15),
        ([128, 128], "flips", [(0, 1)], 15),
        ([128, 128], "none", [(0, 1)], 15),
        ([96, 96, 80], "all", [(0, 1), (0, 2), (1, 2)], 30),
        ([96, 96, 32], "flips", [(0, 1), (0, 2), (1, 2)], 30),
        ([96, 96, 80], "none", [(0, 1), (0, 2), (1, 2)], 15),
        ([96, 96, 16], "all", [(0, 1)], 180),
        ([16, 96, 96], "all", [(1, 2)], 180),
        ([96, 16, 48], "all", [(0, 2)], 15),
        ([96, 96, 16], "flips", [(0, 1)], 15),
        ([96, 96, 16], "none", [(0, 1)], 15),
    ],
)
def test_which_rotations_shape_and_card_allow(sides, symmetry, planes, most):
    assert allowed_turns(sides, symmetry) == Turns(planes, float(most))


def coordinates(*sides: int, n: int) -> torch.Tensor:
    """Images whose channels are their own coordinates, from the centre."""
    along = [torch.arange(float(side)) - (side - 1) / 2 for side in sides]
    return torch.stack(torch.meshgrid(*along, indexing="ij"))[None].expand(n, -1, *sides)


def found_matrices(sides: tuple[int, ...], symmetry: str, n: int) -> np.ndarray:
    """What the warp did, read from coordinates around the centre, where nothing is mirrored."""
    x, _ = nnunet.random_warp(coordinates(*sides, n=n), None, symmetry, generator(0, "test"))
    centre = tuple(side // 2 for side in sides)
    columns = []
    for axis in range(len(sides)):
        after, before = list(centre), list(centre)
        after[axis] += 1
        before[axis] -= 1
        columns.append((x[(..., *after)] - x[(..., *before)]) / 2)
    return torch.stack(columns, -1).numpy()


@pytest.mark.parametrize(("symmetry", "most"), [("all", 180), ("flips", 15), ("none", 15)])
def test_a_fifth_are_rotated_and_a_fifth_are_scaled(symmetry, most):
    found = found_matrices((9, 9), symmetry, n=4000)
    scales = np.sqrt(np.linalg.det(found))
    angles = np.degrees(np.arctan2(found[:, 1, 0], found[:, 0, 0]))
    turned, scaled = abs(angles) > 0.01, abs(scales - 1) > 1e-4
    assert turned.mean() == pytest.approx(0.2, abs=0.02)
    assert scaled.mean() == pytest.approx(0.2, abs=0.02)
    assert (turned | scaled).mean() == pytest.approx(0.36, abs=0.025)
    # Uniform: mean of the absolute angle is half the most, of the scale (.7 + 1.4) / 2.
    assert abs(angles).max() <= most
    assert abs(angles[turned]).mean() == pytest.approx(most / 2, rel=0.07)
    assert angles[turned].mean() == pytest.approx(0, abs=0.1 * most)
    assert 0.7 <= scales.min() < 0.71 and 1.39 < scales.max() <= 1.4001
    assert scales[scaled].mean() == pytest.approx(1.05, abs=0.02)


@pytest.mark.parametrize(("symmetry", "most"), [("all", 30), ("none", 15)])
def test_volumes_are_rotated_about_each_axis(symmetry, most):
    """Of R_01 R_02 R_12 with angles a, b, c: row 2 is sin b, cos b sin c, cos b cos c; column 0
    cos a cos b, sin a cos b, sin b."""
    found = found_matrices((9, 9, 9), symmetry, n=1500)
    found /= np.cbrt(np.linalg.det(found))[:, None, None]
    angles = np.degrees(
        [
            np.arctan2(found[:, 1, 0], found[:, 0, 0]),
            np.arcsin(found[:, 2, 0].clip(-1, 1)),
            np.arctan2(found[:, 2, 1], found[:, 2, 2]),
        ]
    )
    turned = (abs(angles) > 0.05).any(0)
    assert turned.mean() == pytest.approx(0.2, abs=0.03)
    for one in angles:
        assert 0.9 * most < abs(one).max() <= most + 0.01
        assert abs(one[turned]).mean() == pytest.approx(most / 2, rel=0.1)


def test_stacks_of_slices_are_changed_in_plane_alone():
    found = found_matrices((9, 9, 2 + 1), "all", n=400)  # three times as long: not yet one
    assert abs(found[:, 2, :2]).max() > 0.1
    x, _ = nnunet.random_warp(coordinates(9, 9, 2, n=400), None, "all", generator(0, "test"))
    assert x[:, 2].flatten(1)[:, :2].tolist() == [pytest.approx([-0.5, 0.5], abs=1e-5)] * 400
    assert abs(x[:, 0] - coordinates(9, 9, 2, n=1)[:, 0]).max() > 3


# How often, and how strongly.


def changed(change, x: torch.Tensor) -> np.ndarray:
    """Of each image and channel, whether it is another one afterwards."""
    return (change(x, generator(0, "test")) != x).flatten(2).any(2).numpy()


@pytest.mark.parametrize(
    ("name", "of_channels", "of_images"),
    [
        # Two channels, each with ½: of .2, three quarters of the images have one that is changed.
        ("noise", 0.1, 0.1),
        ("blur", 0.1, 0.15),
        ("brightness", 0.15, 0.15),
        ("contrast", 0.15, 0.15),
        ("low_resolution", 0.125, 0.1875),
        ("inverse_gamma", 0.1, 0.1),
        ("gamma", 0.3, 0.3),
    ],
)
def test_how_often_grey_values_are_changed(name, of_channels, of_images):
    x = torch.randn(3000, 2, 1, 64, generator=torch.Generator().manual_seed(0))
    found = changed(getattr(nnunet, f"random_{name}"), x)
    assert found.mean() == pytest.approx(of_channels, abs=0.02)
    assert found.any(1).mean() == pytest.approx(of_images, abs=0.022)


def test_how_many_images_stay_as_they_are():
    """With one channel: .64 · .9 · .9 · .85 · .85 · .875 · .9 · .7 = .2065."""
    x = torch.randn(1500, 1, 16, 64, generator=torch.Generator().manual_seed(0))
    black = torch.zeros(1500, 1)
    found, _ = augmented(x, None, "nnunet", "none", generator(0, "test"), black)
    assert float((found == x).flatten(1).all(1).float().mean()) == pytest.approx(0.2065, abs=0.03)


def test_factors_lie_as_often_below_1_as_above():
    x = torch.ones(6000, 2, 1, 1)
    factors = nnunet.random_brightness(x, generator(0, "test")).flatten().numpy()
    below, above = factors[factors < 1], factors[factors > 1]
    assert below.min() >= 0.75 and above.max() <= 1.25
    assert len(below) / len(above) == pytest.approx(1, abs=0.2)
    assert below.mean() == pytest.approx(0.875, abs=0.01)
    assert above.mean() == pytest.approx(1.125, abs=0.01)
    both = factors.reshape(-1, 2)
    assert (both[:, 0] != both[:, 1]).sum() > 700  # each channel has its own


@pytest.mark.parametrize("name", ["gamma", "inverse_gamma"])
def test_gammas_are_half_below_1(name):
    """Of 0 ½ 1 the middle's place between the ends becomes ½^γ, from below or from above."""
    x = torch.tensor([0.0, 0.5, 1.0]).expand(6000, 1, 3)
    found = getattr(nnunet, f"random_{name}")(x, generator(0, "test"))[:, 0].double()
    low, middle, high = found.T
    place = (middle - low) / (high - low) if name == "gamma" else (high - middle) / (high - low)
    gammas = np.log2(1 / place.numpy())
    below, above = gammas[gammas < 0.9999], gammas[gammas > 1.0001]
    assert below.min() > 0.6999 and above.max() < 1.5001
    assert len(below) / len(above) == pytest.approx(1, abs=0.25)
    assert below.mean() == pytest.approx(0.85, abs=0.015)
    assert above.mean() == pytest.approx(1.25, abs=0.025)


def test_noise_is_one_map_for_all_channels_of_up_to_a_tenth():
    x = torch.zeros(3000, 3, 16, 16)
    found = nnunet.random_noise(x, generator(0, "test"))
    assert torch.equal(found[:, 0], found[:, 2])
    widths = found[:, 0].flatten(1).std(1)
    widths = widths[widths > 0]
    assert float(widths.max()) < 0.12
    assert float(widths.mean()) == pytest.approx(0.05, abs=0.006)


# Image and mask.


def blobs(*sides: int, n: int, classes: int) -> torch.Tensor:
    """Masks of boxes, each class in another place."""
    y = torch.zeros(n, *sides, dtype=torch.long)
    rng = np.random.default_rng(0)
    for one in y:
        for label in range(1, classes):
            starts = [int(rng.integers(0, side // 2)) for side in sides]
            one[tuple(slice(a, a + side // 3) for a, side in zip(starts, sides, strict=True))] = (
                label
            )
    return y


@pytest.mark.parametrize("symmetry", ["all", "flips", "none"])
@pytest.mark.parametrize(
    ("sides", "classes"), [((24, 24), 2), ((24, 16), 4), ((12, 12, 12), 3), ((16, 16, 4), 2)]
)
def test_an_image_that_is_its_mask_stays_so(sides, classes, symmetry):
    """A channel for each class: they become the shares of which the largest wins."""
    y = blobs(*sides, n=60, classes=classes)
    x = torch.nn.functional.one_hot(y, classes).movedim(-1, 1).float()
    found, mask = nnunet.random_warp(x, y, symmetry, generator(0, "test"))
    assert (mask != y).flatten(1).any(1).sum() > 5
    first, second = found.topk(2, 1).values.unbind(1)
    clear = first - second > 1e-4
    assert clear.float().mean() > 0.98
    assert torch.equal(found.argmax(1)[clear], mask[clear])


@pytest.mark.parametrize("sides", [(32, 32), (20, 20, 12)])
def test_after_all_changes_an_image_still_shows_its_mask(sides):
    """Noise, blur and coarse pixels move an edge by a pixel, no more; grey values keep an order."""
    y = blobs(*sides, n=80, classes=2)
    x = 2 * y[:, None].float() - 1
    black = torch.zeros(80, 1)
    found, mask = augmented(x, y, "nnunet", "all", generator(0, "test"), black)
    assert mask.dtype == torch.long and found.shape == x.shape
    for image, own in zip(found[:, 0], mask, strict=True):
        middle = (image[own == 1].mean() + image[own == 0].mean()) / 2
        assert ((image > middle) == (own == 1)).float().mean() > 0.93


def test_what_was_given_stays_as_it_was():
    x, y = torch.randn(40, 2, 16, 16), blobs(16, 16, n=40, classes=2)
    before = x.clone(), y.clone()
    augmented(x, y, "nnunet", "all", generator(0, "test"), torch.zeros(40, 2))
    assert torch.equal(x, before[0]) and torch.equal(y, before[1])


# In batches.


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize(("sides", "patch"), [((16, 16), None), ((10, 12, 9), [8, 8, 8])])
def test_a_step_sees_the_same_whatever_ran_before_it(kind, sides, patch):
    """As after a kill; masks of three classes as they are stored, a batch of one."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, np.iinfo(kind).max, (3, *sides, 2), kind)
    masks = rng.integers(0, 3, (3, *sides), np.uint8)
    if patch:
        images, masks = list(images), list(masks)
    labelled = Labelled(images, masks, np.array([1, 2]), ["b", "c"])
    data = TrialData(
        labelled, Unlabelled(images, np.array([0])), labelled,
        mean=rng.random((3, 2)), std=rng.random((3, 2)) + 0.5, classes=3, cases=[], symmetry="all",
    )  # fmt: skip
    training = TrainingSettings(batch_labelled=1, batch_unlabelled=2, augmentation="nnunet")
    trial = SimpleNamespace(seed=0, conditions=Conditions(patch=patch), training=training)
    draw = partial(inspect.unwrap(draw_batch), trial, data, device=CPU)
    whole = [draw(step=step) for step in range(8)]
    for step in (7, 3):
        again = draw(step=step)
        assert all(torch.equal(a, b) for a, b in zip(whole[step], again, strict=True))
    assert {int(label) for batch in whole for label in batch.y.unique()} == {0, 1, 2}
    assert all(batch.x.isfinite().all() and batch.u.isfinite().all() for batch in whole)
