"""MLflow: a server, where MLFLOW_TRACKING_URI names one, else a database in the study."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from benchmark import files
from benchmark.loggers.logger import About, Place, flat, folder_of, from_environment
from benchmark.wording import command

_MOST_PARAMETERS = 100  # that a server takes at once
_LONGEST_VALUE = 500  # characters
_SERVER, _SECONDS, _RETRIES = "MLFLOW_TRACKING_URI", "20", "2"


class MLflow:
    """As of `Logger`."""

    def __init__(self, about: About, place: Place):
        # A server that is gone would otherwise hold up each epoch for minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _SECONDS)
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", _RETRIES)
        import mlflow

        self._entities = mlflow.entities
        folder = folder_of("mlflow", about).resolve()
        with files.locked(folder / ".lock"):  # workers that start at once make it once
            self._client = mlflow.MlflowClient(tracking_uri=_address(folder))
            experiment = self._experiment(about.study, folder)
        if place.run:
            self._run = place.run
            self._client.update_run(self._run, status="RUNNING")
        else:
            tags = {"key": about.key, "label": about.label}
            made = self._client.create_run(experiment, tags=tags, run_name=about.label)
            self._run = str(made.info.run_id)
            self._note_settings(about.settings)

    @property
    def run(self) -> str:
        return self._run

    def add(self, step: int, values: Mapping[str, float]) -> None:
        now = time.time_ns() // 1_000_000
        metrics = [self._entities.Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def show(self, step: int, pictures: Mapping[str, UInt8[ndarray, "_ _ 3"]]) -> None:
        for name, picture in pictures.items():
            self._client.log_image(self._run, picture, artifact_file=f"{name}.png")

    def end(self, step: int, results: Mapping[str, float], is_done: bool) -> None:
        self.add(step, results)
        self._client.set_terminated(self._run, status="FINISHED" if is_done else "FAILED")

    def _experiment(self, study: str, folder: Path) -> str:
        """The study's, made if it is not there."""
        found = self._client.get_experiment_by_name(study)
        if found is not None:
            return str(found.experiment_id)
        is_here = not os.environ.get(_SERVER)
        place = (folder / "artifacts").as_uri() if is_here else None
        return str(self._client.create_experiment(study, artifact_location=place))

    def _note_settings(self, settings: Mapping[str, Any]) -> None:
        parameters = [
            self._entities.Param(name, str(value)[:_LONGEST_VALUE])
            for name, value in flat(settings).items()
        ]
        for start in range(0, len(parameters), _MOST_PARAMETERS):
            some = parameters[start : start + _MOST_PARAMETERS]
            self._client.log_batch(self._run, params=some)


def next_step(study_folder: Path, folder: Path) -> str:
    """What shows it."""
    if server := os.environ.get(_SERVER):
        return f"{server}: experiment {study_folder.name}"
    return command("mlflow", "ui", "--backend-store-uri", _address(folder.resolve()))


def _address(folder: Path) -> str:
    return from_environment(_SERVER, f"sqlite:///{folder / 'mlflow.db'}")
