"""The table of ranks: which methods and datasets are compared, and the score beside the rank."""

import pandas as pd
import pytest

from reports.select import Reading
from reports.tables import ranks
from tests.reports.worked import SCORES, A, B, trial, trials


def test_the_sheet_of_ranks_names_the_low_power():
    rows = [
        trial(f"m{j}", 0, float(value), dataset=f"d{i}")
        for i, line in enumerate(SCORES)
        for j, value in enumerate(line)
    ]
    sheet = ranks.sheet(pd.DataFrame(rows), Reading())
    assert [(line[1].text, line[2].text) for line in sheet.rows] == [
        ("m0", "1.20"), ("m1", "2.20"), ("m2", "2.60"), ("m3", "4.00"),
    ]  # fmt: skip
    assert "closer than 1.87" in sheet.remarks[0] and "5 datasets, low power" in sheet.remarks[0]
    assert (
        "χ² = 12.1, p = 0.0011 " in sheet.remarks[0]
        and "(F = 16.8, p = 0.000134)" in sheet.remarks[0]
    )
    assert ranks.sheet(trials(cps=A, ours=B), Reading()) is None


def test_a_further_dataset_of_one_method_does_not_drop_the_others():
    rows = [
        trial(f"m{j}", 0, float(value), dataset=f"d{i}")
        for i, line in enumerate(SCORES)
        for j, value in enumerate(line)
    ]
    rows += [trial("m0", 0, 0.9, dataset="extra"), trial("late", 0, 0.9, dataset="d0")]
    sheet = ranks.sheet(pd.DataFrame(rows), Reading())
    assert [line[2].text for line in sheet.rows] == ["1.20", "2.20", "2.60", "4.00"]
    assert sheet.remarks[1] == "20 %: not run on all of d0, d1, d2, d3, d4: late"
    without = ranks.sheet(pd.DataFrame(rows[:-2]), Reading())
    assert [line[3] for line in sheet.rows] == [line[3] for line in without.rows]


def test_the_score_is_0_at_the_floor_and_100_at_a_perfect_mask():
    """The floor is .661: .8305 lies half way."""
    values = {"a": 0.661, "b": 0.8305, "c": 1.0}
    rows = [
        trial(name, seed, value, dataset=dataset)
        for name, value in values.items() for seed in (0, 1) for dataset in ("d0", "d1")
    ]  # fmt: skip
    sheet = ranks.sheet(pd.DataFrame(rows), Reading())
    scores = {line[1].text: line[3].value for line in sheet.rows}
    assert scores == pytest.approx({"a": 0.0, "b": 0.5, "c": 1.0})
    assert "datasets being fixed; n = 2 unless" in sheet.remarks[-1]
    assert "fewer than 20 such an interval is too narrow" in sheet.remarks[-1]
    rows = [r for r in rows if (r["variant"], r["dataset"], r["seed"]) != ("c", "d1", 1)]
    sheet = ranks.sheet(pd.DataFrame(rows), Reading())
    assert [(line[1].text, "n=1" in line[3].text) for line in sheet.rows] == [
        ("c", True), ("b", False), ("a", False),
    ]  # fmt: skip
