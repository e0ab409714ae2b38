"""The measuring scripts are run by hand and seldom: here they run small, so that they still can."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "benchmarks"
TELLING = sorted(
    file.name for file in FOLDER.glob("*.py") if file.name not in ("common.py", "shared_lines.py")
)


def script(name: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, FOLDER / name, *map(str, words)],
        capture_output=True, text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", TELLING)
def test_each_script_says_what_it_measures(name):
    told = script(name, "--help")
    assert "usage:" in told and len(told.splitlines()) > 4


def test_every_method_has_a_nearest_sibling():
    told = script("shared_lines.py").splitlines()[1:]
    assert [line.split()[0] for line in told] == sorted(
        file.stem for file in (FOLDER.parent / "methods").glob("[a-z]*.py")
    )


def test_a_study_of_many_records_is_written_and_read(tmp_path):
    """24 of them: each verb in turn in "two" checkouts, which are this one."""
    script("scale.py", "records", tmp_path, "--count", 24)
    assert len([*(tmp_path / "scale" / "trials").iterdir()]) == 24
    told = script("scale.py", "read", FOLDER.parent, FOLDER.parent, tmp_path, "--repeats", 1)
    assert [line.split("|")[1].strip() for line in told.splitlines()[2:]] == [
        "status", "report", "page",
    ]  # fmt: skip


@pytest.mark.slow
def test_tiny_trials_run_on_ray(tmp_path):
    told = script("scale.py", "trials", "--count", 24)
    assert told.startswith("24 trials: ") and told.strip().endswith("MiB")


@pytest.mark.slow
def test_a_step_and_a_step_of_many_rounds_are_timed():
    told = script("step.py", "--methods", "em", "--dims", "2", "--repeats", 1)
    assert told.count("| em | 2 |") == 2
    assert "| 2 |" in script("memory.py", "--rounds", 2)


@pytest.mark.slow
def test_evaluations_are_timed():
    told = script("evaluation.py", "--repeats", 1, "--images", 4)
    lines = [line for line in told.splitlines() if line.startswith("| ")]
    assert [line.split()[1] for line in lines] == [
        "at", "4", "8", "16", "32", "windows", "1", "2", "4", "8",
    ]  # fmt: skip
