"""Shards, and the union of what several machines computed."""

import contextlib
import json
import os
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch
from filelock import FileLock

import benchmark.cluster
from benchmark.errors import ExitCode, UserError
from benchmark.store import locks, record_file, tables
from benchmark.store.layout import trial_folder
from benchmark.study.syntax import WHOLE, Shard, SingleTrial, parse_shard, part_of_suffix
from benchmark.training import job as jobs
from tests.grids import ONE_WORKER, Grid, table
from tests.grids import TINY_RUN as TINY
from tests.store.test_inspection import fail
from tests.studies import fields_of


@pytest.fixture
def halves(study, tmp_path):
    """Two studies with one trial of the same grid each, and one with both."""
    whole, keys = study
    made = []
    for name, other in (("a", keys[1]), ("b", keys[0])):
        shutil.copytree(whole, tmp_path / name)
        shutil.rmtree(trial_folder(tmp_path / name, other))
        made.append(tmp_path / name)
    return *made, whole, keys


def change(folder: Path, key: str, **metrics: float) -> None:
    file = trial_folder(folder, key) / "record.json"
    fields = fields_of(file)
    fields["metrics"] |= metrics
    file.write_text(json.dumps(fields))


def contents(folder: Path) -> dict[str, str]:
    """Every file that counts, with its text."""
    return {
        str(file.relative_to(folder)): file.read_bytes().hex()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    }


def test_what_loggers_keep_in_a_study_is_left_there(bench, halves, tmp_path):
    """Links too, which no other part of a study may hold."""
    a, b, _, _ = halves
    (a / "logs" / "wandb").mkdir(parents=True)
    (a / "logs" / "wandb" / "latest-run").symlink_to(tmp_path)
    code, out, _ = bench("merge", a, b, "--into", tmp_path / "merged")
    assert (code, "2 trials copied" in out) == (0, True)
    assert not (tmp_path / "merged" / "logs").exists()


def test_shards_are_parts_of_equal_size_that_leave_nothing_out():
    for count in (1, 2, 3, 4, 7):
        parts = [Shard(i + 1, count).of(range(20)) for i in range(count)]
        assert sorted(x for part in parts for x in part) == list(range(20))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_no_shard_gets_all_trials_of_one_method():
    """Two methods in turn, two shards: seed 0 gives a to the first, seed 1 gives it to the second.

    Positions 0 … 7 are dealt 1 2 2 1 1 2 2 1.
    """
    assert Shard(1, 2).of("aBaBaBaB") == ["a", "B", "a", "B"]
    assert Shard(2, 2).of("aBaBaBaB") == ["B", "a", "B", "a"]


def test_a_shard_is_written_i_of_n():
    assert parse_shard("2/8") == Shard(2, 8)
    assert parse_shard("1/1") == WHOLE


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "-1/2", "1/2/3", ""])
def test_a_wrong_shard_is_refused(bench, text):
    code, _, err = bench(*TINY, f"--shard={text}")
    assert (code, "--shard must be i/n, part i of n" in err) == (ExitCode.USAGE, True), err


def test_a_trial_of_a_shard_is_refused(bench):
    code, _, err = bench(*TINY, "--shard", "1/2", "--trial", "0")
    assert code == ExitCode.USAGE and "give one of them" in err


def test_a_shard_plans_its_part(bench):
    out = bench(*TINY, "--shard", "2/2", "--dry-run")[1]
    assert "shard 2/2, 1 of 2 trials: 0 done, 1 to run" in out
    assert "seed 1" in out and "seed 0" not in out


@pytest.mark.parametrize(
    ("first", "second", "may"),
    [
        (WHOLE, WHOLE, False),
        (WHOLE, Shard(1, 2), False),
        (Shard(1, 2), WHOLE, False),
        (Shard(1, 2), Shard(1, 2), False),
        (Shard(1, 2), Shard(1, 3), False),
        (Shard(1, 12), Shard(1, 2), False),
        (Shard(1, 2), Shard(2, 2), True),
        (SingleTrial("a"), SingleTrial("b"), True),
        (SingleTrial("a"), SingleTrial("a"), False),
        (SingleTrial("a"), WHOLE, False),
    ],
)
def test_only_shards_of_one_division_may_run_side_by_side(
    tmp_path, monkeypatch, first, second, may
):
    monkeypatch.setattr(locks, "_PROBE_SECONDS", 0.2)
    with locks.claimed(tmp_path, first) as claim:
        claim.note_running(["k"])
        if may:
            with locks.claimed(tmp_path, second) as other:
                other.note_running(["l"])
                assert locks.running_keys(tmp_path) == {"k", "l"}
        else:
            with pytest.raises(UserError, match="works on"), locks.claimed(tmp_path, second):
                pass
        assert locks.running_keys(tmp_path) == {"k"}
    assert locks.running_keys(tmp_path) == set()


