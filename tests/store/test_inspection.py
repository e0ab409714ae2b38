"""What a user sees of studies that are there, and of the machine: status, show, doctor."""

import json
import os
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from benchmark.cli import doctor
from benchmark.errors import ExitCode
from benchmark.store import status
from benchmark.store.layout import trial_folder
from tests.conftest import CHECKOUT
from tests.grids import TINY_RUN as TINY
from tests.studies import fields_of

ENVIRONMENT = os.environ | {"PYTHONPATH": str(CHECKOUT)}


def fail(folder, key: str) -> None:
    """Turn a trial into one that failed."""
    file = trial_folder(folder, key) / "record.json"
    fields = fields_of(file) | {"status": "failed", "error": "out of memory: 3 GiB"}
    file.write_text(json.dumps(fields | {"metrics": {}}, indent=1))


def table_of(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines() if line.startswith(("phantom", "all"))]


def test_status_counts_done_and_failed_trials(bench, study):
    folder, keys = study
    fail(folder, keys[1])
    code, out, _ = bench("status")
    assert code == 0
    assert table_of(out) == [
        ["phantom_glas", "5", "%", "supervised", "1", "1", "0", "2"],
        ["all", "1", "1", "0", "2"],
    ]
    assert f"{keys[1]}  supervised/phantom_glas/5 %/seed 1" in out


def test_status_knows_the_trials_that_are_still_to_be_run(bench, tmp_path):
    for ratio in ("5", "20"):  # two trials each: the second command plans two more
        words = (*TINY, "--ratios", ratio)
        _, out, _ = bench(*words, "--dry-run", "-v")
        key = next(line.split()[0] for line in out.splitlines() if line.startswith("  "))
        assert bench(*words, "--trial", key)[0] == 0
    assert table_of(bench("status")[1]) == [
        ["phantom_glas", "5", "%", "supervised", "1", "0", "0", "2"],
        ["phantom_glas", "20", "%", "supervised", "1", "0", "0", "2"],
        ["all", "2", "0", "0", "4"],
    ]


def test_running_is_what_a_run_that_holds_its_lock_says(bench, study):
    folder, keys = study
    fail(folder, keys[0])
    (folder / ".running").write_text(f"{keys[0]}\n")
    assert table_of(bench("status")[1])[-1] == ["all", "1", "1", "0", "2"]  # of a killed run
    with FileLock(folder / ".lock"):
        out = bench("status")[1]
    assert table_of(out)[-1] == ["all", "1", "0", "1", "2"]
    assert "running:" in out and "failed:" not in out


def test_a_pretraining_that_runs_is_named_with_its_last_epoch(bench, study):
    folder, _ = study
    (folder / ".running").write_text("0123456789abcdef\n")
    log = folder / "pretrained" / "0123456789abcdef" / "log.txt"
    log.parent.mkdir(parents=True)
    log.write_text("begun\n08:00:00 epoch 3/8 loss_cycle 1.5\n")
    assert "pretraining:" not in bench("status")[1]
    with FileLock(folder / ".lock"):
        lines = bench("status")[1].splitlines()
    at = lines.index("pretraining:")
    assert lines[at + 1] == "  0123456789abcdef  08:00:00 epoch 3/8 loss_cycle 1.5"


def test_a_study_without_a_plan_is_counted_from_its_records(bench, study):
    folder, _ = study
    (folder / "grid.csv").unlink()
    assert table_of(bench("status")[1])[0] == [
        "phantom_glas", "5", "%", "supervised", "2", "0", "0", "2",
    ]  # fmt: skip


