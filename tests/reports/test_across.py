"""Across datasets and across labelled shares: ranks, label efficiency, optimism."""

import math

import numpy as np
import pandas as pd
import pytest

from reports import efficiency, label_efficiency, optimism, rankings
from reports.select import Reading, most_complete
from reports.stats.ranks import critical_difference, rank, score
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


def test_with_two_datasets_the_p_is_that_of_the_permutations():
    """Both put three methods in one order: 6 of the 36 pairs of orders agree. F would say p = 0."""
    found = rank(np.array([[0.9, 0.8, 0.7], [0.6, 0.5, 0.4]]))
    assert found.p == 0 and not found.is_f_finite
    assert found.p_permutation == pytest.approx(1 / 6)
    # a, b, c and b, a, c: of the six orders beside a given one, three spread the sums as far.
    found = rank(np.array([[0.9, 0.8, 0.7], [0.5, 0.6, 0.4]]))
    assert found.p_permutation == pytest.approx(18 / 36)


def test_the_permutations_agree_with_friedman_on_five_datasets():
    """24 ** 5 orders are drawn from: p near that of F, .00013, and never 0."""
    assert 1 / 10_000 <= rank(SCORES).p_permutation <= 0.002


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
    sheet = rankings.sheet(pd.DataFrame(rows), Reading())
    assert [(line[1].text, line[2].text) for line in sheet.rows] == [
        ("m0", "1.20"), ("m1", "2.20"), ("m2", "2.60"), ("m3", "4.00"),
    ]  # fmt: skip
    assert "closer than 1.87" in sheet.footer[0] and "5 datasets, low power" in sheet.footer[0]
    assert (
        "χ² = 12.1, p = 0.0011 " in sheet.footer[0]
        and "(F = 16.8, p = 0.000134)" in sheet.footer[0]
    )
    assert "χ² = 12.1" in sheet.footer[0] and "(F = 16.8, p = 0.000134)" in sheet.footer[0]
    assert rankings.sheet(trials(cps=A, ours=B), Reading()) is None


def test_what_most_were_run_on_is_compared_and_the_others_are_named():
    run = {"a": {1, 2}, "b": {1, 2}, "c": {1, 2, 3}, "d": {1}, "e": {2, 3}}
    found = most_complete({name: frozenset(places) for name, places in run.items()})
    assert found == ([1, 2], ["a", "b", "c"], ["d", "e"])
    assert most_complete({"a": frozenset({1}), "b": frozenset({2})}) is None
    pairs = {f"m{i}": frozenset({1, 2, 3, 4, 5, 6} - {i}) for i in (1, 2, 3, 4)}
    assert most_complete(pairs) == ([4, 5, 6], ["m1", "m2", "m3"], ["m4"])  # 9 figures of 8, 9
    few = {name: frozenset({1, 2, 3, 4}) for name in "ab"} | {"c": frozenset({1, 2})}
    assert most_complete(few).where == [1, 2, 3, 4]
    assert most_complete(few, 3) == ([1, 2], ["a", "b", "c"], [])
    halves = {"a": frozenset({1, 2, 4}), "b": frozenset({1, 2, 3})}
    assert most_complete(halves) == ([1, 2], ["a", "b"], [])


