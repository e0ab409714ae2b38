"""Our results beside printed ones, and what makes them hard to compare."""

import pandas as pd
import pytest

from reports.published.read import Unreadable, read
from reports.select import Reading
from reports.tables import published
from tests.reports.worked import A, B, trials

CSV = """table,dataset,labelled_percent,method,dc_mean,dc_ci90_half,ji_mean,ji_ci90_half
T1,glas,20,ours,83.97,0.28,72.4,0.4
T1,glas,20,cps,83.9,,72.3,
T1,glas,5,ours,80.0,0.5,70,0.5
"""
YAML = """paper: Someone, 2026
runs: 10
plus_minus: seeds
ci_level: 0.9
ddof: 1
preset: paper
selection: final
aggregate: pooled
evaluated_on: test
size: {glas: 128x128}
network: unet
lists: drawn
notes: [a note of theirs]
"""


@pytest.fixture
def shelf(tmp_path):
    (tmp_path / "someone.csv").write_text(CSV)
    (tmp_path / "someone.yaml").write_text(YAML)
    return tmp_path


def like_theirs(**variants) -> pd.DataFrame:
    return trials(**variants).assign(preset="paper", size="128x128", data_partial="")


def test_our_result_stands_beside_the_printed_one(shelf):
    """84.60 ± .3647 and 83.97 ± .28, ten runs each: s² / n = .1990² + .1527², t(16.9) = 2.512."""
    sheet = published.sheet(like_theirs(ours=A), Reading(), read(shelf))
    (line,) = sheet.rows
    assert [cell.text for cell in line] == [
        "20 %", "ours", "glas", "84.60 ± 0.36", "83.97 ± 0.28", "+0.63", "0.0225",
        "74.60 ± 0.36", "72.40 ± 0.40", "+2.20", "–",
    ]  # fmt: skip
    assert sheet.data.metric.tolist() == ["dc", "ji"]
    assert sheet.data.not_comparable.tolist() == ["", ""]
    assert sheet.footer[:2] == [
        "printed (someone): Someone, 2026; 10 runs, ± 90 % half-width, standard deviation over "
        "n - 1",
        "a note of theirs",
    ]


def test_reasons_stand_beside_what_is_not_comparable(shelf):
    rows = trials(ours=A, cps=B[:3])
    sheet = published.sheet(rows, Reading(selection="oracle"), read(shelf))
    cps, ours = sheet.rows
    assert [cell.text for cell in cps[:2]] == ["20 %", "cps"]
    assert cps[3].text.endswith("(n=3)") and cps[6].text == "–"  # no width is printed: no test
    assert [ours[-1].text, cps[-1].text] == ["1, 3, 4, 5", "1, 2, 3, 4, 5"]
    assert (sheet.title, sheet.heads[-1].label) == ("Compared with published results", "caveats")
    assert sheet.notes[-5:] == [
        "caveat 1: preset cpu, not paper: another budget, other settings",
        "caveat 2: not as many runs as theirs (10): n in brackets",
        "caveat 3: selection oracle, theirs final",
        "caveat 4: images of 64x64, not 128x128",
        "caveat 5: data incomplete: 60 of 80 test cases",
    ]


def test_the_same_result_in_two_papers_has_a_column_that_tells_them_apart(shelf):
    (shelf / "other.csv").write_text("dataset,labelled_percent,method,dc_mean,dc_ci90_half\n"
                                     "glas,20,ours,80.00,0.5\n")  # fmt: skip
    (shelf / "other.yaml").write_text(YAML.replace("Someone", "Another"))
    sheet = published.sheet(like_theirs(ours=A), Reading(), read(shelf))
    assert [head.label for head in sheet.heads[:4]] == ["labelled", "method", "dataset", "paper"]
    assert [[cell.text for cell in line[3:7]] for line in sheet.rows] == [
        ["other", "84.60 ± 0.36", "80.00 ± 0.50", "+4.60"],
        ["someone", "84.60 ± 0.36", "83.97 ± 0.28", "+0.63"],
    ]
    assert [cell.text for cell in sheet.rows[0][8:11]] == ["74.60 ± 0.36", "–", "–"]  # no JI there


def test_settings_are_compared_with_those_of_the_preset(shelf):
    rows = like_theirs(ours=A)
    rows["settings"] = [{"seed": s, "training": {"epochs": 2}, "size": [128]} for s in rows.seed]

    def expected(preset: str, trial) -> dict | None:
        assert (preset, trial["variant"]) == ("paper", "ours")
        return {"seed": 5, "training": {"epochs": 200}, "size": [128]}

    papers = read(shelf)
    (line, _) = published.sheet(rows, Reading(), papers, expected).data.not_comparable
    assert line == "settings changed from the preset paper: training.epochs 2 (not 200)"
    (line, _) = published.sheet(rows, Reading(), papers, lambda *_: None).data.not_comparable
    assert line == "settings could not be compared with those of the preset paper"


def test_a_changed_hyper_parameter_is_not_the_printed_method(shelf):
    rows = like_theirs(**{"ours[rounds=3]": A})
    assert published.sheet(rows, Reading(), read(shelf)) is None


def test_of_equal_files_in_two_folders_the_last_is_taken(shelf, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "someone.csv").write_text(CSV)
    (mine / "someone.yaml").write_text(YAML.replace("Someone", "Corrected"))
    assert [paper.paper for paper in read(shelf, mine)] == ["Corrected, 2026"]
    assert [paper.paper for paper in read(shelf, tmp_path / "none")] == ["Someone, 2026"]


def test_files_that_are_not_as_described_are_named(shelf):
    (shelf / "someone.yaml").write_text(YAML + "colour: red\n")
    with pytest.raises(Unreadable, match=r"someone\.csv with someone\.yaml.*colour"):
        read(shelf)
    (shelf / "someone.yaml").unlink()
    with pytest.raises(Unreadable, match=r"results/README\.md"):
        read(shelf)
    (shelf / "someone.csv").write_text("dataset,method\nglas,ours\n")
    with pytest.raises(Unreadable, match="no column dc_ci90_half, dc_mean"):
        read(shelf)
