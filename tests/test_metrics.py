import numpy as np
import pytest

from benchmark import metrics
from benchmark.training.metrics import Counts


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
