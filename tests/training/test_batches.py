"""Which images a step sees, and how they are turned and cut."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from benchmark.data.split.trial_data import Images, Labelled, TrialData, Unlabelled
from benchmark.randomness import generator
from benchmark.study.settings import Conditions, TrainingSettings
from benchmark.training.augmentation import random_symmetry
from benchmark.training.batches import (
    Order,
    Presentation,
    draw_batch,
    draw_images,
    mirrored,
    moved,
    positions,
    random_patch,
)

CPU = torch.device("cpu")


def test_every_case_comes_once_per_round_also_across_batches():
    drawn = [i for step in range(6) for i in positions(4, Order(2), step, 0, "order")]
    for start in (0, 4, 8):
        assert sorted(drawn[start : start + 4]) == [0, 1, 2, 3]
    assert len({tuple(drawn[start : start + 4]) for start in (0, 4, 8)}) > 1


def test_a_single_labelled_image_fills_the_batch():
    assert positions(1, Order(4), 17, 0, "order").tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("n", "order", "lengths"),
    [
        (5, Order(2, 1), [2, 2, 1]),  # 5 % of GlaS in the authors' loader
        (1, Order(2, 1), [1]),  # 1 %
        (5, Order(8, 1), [5]),
        (3, Order(4, 4), [4, 4, 4]),  # four patches of each of three volumes
        (3, Order(5, 4), [5, 5, 2]),
        (4, Order(2, 1), [2, 2]),
    ],
)
def test_an_epoch_may_end_in_a_short_batch(n, order, lengths):
    """Each epoch sees each case as often as it says, and none begins in the middle of another."""
    epochs = []
    for epoch in range(3):
        first = epoch * len(lengths)
        drawn = [positions(n, order, first + i, 0, "order").tolist() for i in range(len(lengths))]
        assert [len(batch) for batch in drawn] == lengths
        seen = [case for batch in drawn for case in batch]
        assert sorted(seen) == sorted(list(range(n)) * order.passes)
        epochs.append(tuple(seen))
    assert n == 1 or len(set(epochs)) > 1


def drawn(shape: tuple[int, ...], n: int, allowed: str = "all", seed: str = "test"):
    """A numbered picture of this shape, n times, each turned; and its mask, which is the same."""
    x = torch.arange(float(np.prod(shape))).reshape(1, 1, *shape).expand(n, 1, *shape)
    x, y = random_symmetry(x, x[:, 0].long(), allowed, generator(seed))
    assert torch.equal(x[:, 0].long(), y)
    return x.int().reshape(n, -1)


def how_often(shape: tuple[int, ...], n: int, allowed: str = "all") -> np.ndarray:
    """Of each picture that occurs."""
    return torch.unique(drawn(shape, n, allowed), dim=0, return_counts=True)[1].numpy()


@pytest.mark.parametrize(
    ("shape", "allowed", "different"),
    [
        ((2, 2), "all", 8),
        ((2, 3), "all", 4),
        ((2, 2), "flips", 4),
        ((2, 2, 2), "all", 48),
        ((2, 2, 3), "all", 16),
        ((3, 2, 2), "all", 16),
        ((2, 2, 2), "flips", 8),
        ((2, 2, 2), "none", 1),
    ],
)
def test_all_symmetries_that_are_allowed_are_equally_likely(shape, allowed, different):
    """8 flips of a volume times 6 permutations of three equal axes, or 2 of two.

    χ² = Σ (count - 1000)² / 1000 has the mean m - 1 and the variance 2 (m - 1). Pairs of axes
    swapped at even odds give 16 of the 48 at 1/32 and the others at 1/64: χ² = 6,000.
    """
    counts = how_often(shape, 1000 * different, allowed)
    assert len(counts) == different
    chi_squared = ((counts - 1000) ** 2 / 1000).sum()
    assert chi_squared <= different - 1 + 6 * (2 * (different - 1)) ** 0.5


@pytest.mark.parametrize(
    ("shape", "corner"),
    [
        ((2, 2), [0, 2, 1, 3, 3, 3, 1, 3]),
        ((2, 2, 3), [0, 8, 5, 11, 9, 11, 3, 9]),
        ((3, 2, 2), [0, 9, 3, 11, 10, 11, 2, 10]),
    ],
)
def test_what_is_drawn_of_squares_and_flat_volumes_stays(shape, corner):
    """Frozen: the first voxel of eight pictures, as drawn before cubes had all their symmetries."""
    assert drawn(shape, 8, seed="frozen")[:, 0].tolist() == corner


@pytest.mark.parametrize(("kind", "value"), [(np.uint8, 51), (np.uint16, 13107)])
def test_grey_values_of_8_and_of_16_bits_are_standardised_alike(kind, value):
    """51 / 255 = 13107 / 65535 = 0.2; (0.2 - 0.1) / 0.5 = 0.2."""
    image = np.full((1, 2, 2, 1), value, kind)
    pool = Unlabelled(image, np.arange(1))
    images = Images(pool, np.full((1, 1), 0.1), np.full((1, 1), 0.5), "none")
    batch = draw_images(images, Order(1), 0, torch.device("cpu"), Presentation(), 0, purpose="test")
    assert batch.flatten().tolist() == pytest.approx([0.2] * 4)


def test_batches_obey_the_symmetry_of_their_data():
    image = np.arange(16, dtype=np.uint8).reshape(1, 4, 4, 1)
    pool = Unlabelled(image, np.arange(1))
    for allowed, different in (("none", 1), ("flips", 4), ("all", 8)):
        images = Images(pool, np.zeros((1, 1)), np.ones((1, 1)), allowed)
        batch = draw_images(
            images, Order(100), 0, torch.device("cpu"), Presentation(), 0, purpose="test"
        )
        assert len(torch.unique(batch.reshape(100, -1), dim=0)) == different


def test_patches_of_image_and_mask_belong_together_and_cover_the_volume():
    image = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4, 1)
    rng = generator("test")
    corners = set()
    for _ in range(400):
        patch, mask = random_patch(image, image[..., 0], [4, 4, 4], rng)
        assert np.array_equal(patch[..., 0], mask)
        corners.add(int(patch[0, 0, 0, 0]))
    assert corners == {0, 4, 20, 24, 40, 44}  # starts 0-2 × 0-1 × 0, strides 20 and 4


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("patch", [None, [4, 4, 4]])
def test_a_pool_of_tensors_gives_the_same_batches_as_arrays(dtype, patch):
    """As on a GPU, where the pool lies; one of the volumes is smaller than the patch."""
    rng = np.random.default_rng(0)
    most, shapes = np.iinfo(dtype).max, [(5, 6, 7), (4, 3, 4), (6, 4, 4)]
    if patch is None:
        images, masks = rng.integers(0, most, (3, 4, 4, 2), dtype), rng.integers(0, 2, (3, 4, 4))
        masks = masks.astype(np.uint8)
    else:
        images = [rng.integers(0, most, (*shape, 2), dtype) for shape in shapes]
        masks = [rng.integers(0, 2, shape, np.uint8) for shape in shapes]
    labelled = Labelled(images, masks, np.array([1, 2]), ["b", "c"])
    data = TrialData(
        labelled, Unlabelled(images, np.array([0])), labelled,
        mean=rng.random((3, 2)), std=rng.random((3, 2)) + 0.5, classes=2, cases=[], symmetry="all",
    )  # fmt: skip
    trial = SimpleNamespace(
        seed=0,
        conditions=Conditions(patch=patch),
        training=TrainingSettings(batch_labelled=2, batch_unlabelled=1),
    )
    draw = inspect.unwrap(draw_batch)
    for step in range(3):
        expected = draw(trial, data, step, CPU)
        found = draw(trial, moved(data, CPU, patch), step, CPU)
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


@pytest.mark.parametrize(
    ("settings", "sizes"),
    [
        # Three labelled images, four unlabelled: how many of each in four steps.
        ({}, [(2, 3), (2, 3), (2, 3), (2, 3)]),
        ({"short_batches": True}, [(2, 3), (1, 3), (2, 3), (1, 3)]),
        ({"cut_unlabelled": True}, [(2, 2), (2, 2), (2, 2), (2, 2)]),
        ({"short_batches": True, "cut_unlabelled": True}, [(2, 2), (1, 1), (2, 2), (1, 1)]),
        ({"short_batches": True, "labelled_passes": 2}, [(2, 3), (2, 3), (2, 3), (2, 3)]),
    ],
)
def test_how_many_images_a_step_has(settings, sizes):
    images = np.arange(7 * 4 * 4, dtype=np.uint8).reshape(7, 4, 4, 1)
    masks = np.zeros((7, 4, 4), np.uint8)
    data = TrialData(
        labelled=Labelled(images, masks, np.arange(3), list("abc")),
        unlabelled=Unlabelled(images, np.arange(3, 7)),
        evaluation=Labelled(images, masks, np.arange(3, 7), list("defg")),
        mean=np.zeros((7, 1)),
        std=np.ones((7, 1)),
        classes=2,
        cases=[],
        symmetry="all",
    )
    training = TrainingSettings(batch_labelled=2, batch_unlabelled=3, **settings)
    trial = SimpleNamespace(seed=0, conditions=Conditions(patch=None), training=training)
    draw = inspect.unwrap(draw_batch)
    drawn = [draw(trial, data, step, CPU) for step in range(4)]
    assert [(len(batch.x), len(batch.u)) for batch in drawn] == sizes


def test_a_volume_smaller_than_the_patch_is_mirrored():
    image = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    patch, mask = random_patch(image, image[..., 0], [4, 2, 2], generator("test"))
    assert patch.shape == (4, 2, 2, 1)
    assert patch[:, 0, 0, 0].tolist() == [0, 0, 4, 4]
    assert np.array_equal(patch[..., 0], mask)


def test_a_volume_is_mirrored_as_often_as_it_takes():
    """2 voxels to 9: 3 before them and 4 behind; 01 is followed by 10, and that by 01."""
    volume, place = mirrored(np.arange(2, dtype=np.uint8)[:, None, None], [9, 1, 1])
    assert volume[:, 0, 0].tolist() == [1, 1, 0, 0, 1, 1, 0, 0, 1]
    assert place == (slice(3, 5), slice(0, 1), slice(0, 1))
