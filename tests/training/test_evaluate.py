import numpy as np
import pytest
import torch

from benchmark.data.prepared import CaseEntry
from benchmark.data.split.budget import Budget
from benchmark.data.split.trial_data import Labelled, TrialData, Unlabelled
from benchmark.toolkit.method import Method
from benchmark.training.batches import Order, Presentation, draw_images
from benchmark.training.evaluate import Diverged, evaluate, floors, oracle, surfaces
from benchmark.training.inference import View, pictures

CPU = torch.device("cpu")


class Brightness(Method):
    """Foreground logit = the first channel; dropout and buffer show whether it is in eval mode."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(1, affine=False)
        self.dropout = torch.nn.Dropout(0.5)

    def forward(self, x):
        z = self.dropout(self.norm(x[:, :1]))
        return torch.cat([torch.zeros_like(z), z], 1)


def data(images, masks) -> TrialData:
    images = np.array(images, np.uint8)[..., None]
    n = len(images)
    labelled = Labelled(
        images, np.array(masks, np.uint8), np.arange(n), [f"c{i}" for i in range(n)]
    )
    return TrialData(
        labelled,
        Unlabelled(images, np.arange(0)),
        labelled,
        np.full((n, 1), 0.5),
        np.full((n, 1), 0.25),
        classes=2,
        cases=[CaseEntry(id=i, split="test", group="", foreground=0.5) for i in labelled.ids],
        symmetry="all",
    )


def two_cases() -> TrialData:
    """Case 0: three of four bright, two of them true. Case 1: nothing bright, one pixel true."""
    return data(
        [[[255, 255], [255, 0]], [[0, 0], [0, 0]]],
        [[[1, 1], [0, 0]], [[0, 0], [0, 1]]],
    )


def test_the_scores_of_two_cases():
    """TP 2, FP 1, FN 0 and TP 0, FP 0, FN 1.

    Per case: DC 4/5 and 0, JI 2/3 and 0. Pooled: DC 4/6, JI 2/4.
    """
    found = evaluate(Brightness(), View(two_cases(), CPU))
    scores = found.scores
    assert scores["dc_case"] == pytest.approx(0.4)
    assert scores["ji_case"] == pytest.approx(1 / 3)
    assert scores["dc_pooled"] == pytest.approx(2 / 3)
    assert scores["ji_pooled"] == pytest.approx(0.5)
    assert (scores["n_empty_pred"], scores["n_empty_true"]) == (1, 0)
    assert [(row["case"], row["tp"], row["fp"], row["fn"]) for row in found.cases] == [
        ("c0", 2, 1, 0),
        ("c1", 0, 0, 1),
    ]
    assert [p.tolist() for p in found.predicted] == [[[1, 1], [1, 0]], [[0, 0], [0, 0]]]


def test_patients_sensitivity_and_precision_of_two_cases():
    """As above; both are of one patient: as pooled. Pooled: TP 2, FP 1, FN 1."""
    known = two_cases()
    for case in known.cases:
        case.group = "p"
    scores = evaluate(Brightness(), View(known, CPU)).scores
    assert scores["dc_patient"] == pytest.approx(scores["dc_pooled"])
    assert scores["sensitivity_pooled"] == pytest.approx(2 / 3)
    assert scores["precision_pooled"] == pytest.approx(2 / 3)
    assert scores["sensitivity_case"] == pytest.approx((1 + 0) / 2)
    assert scores["precision_case"] == pytest.approx((2 / 3 + 0) / 2)
    known.cases[1].group = "q"
    scores = evaluate(Brightness(), View(known, CPU)).scores
    assert scores["dc_patient"] == pytest.approx(scores["dc_case"])
    assert {"best_dc_patient", "best_threshold_patient"} <= set(scores)
    known.cases[1].group = ""
    assert "dc_patient" not in evaluate(Brightness(), View(known, CPU)).scores


def test_surface_dice_is_measured_where_it_is_asked_for():
    """Case 0: 3 pixels predicted, 2 true ones among them; case 1: none predicted, one true."""
    found = evaluate(Brightness(), View(two_cases(), CPU)).predicted
    asked = surfaces(two_cases(), found, [0.5, 1.0])
    assert [case["nsd_0_5_voxels"] for case in asked.cases] == [pytest.approx(4 / 5), 0]
    assert asked.scores["nsd_1_voxels"] == pytest.approx((1 + 0) / 2)
    assert not any(name.startswith("nsd") for name in surfaces(two_cases(), found).scores)


def test_the_best_threshold_is_at_least_as_good_as_the_argmax():
    """A pixel of brightness 0.6 is background at the argmax of logit (0.6 - 0.5)/0.25 - …"""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, 8, 8))
    found = evaluate(Brightness(), View(data(images, images > 180), CPU)).scores
    assert found["best_ji_pooled"] >= found["ji_pooled"]
    assert found["best_ji_pooled"] > 0.9  # brightness orders the pixels, so a threshold is near
    assert found["best_threshold_pooled"] > 0.5


def test_logits_that_are_not_finite_are_no_result():
    class Broken(Brightness):
        def forward(self, x):
            return super().forward(x) * float("nan")

    with pytest.raises(Diverged, match="not finite"):
        evaluate(Broken(), View(two_cases(), CPU))


def test_a_network_that_writes_into_its_input_changes_no_later_evaluation():
    class Halving(Brightness):
        def forward(self, x):
            return super().forward(x.mul_(0.5).sub_(0.3))

    view = View(two_cases(), CPU)
    first = evaluate(Halving(), view).scores
    assert evaluate(Halving(), view).scores == first
    assert (
        evaluate(Brightness(), view).scores == evaluate(Brightness(), View(two_cases(), CPU)).scores
    )


def test_evaluation_leaves_mode_buffers_and_random_state():
    method = Brightness().train()
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one, two = (evaluate(method, View(two_cases(), CPU)).scores for _ in range(2))
    assert one == two
    assert method.training
    assert method.norm.num_batches_tracked == 0
    assert torch.equal(torch.get_rng_state(), before)


def test_the_trivial_floors_of_two_cases():
    """3 of 8 pixels are true. All foreground: pooled DC 6/11, per case (4/6 + 2/5)/2 = 8/15."""
    found = floors(two_cases().evaluation, 2)
    assert found["all_background_dc_pooled"] == 0
    assert found["all_foreground_dc_pooled"] == pytest.approx(6 / 11)
    assert found["all_foreground_dc_case"] == pytest.approx(8 / 15)


def test_the_floor_of_the_real_glas_test_images(samples, tmp_path):
    """All foreground: DC .661 pooled and .642 per case on the 60 testA images at 64 × 64."""
    from benchmark.data import cards, prepared
    from benchmark.data.prepare import prepare
    from benchmark.data.split.roles import Roles
    from benchmark.data.split.trial_data import for_trial

    prepare(cards.find("glas"), samples / "glas128", tmp_path, allow_partial=True)
    real = prepared.resized(prepared.load(tmp_path, "glas"), [64, 64])
    data = for_trial(real, Roles(), budget=Budget.of_share(1.0), seed=0)
    found = floors(data.evaluation, data.classes)
    assert found["all_foreground_dc_pooled"] == pytest.approx(0.661, abs=1.5e-3)
    assert found["all_foreground_dc_case"] == pytest.approx(0.642, abs=1.5e-3)


def row(epoch, pooled, case):
    return {
        "epoch": epoch,
        "best_ji_pooled": pooled,
        "best_dc_pooled": pooled + 0.1,
        "best_threshold_pooled": epoch / 10,
        "best_ji_case": case,
        "best_dc_case": case + 0.1,
        "best_threshold_case": epoch / 10,
    }


def test_the_oracle_is_the_best_epoch_of_each_aggregate_and_the_earliest_of_equals():
    history = [row(1, 0.5, 0.7), {"epoch": 2}, row(3, 0.6, 0.4), row(4, 0.6, 0.4)]
    found = oracle(history)
    assert (found["oracle_ji_pooled"], found["oracle_dc_pooled"]) == (0.6, 0.7)
    assert (found["oracle_epoch_pooled"], found["oracle_threshold_pooled"]) == (3, 0.3)
    assert (found["oracle_ji_case"], found["oracle_epoch_case"]) == (0.7, 1)


NAMES = ["hd95_directed", "hd95_joint", "asd_directed", "asd_joint", "asd_to_truth"]
VOXELS, MM = ([f"{name}_{unit}" for name in NAMES] for unit in ("voxels", "mm"))


def one_off(*spacings: list[float]) -> tuple[TrialData, list[np.ndarray]]:
    """Two cases of 6 × 8 pixels with the pixel (2, 2). Found: (2, 3) in the first, then nothing."""
    masks = np.zeros((2, 6, 8), np.uint8)
    masks[:, 2, 2] = 1
    found = np.zeros_like(masks)
    found[0, 2, 3] = 1
    truth = data(np.zeros_like(masks), masks)
    for case, spacing in zip(truth.cases, spacings, strict=False):
        case.spacing = spacing
    return truth, list(found)


def test_surface_distances_are_means_over_cases_and_count_what_is_missing():
    """Case 0: a pixel beside the true one, distance 1. Case 1: nothing found, so the diagonal."""
    measured = surfaces(*one_off())
    assert measured.cases == [dict.fromkeys(VOXELS, 1.0), dict.fromkeys(VOXELS, 10.0)]
    assert measured.scores == dict.fromkeys(VOXELS, 5.5) | {"n_one_empty": 1}


def test_distances_in_mm_are_those_of_each_cases_own_spacing():
    """One pixel along the second axis: 0.5 mm, or 0.25 mm of pixels of 4 by 0.25.

    The diagonal of case 1: |(6 · 1.5, 8 · 1.5)| = 15, and of pixels of 2 by 1.125 |(12, 9)| = 15.
    """
    measured = surfaces(*one_off([0.5, 0.5], [1.5, 1.5]))
    assert measured.cases[0] == dict.fromkeys(VOXELS, 1.0) | dict.fromkeys(MM, 0.5)
    assert measured.cases[1] == dict.fromkeys(VOXELS, 10.0) | dict.fromkeys(MM, 15.0)
    assert measured.scores["hd95_joint_voxels"] == 5.5
    assert measured.scores["hd95_joint_mm"] == 7.75
    assert measured.scores["n_one_empty"] == 1
    anisotropic = surfaces(*one_off([4.0, 0.25], [2.0, 1.125]))
    assert anisotropic.cases[0] == dict.fromkeys(VOXELS, 1.0) | dict.fromkeys(MM, 0.25)
    assert anisotropic.cases[1]["asd_joint_mm"] == 15.0


def test_the_nearest_surface_in_mm_is_not_that_in_voxels():
    """Of (2, 2) the surface of {(2, 5), (4, 2)} is 2 voxels away, along the axis of 4 mm: 8 mm.

    With 0.5 mm along the other it is 3 · 0.5 = 1.5 mm. The other way round (2, 5) is 3 voxels and
    1.5 mm from it, (4, 2) 2 voxels and 8 mm. Joint means: (2 + 3 + 2) / 3 and (1.5 + 1.5 + 8) / 3.
    """
    true, found = np.zeros((2, 1, 6, 8), np.uint8)
    true[0, 2, 2] = found[0, 2, 5] = found[0, 4, 2] = 1
    truth = data(true, true)
    truth.cases[0].spacing = [4.0, 0.5]
    scores = surfaces(truth, list(found)).scores
    assert scores["asd_joint_voxels"] == pytest.approx(7 / 3)
    assert scores["asd_joint_mm"] == pytest.approx(11 / 3)


def test_without_the_spacing_of_every_case_there_is_no_mean_in_mm():
    measured = surfaces(*one_off([0.5, 0.5], []))
    assert set(measured.scores) == {*VOXELS, "n_one_empty"}
    assert all(set(case) == set(VOXELS) for case in measured.cases)


def test_surface_distances_of_classes_are_averaged():
    """Class 1 is exact; class 2 is one pixel off: (0 + 1) / 2."""
    true, found = np.zeros((2, 1, 4, 4), np.uint8)
    true[0, 0, 0] = found[0, 0, 0] = 1
    true[0, 3, 0] = found[0, 3, 1] = 2
    measured = surfaces(data(true, true)._replace(classes=3), list(found))
    assert measured.scores["asd_joint_voxels"] == 0.5


def test_the_floor_of_several_classes_is_the_best_single_one():
    """Two cases of 10 pixels: class 1 has 1 and 0, class 2 has 4 and 5.

    Class 1 everywhere: pooled 2·1/(20 + 1) for it and 0 for class 2. Class 2 everywhere:
    2·9/(20 + 9) and 0 for class 1: half of .6207.
    """
    masks = np.array([[0] * 5 + [1] + [2] * 4, [0] * 5 + [2] * 5], np.uint8)[:, None]
    evaluation = Labelled(masks[..., None], masks, np.arange(2), ["a", "b"])
    found = floors(evaluation, 3)
    assert found["all_foreground_class"] == 2
    assert found["all_foreground_dc_pooled"] == pytest.approx(18 / 29 / 2)
    assert found["all_background_dc_pooled"] == 0.0
    # In the first case class 1 counts too, in the second class 2 alone.
    assert found["all_foreground_dc_case"] == pytest.approx((8 / 14 / 2 + 10 / 15) / 2)


def test_distances_are_of_classes_that_occur():
    true = np.zeros((2, 8, 8), np.uint8)
    true[0, 2:5, 2:5] = 1
    predicted = true.copy()
    predicted[0, 7, 7] = 2  # class 2 occurs nowhere
    predicted[1, 0, 0] = 1  # neither does any in the second case
    measured = surfaces(data(true, true)._replace(classes=3), list(predicted))
    assert measured.scores["hd95_directed_voxels"] == 0.0 and measured.scores["n_one_empty"] == 0
    assert np.isnan(measured.cases[1]["hd95_directed_voxels"])


class Copy(Method):
    """Foreground logit = the standardised image; keeps what it was shown."""

    def __init__(self):
        super().__init__()
        self.seen = []
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        self.seen.append(x)
        return torch.cat([torch.zeros_like(x), self.scale * x], 1)

    def panel(self, x):
        return {"reconstruction": self(x)[:, 1:]}


def test_a_volume_smaller_than_the_patch_is_padded_as_in_training():
    """3 × 2 × 4 voxels in patches of 4 × 7 × 4: what a network is shown, and what is left of it."""
    volume = np.arange(10, 250, 10, dtype=np.uint8).reshape(3, 2, 4)
    true = (volume > 128).astype(np.uint8)
    truth, patch = data([volume], [true])._replace(symmetry="none"), [4, 7, 4]
    method = Copy()
    found = evaluate(method, View(truth, CPU, patch))
    trained = draw_images(
        truth._replace(unlabelled=Unlabelled(truth.labelled.images, np.arange(1))),
        Order(1), 0, CPU, Presentation(patch), 0, purpose="test",
    )  # fmt: skip
    assert torch.equal(method.seen[0], trained)
    assert found.predicted[0].shape == (3, 2, 4)
    assert np.array_equal(found.predicted[0], true)  # (128 / 255 - 0.5) / 0.25 is above 0
    shown = pictures(method, View(truth, CPU, patch), np.arange(1))
    assert np.array_equal(shown["reconstruction"][0][..., 0], volume)
