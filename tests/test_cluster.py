"""A grid on several nodes: one is lost on the way, one does not see the results."""

import re
import time

import pandas as pd
import pytest

from tests.conftest import CHECKOUT
from tests.test_runner import Grid

pytestmark = pytest.mark.slow
LONGER = "training.epochs=12"  # than it takes to remove a node


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


def wait_for_training(grid: Grid, trials: int, seconds: float = 120) -> None:
    """Until so many trials are past their first epochs."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        logs = [file.read_text() for file in grid.folder.glob("trials/*/log.txt")]
        if sum(bool(re.search(r"epoch 2/12", log)) for log in logs) >= trials:
            return
        assert grid.process.poll() is None, grid.output
        time.sleep(0.02)
    raise AssertionError(grid.output)


def test_a_node_lost_in_training_costs_no_result(cluster, data_root, tmp_path):
    lost = cluster.add_node(num_cpus=1)
    grid = Grid(data_root, tmp_path / "cluster", LONGER, "--address", cluster.address)
    wait_for_training(grid, trials=2)
    cluster.remove_node(lost, allow_graceful=False)
    assert grid.ended() == 0, grid.output
    assert "its node was lost; it will go on elsewhere" in grid.output
    assert "failed:" not in grid.output
    logs = [file.read_text() for file in grid.folder.glob("trials/*/log.txt")]
    assert len(logs) == 4
    assert sum("resumed after epoch" in log for log in logs) == 1
    undisturbed = Grid(data_root, tmp_path / "local", LONGER)
    assert undisturbed.ended() == 0, undisturbed.output
    pd.testing.assert_frame_equal(grid.table(), undisturbed.table(), check_exact=True)
