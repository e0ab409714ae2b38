import math

import numpy as np
import pandas as pd
import pytest

from reports.aggregate import comparable, t_interval

A = np.array([0.8431, 0.8512, 0.8389, 0.8475, 0.8556, 0.8402, 0.8498, 0.8367, 0.8523, 0.8447])
B = np.array([0.8362, 0.8431, 0.8347, 0.8391, 0.8502, 0.8371, 0.8390, 0.8375, 0.8441, 0.8358])


def test_the_90_percent_interval_of_ten_seeds():
    """s = .0062912638, t(.95, 9) = 1.8331129: h = 1.8331129 · .0062912638 / √10."""
    assert t_interval(A) == pytest.approx((0.8460, 0.0036469274, 10), abs=1e-9)
    assert t_interval(B) == pytest.approx((0.83968, 0.0027738417, 10), abs=1e-9)
    assert t_interval(A, 0.95).half_width == pytest.approx(0.0045004990, abs=1e-9)


def test_equal_values_have_width_0_and_one_value_has_none():
    assert t_interval(np.full(10, 0.9)).half_width == pytest.approx(0, abs=1e-12)
    single = t_interval(np.array([0.9]))
    assert (single.mean, single.n) == (0.9, 1)
    assert math.isnan(single.half_width)


def row(**changes):
    base = {
        "status": "done", "error": "", "dataset": "glas", "ratio": 0.05, "variant": "cps",
        "seed": 0,
        "evaluate_on": "test", "data_hash": "d1", "cell": "c1", "finished_at": "2026-01-01",
    }  # fmt: skip
    return base | changes


def kept(*rows):
    selected = comparable(pd.DataFrame(rows))
    return sorted(selected.rows.seed), selected.left_out


def test_other_settings_under_the_same_name_are_left_out_and_counted():
    seeds, left_out = kept(
        row(seed=0, cell="old"),
        row(seed=1, finished_at="2026-01-02"),
        row(seed=2, finished_at="2026-01-03"),
    )
    assert seeds == [1, 2]
    assert left_out == ["1 trial with other settings (older) not shown"]


def test_development_and_test_set_are_never_mixed():
    seeds, left_out = kept(row(), row(seed=1, evaluate_on="dev", finished_at="2026-01-02"))
    assert seeds == [1]
    assert left_out == ["1 trial with another evaluation set (older) not shown"]


def test_other_data_of_one_dataset_are_left_out_and_other_datasets_stay():
    seeds, left_out = kept(
        row(),
        row(seed=1, data_hash="d2", finished_at="2026-01-02"),
        row(seed=2, dataset="ph2", data_hash="d3"),
    )
    assert seeds == [1, 2]
    assert left_out == ["1 trial with other data (older) not shown"]


def test_failed_trials_are_named():
    assert kept(row(), row(seed=1, status="failed", error="boom")) == (
        [0],
        ["1 trial failed: boom"],
    )
