"""Scores of each class, against numbers by hand."""

import math

import numpy as np
import pytest
import torch

from benchmark.data.prepared import CaseEntry
from benchmark.data.split.trial_data import Labelled, TrialData, Unlabelled
from benchmark.toolkit.method import Method
from benchmark.training.evaluate import chosen_on_val, evaluate, floors, oracle, surfaces
from benchmark.training.inference import View

CPU = torch.device("cpu")


class Levels(Method):
    """Predicts the class that the grey value names: 0, 1, 2 or 3."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return torch.nn.functional.one_hot(x[:, 0].round().long(), 4).movedim(-1, 1).float()


def data(predicted, masks) -> TrialData:
    """Three foreground classes. Grey values are standardised to the numbers that are given."""
    images = np.array(predicted, np.uint8)[..., None]
    n = len(images)
    cases = Labelled(images, np.array(masks, np.uint8), np.arange(n), [f"c{i}" for i in range(n)])
    return TrialData(
        cases, Unlabelled(images, np.arange(0)), cases, np.zeros((n, 1)),
        np.full((n, 1), 1 / 255), classes=4,
        cases=[CaseEntry(id=i, split="test", group="", foreground=0.5) for i in cases.ids],
        symmetry="all", class_names=("background", "small", "large", "rare"),
    )  # fmt: skip


TWO = data(
    predicted=[[[1, 1, 0, 2]], [[2, 2, 2, 0]]],
    masks=[[[1, 0, 0, 2]], [[2, 2, 0, 1]]],
)
"""Class 1: TP 1, FP 1, FN 0 and TP 0, FP 0, FN 1. Class 2: TP 1, FP 0, FN 0 and TP 2, FP 1, FN 0.
Class 3 is nowhere."""


def test_each_class_has_its_scores():
    scores = evaluate(Levels(), View(TWO, CPU)).scores
    assert scores["dc_pooled_class_1"] == pytest.approx(2 / 4)  # 2·1 / (2·1 + 1 + 1)
    assert scores["dc_pooled_class_2"] == pytest.approx(6 / 7)
    assert scores["ji_pooled_class_1"] == pytest.approx(1 / 3)
    assert scores["dc_case_class_1"] == pytest.approx((2 / 3 + 0) / 2)
    assert scores["dc_case_class_2"] == pytest.approx((1 + 4 / 5) / 2)
    assert math.isnan(scores["dc_pooled_class_3"]) and math.isnan(scores["dc_case_class_3"])
    assert scores["dc_pooled"] == pytest.approx((2 / 4 + 6 / 7) / 2)
    assert [scores[f"n_predicted_class_{k}"] for k in (1, 2, 3)] == [1, 2, 0]


def test_each_case_and_class_has_a_line():
    found = evaluate(Levels(), View(TWO, CPU))
    lines = [(r["case"], r["class"], r["name"], r["tp"], r["fp"], r["fn"]) for r in found.classes]
    assert lines == [
        ("c0", 1, "small", 1, 1, 0), ("c0", 2, "large", 1, 0, 0), ("c0", 3, "rare", 0, 0, 0),
        ("c1", 1, "small", 0, 0, 1), ("c1", 2, "large", 2, 1, 0), ("c1", 3, "rare", 0, 0, 0),
    ]  # fmt: skip
    assert [(r["n_true"], r["n_pred"]) for r in found.classes[:2]] == [(1, 2), (1, 1)]
    assert math.isnan(found.classes[2]["dc"]) and found.classes[3]["dc"] == 0
    distances = surfaces(TWO, found.predicted).classes
    assert len(distances) == 6 and distances[2] == {}
    # One voxel too many beside the true one: of 0 and 1, the 95th percentile is .95.
    assert distances[0]["hd95_joint_voxels"] == pytest.approx(0.9)
    assert distances[1]["hd95_joint_voxels"] == 0
    assert distances[3]["asd_joint_voxels"] == pytest.approx(math.hypot(1, 4))  # the diagonal


def test_the_floor_of_a_class_is_it_everywhere():
    """Two of eight pixels are of class 1: 2·2 / (2·2 + 6); three of class 2."""
    found = floors(TWO.evaluation, 4)
    assert found["all_foreground_dc_pooled_class_1"] == pytest.approx(4 / 10)
    assert found["all_foreground_dc_pooled_class_2"] == pytest.approx(6 / 11)
    assert found["all_background_dc_pooled_class_1"] == 0
    assert math.isnan(found["all_foreground_dc_pooled_class_3"])


def test_the_other_readings_have_the_classes_of_their_epoch():
    epochs = [
        {
            "epoch": e, "dc_pooled_class_1": 0.1 * e, "ji_pooled_class_1": 0.05 * e,
            "best_ji_pooled": ji, "best_dc_pooled": ji, "best_threshold_pooled": math.nan,
            "best_ji_case": ji, "best_dc_case": ji, "best_threshold_case": math.nan,
            "dc_pooled": ji, "ji_pooled": ji, "dc_case": ji, "ji_case": ji,
            "on_val_ji_pooled": val, "on_val_ji_case": val,
        }
        for e, ji, val in ((1, 0.3, 0.2), (2, 0.5, 0.1), (3, 0.4, 0.6))
    ]  # fmt: skip
    assert oracle(epochs)["oracle_dc_pooled_class_1"] == pytest.approx(0.2)
    chosen = chosen_on_val(epochs)
    assert (chosen["val_epoch_pooled"], chosen["val_dc_pooled"]) == (3, 0.4)
    assert chosen["val_dc_pooled_class_1"] == pytest.approx(0.3)


def test_of_equal_epochs_the_first_is_chosen_and_without_a_validation_set_none():
    def row(epoch: int, val: float) -> dict:
        scores = {"dc_pooled": epoch, "ji_pooled": 0, "dc_case": 0, "ji_case": 0, "epoch": epoch}
        return scores | {"on_val_ji_pooled": val, "on_val_ji_case": val}

    assert chosen_on_val([row(1, 0.2), row(2, 0.5), row(3, 0.5)])["val_epoch_case"] == 2
    assert chosen_on_val([row(1, math.nan)]) == {}
    assert chosen_on_val([{"epoch": 1.0, "dc_pooled": 0.3}]) == {}
