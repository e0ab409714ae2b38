"""Families of paired comparisons; the worked pair A and B, statistics C2 to C5."""

import itertools
import math

import pandas as pd
import pytest

from reports.select import Reading
from reports.tables import comparisons, differences
from tests.reports.worked import A, B, budget, trials

READING = Reading()


def test_a_against_b():
    (found,) = comparisons.against_control(trials(ours=A, supervised=B), READING, "supervised")
    assert found.key == ("glas", budget(0.2), "ours")
    assert found.difference[:3] == pytest.approx((0.00632, 0.0019752306, 10), abs=1e-9)
    test = found.test
    assert (test.p, test.p_holm, test.p_bh) == (0.00390625, 0.00390625, 0.00390625)
    assert test.rank_biserial == pytest.approx(0.9636363636, abs=1e-9)
    assert test.effect == pytest.approx(1.6957836113, abs=1e-9)
    assert (found.wins, found.superiority) == (9, pytest.approx(0.795))
    # One comparison: .9960023 deviations of .0034074.
    assert test.detectable == pytest.approx(0.9960022543 * 0.0034074428, abs=1e-7)
    assert found.is_significant


def test_holm_is_within_dataset_and_budget():
    """A constant gain has p = 2/1024; of two comparisons the smaller p is doubled."""
    rows = trials(better=B + 0.01, ours=A, supervised=B)
    other = trials(ours=A, supervised=B).assign(dataset="ph2")
    found = {
        c.key: c.test.p_holm
        for c in comparisons.against_control(pd.concat([rows, other]), READING, "supervised")
    }
    assert found == {
        ("glas", budget(0.2), "better"): pytest.approx(2 * 2 / 1024),
        ("glas", budget(0.2), "ours"): pytest.approx(0.00390625),
        ("ph2", budget(0.2), "ours"): pytest.approx(0.00390625),
    }


def test_pairs_are_those_of_equal_seeds_and_five_are_not_tested():
    rows = trials(ours=A, supervised=B)
    rows = rows[~((rows.variant == "supervised") & (rows.seed > 4))]
    (found,) = comparisons.against_control(rows, READING, "supervised")
    assert found.difference.n == 5 and not found.is_tested and not found.is_significant
    # The mean of the first five differences: .0069, .0081, .0042, .0084, .0054.
    assert found.difference.mean == pytest.approx(0.0066)
    sheet = differences.sheet([found], "supervised", READING, "sign-flip")
    assert [cell.text for cell in sheet.rows[0][4:]] == ["5", "–", "–", "–", "5/5", "78 %"]
    assert "not tested: 5 pairs of seeds at most, 6 are needed" in " ".join(sheet.remarks)


def test_the_sheet_shows_difference_first():
    found = comparisons.against_control(trials(ours=A, supervised=B), READING, "supervised")
    sheet = differences.sheet(found, "supervised", READING, "sign-flip")
    assert [cell.text for cell in sheet.rows[0]] == [
        "20 %", "ours", "glas", "+0.63 ± 0.20", "10", "0.00391", "0.00391", "1.70", "9/10", "80 %",
    ]  # fmt: skip
    footer = " ".join(sheet.remarks)
    assert "Holm over 1 comparison on" in footer and "reached 0.002;" in footer
    assert "0.34 points" in footer


def test_other_tests_on_request():
    rows = trials(ours=A, supervised=B)
    (t,) = comparisons.against_control(rows, READING, "supervised", test="t")
    assert t.test.p == pytest.approx(0.00023916565863298)
    gains = [0.01, 0.02, 0.03, 0.04, 0.05, 0.20, -0.15]
    rows = trials(ours=[0.7 + gain for gain in gains], supervised=[0.7] * 7)
    (flips,) = comparisons.against_control(rows, READING, "supervised")
    (wilcoxon,) = comparisons.against_control(rows, READING, "supervised", test="wilcoxon")
    assert flips.test.p == pytest.approx(by_hand(gains)) != wilcoxon.test.p
    assert wilcoxon.test.p == pytest.approx(by_hand([1, 2, 3, 4, 5, 7, -6]))


def by_hand(values: list[float]) -> float:
    """Share of sign patterns whose sum is as far from 0."""
    observed = abs(sum(values)) - 1e-9
    sums = [
        sum(sign * abs(v) for sign, v in zip(signs, values, strict=True))
        for signs in itertools.product((1, -1), repeat=len(values))
    ]
    return sum(abs(total) >= observed for total in sums) / len(sums)


