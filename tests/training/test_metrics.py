import csv
import time
from itertools import product

import h5py
import nibabel
import numpy as np
import pytest
import torch

from benchmark.training import metrics
from benchmark.training.metrics import Counts, diagonal, surface_distances

PIXEL = (1.0, 1.0)


def counts(tp, fp, fn):
    return Counts(*(np.array(v)[:, None, None] for v in (tp, fp, fn)))


def test_pooled_and_per_case_dice_of_a_large_and_a_small_case():
    """Case 1: 180/195 = .9231, case 2: 20/90 = .2222, mean .5726; together 200/285 = .7018."""
    both = counts([90, 10], [10, 30], [5, 40])
    assert metrics.per_case(metrics.dice, both).mean() == pytest.approx(0.5726495726, abs=1e-9)
    assert metrics.pooled(metrics.dice, both)[0] == pytest.approx(0.7017543860, abs=1e-9)


def test_jaccard_of_the_same_counts():
    """100 / (100 + 40 + 45) = .5405405."""
    both = counts([90, 10], [10, 30], [5, 40])
    assert metrics.pooled(metrics.jaccard, both)[0] == pytest.approx(0.5405405405, abs=1e-9)


def test_two_empty_masks_agree_and_one_empty_mask_does_not():
    empty = counts([0, 0], [0, 7], [0, 0])
    assert metrics.per_case(metrics.dice, empty).ravel().tolist() == [1.0, 0.0]
    assert metrics.per_case(metrics.jaccard, empty).ravel().tolist() == [1.0, 0.0]


def test_counts_by_threshold_of_four_pixels():
    """Probabilities .1, .3, .6, .9 with truth 0, 1, 0, 1; above .2: three pixels; above .5: two."""
    p = np.array([[0.1, 0.3, 0.6, 0.9]])
    margin = np.log(p / (1 - p)).astype(np.float32)
    found = metrics.counts_by_threshold(margin, np.array([[0, 1, 0, 1]]), np.array([0.0, 0.2, 0.5]))
    assert found.tp[0, :, 0].tolist() == [2, 2, 1]
    assert found.fp[0, :, 0].tolist() == [2, 1, 1]
    assert found.fn[0, :, 0].tolist() == [0, 0, 1]


def test_the_literatures_grid_has_45_thresholds_and_one_half_is_exactly_the_argmax():
    assert len(metrics.THRESHOLDS) == 45
    assert metrics.THRESHOLDS[metrics.ARGMAX] == 0.5
    margin = np.array([[-1e-30, 0.0, 1e-30]], dtype=np.float32)
    found = metrics.counts_by_threshold(margin, np.ones((1, 3), int), metrics.THRESHOLDS)
    assert found.tp[0, metrics.ARGMAX, 0] == 1  # a tie is background


def test_one_pass_over_the_thresholds_equals_a_loop_over_them():
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 3, (3, 8, 8)).astype(np.float32)
    true = rng.integers(0, 2, (3, 8, 8))
    found = metrics.counts_by_threshold(margin, true, metrics.THRESHOLDS)
    p = 1 / (1 + np.exp(-margin.astype(float)))
    for t, threshold in enumerate(metrics.THRESHOLDS):
        predicted = p > threshold
        assert found.tp[:, t, 0].tolist() == (predicted & (true == 1)).sum((1, 2)).tolist()
        assert found.fp[:, t, 0].tolist() == (predicted & (true == 0)).sum((1, 2)).tolist()
        assert found.fn[:, t, 0].tolist() == (~predicted & (true == 1)).sum((1, 2)).tolist()


def test_counts_of_three_classes():
    """Truth 0 1 2 2, predicted 0 2 2 1: class 1 has 0/1/1, class 2 has 1/1/1."""
    found = metrics.counts_of_labels(np.array([[0, 2, 2, 1]]), np.array([[0, 1, 2, 2]]), 3)
    assert found.tp[0, 0].tolist() == [0, 1]
    assert found.fp[0, 0].tolist() == [1, 1]
    assert found.fn[0, 0].tolist() == [1, 1]


def square(sides, start, stop) -> np.ndarray:
    mask = np.zeros(sides, bool)
    mask[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))] = True
    return mask


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


