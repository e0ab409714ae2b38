"""Which trials are repetitions of each other, and the table of what makes them differ."""

import math

import numpy as np
import pandas as pd
import pytest

from reports.comparable import independent
from reports.report import Options, Report
from reports.select import Reading
from reports.tables import variance
from tests.reports.stats.test_variance import WORKED
from tests.reports.worked import stored, trial

NAN = math.nan


def crossed(values: np.ndarray) -> pd.DataFrame:
    """A trial for each subset (row) and seed of weights (column)."""
    return pd.DataFrame(
        [
            trial("cps", j, float(value), key=f"{i}{j}", subset_seed=NAN if i == j else i)
            for i, row in enumerate(values)
            for j, value in enumerate(row)
        ]
    )


def test_the_table_splits_the_worked_example():
    sheet = variance.sheet(crossed(WORKED), Reading())
    ((_, _, _, runs, *rest),) = sheet.rows
    # √.011, √.00073333, √.0002 and the root of their sum, in points of Dice
    assert [cell.text for cell in rest] == [
        "10.49", "2.71", "1.41", "10.92", "92 %", "6 %", "2 %",
    ]  # fmt: skip
    assert runs.text == "3 × 2"


def test_an_unfinished_grid_counts_as_far_as_it_is_complete():
    rows = crossed(np.array([[0.60, 0.64, 0.5], [0.70, 0.72, 0.5], [0.80, 0.86, 0.5]]))
    rows = rows[~rows.key.isin(["02", "12"])]
    ((_, _, _, runs, *_),) = variance.sheet(rows, Reading()).rows
    assert runs.text == "3 × 2"
    assert variance.sheet(rows[rows.key.isin(["00", "11"])], Reading()) is None


@pytest.mark.parametrize(
    ("pairs", "kept", "told"),
    [
        ([(0, NAN), (1, NAN)], [0, 1], ""),
        ([(0, NAN), (0, 1.0), (0, 2.0)], [0, 1, 2], "weights and order are of seed 0"),
        ([(0, NAN), (1, 0.0), (2, 0.0)], [0, 1, 2], "the labelled images are of seed 0"),
        ([(0, NAN), (0, 1.0), (1, 0.0), (1, NAN)], [0, 1], "2 trials whose labelled images"),
    ],
)
def test_trials_that_share_a_subset_or_weights_are_no_repetitions(pairs, kept, told):
    """(seed, its subset's, if that is another)."""
    rows = pd.DataFrame([trial("cps", seed, 0.5, subset_seed=subset) for seed, subset in pairs])
    found = independent(rows)
    assert sorted(found.rows.seed) == kept
    assert told in " ".join(found.left_out) and bool(told) == bool(found.left_out)


@pytest.mark.parametrize(
    ("pairs", "hashes", "kept"),
    [
        ([(0, NAN), (0, 1.0), (0, 2.0)], "aaa", [(0, NAN)]),
        ([(0, NAN), (0, 1.0), (0, 2.0)], "aba", [(0, NAN), (0, 1.0)]),
        ([(0, NAN), (0, 1.0), (1, 0.0), (1, NAN)], "aaaa", [(0, NAN), (1, NAN)]),
        ([(0, NAN), (1, 0.0), (2, 0.0)], "aaa", [(0, NAN), (1, 0.0), (2, 0.0)]),
        ([(0, NAN), (1, NAN)], "aa", [(0, NAN), (1, NAN)]),
        ([(0, NAN), (0, 1.0)], ["", ""], [(0, NAN), (0, 1.0)]),  # of older records: not known
    ],
)
def test_a_list_is_no_other_subset_under_another_seed(pairs, hashes, kept):
    """(seed, its subset's, if that is another); equal letters are equal images."""
    rows = pd.DataFrame([trial("cps", seed, 0.5, subset_seed=subset) for seed, subset in pairs])
    found = independent(rows.assign(subset_hash=list(hashes)))
    still = rows.loc[found.rows.index, ["seed", "subset_seed"]].fillna(-1)
    assert [*map(tuple, still.to_numpy())] == [(seed, -1 if s != s else s) for seed, s in kept]
    n = len(pairs) - len(kept)
    assert (f"{n} trial" in " ".join(found.left_out)) == bool(n)
    assert variance.sheet(rows.assign(subset_hash="a"), Reading()) is None


def test_other_tables_show_the_runs_in_which_both_change():
    made = Report(stored(crossed(WORKED)), Options())
    assert made.table("table").rows[-1][2].text.startswith("66.0 ± ")  # of .60 and .72
    footer = " ".join(made.table("table").remarks)
    assert "4 trials whose labelled images and weights are of different seeds" in footer
    assert made.table("variance").rows[0][3].text == "3 × 2"
    assert Report(stored(crossed(WORKED[:1])), Options()).table("variance") is None


def test_of_one_class_its_own_scores_are_split():
    own = crossed(WORKED / 2).assign(classes=[["background", "a", "b"]] * WORKED.size)
    own = own.assign(dc_pooled_class_1=WORKED.ravel(), dc_pooled_class_2=0.0)
    made = Report(stored(own), Options(reading=Reading(of_class="a")))
    assert made.table("variance").rows[0][4].text == "10.49"  # as of the worked example
