"""Shared fixtures: a phantom dataset prepared once, real samples where they are, small networks."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from benchmark.cli import main
from benchmark.contract import subject
from benchmark.data import cards, phantoms
from benchmark.data import prepared as preparing
from benchmark.study import methods
from benchmark.study.settings import Conditions, Study, TrainingSettings
from benchmark.study.syntax import Variant
from benchmark.study.trials import DataFacts, trials
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from tests.grids import CHECKOUT, TINY_RUN, keys_of, one_by_one

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
    """A data root with the phantom of GlaS: one for all processes of pytest."""
    folder = tmp_path_factory.getbasetemp()
    root = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "data"
    with FileLock(f"{root}.lock"):
        phantoms.ensure_prepared(cards.find("phantom_glas"), root)
    return root


@pytest.fixture(scope="session")
def prepared(data_root) -> preparing.Prepared:
    """The phantom at 32 × 32."""
    return preparing.resized(preparing.load(data_root, "phantom_glas"), [32, 32])


TINY = Study(
    methods=["supervised", "cps"],
    datasets=["phantom_glas"],
    labels=["5 %"],
    seeds=[0],
    conditions=Conditions(
        size=[32, 32],
        checkpoint_seconds=0.0,
        network=Architecture(widths=[4, 8, 8], dropout=[0.1, 0.1, 0.5]),
    ),
    training=TrainingSettings(epochs=3, steps_per_epoch=3, batch_labelled=2, batch_unlabelled=2),
)


@pytest.fixture(scope="session")
def tiny_trials(prepared):
    """A function: the trials of a tiny study on the phantom."""

    def make(study: Study = TINY):
        facts = {name: methods.facts(name) for name in methods.names()}
        data = {"phantom_glas": DataFacts(prepared.manifest.data_hash)}
        return trials(study, map(Variant.parse, study.methods), facts, data)

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
        epochs: int = 1,
    ):
        return NetworkBuilder(
            in_channels=channels,
            classes=2,
            spatial_dims=dims,
            criterion=criterion,
            network=Architecture(name=network, widths=[4, 8, 8], dropout=[0.05, 0.1, 0.5]),
            seed=seed,
            epochs=epochs,
        )

    return make


@pytest.fixture
def batch():
    """A function: two labelled and three unlabelled images of a bright square on noise."""
    return subject.batch


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function: what `pip install` of a package leaves behind, at the front of the path."""

    def package(name: str, files: dict[str, str], methods=(), cards=(), version: str = "1.2"):
        site = tmp_path / f"site-{name}"
        for file, text in files.items():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            (site / file).write_text(text)
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        lines = ["[benchmark.methods]", *methods, "[benchmark.cards]", *cards]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(site))
        return site

    return package


Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(data_root, tmp_path, capsys) -> Bench:
    """A function: run `bench …` in this process; gives (exit code, stdout, stderr)."""

    def run(*arguments: str):
        words = [str(a) for a in arguments]
        if words[0] in ("run", "tune", "list"):
            words += ["--data-root", str(data_root)] if "--data-root" not in words else []
        if words[0] in ("run", "tune", "report", "status", "show"):
            words += ["--results", str(tmp_path / "results")] if "--results" not in words else []
        code = main.guarded(lambda: main.app(words, standalone_mode=False))
        out, err = capsys.readouterr()
        return int(code), out, err

    return run


@pytest.fixture(scope="session")
def finished(data_root, tmp_path_factory) -> tuple[Path, list[str]]:
    """A study of two trials that were run one by one, without Ray, as (folder, keys); not to be
    changed: see `study`.
    """
    folder = one_by_one(data_root, tmp_path_factory.mktemp("finished"), *TINY_RUN)
    return folder, keys_of(data_root, *TINY_RUN)


@pytest.fixture
def study(finished, tmp_path) -> tuple[Path, list[str]]:
    """A copy of `finished` where `bench` finds it."""
    folder, keys = finished
    shutil.copytree(folder, tmp_path / "results" / "demo")
    return tmp_path / "results" / "demo", list(keys)
