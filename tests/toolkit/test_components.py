import torch

from benchmark.toolkit.components import largest


def test_components_touch_at_corners():
    """Sizes 3, 1 and 1; with 4 neighbours they would be 2, 1, 1 and 1."""
    labels = torch.tensor([[[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]]])
    kept = [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert largest(labels, 2).tolist() == [kept]


def test_of_equally_large_ones_the_first_in_raster_order_stays():
    assert largest(torch.tensor([[[1, 0, 1]]]), 2).tolist() == [[[1, 0, 0]]]
    labels = torch.tensor([[[0, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 0]]])
    assert largest(labels, 2).tolist() == [[[0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]]]


def test_each_image_and_each_class_keeps_its_own():
    """Class 2 is cut in two by class 1; the second image has another largest, and no class 2."""
    labels = torch.tensor([[[2, 1, 2, 2, 0, 1]], [[1, 0, 0, 1, 1, 0]]])
    assert largest(labels, 3).tolist() == [[[0, 1, 2, 2, 0, 0]], [[0, 0, 0, 1, 1, 0]]]


def test_volumes_have_26_neighbours():
    labels = torch.zeros(1, 3, 3, 3, dtype=torch.long)
    labels[0, 0, 0, 0] = labels[0, 1, 1, 1] = 1  # at a corner of each other
    labels[0, 2, 2, 0] = 1  # touches the second at an edge
    assert torch.equal(largest(labels, 2), labels)
    labels[0, 1, 1, 1] = 0
    kept = largest(labels, 2)
    assert kept.sum() == 1 and kept[0, 0, 0, 0] == 1


def test_nothing_stays_nothing_and_the_input_is_left_alone():
    empty = torch.zeros(2, 3, 3, dtype=torch.long)
    assert torch.equal(largest(empty, 2), empty)
    labels = torch.tensor([[[1, 0, 1]]])
    largest(labels, 2)
    assert labels.tolist() == [[[1, 0, 1]]]
