"""What a network says of volumes that it sees slice by slice."""

import numpy as np
import pytest
import torch

from benchmark.data.decoding.images import resize_mask
from benchmark.data.split.budget import Budget
from benchmark.data.split.trial_data import for_trial
from benchmark.toolkit.method import Method
from benchmark.training.evaluate import evaluate
from benchmark.training.inference import View, pictures, predicted, stacked
from tests.data.test_slices import SLICED, prepared

CPU = torch.device("cpu")


class Number(Method):
    """The class of a pixel is the number of its slice, which is what the images hold."""

    def forward(self, x):
        grey = x * 1.0 + self.mean  # standardised with a deviation of 1
        numbers = (grey * 255).round()
        return torch.cat([-(numbers - k).square() for k in range(4)], 1)

    def panel(self, x):
        return {"pseudo_label": self.forward(x), "remade": x}


def of_volume(depth: int) -> Number:
    method = Number()
    method.mean = 0.1 * depth  # as the volume of this depth in the fixture
    return method


@pytest.fixture
def data():
    found = for_trial(prepared((6, 4)), SLICED, budget=Budget.parse("1patients"), seed=0)
    return found._replace(classes=4, class_names=())


def test_slices_are_stacked_in_their_order_at_the_size_of_the_volume(data):
    (labels,) = predicted(of_volume(2), View(data, CPU))
    assert labels.shape == (4, 6, 2)
    assert (labels[..., 0] == 0).all() and (labels[..., 1] == 1).all()
    found = evaluate(of_volume(2), View(data, CPU))
    assert found.scores["dc_pooled_class_1"] == 1.0  # and so nothing is exchanged
    shown = pictures(of_volume(2), View(data, CPU), data.evaluation.indices)
    assert shown["pseudo_label"][0].tolist() == labels.tolist()
    assert shown["remade"][0].shape == (4, 6, 2, 1)
    assert shown["remade"][0][0, 0, :, 0].tolist() == [0, 1]  # the greys that they had


def test_of_each_voxel_the_nearest_pixel_counts_as_in_resizing_a_mask():
    """A pattern of 7 × 5 pixels, brought to 10 columns and 9 rows and back to 3 and 4."""
    classes = np.random.default_rng(0).integers(0, 3, (2, 7, 5)).astype(np.uint8)
    logits = torch.nn.functional.one_hot(torch.from_numpy(classes).long(), 3).float()
    for x, y in ((10, 9), (3, 4), (5, 7)):
        found = stacked(logits.permute(0, 3, 1, 2), (x, y, 2)).argmax(1)[0].numpy()
        for z in range(2):
            assert (resize_mask(classes[z], (y, x)) == found[..., z].T).all()


def test_a_corner_is_where_it_was():
    """Slice 1, row y = 0, the last column x: class 1; nothing else."""
    logits = torch.zeros(2, 2, 4, 4)
    logits[:, 0] = 1.0
    logits[1, 1, 0, 3] = 2.0
    found = stacked(logits, (8, 12, 2)).argmax(1)[0]
    assert found.nonzero().tolist() == [[x, y, 1] for x in (6, 7) for y in (0, 1, 2)]