@pytest.mark.filterwarnings("ignore:monai.*always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("tolerance", [0.5, 1.3])
def test_surface_dice_is_monais(dims, tolerance):
    from monai.metrics import compute_surface_dice

    spacing = (0.5, 1.25, 2.0)[:dims]
    for predicted, true in random_masks(dims):
        pair = [torch.tensor(mask)[None, None].float() for mask in (predicted, true)]
        theirs = compute_surface_dice(
            *pair, class_thresholds=[tolerance], include_background=True, spacing=spacing
        ).item()
        ours = metrics.surface_dice(predicted, true, spacing, tolerance)
        assert ours == pytest.approx(theirs, abs=1e-6) and 0 < ours < 1


def test_surface_dice_by_hand_and_of_empty_masks():
    """Two lines of 4 pixels, two apart: within 2 all agree, within 1 none."""
    one, other = square((5, 5), (0, 0), (1, 4)), square((5, 5), (2, 0), (3, 4))
    assert [metrics.surface_dice(one, other, PIXEL, t) for t in (1.0, 1.9, 2.0)] == [0, 0, 1]
    assert metrics.surface_dice(one, other, (0.5, 0.5), 1.0) == 1
    empty = np.zeros((5, 5), bool)
    assert metrics.surface_dice(empty, empty, PIXEL, 1.0) == 1
    assert (
        metrics.surface_dice(one, empty, PIXEL, 9.0)
        == 0
        == metrics.surface_dice(empty, one, PIXEL, 9.0)
    )


def test_sensitivity_and_precision_of_full_and_empty_masks():
    """TP, FP, FN: (2, 1, 3); nothing found of 4; 4 found of nothing; both empty."""
    counts = np.array([(2, 1, 3), (0, 0, 4), (0, 4, 0), (0, 0, 0)]).T
    assert metrics.sensitivity(*counts).tolist() == pytest.approx([2 / 5, 0, 0, 1])
    assert metrics.precision(*counts).tolist() == pytest.approx([2 / 3, 0, 0, 1])


def test_the_pixels_of_a_patient_are_put_together():
    """Cases 0 and 2 are of one patient: TP 1 + 3, FP 0 + 2, FN 1 + 0; case 1 of another."""
    counts = metrics.Counts(
        *(np.array(v)[:, None, None] for v in ((1, 5, 3), (0, 1, 2), (1, 1, 0)))
    )
    found = metrics.by_group(counts, ["p", "q", "p"])
    assert [count[:, 0, 0].tolist() for count in found] == [[4, 5], [2, 1], [1, 1]]


def test_swapping_the_masks_and_moving_them_changes_nothing():
    predicted, true = spur()
    found = surface_distances(predicted, true, PIXEL)
    swapped = surface_distances(true, predicted, PIXEL)
    assert swapped[:4] == pytest.approx(found[:4])  # all but the distance to the truth
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


THREE = Counts(
    tp=np.array([[[3, 0, 0]], [[2, 4, 0]], [[0, 0, 0]]]),
    fp=np.array([[[1, 5, 0]], [[0, 0, 0]], [[2, 0, 0]]]),
    fn=np.array([[[2, 0, 0]], [[0, 4, 0]], [[0, 0, 0]]]),
)
"""Three cases, three foreground classes. Class 3 occurs nowhere, class 2 in the second case alone,
the third case has no class; class 2 is wrongly given to the first case, class 1 to the third.
"""


def test_only_classes_that_occur_are_averaged():
    """Case 1: class 1: 6/9. Case 2: 4/4 and 8/12: .8333. Pooled: 10/15 and 8/17, not class 3."""
    cases = metrics.per_case(metrics.dice, THREE)[:, 0]
    assert cases[:2].tolist() == pytest.approx([6 / 9, (1 + 8 / 12) / 2]) and np.isnan(cases[2])
    assert metrics.over_cases(cases[:, None])[0] == pytest.approx((6 / 9 + 5 / 6) / 2)
    assert metrics.pooled(metrics.dice, THREE)[0] == pytest.approx((10 / 15 + 8 / 17) / 2)
    assert metrics.false_classes(THREE) == 2 and metrics.absent_classes(THREE) == 1


def test_background_everywhere_earns_nothing_from_classes_that_are_not_there():
    """It got 1 for each of them."""
    nothing = Counts(np.zeros_like(THREE.tp), np.zeros_like(THREE.fp), THREE.tp + THREE.fn)
    assert metrics.pooled(metrics.dice, nothing)[0] == 0.0
    assert metrics.per_case(metrics.dice, nothing)[:2, 0].tolist() == [0.0, 0.0]


def test_where_no_class_occurs_there_is_no_score():
    empty = Counts(*(count[2:] for count in THREE))
    assert np.isnan(metrics.pooled(metrics.dice, empty)[0])
    assert np.isnan(metrics.over_cases(metrics.per_case(metrics.dice, empty))[0])


def test_what_others_computed_of_stored_predictions(samples):
    """Predictions of CompNet on ACDC, and MedPy's dc, jc, hd95, asd and (from 0.5) assd of them, in
    voxels: what tables of this literature print, to its six digits.
    """
    folder = samples / "facts" / "sample"
    n_rows = 0
    with (folder / "patient078_expected.csv").open() as file:
        for row in csv.DictReader(file):
            n = row["labelled"].removesuffix("s").removesuffix("patient")
            stored = folder / "predictions_compnet" / n / f"{row['case']}_pred.nii.gz"
            predicted = nibabel.load(stored).get_fdata().T.astype(np.uint8)
            with h5py.File(folder / "ACDC" / "data" / f"{row['case']}.h5") as content:
                true = content["label"][:].astype(np.uint8)
            k = int(row["class"])
            found = metrics.counts_of_labels(predicted[None], true[None], 4)
            distances = surface_distances(predicted == k, true == k, (1.0, 1.0, 1.0))
            ours = (
                metrics.dice(*found)[0, 0, k - 1],
                metrics.jaccard(*found)[0, 0, k - 1],
                distances.hd95_joint,
                distances.asd_to_truth,
                distances.asd_joint,
            )
            printed = [float(row[name]) for name in ("dc", "ji", "hd95", "asd", "assd")]
            assert ours == pytest.approx(printed, abs=1e-6)
            n_rows += 1
    assert n_rows == 18


def test_the_distance_to_the_truth_is_not_that_from_it():
    """One pixel of a line of five, the truth, is predicted: no distance to it, but four from it."""
    predicted, true = np.zeros((1, 9), bool), np.zeros((1, 9), bool)
    predicted[0, 2], true[0, 2:7] = True, True
    found = surface_distances(predicted, true, PIXEL)
    assert found.asd_to_truth == 0.0
    assert found.asd_directed == pytest.approx((0 + (0 + 1 + 2 + 3 + 4) / 5) / 2)
    assert found.asd_joint == pytest.approx((0 + 0 + 1 + 2 + 3 + 4) / 6)
    assert surface_distances(true, predicted, PIXEL).asd_to_truth == pytest.approx(2.0)


def test_the_best_order_of_classes_by_hand():
    """Truth 0 0 1 1 1 2, predicted 2 2 0 0 1 1: class 1 fits channel 0 by 2·2/(3 + 2), class 2
    channel 1 by 2·1/(1 + 2), and the background what is left.
    """
    true, predicted = np.array([0, 0, 1, 1, 1, 2]), np.array([2, 2, 0, 0, 1, 1])
    found = metrics.confusion([predicted[:3], predicted[3:]], [true[:3], true[3:]], 3)
    assert found.tolist() == [[0, 0, 2], [2, 1, 0], [0, 1, 0]]
    order = metrics.best_order(found)
    assert order == [2, 0, 1]
    assert metrics.ordered_dice(found, order) == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert metrics.ordered_dice(found, [0, 1, 2]) == pytest.approx((2 * 1 / (3 + 2)) / 2)


def test_an_order_changes_nothing_that_does_not_count():
    """A mask of background alone fits in any order; a class that does not occur keeps its own."""
    one = metrics.confusion([np.zeros(6, np.uint8)], [np.zeros(6, np.uint8)], 2)
    assert metrics.best_order(one) == [0, 1]
    assert np.isnan(metrics.ordered_dice(one, [0, 1]))
    collapsed = metrics.confusion([np.zeros(4, np.uint8)], [np.array([0, 0, 0, 1])], 2)
    assert metrics.best_order(collapsed) == [1, 0]  # all foreground: 2 · 1 / (1 + 4)
    assert metrics.ordered_dice(collapsed, [1, 0]) == pytest.approx(0.4)
    absent = metrics.confusion([np.array([0, 1, 2, 2])], [np.array([0, 1, 1, 1])], 3)
    assert metrics.best_order(absent) == [0, 2, 1]
