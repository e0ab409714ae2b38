"""Grids on Ray: what is killed, is continued; the table is that of the trials one by one."""

import contextlib
import itertools
import os
import re
import signal
import socket
import time
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import psutil
import pytest

from tests.grids import GRID, ONE_WORKER, Grid, alive, family, one_by_one, table, trial_workers

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # four runs of a grid are one fixture

STUDY = (
    *GRID, *ONE_WORKER, "--methods", "ours[rounds=1],supervised,cps", "--seeds", "1",
    "pretraining.epochs=30", "pretraining.steps_per_epoch=15", "training.epochs=12",
)  # fmt: skip


class Run(NamedTuple):
    """One run of a study, after its end."""

    code: int
    output: str
    table: pd.DataFrame
    done: int
    """Trials that had a result in the end."""
    workers: int = 0
    """That ran jobs when the driver was killed."""
    left: int = 0
    """How many of them outlived it."""


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def runs(data_root, study) -> tuple[Run, Run, Run, Run]:
    """Four runs of one study of three trials, the first of which needs a pretraining. Killed are

    * in the first the driver, in the pretraining,
    * in the second the worker of the pretraining, and then the one that trains a trial, each again
      when it has been given to another worker,
    * in the third the driver, in the training of the trial that needs the pretraining,
    * in the fourth none.
    """

    def start(*more: str) -> Grid:
        return Grid(data_root, study, *STUDY, *more)

    first = without_its_driver(start(), "pretrained/*/log.txt", r"epoch 2/30")
    second = start()
    kill_workers(second, "pretrained/*/log.txt", r"resumed.*\n.*epoch \d+/30")
    kill_workers(second, "pretrained/*/log.txt", r"(?s)resumed.*resumed.*epoch \d+/30")
    kill_workers(second, "trials/*/log.txt", r"epoch 2/12")
    kill_workers(second, "trials/*/log.txt", r"resumed.*\n.*epoch \d+/12")
    second = ended(second)
    key = second.table.set_index("method").key["ours"]
    third = without_its_driver(start(), f"trials/{key}/log.txt", r"epoch 2/12")
    return first, second, third, ended(start())


def kill_workers(grid: Grid, logs: str, pattern: str) -> None:
    grid.wait_for(pattern, files=logs)
    workers = trial_workers(grid.process)
    assert workers, [p.cmdline() for p in family(grid.process)]
    for worker in workers:
        worker.kill()


def without_its_driver(grid: Grid, logs: str, pattern: str) -> Run:
    """Workers end with the raylet, which ends after the driver, on a busy machine long after it;
    they are held so long, or they would end their job.
    """
    grid.wait_for(pattern, files=logs)
    workers = trial_workers(grid.process)
    for worker in workers:
        worker.suspend()
    raylets = [child for child in family(grid.process) if child.name() == "raylet"]
    assert raylets
    os.kill(grid.process.pid, signal.SIGKILL)
    alive(raylets)
    for worker in alive(workers, seconds=3):
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.resume()
    left = alive(workers)  # Ray's own agents notice within a minute
    return ended(grid)._replace(workers=len(workers), left=len(left))


def ended(grid: Grid) -> Run:
    code = grid.ended()
    found = grid.table() if (grid.folder / "results.csv").exists() else pd.DataFrame()
    return Run(code, grid.output, found, grid.done())


def log_of(study: Path, run: Run, method: str) -> str:
    key = run.table.set_index("method").key[method]
    return (study / "results" / "demo" / "trials" / key / "log.txt").read_text()


def test_a_killed_driver_takes_its_workers_with_it(runs):
    for run in (runs[0], runs[2]):
        assert run.workers > 0
        assert run.left == 0


def test_a_run_continues_with_what_is_missing(runs):
    assert "3 trials: 0 done, 3 to run, after 1 pretraining" in runs[0].output
    for before, run in itertools.pairwise(runs):
        assert f"3 trials: {before.done} done, {3 - before.done} to run" in run.output
    assert [run.done for run in runs[:2]] == [0, 1]
    assert runs[2].done < runs[3].done == 3


def test_a_worker_killed_twice_is_a_failed_trial_and_the_grid_goes_on(runs):
    killed = runs[1]
    assert killed.code == 1, killed.output
    name = "supervised/phantom_glas/5 %/seed 0: the worker process was killed"
    assert killed.output.count("it will run once more, alone") == 2  # and the pretraining
    assert killed.output.index(name) < killed.output.index(f"failed: {name}")
    status = killed.table.set_index("method").status
    assert (status["supervised"], status["cps"]) == ("failed", "done")


def test_a_killed_pretraining_fails_the_trial_that_needs_it(runs):
    killed = runs[1]
    assert "failed: pretraining of ours/phantom_glas/seed 0: the worker" in killed.output
    assert "its pretraining failed" in killed.output
    assert killed.table.set_index("method").status["ours"] == "failed"


def test_a_killed_job_goes_on_from_its_checkpoint(runs, study):
    """Killed were a pretraining three times, a trial twice with its worker, one with the driver."""
    (pretraining,) = study.glob("results/demo/pretrained/*/log.txt")
    assert pretraining.read_text().count("resumed after epoch") == 3
    for method, times in {"supervised": 2, "ours": 1}.items():
        assert log_of(study, runs[-1], method).count("resumed after epoch") == times
    assert "[1/3] pretraining of ours/phantom_glas/seed 0: 450 steps" in runs[2].output


def test_what_was_killed_has_the_numbers_of_trials_that_were_not(runs, study, data_root, tmp_path):
    assert runs[-1].code == 0, runs[-1].output
    undisturbed = one_by_one(data_root, tmp_path, *STUDY)
    assert len(table(undisturbed)) == 3
    pd.testing.assert_frame_equal(runs[-1].table, table(undisturbed), check_exact=True)
    histories = sorted(undisturbed.glob("*/*/history.csv"))
    assert len(histories) == 4
    for file in histories:
        of_killed = study / "results" / "demo" / file.relative_to(undisturbed)
        assert of_killed.read_text() == file.read_text()


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_grid_says_how_far_it_is_and_leaves_no_process(data_root, tmp_path, name):
    grid = Grid(data_root, tmp_path, *GRID, "training.epochs=200", *ONE_WORKER)
    grid.wait_for(r"epoch 1/200")
    workers = family(grid.process)
    os.kill(grid.process.pid, getattr(signal, name))
    assert grid.ended() == 130, grid.output
    assert re.search(r"interrupted: 0/4 trials done, 1 stopped", grid.output)
    assert "the same command continues" in grid.output
    assert "Traceback" not in grid.output
    assert alive(workers) == []


def test_a_cluster_that_does_not_answer_is_named(bench):
    code, _, err = bench(*GRID, "--address", "127.0.0.1:1")
    assert code == 4
    assert "cannot connect to the Ray cluster at 127.0.0.1:1" in err


def test_a_port_that_listens_and_says_nothing_is_no_cluster(bench):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        started = time.monotonic()
        code, _, err = bench(*GRID, "--address", f"127.0.0.1:{port}")
        assert time.monotonic() - started < 120
    assert code == 4
    assert f"cannot connect to the Ray cluster at 127.0.0.1:{port}" in err
    assert "docs/cluster.md" in err
    assert "Traceback" not in err
    assert "RAY_gcs_server_port_wait_time_s" not in os.environ