def test_a_further_dataset_of_one_method_does_not_drop_the_others():
    rows = [
        trial(f"m{j}", 0, float(value), dataset=f"d{i}")
        for i, line in enumerate(SCORES)
        for j, value in enumerate(line)
    ]
    rows += [trial("m0", 0, 0.9, dataset="extra"), trial("late", 0, 0.9, dataset="d0")]
    sheet = rankings.sheet(pd.DataFrame(rows), Reading())
    assert [line[2].text for line in sheet.rows] == ["1.20", "2.20", "2.60", "4.00"]
    assert sheet.footer[1] == "20 %: not run on all of d0, d1, d2, d3, d4: late"
    without = rankings.sheet(pd.DataFrame(rows[:-2]), Reading())
    assert [line[3] for line in sheet.rows] == [line[3] for line in without.rows]


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
    sheet = rankings.sheet(pd.DataFrame(rows), Reading())
    scores = {line[1].text: line[3].value for line in sheet.rows}
    assert scores == pytest.approx({"a": 0.0, "b": 0.5, "c": 1.0})
    assert "datasets being fixed; n = 2 unless" in sheet.footer[-1]
    assert "fewer than 20 such an interval is too narrow" in sheet.footer[-1]
    rows = [r for r in rows if (r["variant"], r["dataset"], r["seed"]) != ("c", "d1", 1)]
    sheet = rankings.sheet(pd.DataFrame(rows), Reading())
    assert [(line[1].text, "n=1" in line[3].text) for line in sheet.rows] == [
        ("c", True), ("b", False), ("a", False),
    ]  # fmt: skip


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
    sheet = label_efficiency.sheet(pd.DataFrame(rows), Reading())
    assert [cell.text for cell in sheet.rows[0]] == ["glas", "ours", "72.31", "–", "1"]
    assert "no 100 % row of supervised on glas" in sheet.footer[1]
    assert math.isnan(sheet.data.labels_needed.item())
    rows.append(trial("supervised", 0, 0.84, ratio=1.0))
    sheet = label_efficiency.sheet(pd.DataFrame(rows), Reading())
    assert [cell.text for cell in sheet.rows[0]] == ["glas", "ours", "72.31", "12.03 %", "1"]
    assert len(sheet.rows) == 1 and len(sheet.footer) == 1  # supervised has no curve
    worse = [row | {"dc_pooled": row["dc_pooled"] - 0.05} for row in rows[:5]]
    sheet = label_efficiency.sheet(pd.DataFrame([*worse, rows[5]]), Reading())
    assert sheet.rows[0][3].text == "> 20 %"
    assert label_efficiency.sheet(pd.DataFrame(rows[:1]), Reading()) is None


def test_a_further_share_of_one_method_does_not_drop_the_others():
    rows = [
        trial(name, 0, d, ratio=r)
        for name in ("cps", "ours")
        for r, d in zip(RATIOS, DICE, strict=True)
    ]
    rows += [trial("ours", 0, 0.9, ratio=0.5), trial("late", 0, 0.9, ratio=0.2)]
    sheet = label_efficiency.sheet(pd.DataFrame(rows), Reading())
    assert [[cell.text for cell in line[1:3]] for line in sheet.rows] == [
        ["cps", "72.31"], ["ours", "72.31"],
    ]  # fmt: skip
    assert sheet.footer[-1] == "not run at all of 1 %, 2 %, 5 %, 10 %, 20 % on glas: late"


def test_a_seed_that_needs_fewer_labels_than_were_tried_makes_an_upper_bound():
    """Seed 0 has the target .76 at 5 % already, seed 1 half way (in log₂) to 20 %: 10 %."""
    curves = {0: (0.80, 0.90), 1: (0.72, 0.80)}
    rows = [
        trial("cps", seed, d, ratio=r)
        for seed, dice in curves.items()
        for r, d in zip((0.05, 0.20), dice, strict=True)
    ]
    rows += [trial("supervised", 0, 0.80, ratio=1.0)]
    (line,) = label_efficiency.sheet(pd.DataFrame(rows), Reading()).rows
    assert line[3].text.startswith("≤ 7.5 ± ")


def test_the_optimism_gap():
    sheet = optimism.sheet(trials(cps=A, supervised=B[:1]), Reading())
    assert [[cell.text for cell in line] for line in sheet.rows] == [
        ["20 %", "supervised", "83.62", "93.62", "+10.00 (n=1)"],
        ["20 %", "cps", "84.60", "94.60", "+10.00 ± 0.00"],
    ]
    assert sheet.data.gap.tolist() == pytest.approx([0.1, 0.1])
