"""Grids on Ray: what is killed, is continued; the table is that of an undisturbed run."""

import os
import re
import signal

import pandas as pd
import pytest

from benchmark.store import record
from tests.grids import Grid, alive, family, trial_workers

pytestmark = pytest.mark.slow


def test_a_driver_killed_in_training_continues_with_what_is_missing(
    data_root, tmp_path, undisturbed
):
    grid = Grid(data_root, tmp_path)
    grid.wait_for(r"epoch 2/4")
    workers = trial_workers(grid.process)
    os.kill(grid.process.pid, signal.SIGKILL)
    grid.ended()
    assert workers and alive(workers) == []  # Ray's own agents notice within a minute
    done = len(record.survey(grid.folder).done_keys)
    again = Grid(data_root, tmp_path)
    assert again.ended() == 0, again.output
    assert f"4 trials: {done} done, {4 - done} to run" in again.output
    pd.testing.assert_frame_equal(again.table(), undisturbed, check_exact=True)


def test_a_killed_worker_is_a_failed_trial_and_the_grid_goes_on(data_root, tmp_path, undisturbed):
    grid = Grid(data_root, tmp_path)
    grid.wait_for(r"epoch 1/4")
    workers = trial_workers(grid.process)
    assert workers, [p.cmdline() for p in family(grid.process)]
    workers[0].kill()
    assert grid.ended() == 1, grid.output
    assert "failed:" in grid.output and "worker process died" in grid.output
    table = grid.table()
    assert sorted(table.status) == ["done", "done", "done", "failed"]
    again = Grid(data_root, tmp_path)
    assert again.ended() == 0, again.output
    assert "4 trials: 3 done, 1 to run" in again.output
    pd.testing.assert_frame_equal(again.table(), undisturbed, check_exact=True)


PRETRAINED = (
    "--methods", "ours[rounds=1]", "--seeds", "1", "pretraining.epochs=8",
    "pretraining.steps_per_epoch=30",
)  # fmt: skip


@pytest.fixture(scope="module")
def pretrained(data_root, tmp_path_factory) -> pd.DataFrame:
    """The table of a trial with a pretraining that ran from start to end."""
    grid = Grid(data_root, tmp_path_factory.mktemp("pretrained"), *PRETRAINED)
    assert grid.ended() == 0, grid.output
    assert "[1/2] pretraining of ours/phantom_glas/seed 0: 240 steps" in grid.output
    return grid.table()


@pytest.mark.parametrize("killed", ["worker", "driver"])
def test_a_pretraining_that_is_killed_goes_on_to_the_same_numbers(
    killed, data_root, tmp_path, pretrained
):
    """With the worker dies the stage's job, and the trial that needs it says so; then both run."""
    broken = Grid(data_root, tmp_path, *PRETRAINED)
    broken.wait_for("epoch 2/8", files="pretrained/*/log.txt")
    victims = trial_workers(broken.process) if killed == "worker" else [broken.process]
    for victim in victims:
        victim.kill()
    assert broken.ended() != 0
    if killed == "worker":
        assert "failed: pretraining of ours/phantom_glas/seed 0: the worker" in broken.output
        assert "its pretraining failed" in broken.output
    again = Grid(data_root, tmp_path, *PRETRAINED)
    assert again.ended() == 0, again.output
    (log,) = again.folder.glob("pretrained/*/log.txt")
    assert "resumed after epoch" in log.read_text()
    pd.testing.assert_frame_equal(again.table(), pretrained, check_exact=True)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_grid_says_how_far_it_is_and_leaves_no_process(data_root, tmp_path, name):
    grid = Grid(data_root, tmp_path, "training.epochs=200")
    grid.wait_for(r"epoch 1/200")
    workers = family(grid.process)
    os.kill(grid.process.pid, getattr(signal, name))
    assert grid.ended() == 130, grid.output
    assert re.search(r"interrupted: 0/4 trials done, \d stopped", grid.output)
    assert "the same command continues" in grid.output
    assert "Traceback" not in grid.output
    assert alive(workers) == []


def test_a_single_trial_without_ray_gives_the_same_numbers(data_root, tmp_path, undisturbed):
    key = undisturbed.key[3]
    grid = Grid(data_root, tmp_path, "--trial", key)
    assert grid.ended() == 0, grid.output
    expected = undisturbed[undisturbed.key == key].reset_index(drop=True)
    pd.testing.assert_frame_equal(grid.table(), expected, check_exact=True)


def test_more_than_any_node_has_is_refused_at_once(data_root, tmp_path):
    grid = Grid(data_root, tmp_path, "--gpus-per-trial", "64")
    assert grid.ended() == 4, grid.output
    assert "no node has 1 CPUs and 64 GPUs for one trial" in grid.output


def test_a_cluster_that_does_not_answer_is_named(data_root, tmp_path):
    grid = Grid(data_root, tmp_path, "--address", "127.0.0.1:1")
    assert grid.ended() == 4, grid.output
    assert "cannot connect to the Ray cluster at 127.0.0.1:1" in grid.output
