"""Shared fixtures: a phantom dataset prepared once, real samples where they are, small networks."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmark import plugins
from benchmark.data import cards, phantoms, pool
from benchmark.toolkit.method import Batch
from benchmark.toolkit.networks import NetworkBuilder
from benchmark.study.settings import Network, Study, Training
from benchmark.study.trials import DataFacts, trials
from tests.grids import Grid

CHECKOUT = Path(__file__).parent.parent
SAMPLES = CHECKOUT.parent / "shared" / "data"

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: `pytest -n 2` hands out file by file, and ends evenly."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def samples() -> Path:
    """Folder of real samples; tests that need it are skipped where it is not."""
    if not SAMPLES.is_dir():
        assert not os.environ.get("REQUIRE_SAMPLES"), f"no real samples at {SAMPLES}"
        pytest.skip(f"no real samples at {SAMPLES}")
    return SAMPLES


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    """A data root with the phantom of GlaS."""
    root = tmp_path_factory.mktemp("data")
    phantoms.ensure_prepared(cards.find("phantom_glas"), root)
    return root


@pytest.fixture(scope="session")
def prepared(data_root) -> pool.Prepared:
    """The phantom at 32 × 32."""
    return pool.resized(pool.load(data_root, "phantom_glas"), [32, 32])


TINY = Study(
    methods=["supervised", "cps"],
    datasets=["phantom_glas"],
    ratios=[0.05],
    seeds=[0],
    size=[32, 32],
    checkpoint_seconds=0.0,
    network=Network(widths=[4, 8, 8], dropout=[0.1, 0.1, 0.5]),
    training=Training(epochs=3, steps_per_epoch=3, batch_labelled=2, batch_unlabelled=2),
)


@pytest.fixture(scope="session")
def tiny_trials(prepared):
    """A function: the trials of a tiny study on the phantom."""

    def make(study: Study = TINY):
        methods = {name: plugins.facts(name) for name in plugins.names()}
        return trials(study, methods, {"phantom_glas": DataFacts(prepared.manifest.data_hash)})

    return make


@pytest.fixture
def build():
    """A function: a builder of networks for 2D or 3D; the UNet is a small one."""

    def make(
        dims: int = 2,
        criterion: str = "ce",
        seed: int = 0,
        channels: int = 1,
        network: str = "unet",
    ):
        return NetworkBuilder(
            in_channels=channels,
            classes=2,
            spatial_dims=dims,
            criterion=criterion,
            network=Network(name=network, widths=[4, 8, 8], dropout=[0.05, 0.1, 0.5]),
            seed=seed,
        )

    return make


@pytest.fixture
def batch():
    """A function: two labelled and three unlabelled images of a bright square on noise."""

    def make(dims: int = 2, seed: int = 0) -> Batch:
        rng = np.random.default_rng(seed)
        side = {2: 32, 3: 16}[dims]
        y = np.zeros((5, *[side] * dims), np.int64)
        for i in range(5):
            start = rng.integers(0, side // 2, dims)
            y[(i, *(slice(s, s + side // 3) for s in start))] = 1
        x = y + rng.normal(0, 0.3, y.shape)
        images = torch.tensor(x[:, None], dtype=torch.float32)
        return Batch(images[:2], torch.tensor(y[:2]), images[2:])

    return make


@pytest.fixture(scope="session")
def undisturbed(data_root, tmp_path_factory) -> pd.DataFrame:
    """The table of a grid that ran from start to end."""
    grid = Grid(data_root, tmp_path_factory.mktemp("undisturbed"))
    assert grid.ended() == 0, grid.output
    assert "4 trials: 0 done, 4 to run" in grid.output
    assert "[4/4]" in grid.output
    table = grid.table()
    assert len(table) == 4
    return table
