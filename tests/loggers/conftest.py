"""Loggers that note what they are told, in place of the real ones."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmark.loggers.curves import Curves
from benchmark.loggers.logger import About

FAKES = Path(__file__).parent / "fakes"
SETTINGS = {"method": "cps", "training": {"epochs": 2, "betas": [0.9, 0.99]}}


class Calls:
    """What the fakes were told."""

    def __init__(self, file: Path):
        self._file = file

    @property
    def all(self) -> list[tuple[str, dict]]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [tuple(json.loads(line)) for line in lines]

    def of(self, name: str) -> list[dict]:
        return [what for called, what in self.all if called == name]


@pytest.fixture
def calls(tmp_path, monkeypatch) -> Iterator[Calls]:
    """Fakes of Weights & Biases and MLflow can be imported, also by processes that are started."""
    for name in ("wandb", "mlflow"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    for name in ("WANDB_PROJECT", "MLFLOW_TRACKING_URI", "RAISES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.syspath_prepend(FAKES)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls.jsonl"))
    yield Calls(tmp_path / "calls.jsonl")
    for name in ("wandb", "mlflow"):
        sys.modules.pop(name, None)


@pytest.fixture
def curves(tmp_path) -> Callable[..., tuple[Curves, list[str]]]:
    """A function: curves of a job in `tmp_path / "study"`, and the lines of the job's log."""
    folder = tmp_path / "study" / "trials" / "0123456789abcdef"
    folder.mkdir(parents=True)

    def make(*names: str) -> tuple[Curves, list[str]]:
        about = About(
            "0123456789abcdef", "cps/glas/5 %/seed 0", SETTINGS, "mine", tmp_path / "study"
        )
        lines: list[str] = []
        return Curves(names, about, folder, lines.append), lines

    return make


@pytest.fixture
def panel(tmp_path, curves) -> None:
    """What the job leaves of one case: an image of 2 × 4 pixels, its target and its prediction."""
    file = tmp_path / "study" / "trials" / "0123456789abcdef" / "panel.npz"
    np.savez(
        file,
        case=np.array(["a"]),
        image_0=np.full((2, 4, 1), 100, np.uint8),
        target_0=np.array([[1, 1, 0, 0], [1, 1, 0, 0]], np.uint8),
        prediction_0=np.zeros((2, 4), np.uint8),
    )


def row(epoch: int, loss: float) -> dict[str, float | int]:
    """Of a history: five steps an epoch."""
    return {
        "epoch": epoch, "step": 5 * epoch, "learning_rate": 0.5, "loss_ce": loss,
        "agreement": 0.25, "dc_pooled": 0.75, "dc_pooled_class_2": float("nan"),
        "best_dc_pooled": 0.875, "on_val_dc_pooled": 0.625,
    }  # fmt: skip
