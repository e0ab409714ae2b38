"""The loggers of one job: fed from its history, and kept from doing any harm."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmark import files
from benchmark.loggers import pictures, rows
from benchmark.loggers.logger import About, Logger, Place
from benchmark.loggers.mlflow import MLflow
from benchmark.loggers.tensorboard import TensorBoard
from benchmark.loggers.wandb import WeightsAndBiases

OFF = "logger switched off:"
"""How the line of a job's log begins that says why one is."""
_KINDS: Mapping[str, type[Logger]] = {
    "tensorboard": TensorBoard,
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}
_PLACES = "logged.json"
"""In a job's folder until its end: how far each logger came."""
_LARGEST = 2**16  # bytes


class Curves:
    """Loggers by name. One that raises anything is off from then on, which the job's log says.

    A job that goes on from a checkpoint continues its curves: what a logger has been given of the
    history it is not given again.
    """

    def __init__(
        self, names: Sequence[str], about: About, job_folder: Path, log: Callable[[str], None]
    ):
        self._names, self._about, self._log = names, about, log
        self._places_file = job_folder / _PLACES
        self._panel = job_folder / "panel.npz"
        self._loggers: dict[str, Logger] = {}
        self._places: dict[str, Place] = {}
        self._is_open = False

    def follow(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Be told all rows so far: when training begins, or goes on, and after each epoch."""
        if not self._is_open:
            self._is_open = True
            self._open(self._stored() if history else {})
        for name in list(self._loggers):
            with self._guarded(name):
                for row in history:
                    if row[rows.STEP] > self._places[name].step:
                        self._loggers[name].add(row[rows.STEP], rows.values_of(row))
                        self._reached(name, row[rows.STEP])

    def ended(self, *, is_done: bool, results: Mapping[str, Any]) -> None:
        """The job has its record. results: numbers of it."""
        for name in list(self._loggers):
            with self._guarded(name):
                logger, step = self._loggers[name], self._places[name].step
                if is_done:
                    logger.show(step, self._pictures())
                logger.end(step, rows.results_of(results) if is_done else {}, is_done)
        self._loggers = {}
        with contextlib.suppress(OSError):
            self._places_file.unlink(missing_ok=True)

    def _open(self, places: Mapping[str, Place]) -> None:
        for name in self._names:
            with self._guarded(name):
                place = places.get(name, Place())
                self._loggers[name] = _KINDS[name](self._about, place)
                self._reached(name, place.step)

    @contextlib.contextmanager
    def _guarded(self, name: str) -> Iterator[None]:
        """Whatever a logger does, the job goes on as if it were not there."""
        devices = [torch.cuda.current_device()] if torch.cuda.is_initialized() else []
        try:
            with torch.random.fork_rng(devices):
                yield
        except (Exception, SystemExit) as error:
            self._loggers.pop(name, None)
            first = (str(error).strip() or "no detail").splitlines()[0]
            self._log(f"{OFF} {name}: {type(error).__name__}: {first}")

    def _reached(self, name: str, step: int) -> None:
        self._places[name] = Place(self._loggers[name].run, step)
        there = {n: place._asdict() for n, place in self._places.items() if n in self._loggers}
        files.write_atomically(self._places_file, json.dumps(there))

    def _stored(self) -> dict[str, Place]:
        """What an earlier life of the job wrote; empty if that cannot be read."""
        try:
            within = self._places_file.parent
            content = json.loads(files.read_within(within, self._places_file, _LARGEST))
            return {n: Place(str(p["run"]), int(p["step"])) for n, p in content.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _pictures(self) -> dict[str, np.ndarray]:
        if not self._panel.is_file():
            return {}
        with np.load(self._panel) as panel:
            return pictures.sheets(dict(panel))
