"""Across datasets and across labelled shares: ranks, label efficiency, optimism."""

import math

import numpy as np
import pandas as pd
import pytest

from reports import efficiency, further
from reports.aggregate import Reading
from reports.ranks import critical_difference, rank, score
from tests.reports.worked import A, B, trial, trials

SCORES = np.array(
    [
        [0.846, 0.840, 0.832, 0.801],
        [0.911, 0.905, 0.907, 0.880],
        [0.723, 0.731, 0.702, 0.655],
        [0.884, 0.879, 0.871, 0.860],
        [0.790, 0.781, 0.783, 0.742],
    ]
)
RATIOS, DICE = [0.01, 0.02, 0.05, 0.10, 0.20], [0.60, 0.66, 0.74, 0.79, 0.82]


def test_ranks_of_four_methods_on_five_datasets():
    found = rank(SCORES, alpha=0.05)
    assert found.ranks == pytest.approx([1.2, 2.2, 2.6, 4.0])
    assert (found.chi_square, found.p_chi_square) == pytest.approx((12.12, 0.00698319445), abs=1e-9)
    assert (found.f, found.p) == pytest.approx((16.8333333333, 0.000134268548), abs=1e-9)
    assert found.critical_difference == pytest.approx(2.0976, abs=2e-4)


@pytest.mark.parametrize(
    ("methods", "alpha", "difference"),
    [(4, 0.05, 2.0976), (4, 0.10, 1.8709), (8, 0.05, 4.6954), (10, 0.05, 6.0580)],
)
def test_the_critical_difference_of_five_datasets(methods, alpha, difference):
    assert critical_difference(methods, 5, alpha) == pytest.approx(difference, abs=2e-4)


def test_equal_scores_have_equal_ranks_and_too_few_are_refused():
    assert rank(np.full((3, 3), 0.5)).ranks == [2.0, 2.0, 2.0]
    assert rank(np.full((3, 3), 0.5)).p == 1
    with pytest.raises(ValueError, match="two datasets and three methods, got 1 and 4"):
        rank(SCORES[:1])


def test_the_sheet_of_ranks_names_the_low_power():
    rows = [
        trial(f"m{j}", 0, float(value), dataset=f"d{i}")
        for i, line in enumerate(SCORES)
        for j, value in enumerate(line)
    ]
    sheet = further.ranks(pd.DataFrame(rows), Reading())
    assert [(line[1].text, line[2].text) for line in sheet.rows] == [
        ("m0", "1.20"), ("m1", "2.20"), ("m2", "2.60"), ("m3", "4.00"),
    ]  # fmt: skip
    assert "closer than 1.87" in sheet.footer[0] and "5 datasets, low power" in sheet.footer[0]
    assert further.ranks(trials(cps=A, ours=B), Reading()) is None


def test_the_score_over_datasets_draws_seeds_within_each():
    """.5 and .7, and .9 twice: drawn anew, .70, .75, .80 with probability 1/4, 1/2, 1/4."""
    found = score([np.array([0.5, 0.7]), np.array([0.9, 0.9])])
    assert (found.mean, found.n) == (pytest.approx(0.75), 2)
    assert found.bounds == pytest.approx((0.70, 0.80))
    assert score([np.array([0.5, 0.7]), np.array([0.9, 0.9])]) == found
    assert math.isnan(score([np.array([0.5]), np.array([0.9, 0.9])]).half_width)


def test_the_score_is_0_at_the_floor_and_100_at_a_perfect_mask():
    """The floor is .661: .8305 lies half way."""
    values = {"a": 0.661, "b": 0.8305, "c": 1.0}
    rows = [
        trial(name, seed, value, dataset=dataset)
        for name, value in values.items() for seed in (0, 1) for dataset in ("d0", "d1")
    ]  # fmt: skip
    sheet = further.ranks(pd.DataFrame(rows), Reading())
    scores = {line[1].text: line[3].value for line in sheet.rows}
    assert scores == pytest.approx({"a": 0.0, "b": 0.5, "c": 1.0})
    assert "datasets being fixed" in sheet.footer[-1]


def test_area_and_labels_needed():
    ratios, dice = np.array(RATIOS), np.array(DICE)
    assert efficiency.area(ratios, dice) == pytest.approx(0.7231378213, abs=1e-9)
    needed = efficiency.labels_needed(ratios, dice, 0.95 * 0.84)
    assert needed == pytest.approx(0.1203025036, abs=1e-9)
    assert efficiency.labels_needed(ratios, dice, 0.83) == math.inf
    assert efficiency.labels_needed(ratios, dice, 0.5) == 0.01
    dips = np.array([0.60, 0.80, 0.70, 0.79, 0.82])  # the first crossing counts
    assert efficiency.labels_needed(ratios, dips, 0.70) == pytest.approx(0.01 * 2**0.5)


def test_the_sheet_of_label_efficiency():
    rows = [trial("ours", 0, d, ratio=r) for r, d in zip(RATIOS, DICE, strict=True)]
    sheet = further.label_efficiency(pd.DataFrame(rows), Reading())
    assert [cell.text for cell in sheet.rows[0]] == ["glas", "ours", "72.31", "–", "1"]
    assert "no 100 % row of supervised on glas" in sheet.footer[1]
    rows.append(trial("supervised", 0, 0.84, ratio=1.0))
    sheet = further.label_efficiency(pd.DataFrame(rows), Reading())
    assert [cell.text for cell in sheet.rows[0]] == ["glas", "ours", "72.31", "12.03 %", "1"]
    assert len(sheet.rows) == 1 and len(sheet.footer) == 1  # supervised has no curve
    worse = [row | {"dc_pooled": row["dc_pooled"] - 0.05} for row in rows[:5]]
    sheet = further.label_efficiency(pd.DataFrame([*worse, rows[5]]), Reading())
    assert sheet.rows[0][3].text == "> 20 %"
    assert further.label_efficiency(pd.DataFrame(rows[:1]), Reading()) is None


def test_the_optimism_gap():
    sheet = further.optimism(trials(cps=A, supervised=B[:1]), Reading())
    assert [[cell.text for cell in line] for line in sheet.rows] == [
        ["20 %", "supervised", "83.62", "93.62", "+10.00"],
        ["20 %", "cps", "84.60", "94.60", "+10.00 ± 0.00"],
    ]
    assert sheet.data.gap.tolist() == pytest.approx([0.1, 0.1])
