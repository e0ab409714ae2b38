"""A grid on several nodes: one is lost on the way, one does not see the results."""

import contextlib
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from benchmark.cluster import ray_deaths, ray_runner
from benchmark.cluster import ray_nodes as nodes
from benchmark.cluster.worker import work
from benchmark.errors import ExitCode
from benchmark.store import status
from benchmark.study import sources
from benchmark.training.job import Destination
from benchmark.training.trial import TrialJob
from tests.conftest import CHECKOUT
from tests.grids import GRID, Grid, one_by_one, table, trial_workers

LONGER = (*GRID, "--methods", "cps", "--seeds", "3", "training.epochs=10")
"""Three trials that take longer than one worker may start after the other."""


@pytest.fixture(scope="module")
def cluster():
    """A Ray cluster of one node with one CPU; it lives in processes of its own."""
    from ray.cluster_utils import Cluster

    soon = {"health_check_period_ms": 1000, "health_check_failure_threshold": 2}
    head = {"num_cpus": 1, "_system_config": soon}  # Ray itself takes half a minute to notice
    with pytest.MonkeyPatch.context() as patch:
        # Ray's workers import the code under test, whatever else is installed.
        patch.setenv("PYTHONPATH", str(CHECKOUT))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        made = Cluster(initialize_head=True, head_node_args=head)
        yield made
        made.shutdown()


@pytest.fixture
def another_node():
    """A function: a second node, which sees other files: the command mounts them for it alone."""
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system lets nobody make a mount namespace")
    started = []

    def start(cluster, mount: str) -> None:
        ray = Path(sys.executable).with_name("ray")
        join = f"'{ray}' start --address={cluster.address} --num-cpus=1 --block"
        script = f"{mount} && exec {join}"
        command = ["unshare", "-rm", "sh", "-c", script]
        node = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(node)
        deadline = time.monotonic() + 60
        while len(cluster.global_state._live_node_ids()) < 2:
            assert time.monotonic() < deadline, "the second node did not join"
            time.sleep(0.2)

    yield start
    for node in started:
        family = [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=30)
        node.wait(timeout=30)


@pytest.mark.slow
def test_what_a_node_has_otherwise_is_named_before_anything_runs(
    cluster, bench, tmp_path, another_node
):
    """The results are not there, a method is edited, and so is a loss of the toolkit."""
    (tmp_path / "results").mkdir()
    mounts = [f"mount -t tmpfs none '{tmp_path / 'results'}'"]
    for name, text, other in (
        ("methods/cps.py", "weight: float = ", "weight: float = 2 * "),
        ("benchmark/toolkit/losses.py", "return ", "return 2 * "),
    ):
        source = (CHECKOUT / name).read_text()
        assert text in source
        edited = tmp_path / Path(name).name
        edited.write_text(source.replace(text, other))
        mounts.append(f"mount --bind '{edited}' '{CHECKOUT / name}'")
    another_node(cluster, " && ".join(mounts))
    code, _, err = bench(*GRID, "--address", cluster.address)
    assert code == ExitCode.RESOURCES
    assert re.search(r"node \S+ \(\S+\) cannot use the results folder \S+/demo: No such", err)
    assert re.search(r"node \S+ \(\S+\) has other code of the tool \(\w{16}, here \w{16}\)", err)
    assert re.search(r"has other code of methods/cps \(\w{16}, here \w{16}\)", err)
    assert "methods/supervised" not in err
    assert "put --results on shared storage" in err
    assert not list(tmp_path.glob("results/demo/trials/*"))
    assert not list(tmp_path.glob("results/demo/.token*"))


def epochs(grid: Grid) -> dict[str, int]:
    """How many each trial has trained, by its log; of those that have begun."""
    logs = grid.folder.glob("trials/*/log.txt")
    return {file.parent.name: file.read_text().count("epoch ") for file in logs}


