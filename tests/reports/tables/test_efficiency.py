"""The table of label efficiency: which shares are compared, how the labels needed are printed."""

import math

import pandas as pd

from reports.select import Reading
from reports.tables import efficiency
from tests.reports.worked import DICE, RATIOS, trial


def test_the_sheet_of_label_efficiency():
    rows = [trial("ours", 0, d, ratio=r) for r, d in zip(RATIOS, DICE, strict=True)]
    sheet = efficiency.sheet(pd.DataFrame(rows), Reading())
    assert [cell.text for cell in sheet.rows[0]] == ["glas", "ours", "72.31", "–", "1"]
    assert "no 100 % row of supervised on glas" in sheet.remarks[1]
    assert math.isnan(sheet.data.labels_needed.item())
    rows.append(trial("supervised", 0, 0.84, ratio=1.0))
    sheet = efficiency.sheet(pd.DataFrame(rows), Reading())
    assert [cell.text for cell in sheet.rows[0]] == ["glas", "ours", "72.31", "12.03 %", "1"]
    assert len(sheet.rows) == 1 and len(sheet.remarks) == 1  # supervised has no curve
    worse = [row | {"dc_pooled": row["dc_pooled"] - 0.05} for row in rows[:5]]
    sheet = efficiency.sheet(pd.DataFrame([*worse, rows[5]]), Reading())
    assert sheet.rows[0][3].text == "> 20 %"
    assert efficiency.sheet(pd.DataFrame(rows[:1]), Reading()) is None


def test_a_further_share_of_one_method_does_not_drop_the_others():
    rows = [
        trial(name, 0, d, ratio=r)
        for name in ("cps", "ours")
        for r, d in zip(RATIOS, DICE, strict=True)
    ]
    rows += [trial("ours", 0, 0.9, ratio=0.5), trial("late", 0, 0.9, ratio=0.2)]
    sheet = efficiency.sheet(pd.DataFrame(rows), Reading())
    assert [[cell.text for cell in line[1:3]] for line in sheet.rows] == [
        ["cps", "72.31"], ["ours", "72.31"],
    ]  # fmt: skip
    assert sheet.remarks[-1] == "not run at all of 1 %, 2 %, 5 %, 10 %, 20 % on glas: late"


def test_a_seed_that_needs_fewer_labels_than_were_tried_makes_an_upper_bound():
    """Seed 0 has the target .76 at 5 % already, seed 1 half way (in log₂) to 20 %: 10 %."""
    curves = {0: (0.80, 0.90), 1: (0.72, 0.80)}
    rows = [
        trial("cps", seed, d, ratio=r)
        for seed, dice in curves.items()
        for r, d in zip((0.05, 0.20), dice, strict=True)
    ]
    rows += [trial("supervised", 0, 0.80, ratio=1.0)]
    (line,) = efficiency.sheet(pd.DataFrame(rows), Reading()).rows
    assert line[3].text.startswith("≤ 7.5 ± ")
