"""Several test sets for the same trials: those that come with the data, and other datasets."""

import json
import math
import shutil

import pytest

from tests.cli.test_protocol import files, records, run_all  # noqa: F401  (a fixture)
from tests.grids import TINY_RUN


@pytest.fixture
def further(files, bench):  # noqa: F811
    """The dataset with a further test set that is its test set again, and one that is mirrored."""
    source = files / "files"
    shutil.copytree(source / "test", source / "test_same")
    shutil.copytree(source / "val", source / "test-other")
    code, out, err = bench(
        "data", "prepare", files / "ours3.yaml", "--from", source, "--data-root", files / "data"
    )
    assert code == 0, err
    assert "further test set same: 2 cases" in out and "further test set other: 3 cases" in out
    return files


def on(folder, key: str, name: str) -> dict:
    return json.loads((folder / "trials" / key / f"on-{name}.json").read_text())


def test_the_test_set_again_gives_the_very_scores_of_the_record(further, bench):
    """Evaluated from saved weights: bit by bit what was measured at the end of training."""
    (found,), _ = run_all(bench, further, "--labels", "3cases", "--seeds", "1", "--methods", "cps")
    folder = further / "results" / "demo"
    again = on(folder, found["key"], "same")
    assert again["n_test"] == 2 and again["data_hash"] != found["data_hash"]
    compared = 0
    for name, value in again["metrics"].items():
        theirs = found["metrics"][name]
        assert value == theirs or (math.isnan(value) and math.isnan(theirs)), name
        compared += 1
    assert compared > 30
    trial = folder / "trials" / found["key"]
    assert (trial / "on-same-cases.csv").read_bytes() == (trial / "cases.csv").read_bytes()
    assert (trial / "on-same-classes.csv").read_bytes() == (trial / "classes.csv").read_bytes()
    assert on(folder, found["key"], "other")["n_test"] == 3


def test_on_the_development_set_no_further_one_is_announced(further, bench):
    run = (*TINY_RUN, "--datasets", "ours3", "--data-root", further / "data", "size=[16,16]",
           "--labels", "3cases", "--seeds", "1", "--dry-run")  # fmt: skip
    assert "also evaluated on other (3), same (2)" in bench(*run)[1]
    code, out, err = bench(*run, "--evaluate-on", "dev", "--also-test", "ours3")
    assert code == 0 and "also evaluated" not in out
    assert "evaluated on dev, and so not on ours3, which goes with the test set" in out + err


def test_each_is_a_column_of_the_tables_and_not_measured_twice(further, bench):
    run_all(bench, further, "--labels", "3cases", "--seeds", "1")
    out = bench("report")[1]
    assert "ours3 DC" in out and "ours3 on same DC" in out and "ours3 on other DC" in out
    assert "ours3 2, ours3 on other 3, ours3 on same 2 images" in out
    root = ("--data-root", further / "data", "--results", further / "results")
    _, out, err = bench("evaluate", "demo", *root)
    assert "[1/" not in out and "2 trials were evaluated there already" in err
    assert bench("report", "--format", "html")[0] == 0
    page = (further / "results" / "demo" / "report.html").read_text()
    summary = page.partition("Choosing epoch")[2][:200]
    assert "points of Dice on average" in summary and "nan" not in summary.lower()
    out = bench("report", "--selection", "oracle")[1]
    assert "on other" not in out.splitlines()[0]  # nothing was chosen there


def test_a_further_test_set_changes_no_key_and_no_hash(further, bench):
    run_all(bench, further, "--labels", "3cases", "--seeds", "1")
    (before,) = records(further)
    shutil.rmtree(further / "files" / "test_same")
    assert bench("data", "prepare", further / "ours3.yaml", "--from", further / "files",
                 "--data-root", further / "data")[0] == 0  # fmt: skip
    found, _ = run_all(bench, further, "--labels", "3cases", "--seeds", "1")
    assert [record["key"] for record in found] == [before["key"]]


def test_other_datasets_are_test_sets_if_their_classes_are_the_same(further, bench):
    card = (further / "ours3.yaml").read_text()
    for name, text in (
        ("fellow", card.replace("name: ours3", "name: fellow")),
        ("stranger", card.replace("name: ours3", "name: stranger").replace("large", "huge")),
    ):
        (further / f"{name}.yaml").write_text(text)
        assert bench("data", "prepare", further / f"{name}.yaml", "--from", further / "files",
                     "--data-root", further / "data")[0] == 0  # fmt: skip
    (found,), _ = run_all(
        bench, further, "--labels", "3cases", "--seeds", "1", "--also-test", "fellow"
    )
    folder = further / "results" / "demo"
    fellow = on(folder, found["key"], "fellow")
    assert fellow["metrics"]["dc_pooled"] == found["metrics"]["dc_pooled"]
    root = ("--data-root", further / "data", "--results", further / "results")
    code, _, err = bench("evaluate", "demo", "--on", "stranger", *root)
    assert code == 3 and "stranger cannot test networks of ours3: its classes is" in err
    code, _, err = bench(*TINY_RUN, "--datasets", "ours3", "--also-test", "stranger", *root)
    assert code == 3 and "stranger cannot test networks of ours3" in err  # before it trains
    code, out, err = bench("evaluate", "demo", "--on", "fellow", "--nsd", "2", *root)
    assert code == 0 and "1/1" in out + err  # surface Dice was not measured at this tolerance
    assert "nsd_2_voxels" in on(folder, found["key"], "fellow")["metrics"]
    code, _, err = bench("evaluate", "demo", "--on", "fellow", "--nsd", "2", *root)
    assert "1 trials were evaluated there already" in err or "1 trial were evaluated" in err
    code, _, err = bench("evaluate", "demo", "--on", "nobody", *root)
    assert code == 3 and 'dataset "nobody" is not prepared' in err


def test_without_weights_it_says_what_to_do(further, bench):
    (found,), _ = run_all(bench, further, "--labels", "3cases", "--seeds", "1")
    folder = further / "results" / "demo"
    trial = folder / "trials" / found["key"]
    (trial / "weights.safetensors").unlink()
    (trial / "on-other.json").unlink()
    root = ("--data-root", further / "data", "--results", further / "results")
    _, _, err = bench("evaluate", "demo", "--on", "other", *root)
    assert "1 trial without saved weights" in err and "--save weights" in err


def test_a_damaged_file_counts_for_nothing_and_is_named(further, bench):
    (found,), _ = run_all(bench, further, "--labels", "3cases", "--seeds", "1")
    file = further / "results" / "demo" / "trials" / found["key"] / "on-other.json"
    file.write_text(file.read_text().replace('"n_test": 3', '"n_test": 4'))
    code, out, _ = bench("report")
    assert code == 0 and "ours3 on same" in out and "ours3 on other" not in out.splitlines()[0]
    assert "on-other.json is damaged (its checksum is of other content)" in out


def test_names_of_the_card_are_not_those_of_a_further_test_set(further, bench):
    """Two cases of val/ lie in test-other/ again, under the same names."""
    shutil.rmtree(further / "files" / "val")
    card = (further / "ours3.yaml").read_text() + "val_ids: [p0_0]\n"
    (further / "ours3.yaml").write_text(card)
    shutil.copytree(further / "files" / "train", further / "files" / "test_train")
    code, out, err = bench("data", "prepare", further / "ours3.yaml", "--from", further / "files",
                           "--data-root", further / "data")  # fmt: skip
    assert code == 0, err
    assert "ours3: 11 train, 5 unlabelled, 1 val and 2 test cases" in out
    assert "further test set train: 12 cases" in out
    assert "warning: 11 test_train images are in the train pool too" in out