def wait(grid: Grid, condition, seconds: float = 120):
    """The first value of the condition that counts as true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        assert grid.process.poll() is None, grid.output
        time.sleep(0.02)
    raise AssertionError(grid.output)


def hold(grid: Grid, lost, kept) -> list[psutil.Process]:
    """Stop both nodes' workers, or a fast machine ends the trial before the node is gone.

    That of the node to be lost is the second: its trial is the one that trains meanwhile, and must
    come so far that it has a checkpoint.
    """
    raylets = [node.all_processes["raylet"][0].process for node in (lost, kept)]
    found = wait(grid, lambda: all(w := [trial_workers(raylet) for raylet in raylets]) and w)
    workers = [of_node[0] for of_node in found]
    wait(grid, lambda: len(epochs(grid)) == 2)
    workers[1].suspend()
    before = epochs(grid)
    wait(grid, lambda: any(n > max(1, before.get(key, 0)) for key, n in epochs(grid).items()))
    workers[0].suspend()
    return workers


@pytest.mark.slow
def test_a_node_lost_in_training_costs_no_result(cluster, data_root, tmp_path):
    lost = cluster.add_node(num_cpus=1)
    grid = Grid(data_root, tmp_path / "cluster", *LONGER, "--address", cluster.address)
    workers = hold(grid, lost, cluster.head_node)
    assert list(status.read(grid.folder).states.values()).count("running") == 2
    cluster.remove_node(lost, allow_graceful=False)
    for worker in workers:
        worker.resume()
    assert grid.ended() == 0, grid.output
    assert "its node was lost; it will go on elsewhere" in grid.output
    assert "failed:" not in grid.output
    assert "note: the Ray cluster has no token" in grid.output
    assert sum("resumed after epoch" in log for log in grid.logs()) == 1
    undisturbed = one_by_one(data_root, tmp_path, *LONGER)
    assert len(table(undisturbed)) == 3
    pd.testing.assert_frame_equal(grid.table(), table(undisturbed), check_exact=True)


def test_more_than_any_node_has_is_refused_at_once(bench, monkeypatch, tmp_path):
    monkeypatch.setattr(ray_runner, "connected", contextlib.nullcontext)
    monkeypatch.setattr(nodes, "_resources", lambda: [{"CPU": 8.0}, {"CPU": 2.0, "GPU": 4.0}])
    code, _, err = bench(*GRID, "--gpus-per-trial", "64")
    assert code == ExitCode.RESOURCES
    assert "no node has 1 CPUs and 64 GPUs for one trial" in err
    assert "(found: 8 CPUs, 0 GPUs; 2 CPUs, 4 GPUs)" in err
    assert not list(tmp_path.glob("results/demo/trials/*"))


def test_a_node_says_what_is_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(nodes, "_VISIBLE_SECONDS", 0.0)
    file = tmp_path / "token"
    assert nodes._obstacle(file, "a") == "No such file or directory"
    file.write_text("b")
    assert nodes._obstacle(file, "a") == "another file is there"
    file.write_text("a")
    assert nodes._obstacle(file, "a") == ""
    assert list(tmp_path.iterdir()) == [file]


def test_versions_that_differ_are_named_and_processors_may():
    """The machine where `bench run` is typed may have others: it computes nothing."""
    versions = {"torch": "2.6.0", "numpy": "2.1.0"}
    here = nodes._Facts({"the tool": "a"}, {"torch": "2.6.0+cpu"}, "Xeon")
    first = nodes._Facts({"the tool": "a"}, versions, "EPYC")
    there = first._replace(versions=versions | {"torch": "2.5.0"}, processor="Xeon")
    assert first.against(here, first, Path("/r")) == []
    assert first._replace(processor="Xeon").against(here, first, Path("/r")) == []
    assert there.against(here, first, Path("/r")) == ["has torch 2.5.0 (another node 2.6.0)"]


def test_a_token_that_the_cluster_does_not_have_is_named_before_workers_die_of_it():
    here = nodes._Facts({}, {}, "Xeon")
    there = here._replace(has_token=False)
    (line,) = there.against(here, there, Path("/r"))
    assert line.startswith("has no token, and this shell has: unset RAY_AUTH_MODE")
    assert there.against(there, there, Path("/r")) == []


def test_a_node_of_other_code_that_joins_later_makes_no_number(tiny_trials, prepared, tmp_path):
    job = TrialJob(tiny_trials()[0])
    destination = Destination(tmp_path, "demo", "demo")
    code = {job.method: sources.code_of(job.method)._replace(tool="another")}
    work({"key": job.key}, {job.key: job}, {}, destination, False, code)
    found = job.found(tmp_path)
    assert (found.status, found.metrics) == ("failed", {})
    assert "has other code of this tool or of the method" in found.error


def test_a_lost_node_is_told_from_a_worker_that_died():
    """The two texts are Ray's own; a node that is cut off is at first only unavailable."""
    assert ray_deaths.was_lost(ActorUnavailableError("socket closed", None))
    died = ActorDiedError()
    died.error_msg = "The actor died because its node has died. Node Id: 7c"
    assert ray_deaths.was_lost(died)
    died.error_msg = "The actor is dead because its worker process has died."
    assert not ray_deaths.was_lost(died)
    assert not ray_deaths.was_lost(None)