def test_trials_without_a_partner_of_the_control_are_named():
    """Of cps seeds 0 to 6 of ten are there, on la none, on ph2 others than those of ours."""
    rows = pd.concat([
        trials(ours=A, cps=B[:7]),
        trials(ours=A[:2], em=A[:2]).assign(dataset="la"),
        trials(ours=A[:2]).assign(dataset="ph2"),
        trials(cps=B[:9])[7:].assign(dataset="ph2"),
    ])  # fmt: skip
    assert comparisons.unpaired(rows[rows.dataset == "glas"], "ours") == []
    assert comparisons.unpaired(rows, "cps") == [
        "left out, cps was not run or not finished there: em/la/20 %, ours/la/20 %",
        "no seed in common with cps: ours/ph2/20 %",
        "compared at fewer seeds than they have, cps lacks the others: ours/glas/20 % (7 of 10)",
    ]


def test_the_best_is_compared_with_all_others():
    found = comparisons.against_best(trials(ours=A, cps=B, close=A - 1e-4 * (B > 0.84)), READING)
    family = {c.key[2]: c for c in found["glas", budget(0.2)]}
    assert {c.control for c in family.values()} == {"ours"}
    assert family["cps"].is_significant and family["cps"].difference.mean == pytest.approx(-0.00632)
    # Three of ten differ, by the same amount: 2 of 8 sign patterns are as extreme.
    assert family["close"].test.p == pytest.approx(0.25) and not family["close"].is_significant


def test_the_smallest_p_is_that_of_each_comparisons_own_pairs():
    """Ten and six pairs: 2 / 2¹⁰ doubled, and 2 / 2⁶ as the last of Holm's steps."""
    rows = trials(ours=A, cps=A[:6] - 0.01, supervised=B)
    found = {c.key[2]: c for c in comparisons.against_control(rows, READING, "supervised")}
    assert found["ours"].test.reachable == pytest.approx(2 * 2 / 1024)
    assert found["cps"].test.reachable == pytest.approx(2 / 64)
    (line, *_) = comparisons.describe([list(found.values())], "from supervised")
    assert "smallest p that could be reached 0.0039 to 0.031;" in line


def test_a_t_test_has_no_smallest_p():
    found = comparisons.against_control(
        trials(ours=A[:6], cps=A[:6] - 0.01, supervised=B[:6]), READING, "supervised", test="t"
    )
    assert all(c.is_decidable and c.test.reachable == 0 for c in found)
    (line,) = comparisons.describe([found], "from supervised", "t")
    assert "paired t test" in line and "reached" not in line


def test_what_no_difference_could_show_is_counted_and_not_called_a_tie():
    """Six pairs against four others: 2 / 2⁶ times 4 is .125."""
    values = {f"m{i}": B[:6] + 0.01 * i for i in range(5)}
    (found,) = comparisons.against_best(trials(**values), READING).values()
    assert not any(c.is_decidable for c in found)
    assert all(math.isnan(c.test.detectable) for c in found)
    assert comparisons.describe([found], "from the best")[1] == (
        "4 of 4 comparisons could not reach p < .05 at any effect size (too few seeds for this "
        "many comparisons): m0/glas/20 %, m1/glas/20 %, m2/glas/20 %, m3/glas/20 %"
    )


def test_what_has_no_seed_in_common_is_named():
    rows = pd.concat(
        [trials(ours=A, supervised=B), trials(cps=B).assign(seed=lambda t: t.seed + 50)]
    )
    found = comparisons.against_control(rows, READING, "supervised")
    cps, ours = (("glas", budget(0.2), name) for name in ("cps", "ours"))
    assert comparisons.not_compared({cps, ours}, found, "supervised") == [
        "no seed in common with supervised: cps/glas/20 %"
    ]
    assert comparisons.not_compared({ours}, found, "supervised") == []


def test_a_lucky_single_run_is_not_the_best():
    found = comparisons.against_best(trials(ours=A, cps=B, lucky=[0.99]), READING)
    assert {c.control for c in found["glas", budget(0.2)]} == {"ours"}
    assert comparisons.contenders({"a": 10, "b": 6, "c": 5}) == {"a", "b"}
    assert comparisons.contenders({"a": 2, "b": 1}) == {"a"}
    assert comparisons.contenders({"a": 1, "b": 1}) == {"a", "b"}
