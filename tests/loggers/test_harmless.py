"""Trials with loggers have the numbers, the keys and the bits of trials without."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.study.loggers import LOGGERS, Needed
from tests.conftest import CHECKOUT
from tests.grids import ONE_WORKER, TINY_RUN, Grid, keys_of, one_by_one, table
from tests.loggers.conftest import FAKES

DROPPING_OUT = (*TINY_RUN, "network.dropout=[0.5,0.5]")
"""Trials that draw from PyTorch's own generator as they train."""
LOGGED = ("--log", "wandb,mlflow")


def require_equal(study: Path, undisturbed: Path) -> None:
    pd.testing.assert_frame_equal(table(study), table(undisturbed), check_exact=True)
    folders = sorted((undisturbed / "trials").iterdir())
    assert len(folders) == 2
    for folder in folders:
        own = study / "trials" / folder.name
        assert {f.name for f in own.iterdir()} == {f.name for f in folder.iterdir()}
        for name in ("history.csv", "cases.csv", "config.yaml"):
            assert (own / name).read_bytes() == (folder / name).read_bytes()
        with np.load(own / "panel.npz") as one, np.load(folder / "panel.npz") as other:
            assert all((one[name] == other[name]).all() for name in other.files)


@pytest.fixture(scope="module")
def undisturbed(data_root, tmp_path_factory) -> Path:
    return one_by_one(data_root, tmp_path_factory.mktemp("undisturbed"), *DROPPING_OUT)


@pytest.mark.parametrize("raises", ["", "log", "all"])
def test_a_trial_is_the_same_whatever_its_loggers_do(
    raises, calls, undisturbed, data_root, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAISES", raises)
    logged = one_by_one(data_root, tmp_path / "logged", *DROPPING_OUT, *LOGGED)
    require_equal(logged, undisturbed)
    assert len(calls.of("Settings")) == len(calls.of("client")) == 2
    assert len(calls.of("finish")) == (2 if raises == "" else 0)


@pytest.mark.slow
def test_a_grid_whose_loggers_raise_in_every_call_ends_well(
    calls, undisturbed, data_root, tmp_path, monkeypatch
):
    monkeypatch.setenv("RAISES", "all")
    grid = Grid(data_root, tmp_path, *DROPPING_OUT, *LOGGED, *ONE_WORKER, path=FAKES)
    assert grid.ended() == 0, grid.output
    require_equal(grid.folder, undisturbed)
    logs = "".join(grid.logs())
    assert logs.count("logger switched off: wandb: RuntimeError: no Settings today") == 2
    assert logs.count("logger switched off: mlflow: RuntimeError: no client today") == 2
    said = re.findall(r"logger switched off: (\w+)", grid.output)
    assert sorted(said) == ["mlflow", "wandb"]  # once, not for each trial


def test_loggers_are_in_no_key(data_root):
    assert keys_of(data_root, *TINY_RUN, "log=[tensorboard]") == keys_of(data_root, *TINY_RUN)


def test_one_that_is_not_installed_is_said_before_anything_starts(bench, tmp_path, monkeypatch):
    """A folder of its name is none: Weights & Biases leaves one where it runs."""
    (tmp_path / "cwd" / "no_such_package").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "cwd")
    monkeypatch.setitem(LOGGERS, "wandb", Needed("no_such_package", "wandb>=0.20"))
    code, out, err = bench(*TINY_RUN, "--log", "wandb")
    assert (code, out) == (4, "")
    assert 'error: --log wandb needs what is not installed: pip install "wandb>=0.20"\n' in err
    assert not (tmp_path / "results").exists()


def test_one_that_does_not_exist_is_refused(bench):
    code, _, err = bench(*TINY_RUN, "--log", "tensorboard,comet")
    assert code == 2
    assert "error: log takes tensorboard, wandb, mlflow, got comet" in err


def test_the_extras_are_what_the_messages_say():
    text = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
    for name, needed in LOGGERS.items():
        assert f'\n{name} = ["{needed.requirement}"]\n' in text


def test_each_says_where_its_curves_are(monkeypatch, tmp_path):
    from benchmark.loggers.next_steps import next_steps

    for name in ("WANDB_PROJECT", "WANDB_MODE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    study = Path("results", "mine")
    assert next_steps(["tensorboard", "wandb", "mlflow"], study) == [
        "tensorboard --logdir results/mine/logs/tensorboard",
        "your Weights & Biases: project semiseg-bench, group mine",
        f"mlflow ui --backend-store-uri sqlite:///{os.path.realpath(tmp_path)}/results/mine/logs/"
        "mlflow/mlflow.db",
    ]
    (study / "logs/wandb/wandb/offline-run-1").mkdir(parents=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://there")
    assert next_steps(["wandb", "mlflow"], study) == [
        "wandb sync --include-offline results/mine/logs/wandb/wandb/offline-run-*",
        "http://there: experiment mine",
    ]
