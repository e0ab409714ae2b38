"""`bench report --published` and `bench list published` with the tables that the tool has."""

import re
from pathlib import Path

import pytest

from benchmark.data.split.budget import Budget
from benchmark.errors import ExitCode
from benchmark.keys import fingerprint
from benchmark.store import record_file
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record
from tests.studies import configuration_of, invented_record

ACDC = ["background", "right ventricle", "myocardium", "left ventricle"]
LA = ["background", "left atrium"]
UNET = {"name": "unet", "widths": [16, 32, 64, 128, 256], "dropout": [0.05, 0.1, 0.2, 0.3, 0.5]}
READ = ("--table", "published", "--aggregate", "case")


def trial(dataset: str, budget: str, method: str, seed: int, classes: list[str]) -> Record:
    """Of Dice 80 % over cases plus a point a seed; of class k, k points more."""
    made, asked = (
        invented_record(dataset, 0.1, method, seed, 0.82 + 0.01 * seed),
        Budget.parse(budget),
    )
    settings = made.settings | {"budget": asked.text, "size": [256, 256], "network": UNET}
    if asked.listed:
        settings["labelled"] = ["patient001_frame01_slice_1"]
    scores = {name: value for name, value in made.metrics.items() if re.search("(dc|ji)_", name)}
    by_class = {
        f"{name}_class_{k}": min(1.0, value + 0.01 * k)
        for name, value in scores.items()
        for k in range(1, len(classes))
        if len(classes) > 2
    }
    distances = {"hd95_joint_voxels": 6.0, "asd_to_truth_voxels": 2.0}
    return made.model_copy(
        update={
            "settings": settings, "key": fingerprint(settings), "classes": classes,
            "configuration": configuration_of(settings), "budget": asked.text,
            "budget_order": asked.order, "ratio": asked.share,
            "metrics": made.metrics | by_class | distances,
        }
    )  # fmt: skip


@pytest.fixture
def study(tmp_path):
    """A function: write a study of these trials, three seeds each."""

    def write(
        budgets: tuple[str, ...], methods: tuple[str, ...], dataset: str = "acdc",
        classes: list[str] = ACDC,
    ) -> Path:  # fmt: skip
        folder = tmp_path / "results" / "heart"
        folder.mkdir(parents=True)
        (folder / "study.yaml").write_text("name: heart\n")
        for budget in budgets:
            for method in methods:
                for seed in range(3):
                    made = trial(dataset, budget, method, seed, classes)
                    record_file.write(trial_folder(folder, made.key), made)
        return folder

    return write


@pytest.fixture
def acdc(study):
    return study(("list:ssl4mis-7", "7patients", "10%"), ("supervised", "uamt", "cps"))


def line(out: str, budget: str, method: str, source: str) -> str:
    """Of a table of text."""
    table = out.partition("\n\n")[0].splitlines()
    first = next(i for i, text in enumerate(table) if text.startswith(budget))
    (found,) = [
        text
        for i, text in enumerate(table)
        if method in text and source in text
        and first == max(j for j in range(2, i + 1) if not table[j].startswith(" "))
    ]  # fmt: skip
    return found


def test_every_printed_table_stands_beside_a_study_of_acdc(bench, acdc):
    """UA-MT at 7 patients: 81.65 in three tables that copy it, 81.66 in a digest, 81.50 in
    UniMatch's; ours 81.00 over cases.
    """
    code, out, _ = bench("report", *READ)
    assert code == 0
    for budget in ("list ssl4mis-7", "7 patients", "10 %"):
        found = line(out, budget, "uamt", "crossmatch_readme")
        assert "81.0 ± 1.7 (n=3)◦" in found and "81.65" in found and "−0.65" in found
    caveats = dict(re.findall(r"^caveat (\d+): (.*)$", out, re.M))
    numbers = line(out, "7 patients", "uamt", "crossmatch_readme").rpartition("  ")[2].split(", ")
    assert [caveats[n] for n in numbers] == [
        "no ± is printed there (1 run): no p",
        "the paper copies this row from another one: checkpoint, evaluated set, size and network "
        "of it are unknown",
        "labelled subset drawn by seed, not the list ssl4mis-7",
    ]
    numbers = line(out, "list ssl4mis-7", "supervised", "unimatch").rpartition("  ")[2].split(", ")
    assert [caveats[n] for n in numbers] == [
        "no ± is printed there (1 run): no p",
        "selection final, theirs oracle",
        "images of 256x256, not 128x128"
        if False
        else "evaluated there on the validation and the "
        "test set together, not on the test set alone",
    ]
    assert (
        "sources disagree on uamt/acdc/7patients by 0.16: 81.50 (unimatch_medical_readme); 81.65 "
        "(compnet_readme, crossmatch_readme, opmatch_readme); 81.66 (tertiary_semi_agcl_digest)"
    ) in out
    assert "printed alike, digit for digit: supervised/acdc/7patients 79.41: " in out
    assert "settings differ" not in out  # a list's images are part of its budget


