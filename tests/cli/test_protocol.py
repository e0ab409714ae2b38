"""Data as the field has them: patients, images without masks, a validation set, several classes."""

import json

import pandas as pd
import pytest
from PIL import Image

from benchmark.data.prepared import NO_MASK, load
from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial
from tests import own_data
from tests.grids import TINY_RUN
from tests.own_data import NAMES


@pytest.fixture
def files(tmp_path, bench):
    """Where `tests.own_data` lies, prepared."""
    own_data.write(tmp_path)
    code, _, err = bench(
        "data", "prepare", tmp_path / "ours3.yaml", "--from", tmp_path / "files", "--data-root",
        tmp_path / "data",
    )  # fmt: skip
    assert code == 0, err
    return tmp_path


def records(files, study="demo"):
    found = (files / "results" / study / "trials").glob("*/record.json")
    return [json.loads(file.read_text()) for file in found]


def run_all(bench, files, *words):
    """Run every trial of the grid in this process; the records."""
    run = (*TINY_RUN, "--datasets", "ours3", "--data-root", files / "data", "size=[16,16]", *words)
    listed = bench(*run, "--dry-run", "-v")[1].splitlines()
    for line in listed:
        if line.startswith("  "):
            code, _, err = bench(*run, "--trial", line.split()[0])
            assert code == 0, err
    return records(files), listed


def test_what_was_prepared_names_each_split(files, bench):
    out = bench("list", "datasets", "--data-root", files / "data")[1]
    assert "prepared: 12 train, 5 unlabelled, 3 val, 2 test" in out
    out = bench("data", "check", "ours3", "--data-root", files / "data")[1]
    assert "ours3: 12 train, 5 unlabelled, 3 val and 2 test cases" in out
    assert "in 12 of 12 train and 3 of 3 val and 2 of 2 test cases" in out


def test_patients_and_images_without_masks_in_one_run(files, bench):
    found, listed = run_all(
        bench, files, "--labels", "2patients,3cases", "--seeds", "1", "--methods", "cps",
        "--save", "predictions:unlabelled",
    )  # fmt: skip
    counts = (
        "ours3: 2 patients = 4/12, 3 cases = 3/12 images labelled; 13, 14 unlabelled (5 of them "
        "without masks); 3 for validation; 2 evaluated"
    )
    assert counts in listed
    by_budget = {record["budget"]: record for record in found}
    assert set(by_budget) == {"2 patients", "3 cases"}
    patients = by_budget["2 patients"]
    assert patients["ratio"] is None
    assert [patients[f"n_{name}"] for name in ("labelled", "unlabelled", "val", "test")] == [
        4, 13, 3, 2,
    ]  # fmt: skip
    folder = files / "results" / "demo" / "trials" / patients["key"]
    labelled = (folder / "labelled.txt").read_text().split()
    assert len({name[:2] for name in labelled}) == 2 and len(labelled) == 4
    saved = {file.stem for file in (folder / "predictions_unlabelled").iterdir()}
    assert saved == {*NAMES["train"], *NAMES["unlabelled"]} - set(labelled)
    size = Image.open(folder / "predictions_unlabelled" / "u0.png").size
    assert size == (16, 16)


def test_the_epoch_that_is_best_on_the_validation_set_is_a_third_reading(files, bench):
    (found,), _ = run_all(bench, files, "--labels", "3cases", "--seeds", "1")
    history = pd.read_csv(files / "results" / "demo" / "trials" / found["key"] / "history.csv")
    best = history.on_val_ji_pooled.idxmax()
    assert found["metrics"]["val_dc_pooled"] == history.dc_pooled[best]
    assert found["metrics"]["val_epoch_pooled"] == history.epoch[best]
    code, out, _ = bench("report", "--selection", "val")
    assert code == 0
    assert "(3 masks beside 3 labelled: who has only the labelled ones" in out
    assert "ours3: 5 images without masks, unlabelled under every budget" in out
    heads = bench("report", "--table", "optimism")[1].splitlines()[0]
    assert "ours3 val" in heads and "ours3 gap oracle" in heads


def test_each_set_of_a_trial_holds_the_images_that_it_should(files):
    data = for_trial(load(files / "data", "ours3"), Roles(), budget=Budget.parse("3"), seed=0)
    assert data.on_val.evaluation.ids == NAMES["val"] and data.evaluation.ids == NAMES["test"]
    assert data.on_unlabelled.evaluation.ids == [
        *(name for name in NAMES["train"] if name not in data.labelled.ids), *NAMES["unlabelled"],
    ]  # fmt: skip
    for part in (data.labelled, data.evaluation, data.val):
        assert all(part.masks[row].max() == 2 for row in part.indices)
    without = [row for row, case in enumerate(data.cases) if case.split == "unlabelled"]
    assert all((data.labelled.masks[row] == NO_MASK).all() for row in without)


def test_a_budget_of_everything_runs_all_methods_where_images_have_no_masks(files, bench):
    run = (
        *TINY_RUN, "--datasets", "ours3", "--data-root", files / "data", "size=[16,16]",
        "--methods", "supervised,cps", "--labels", "100", "--seeds", "1", "--dry-run",
    )  # fmt: skip
    out = bench(*run)[1]
    assert "100 % = 12/12 images labelled; 5 unlabelled (5 of them without masks)" in out
    assert "2 trials: 0 done" in out
    out = bench(*run, "--unlabelled", "2cases")[1]
    assert "100 % = 12/12 images labelled; 2 unlabelled" in out
    out = bench(*run, "--val-as", "train")[1]
    assert "100 % = 15/15 images labelled; 5 unlabelled (5 of them without masks); 2 ev" in out
    code, out, _ = bench(*run, "--evaluate-on", "dev")
    assert code == 0 and "(5 of them without masks); 3 evaluated" in out
    code, _, err = bench(*run, "--val-as", "test")
    assert code == 2 and "val_as must be one of dev, train, ignore" in err
    code, _, err = bench(*run, "--unlabelled", "3patients")
    assert code == 2 and '"50%", or "200cases", got \'3patients\'' in err
    for wrong in ("0%", "0cases", "101%", "few", "list:val"):
        code, _, err = bench(*run, "--unlabelled", wrong)
        assert code == 2 and "--unlabelled is all" in err and "--labels" not in err, err