def test_a_part_is_known_again_by_its_files():
    for part in (WHOLE, Shard(2, 8), SingleTrial("0123abcd")):
        assert part_of_suffix(part.suffix) == part
    assert SingleTrial("0123").command == "bench run --trial 0123"
    assert Shard(2, 8).command == "bench run --shard 2/8"


def test_a_merge_is_the_union_in_any_order_and_twice_changes_nothing(bench, halves, tmp_path):
    a, b, whole, _ = halves
    tables.rebuild(whole)
    code, out, _ = bench("merge", a, b, "--into", tmp_path / "ab")
    assert code == 0 and "2 trials copied, 0 already there" in out
    assert bench("merge", b, "--into", tmp_path / "ba")[0] == 0
    assert bench("merge", a, "--into", tmp_path / "ba")[0] == 0
    assert contents(tmp_path / "ab") == contents(tmp_path / "ba") == contents(whole)
    _, out, _ = bench("merge", a, b, "--into", tmp_path / "ab")
    assert "0 trials copied, 2 already there" in out
    assert contents(tmp_path / "ab") == contents(whole)


def test_done_wins_over_failed_in_any_order(bench, halves, tmp_path):
    a, _, whole, keys = halves
    worse = tmp_path / "worse"
    shutil.copytree(a, worse)
    fail(worse, keys[0])
    (trial_folder(worse, keys[0]) / "checkpoint.pt").write_text("half")
    for name, order in (("1", (worse, a)), ("2", (a, worse))):
        for source in order:
            assert bench("merge", source, "--into", tmp_path / name)[0] == 0
        assert contents(trial_folder(tmp_path / name, keys[0])) == contents(
            trial_folder(whole, keys[0])
        )


def test_a_version_that_measures_more_contradicts_nothing(bench, halves, tmp_path):
    a, _, whole, keys = halves
    change(a, keys[0], measured_later=1.0)
    assert bench("merge", a, whole, "--into", tmp_path / "merged")[0] == 0


def test_different_numbers_are_named_and_nothing_is_written(bench, halves, tmp_path):
    a, b, whole, keys = halves
    change(b, keys[1], dc_pooled=0.123)
    before = contents(whole)
    code, _, err = bench("merge", a, b, "--into", whole)
    assert code == ExitCode.DATA
    assert "supervised/phantom_glas/5 %/seed 1: DC" in err and "DC 0.123" in err
    assert "Nothing was copied" in err
    assert contents(whole) == before


@pytest.mark.parametrize("status", ["done", "failed"])
def test_of_equal_trials_the_first_to_end_is_kept_in_any_order(bench, halves, tmp_path, status):
    a, _, _, keys = halves
    later, fuller = tmp_path / "later", tmp_path / "fuller"
    for other in (later, fuller):
        shutil.copytree(a, other)
        (other / "study.yaml").write_text(f"name: {other.name}")
        file = trial_folder(other, keys[0]) / "record.json"
        fields = fields_of(file)
        changed = {"host": "other", "seconds_train": 9, "finished_at": "2099", "status": status}
        file.write_text(json.dumps(fields | changed))
    if status == "failed":  # of two failures too
        fail(a, keys[0])
    assert merged(bench, tmp_path / "1", a, later) == merged(bench, tmp_path / "2", later, a)
    kept = record_file.survey(tmp_path / "1").records
    assert [record.host for record in kept] == [record_file.survey(a).records[0].host] != ["other"]
    # but saved weights are not lost for that
    (trial_folder(fuller, keys[0]) / "weights.safetensors").write_text("w")
    assert merged(bench, tmp_path / "3", a, fuller) == merged(bench, tmp_path / "4", fuller, a)
    assert (trial_folder(tmp_path / "3", keys[0]) / "weights.safetensors").exists()


def merged(bench, into: Path, *sources: Path) -> dict[str, str]:
    """What is in the study after the sources were merged one by one."""
    for source in sources:
        assert bench("merge", source, "--into", into)[0] == 0
    return contents(into)


