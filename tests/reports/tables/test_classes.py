"""The table of classes, and what other tables say of a class that nobody finds."""

import math

import pandas as pd
import pytest

from reports import report
from reports.figures.qualitative import _shown, dice
from reports.report import Options, Report
from reports.select import Reading, of_class
from reports.tables import classes, footers
from tests.reports.worked import stored, trials

SMALL, LARGE = [0.2, 0.4], [0.8, 0.6]


def rows(**never) -> pd.DataFrame:
    """cps and supervised with two seeds; supervised finds no small one where never says so."""
    found = trials(cps=[0.5, 0.5], supervised=[0.3, 0.3])
    scores = {"cps": (SMALL, LARGE), "supervised": ([0.0, 0.0], [0.6, 0.6])}
    for k in (0, 1):
        for column in ("dc_pooled", "ji_pooled", "dc_case", "ji_case"):
            found[f"{column}_class_{k + 1}"] = [
                scores[row.variant][k][row.seed] for row in found.itertuples()
            ]
            found[f"all_foreground_{column}_class_{k + 1}"] = 0.25
            found[f"all_background_{column}_class_{k + 1}"] = 0.0
    found["n_predicted_class_1"] = [never.get(v, 3) for v in found.variant]
    found["n_predicted_class_2"] = 3
    found["classes"] = [["background", "small", "large"]] * len(found)
    return found


def test_each_class_is_a_column_beside_their_mean():
    sheet = classes.sheet(rows(), Reading())
    assert [(head.group, head.label) for head in sheet.heads[2:]] == [
        ("glas", "small"), ("glas", "large"), ("glas", "mean"),
    ]  # fmt: skip
    texts = [[cell.text for cell in line] for line in sheet.rows]
    assert texts[0][1:4] == ["floor", "25.00", "25.00"]
    # t(.95, 1) = 6.314; s / √2 = .1 of (.2, .4) and of (.8, .6)
    assert texts[2][1:] == ["cps", "30.0 ± 63.1", "70.0 ± 63.1", "50.00 ± 0.00"]
    assert texts[1][1:4] == ["supervised", "0.00 ± 0.00", "60.00 ± 0.00"]
    large = sheet.data[(sheet.data["class"] == "large") & (sheet.data.variant == "cps")]
    assert large.dc.item() == pytest.approx(0.7)


def test_two_classes_have_no_such_table():
    assert classes.sheet(trials(cps=[0.5]), Reading()) is None
    one = trials(cps=[0.5])
    one["classes"] = [["background", "gland"]]
    assert classes.sheet(one, Reading()) is None


def test_one_class_takes_the_place_of_the_mean_in_every_table():
    found = of_class(rows(), "large")
    assert found[found.variant == "cps"].dc_pooled.tolist() == LARGE
    assert found.all_foreground_dc_pooled.tolist() == [0.25] * 4
    assert of_class(rows(), "huge").empty
    made = Report(stored(rows()), Options(reading=Reading(of_class="large")))
    main = made.table("table")
    assert main.rows[-1][2].text == "70.0 ± 63.1†"
    assert any("class: large alone" in line for line in main.remarks)
    assert made.table("classes").rows[-1][2].text == "30.0 ± 63.1"
    assert set(report.TABLES) >= {"classes"}
    # What is measured over classes alone is not shown as one's.
    assert made.table("distances") is None and made.table("rates") is None


def test_what_is_never_predicted_is_said_under_every_table():
    lines = footers.oddities(rows(supervised=0), Reading())
    assert "glas: DC and JI are means over small, large (--table classes)" in lines
    assert "glas: never predicts small: supervised at 20 % (2 of 2 seeds)" in lines
    assert not any("never predicts" in line for line in footers.oddities(rows(), Reading()))
    absent = rows()
    absent["dc_pooled_class_2"] = math.nan
    assert "glas: no evaluated mask has large: it is in no mean" in footers.oddities(
        absent, Reading()
    )


def test_pictures_have_the_same_colour_for_a_class_whatever_else_is_there():
    import numpy as np

    target = np.array([[0, 1], [2, 2]])
    alone = np.array([[2, 2], [2, 2]])
    colours = _shown(target, "target", 3)
    assert colours.shape == (2, 2, 3) and colours[0, 0].tolist() == [0, 0, 0]
    assert (_shown(alone, "prediction", 3) == colours[1, 0]).all()
    assert _shown(np.array([[0, 1]]), "target", 2).tolist() == [[0, 255]]
    # Class 1: 0; class 2: TP 2, FP 2: 2·2 / (2·2 + 2).
    assert dice(alone, target, 3) == pytest.approx((0 + 4 / 6) / 2)
    assert dice(alone, target, 2) == pytest.approx(2 * 3 / (4 + 3))


def test_a_score_that_no_class_has_is_not_the_mean_s():
    over_patients = rows().assign(dc_patient=0.5, oracle_dc_pooled=0.9)
    found = of_class(over_patients, "large")
    assert found.dc_patient.isna().all() and found.oracle_dc_pooled.isna().all()
    assert classes.sheet(over_patients, Reading(aggregate="patient")) is None


def test_a_table_of_all_classes_is_not_said_to_be_of_one():
    made = Report(stored(rows()), Options(reading=Reading(of_class="large")))
    assert not any("large alone" in line for line in made.table("classes").remarks)