def test_a_list_of_labelled_cases_from_a_file_is_said_under_the_table(files, bench):
    (files / "three.txt").write_text("p0_0\np3_1\np5_0\n")
    found, _ = run_all(
        bench, files, "--labels", f"list:{files / 'three.txt'}", "--seeds", "2", "--methods",
        "supervised",
    )  # fmt: skip
    assert [record["budget"] for record in found] == ["list three"] * 2
    assert found[0]["subset_hash"] == found[1]["subset_hash"]
    assert found[0]["settings"]["labelled"] == ["p0_0", "p3_1", "p5_0"]
    out = bench("report")[1]
    assert "list three: the same labelled images for every seed; intervals are over weights" in out


def test_a_seed_moves_what_the_user_says(files, bench):
    found, listed = run_all(
        bench, files, "--labels", "3cases", "--seeds", "2", "--vary", "cross", "--methods",
        "supervised", "nsd=[1]",
    )  # fmt: skip
    assert sum("/seed 1, subset 0" in line for line in listed) == 1
    by_seeds = {(record["subset_seed"], record["seed"]): record for record in found}
    assert set(by_seeds) == {(None, 0), (None, 1), (1, 0), (0, 1)}
    subsets = {pair: record["subset_hash"] for pair, record in by_seeds.items()}
    assert subsets[None, 0] == subsets[0, 1] != subsets[None, 1] == subsets[1, 0]
    assert len({record["configuration"] for record in found}) == 1
    folder = files / "results" / "demo" / "trials"
    rows = {
        pair: pd.read_csv(folder / record["key"] / "history.csv").loss_supervised.tolist()
        for pair, record in by_seeds.items()
    }
    assert rows[None, 0] != rows[1, 0] != rows[None, 1]
    assert all("nsd_1_voxels" in record["metrics"] for record in found)

    out = bench("report", "--table", "variance")[1]
    assert "2 × 2" in out
    out = bench("report")[1]
    assert "2 trials whose labelled images and weights are of different seeds" in out
    assert "n = 2 unless" in out
    out = bench("report", "--table", "rates")[1]
    assert "ours3 sensitivity" in out and "ours3 NSD 1 voxels" in out


def test_the_same_trials_count_for_every_way_to_vary(files, bench):
    """Where subset and weights have one seed it is the trial that there always was."""
    run = (*TINY_RUN, "--datasets", "ours3", "--data-root", files / "data", "size=[16,16]",
           "--labels", "3cases", "--seeds", "3", "--dry-run", "-v")  # fmt: skip
    keys = {
        vary: {line.split()[0] for line in bench(*run, "--vary", vary)[1].splitlines()
               if line.startswith("  ")}
        for vary in ("all", "subset", "weights", "cross")
    }  # fmt: skip
    assert {name: len(found) for name, found in keys.items()} == {
        "all": 3, "subset": 3, "weights": 3, "cross": 9,
    }  # fmt: skip
    assert keys["all"] | keys["subset"] | keys["weights"] < keys["cross"]
    assert len(keys["subset"] & keys["weights"]) == 1
    assert bench(*run, "--vary", "both")[0] == 2


def test_one_subset_is_not_run_again_under_further_seeds(files, bench):
    """100 % is one; a list is another."""
    (files / "few.txt").write_text("p0_0\np3_1\n")
    run = (*TINY_RUN, "--datasets", "ours3", "--data-root", files / "data", "size=[16,16]",
           "--labels", f"3cases,100%,list:{files / 'few.txt'}", "--seeds", "3",
           "--dry-run", "-v")  # fmt: skip
    for vary, numbers in (("all", (3, 3, 3)), ("subset", (3, 1, 1)), ("weights", (3, 3, 3)),
                          ("cross", (9, 3, 3))):  # fmt: skip
        _, out, err = bench(*run, "--vary", vary)
        listed = [line for line in out.splitlines() if line.startswith("  ")]
        found = tuple(
            sum(f"/{budget}/" in line for line in listed)
            for budget in ("3 cases", "100 %", "list few")
        )
        assert found == numbers
        assert ("is one subset whatever the seed" in out + err) == (vary in ("subset", "cross"))


def test_patients_are_an_aggregate(files, bench):
    run_all(bench, files, "--labels", "3cases", "--seeds", "1")
    code, out, _ = bench("report", "--aggregate", "patient")
    assert code == 0 and "aggregation: mean over patients" in out


def test_a_setting_of_a_method_that_is_not_run_is_told(files, bench):
    run = (*TINY_RUN, "--datasets", "ours3", "--data-root", files / "data", "size=[16,16]",
           "--labels", "3cases", "--seeds", "1", "--methods", "cps", "--dry-run")  # fmt: skip
    code, out, err = bench(*run, "hyperparameters.ours.weight=3", "hyperparameters.cps.weight=2")
    assert code == 0
    assert "hyperparameters.ours.weight=3 changes nothing: no trial is of that method" in out + err
    assert "changes nothing" not in "".join(bench(*run, "training_of.cps.epochs=2")[1:])