def test_status_needs_neither_torch_nor_ray_nor_pydantic(study):
    folder, _ = study
    probe = (
        "import sys; from pathlib import Path; from benchmark.cli import main; "
        "from benchmark.store import status\n"
        f"status.describe(Path({str(folder)!r})); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "ray", "pandas", "numpy", "hydra", "pydantic"}


def test_the_status_of_ten_thousand_trials_takes_about_a_second(study):
    folder, keys = study
    text = (trial_folder(folder, keys[0]) / "record.json").read_text()
    for number in range(10_000):
        copy = trial_folder(folder, f"{number:016x}")
        copy.mkdir()
        (copy / "record.json").write_text(text)
    with (folder / "grid.csv").open("a") as grid:
        grid.writelines(
            f"{number:016x},phantom_glas,test,0.05,supervised,{number}\n"
            for number in range(10_000)
        )
    started = time.perf_counter()
    out = status.describe(folder)
    assert time.perf_counter() - started < 5  # on a busy machine, with types checked
    assert table_of(out)[-1] == ["all", "10002", "0", "0", "10002"]


def test_show_prints_a_record_for_people(bench, study):
    folder, keys = study
    code, out, _ = bench("show", keys[0][:8])
    assert code == 0
    assert out.startswith("supervised/phantom_glas/5 %/seed 0\nkey ")
    assert "preset demo with size=[32,32] network.widths=[4,8] " in out.splitlines()[1]
    for line in ("training.epochs             2", "n_test                      40", "dc_pooled"):
        assert line in out
    assert str(trial_folder(folder, keys[0]) / "cases.csv") in out
    fail(folder, keys[0])
    assert "failed: out of memory: 3 GiB" in bench("show", keys[0])[1]


def test_show_of_a_trial_without_a_record_says_how_far_it_came(bench, study):
    folder, keys = study
    (trial_folder(folder, keys[0]) / "record.json").unlink()
    out = bench("show", keys[0])[1]
    assert f"{keys[0]}: no record yet" in out and "log.txt" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("show", "zzzz"), 3, "no trial or pretraining with a key starting with 'zzzz' in demo"),
        (("show", "*"), 3, "no trial or pretraining with a key starting with '*'"),
        (("show", ""), 3, "no trial or pretraining with a key starting with ''"),
        (("show", "0", "--study", "dem"), 2, 'no study "dem"; did you mean "demo"?'),
        (("status", "--study", "dem"), 2, 'no study "dem"; did you mean "demo"?'),
        (("status", "--results", "/nowhere"), 3, "no study under /nowhere"),
    ],
)
def test_a_wrong_name_is_answered_with_what_to_do(bench, study, arguments, code, message):
    found, _, err = bench(*arguments)
    assert (found, message in err) == (code, True), err


@pytest.mark.parametrize("damage", [lambda text: "{", lambda text: text[:-9], lambda text: ""])
def test_a_damaged_record_is_named_and_counted_as_such_by_status(bench, study, damage):
    folder, keys = study
    file = trial_folder(folder, keys[0]) / "record.json"
    file.write_text(damage(file.read_text()))
    code, out, _ = bench("status")
    assert code == 0
    assert table_of(out)[-1] == ["all", "1", "0", "0", "2"]
    assert f"damaged: the record {file} is damaged" in out


@pytest.mark.slow
def test_the_doctor_finds_a_machine_ready_that_runs_these_tests(bench, data_root, tmp_path):
    folders = ("--data-root", data_root, "--results", tmp_path / "new" / "results")
    code, out, err = bench("doctor", *folders)
    assert code == 0, out + err
    found = {line.split()[1]: line.split()[0] for line in out.splitlines()}
    assert list(found) == [
        "packages", "code", "machine", "GPUs", "methods", "data", "results", "datasets",
        "left-overs", "Ray",
    ]  # fmt: skip
    assert found["Ray"] == found["datasets"] == found["packages"] == "ok"
    assert "(will be made)" in out
    assert not (tmp_path / "new").exists()


def test_the_doctor_names_what_is_broken(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "_ray", lambda: doctor.Finding("ok", "Ray", "not asked"))
    (tmp_path / "file").write_text("not a folder")
    words = ("--data-root", tmp_path / "none", "--results", tmp_path / "file" / "results")
    code, out, err = bench("doctor", *words)
    assert code == ExitCode.RESOURCES
    assert "broken   results    cannot write to" in out and "--results" in out
    assert "warning  datasets   none prepared under" in out
    assert "not ready to run: results" in err
