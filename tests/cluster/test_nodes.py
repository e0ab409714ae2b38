"""A grid on several nodes: one is lost on the way, one does not see the results."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from benchmark.cluster import ray_nodes as nodes
from benchmark.store import status
from tests.conftest import CHECKOUT
from tests.grids import Grid

LONGER = "training.epochs=24"  # than it takes to notice that two trials are under way


@pytest.fixture(autouse=True)
def this_checkout(monkeypatch):
    """Ray's workers import the code under test, whatever else is installed."""
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")


@pytest.fixture
def cluster():
    """A Ray cluster of one node with one CPU; it lives in processes of its own."""
    from ray.cluster_utils import Cluster

    soon = {"health_check_period_ms": 1000, "health_check_failure_threshold": 2}
    head = {"num_cpus": 1, "_system_config": soon}  # Ray itself takes half a minute to notice
    made = Cluster(initialize_head=True, head_node_args=head)
    yield made
    made.shutdown()


@pytest.fixture
def blind_node():
    """A function: a second node, in a mount namespace where the folder is an empty one."""
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system lets nobody make a mount namespace")
    started = []

    def start(cluster, folder: Path) -> None:
        folder.mkdir()
        ray = Path(sys.executable).with_name("ray")
        join = f"'{ray}' start --address={cluster.address} --num-cpus=1 --block"
        script = f"mount -t tmpfs none '{folder}' && exec {join}"
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


def workers_of_the_cluster() -> list[psutil.Process]:
    """The actors that run trials, on all nodes: the nodes are children of this process."""
    family = psutil.Process().children(recursive=True)
    return [p for p in family if "".join(p.cmdline()).startswith("ray::ImplicitFunc")]


def wait_for_training(grid: Grid, trials: int, seconds: float = 120) -> None:
    """Until so many trials are past their first epochs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        logs = [file.read_text() for file in grid.folder.glob("trials/*/log.txt")]
        if sum(bool(re.search(r"epoch 2/24", log)) for log in logs) >= trials:
            return
        assert grid.process.poll() is None, grid.output
        time.sleep(0.02)
    raise AssertionError(grid.output)


@pytest.mark.slow
def test_a_node_lost_in_training_costs_no_result(cluster, data_root, tmp_path):
    lost = cluster.add_node(num_cpus=1)
    grid = Grid(data_root, tmp_path / "cluster", LONGER, "--address", cluster.address)
    wait_for_training(grid, trials=2)
    workers = workers_of_the_cluster()
    for worker in workers:  # or a fast machine ends the trial before the node is gone
        worker.suspend()
    assert len(workers) == 2
    assert list(status.read(grid.folder).states.values()).count("running") == 2
    cluster.remove_node(lost, allow_graceful=False)
    for worker in workers:
        worker.resume()
    assert grid.ended() == 0, grid.output
    assert "its node was lost; it will go on elsewhere" in grid.output
    assert "failed:" not in grid.output
    logs = [file.read_text() for file in grid.folder.glob("trials/*/log.txt")]
    assert len(logs) == 4
    assert sum("resumed after epoch" in log for log in logs) == 1
    undisturbed = Grid(data_root, tmp_path / "local", LONGER)
    assert undisturbed.ended() == 0, undisturbed.output
    pd.testing.assert_frame_equal(grid.table(), undisturbed.table(), check_exact=True)


@pytest.mark.slow
def test_a_node_that_does_not_see_the_results_is_named(cluster, data_root, tmp_path, blind_node):
    blind_node(cluster, tmp_path / "results")
    grid = Grid(data_root, tmp_path, "--address", cluster.address)
    assert grid.ended() == 4, grid.output
    assert re.search(
        r"node \S+ \(\S+\) cannot use the results folder \S+/demo: No such", grid.output
    )
    assert "put --results on shared storage" in grid.output
    assert not list(grid.folder.glob("trials/*"))
    assert not list(grid.folder.glob(".token*"))


def test_a_node_says_what_is_in_the_way(tmp_path, monkeypatch):
    monkeypatch.setattr(nodes, "_VISIBLE_SECONDS", 0.0)
    file = tmp_path / "token"
    assert nodes._obstacle(file, "a") == "No such file or directory"
    file.write_text("b")
    assert nodes._obstacle(file, "a") == "another file is there"
    file.write_text("a")
    assert nodes._obstacle(file, "a") == ""
    assert list(tmp_path.iterdir()) == [file]


def test_a_lost_node_is_told_from_a_worker_that_died():
    """The two texts are Ray's own; a node that is cut off is at first only unavailable."""
    assert nodes.was_lost(ActorUnavailableError("socket closed", None))
    died = ActorDiedError()
    died.error_msg = "The actor died because its node has died. Node Id: 7c"
    assert nodes.was_lost(died)
    died.error_msg = "The actor is dead because its worker process has died."
    assert not nodes.was_lost(died)
    assert not nodes.was_lost(None)
