"""Which printed result stands beside which of our configurations."""

import pytest

from benchmark.files import packaged
from reports.published.matching import beside, nothing_beside
from reports.published.read import read
from reports.select import Budget
from tests.reports import printed
from tests.reports.printed import PATIENTS, SEVEN, SHARE

CASES = Budget(1e3 + 8, "8 cases")


@pytest.mark.parametrize(
    ("budget", "percent", "labelled", "is_found"),
    [
        (SEVEN, "10", "7patients", True),
        (SEVEN, "10", "8scans", False),
        (Budget(1e15, "list other"), "10", "7patients", False),
        (PATIENTS, "10", "7patients", True),
        (PATIENTS, "10", "7scans", False),
        (Budget(1e9 + 1, "1 patient"), "1.43", "1patient", True),
        (CASES, "10", "8scans", True),
        (CASES, "10", "8cases", True),
        (CASES, "10", "8images", True),
        (CASES, "10", "8patients", False),
        (SHARE, "10", "7patients", True),
        (SHARE, "10", "", True),
        (SHARE, "9.68", "6scans", False),
        (Budget(0.0429, "4.29 %", 0.0429), "4.29", "3patients", True),
        (Budget(0.05, "5 %", 0.05), "4.29", "3patients", False),
    ],
)
def test_a_budget_is_found_by_list_by_count_or_by_share(
    tmp_path, budget, percent, labelled, is_found
):
    rows = [f"T1,glas,{percent},{labelled},cps,mean,84.00,,73.00,5.00,1.50"]
    found = beside(printed.beside(budget), printed.papers(tmp_path, rows=rows))
    assert len(found) == is_found


def test_a_changed_hyper_parameter_or_another_dataset_is_not_printed(tmp_path):
    papers = printed.papers(tmp_path)
    assert beside(printed.beside(variant="cps[weight=1]"), papers) == []
    assert beside(printed.beside(dataset="ph2"), papers) == []


SHIPPED = read(packaged("results/published"))


def test_the_shipped_lists_are_those_of_this_tool():
    lists = {
        (row.dataset, row.protocol.labelled_list)
        for paper in SHIPPED
        for row in paper.rows
        if row.protocol.labelled_list not in ("drawn", "unknown")
    }
    names = {
        "acdc": ["ssl4mis-1", "ssl4mis-3", "ssl4mis-7", "ssl4mis-14"],
        "la": ["uamt-4", "uamt-8", "uamt-16"],
        "pancreas": ["mcnet-6", "mcnet-12", "coranet-12"],
        "brats19": ["ssl4mis-25", "ssl4mis-50"],
    }
    assert lists == {(dataset, name) for dataset, own in names.items() for name in own}


def test_trials_of_another_list_meet_those_of_as_many_scans():
    """CoraNet's 12 and MC-Net's 12 scans of the pancreas: BCP 82.91 is of the former."""
    budget = Budget(1e15, "list mcnet-12")
    rows = printed.beside(budget, variant="bcp", dataset="pancreas")
    found = {each.paper.name: each for each in beside(rows, SHIPPED)}
    assert found["tracoco_results"].scores["dc_mean"] == 82.91
    assert found["tracoco_results"].printed.protocol.labelled_list == "coranet-12"


def test_what_there_would_be_is_named_where_nothing_matches(tmp_path):
    rows = printed.beside(Budget(0.5, "50 %", 0.5))
    papers = printed.papers(tmp_path)
    assert nothing_beside(rows, papers) == "glas is printed at 7patients (list seven) for cps"
    assert nothing_beside(rows.assign(dataset="mine"), papers) == (
        "nothing is printed of mine; there are results of glas. bench list published says which"
    )
    assert nothing_beside(rows, papers, "gland") == (
        "class gland alone: no class of glas is printed alone"
    )