def test_a_papers_own_row_is_compared_with_its_own_protocol(bench, study):
    """CrossMatch prints its last epoch on val, SS-Net the best on val; both one run."""
    study(("list:ssl4mis-7",), ("ssnet", "crossmatch"))
    code, out, _ = bench("report", *READ)
    assert code == 0
    caveats = dict(re.findall(r"^caveat (\d+): (.*)$", out, re.M))
    own = line(out, "list ssl4mis-7", "crossmatch ", "crossmatch_readme")
    assert [caveats[n] for n in own.rpartition("  ")[2].split(", ")] == [
        "no ± is printed there (1 run): no p",
        "evaluated there on the validation set, not on the test set alone",
    ]
    assert "◦" in own and "CrossMatch's README says 20 test scans" in out
    of_ssnet = line(out, "list ssl4mis-7", "ssnet ", "ssnet_performance")
    assert "selection final, theirs val" in caveats.values() and "◦" in of_ssnet


def test_the_two_origins_of_copied_la_rows_are_told_apart(bench, study):
    study(("list:uamt-8",), ("uamt",), "la", LA)
    out = bench("report", *READ)[1]
    table, _, footer = out.partition("\n\n")
    assert len(re.findall(r"crossmatch_readme \(line A\) .* 85\.81", table)) == 1
    assert len(re.findall(r"dtc_readme \(line B\) .* 84\.25", table)) == 1
    assert (
        "la: papers copy its results from one of two origins that contradict each other: line A: "
        "compnet_readme, crossmatch_readme, opmatch_readme; line B: dtc_readme, "
        "tertiary_dualfete_note, tertiary_semi_agcl_digest, tracoco_results"
    ) in footer


def test_each_format_has_its_own_grey(bench, acdc):
    assert re.search(
        r"\| \*uamt\* \| \*acdc\* \|", bench("report", *READ, "--format", "markdown")[1]
    )
    latex = bench("report", *READ, "--format", "latex")[1]
    assert r"\textcolor{gray}{uamt}" in latex and "Grey: a line whose scores may differ" in latex
    rows = bench("report", *READ, "--format", "csv")[1].splitlines()
    assert "grey" in rows[0].split(",") and ",True," in rows[1]
    assert bench("report", "--format", "html", "--aggregate", "case")[0] == 0
    page = (acdc / "report.html").read_text()
    assert 'class="label grey"><span>uamt</span>' in page
    assert "grey: a line whose scores may differ" in page


def test_a_terminal_dims_what_is_grey(bench, acdc, monkeypatch):
    """A pipe gets the mark alone."""
    piped = bench("report", *READ)[1]
    said = []
    monkeypatch.setattr("benchmark.cli.options.typer.echo", lambda text, **_: said.append(text))
    bench("report", *READ)
    (shown,) = [text for text in said if "◦" in text]
    grey = [text for text in shown.splitlines() if "◦" in text]
    assert len(grey) == 34  # 33 lines of the table, and what the mark means
    assert all(text.startswith("\x1b[2m") and text.endswith("\x1b[0m") for text in grey)
    assert "\x1b" not in piped and piped.count("◦") == 34


def test_distances_have_a_table_of_their_own(bench, acdc):
    code, out, _ = bench("report", "--table", "published-distances")
    assert code == 0
    found = line(out, "7 patients", "uamt", "crossmatch_readme")
    assert "6.00 ± 0.00 (n=3)◦" in found and "6.88" in found and "−0.88" in found
    assert "2.00 ± 0.00 (n=3)" in found and "2.02" in found and "−0.02" in found


def test_what_is_printed_is_named_where_nothing_matches(bench, study):
    study(("5%",), ("cps",))
    code, _, err = bench("report", *READ)
    assert code == ExitCode.STATISTICS
    assert (
        "no table published: no published result has the dataset, label budget and method of a "
        "trial: acdc is printed at 1patient, 3patients, 7patients, 14patients, 70patients (list "
        "ssl4mis-1, ssl4mis-14, ssl4mis-3, ssl4mis-7) for supervised, "
    ) in err


def test_published_results_are_listed(bench):
    code, out, _ = bench("list", "published")
    assert code == 0
    assert "ssnet_performance           Wu et al., Smoothness and Class-Separation (SS-Net)" in out
    assert "    acdc at 3patients, 7patients; la at 4scans, 8scans\n" in out
    assert "    4 rows; runs 1; ± none; checkpoint val (acdc), oracle (la); trust high\n" in out
    assert out.endswith(
        "rows that are printed in more than one table: 57; results on which tables disagree by 0.1 "
        "or more: 49 (bench list published -v)\n"
    )


def test_all_that_is_known_is_listed_with_v(bench):
    out = bench("list", "published", "-v")[1]
    assert "own rows: compnet\n" in out and "la: line A of copied rows" in out
    assert "read from AiEson/CrossMatch@59772e00c3d2 README.md" in out
    assert "  mcnet/la/16scans 90.60: compnet_readme, crossmatch_readme\n" in out
    assert "  bcp/acdc/7patients by 0.55: 88.29 (bcp_rerun_thanhphong); 88.84 (" in out


def test_a_malformed_table_of_ones_own_is_named_in_the_list(bench, tmp_path):
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "mine.csv").write_text("dataset,method\nglas,ours\n")
    code, _, err = bench("list", "published", "--results", tmp_path)
    assert code == ExitCode.DATA and "mine.csv with mine.yaml are not as" in err
