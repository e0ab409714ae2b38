"""All tables of a report, and what becomes of one that cannot be made."""

import pytest

from reports.published.paper import Paper
from reports.published.read import Unreadable
from reports.report import Options, Report, Sources
from tests.reports.worked import A, B, stored, trials


def unreadable() -> list[Paper]:
    raise Unreadable("someone.csv is not as described")


def test_unreadable_published_results_cost_their_own_table_alone():
    report = Report(stored(trials(ours=A, supervised=B)), Options(), Sources(papers=unreadable))
    assert [sheet.name for sheet in report.tables()] == ["table", "differences", "optimism"]
    assert report.problems == ["someone.csv is not as described"]
    with pytest.raises(Unreadable, match="not as described"):
        report.table("published")


def test_printed_results_are_read_only_for_their_own_table():
    report = Report(stored(trials(ours=A, supervised=B)), Options(), Sources(papers=unreadable))
    assert report.table("table").rows[2][2].text == "84.60 ± 0.36"
    assert report.problems == []