def test_unfinished_trials_stay_where_they_are(bench, halves, tmp_path):
    a, _, _, keys = halves
    unfinished = trial_folder(a, keys[1])
    unfinished.mkdir()
    (unfinished / "checkpoint.pt").write_text("half")
    out = bench("merge", a, "--into", tmp_path / "into")[1]
    assert "1 trial copied, 0 already there, 1 unfinished left out" in out
    assert not trial_folder(tmp_path / "into", keys[1]).exists()


def test_a_killed_merge_leaves_nothing_that_counts(bench, halves, tmp_path):
    a, b, whole, keys = halves
    into = tmp_path / "into"
    assert bench("merge", a, "--into", into)[0] == 0
    shutil.copytree(trial_folder(b, keys[1]), into / ".merging" / "new")
    assert {one.key for one in record_file.survey(into).records if one.is_done} == {keys[0]}
    assert bench("merge", b, "--into", into)[0] == 0
    assert not (into / ".merging").exists()
    tables.rebuild(whole)
    assert contents(into) == contents(whole)


def test_what_cannot_be_merged_is_refused(bench, halves, tmp_path):
    a, b, whole, keys = halves
    code, _, err = bench("merge", tmp_path / "none", "--into", whole)
    assert code == ExitCode.DATA and "is no study" in err
    code, _, err = bench("merge", whole, "--into", whole)
    assert code == ExitCode.USAGE and "cannot be merged into itself" in err
    with FileLock(whole / ".lock"):
        code, _, err = bench("merge", a, "--into", whole)
    assert code == ExitCode.RESOURCES and "works on" in err
    (tmp_path / "file").write_text("")
    code, _, err = bench("merge", a, "--into", tmp_path / "file" / "study")
    assert code == ExitCode.RESOURCES and "cannot use" in err and "Not a directory" in err
    trial_folder(a, keys[0]).rename(trial_folder(a, "0123"))
    code, _, err = bench("merge", a, "--into", whole)
    assert code == ExitCode.DATA and f"it is of the trial {keys[0]}" in err
    (trial_folder(b, keys[1]) / "record.json").write_text("{")
    code, _, err = bench("merge", b, "--into", whole)
    assert code == ExitCode.DATA and "damaged" in err


@pytest.fixture
def without_ray(monkeypatch):
    """Grids run in this process, one job after the other."""

    def run_jobs(work, datasets, destination, cluster, progress, forecast):
        for job in work:
            progress.started(job)
            made = jobs.run(
                job, datasets[job.dataset].opened(), destination, device=torch.device("cpu")
            )
            progress.ended(job, made)

    fake = SimpleNamespace(connected=contextlib.nullcontext, run_jobs=run_jobs)
    monkeypatch.setitem(sys.modules, "benchmark.cluster.ray_runner", fake)
    monkeypatch.setattr(benchmark.cluster, "ray_runner", fake, raising=False)


def test_two_shards_merged_equal_one_run(without_ray, bench, finished, tmp_path):
    """That Ray changes no number of a shard is the next test."""
    shards = []
    for i in (1, 2):
        code, _, err = bench(*TINY, "--shard", f"{i}/2", "--results", tmp_path / f"{i}")
        assert code == 0, err
        assert f"shard {i}/2, 1 of 2 trials: 0 done, 1 to run" in err
        shards.append(tmp_path / f"{i}" / "demo")
    into = tmp_path / "results" / "demo"
    code, out, _ = bench("merge", *shards, "--into", into)
    assert code == 0 and "2 trials copied" in out
    pd.testing.assert_frame_equal(table(into), table(finished[0]), check_exact=True)
    assert bench("report", "--study", "demo")[0] == 0
    assert "all" in bench("status")[1]


@pytest.mark.slow
def test_two_shards_on_ray_in_one_folder_at_the_same_time_equal_the_trials_one_by_one(
    data_root, tmp_path, finished
):
    words = (*TINY, *ONE_WORKER, "--shard")
    shards = [Grid(data_root, tmp_path, *words, f"{i}/2") for i in (1, 2)]
    for i, shard in enumerate(shards, start=1):
        assert shard.ended() == 0, shard.output
        assert f"shard {i}/2, 1 of 2 trials: 0 done, 1 to run" in shard.output
        assert "[1/1]" in shard.output
    found = shards[0].table()
    assert len(found) == 2 and (found.status == "done").all()
    pd.testing.assert_frame_equal(found, table(finished[0]), check_exact=True)
    assert not [name for name in os.listdir(shards[0].folder) if name.startswith((".ray", ".run"))]
