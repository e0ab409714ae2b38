"""Which images a step sees, and how they are turned and cut."""

import numpy as np
import torch

from benchmark.randomness import generator
from benchmark.training.batches import positions, random_patch, random_symmetry


def test_every_case_comes_once_per_round_also_across_batches():
    drawn = [i for step in range(6) for i in positions(4, 2, step, 0, "order")]
    for start in (0, 4, 8):
        assert sorted(drawn[start : start + 4]) == [0, 1, 2, 3]
    assert len({tuple(drawn[start : start + 4]) for start in (0, 4, 8)}) > 1


def test_a_single_labelled_image_fills_the_batch():
    assert positions(1, 4, 17, 0, "order").tolist() == [0, 0, 0, 0]


def test_symmetries_are_the_eight_of_the_square_equally_often_and_masks_follow():
    pattern = torch.arange(4.0).reshape(1, 1, 2, 2).expand(8000, 1, 2, 2)
    x, y = random_symmetry(pattern, pattern[:, 0].long(), generator("test"))
    assert torch.equal(x[:, 0].long(), y)
    _, counts = torch.unique(y.reshape(8000, 4), dim=0, return_counts=True)
    assert len(counts) == 8
    assert counts.min() > 880  # 1000 expected, deviation 30


def test_oblong_images_and_volumes_keep_their_shape():
    for shape in ((3, 1, 4, 6), (3, 1, 4, 6, 6)):
        x, _ = random_symmetry(torch.rand(shape), None, generator("test"))
        assert x.shape == shape


def test_patches_of_image_and_mask_belong_together_and_cover_the_volume():
    image = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4, 1)
    rng = generator("test")
    corners = set()
    for _ in range(400):
        patch, mask = random_patch(image, image[..., 0], [4, 4, 4], rng)
        assert np.array_equal(patch[..., 0], mask)
        corners.add(int(patch[0, 0, 0, 0]))
    assert corners == {0, 4, 20, 24, 40, 44}  # starts 0-2 × 0-1 × 0, strides 20 and 4


def test_a_volume_smaller_than_the_patch_is_mirrored():
    image = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    patch, mask = random_patch(image, image[..., 0], [4, 2, 2], generator("test"))
    assert patch.shape == (4, 2, 2, 1)
    assert patch[:, 0, 0, 0].tolist() == [0, 0, 4, 4]
    assert np.array_equal(patch[..., 0], mask)
