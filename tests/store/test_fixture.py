"""A study that was made once is read, reported and complete in every later version."""

import json
import shutil
from pathlib import Path

import pytest

from benchmark.store.layout import pretraining_folder, trial_folder
from tests.conftest import CHECKOUT

FIXTURE = CHECKOUT / "tests" / "fixture"
# What `ours[rounds=1]` was then.
OURS = "ours[image_input=noisy_image,image_param=noise,reconstruction_cap=5.0,rounds=1]"
RUN = (
    "run", "--preset", "demo", "--study", "study", "--datasets", "fixture", "--methods",
    f"supervised,cps,{OURS}", "--ratios", "25,50", "--seeds", "2", "size=[32,32]",
    "network.widths=[4,8]", "network.dropout=[0.1,0.1]", "training.epochs=2",
    "training.steps_per_epoch=2", "pretraining.epochs=1", "pretraining.steps_per_epoch=2",
    "pretraining.learning_rate=0.001",  # as the preset had it then
)  # fmt: skip


@pytest.fixture
def stored(tmp_path, bench):
    """A function: run a verb on a copy of the stored study."""
    shutil.copytree(FIXTURE / "results", tmp_path / "results")
    shutil.copytree(FIXTURE / "data", tmp_path / "data")

    def run(*words: str):
        is_on_data = words[0] in ("run", "data")
        return bench(*words, *(("--data-root", tmp_path / "data") if is_on_data else ()))

    return run


def test_none_of_its_trials_counts_as_missing(stored):
    code, out, err = stored(*RUN, "--dry-run")
    assert code == 0, err
    assert "12 trials: 12 done, 0 to run" in out


def test_its_keys_are_what_its_records_say(stored, tmp_path):
    """The pretrainings are found by their keys too, though older code made them."""
    folder = tmp_path / "results" / "study"
    shutil.rmtree(folder / "trials")
    _, out, _ = stored(*RUN, "--dry-run", "-v")
    keys = {line.split()[0] for line in out.splitlines() if line.startswith("  ")}
    assert keys == {path.name for path in (FIXTURE / "results/study/trials").iterdir()}
    named = {
        json.loads((path / "record.json").read_text())["pretrain_key"]
        for path in (FIXTURE / "results/study/trials").iterdir()
    }
    assert all(pretraining_folder(folder, key).is_dir() for key in named - {""})
    assert len(named) == 3


def test_its_data_are_those_that_were_prepared(stored):
    code, out, err = stored("data", "check", "fixture")
    assert code == 0, err
    assert "12 train and 6 test cases" in out and "those that were prepared" in out


def test_it_is_reported_with_the_scores_that_it_had(stored):
    code, out, err = stored("report", "--format", "markdown")
    assert code == 0, err
    lines = out.splitlines()
    assert [line for line in lines if "| supervised |" in line] == [
        "| 25 % | supervised | **53.4 ± 9.8** | **36.4 ± 9.1** |",
        "| 50 % | supervised | **54.1 ± 20.3** | **37.1 ± 19.1** |",
    ]
    assert "|  | ours[rounds=1] | 41.1 ± 16.9 | 25.9 ± 13.4 |" in lines


def test_its_distances_are_in_pixels(stored):
    """They were recorded as hd95_joint, without a unit."""
    code, out, err = stored("report", "--table", "distances", "--format", "csv")
    assert code == 0, err
    lines = [line.split(",") for line in out.splitlines()]
    assert {line[4] for line in lines[1:]} == {
        f"{name}_voxels" for name in ("hd95_joint", "hd95_directed", "asd_joint", "asd_directed")
    }


def test_all_tables_figures_and_the_page_are_made_of_it(stored, tmp_path):
    code, _, err = stored("report", "--out", tmp_path / "out")
    assert code == 0, err
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "figures" / "label-efficiency.png").is_file()


def test_it_is_counted_shown_and_merged(stored, tmp_path):
    assert stored("status")[1].splitlines()[-1].split() == ["all", "12", "0", "0", "12"]
    key = next((FIXTURE / "results/study/trials").iterdir()).name
    assert "dc_pooled" in stored("show", key)[1]
    code, out, err = stored("merge", tmp_path / "results/study", "--into", tmp_path / "merged")
    assert code == 0 and "12 trials copied" in out, err


def of_version_0_1_0(record: Path) -> None:
    """Turn a record into what 0.1.0 wrote."""
    fields = json.loads(record.read_text())
    fields |= {"schema_version": 1, "cell": fields.pop("configuration")}
    fields["changes"] = fields.pop("overrides")
    del fields["budget"], fields["budget_order"]
    fields["settings"]["ratio"] = fields["ratio"]
    del fields["settings"]["budget"]
    record.write_text(json.dumps(fields, indent=1))


def test_records_of_version_0_1_0_are_read(stored, tmp_path):
    folder = tmp_path / "results" / "study"
    before = stored("report", "--format", "csv")[1]
    for path in (FIXTURE / "results/study/trials").iterdir():
        of_version_0_1_0(trial_folder(folder, path.name) / "record.json")
    grid = (folder / "grid.csv").read_text()
    old = grid.replace("budget", "ratio").replace("25 %", "0.25").replace("50 %", "0.5")
    (folder / "grid.csv").write_text(old)
    assert stored("report", "--format", "csv")[1] == before
    assert stored("status")[1].splitlines()[-1].split() == ["all", "12", "0", "0", "12"]
    assert "fixture  25 %      supervised" in stored("status")[1]
