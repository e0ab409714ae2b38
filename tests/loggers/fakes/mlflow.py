"""MLflow, as far as the tool calls it: as the `wandb` beside it."""

import json
import os
from types import SimpleNamespace


def _called(name: str, /, **what: object) -> None:
    with open(os.environ["CALLS"], "a") as stream:
        stream.write(json.dumps([name, what]) + "\n")
    if os.environ.get("RAISES") in (name, "all"):
        raise RuntimeError(f"no {name} today\nand a second line")


class _Metric:
    def __init__(self, key, value, timestamp, step):
        assert isinstance(timestamp, int) and timestamp > 1_600_000_000_000  # milliseconds
        self.shown = [key, value, step]


class _Param:
    def __init__(self, key, value):
        self.shown = [key, value]


entities = SimpleNamespace(Metric=_Metric, Param=_Param)


class MlflowClient:
    def __init__(self, tracking_uri):
        _called("client", tracking_uri=tracking_uri)

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name, artifact_location=None):
        _called("create_experiment", name=name, artifact_location=artifact_location)
        return "7"

    def create_run(self, experiment_id, tags, run_name):
        _called("create_run", experiment_id=experiment_id, tags=tags, run_name=run_name)
        return SimpleNamespace(info=SimpleNamespace(run_id="a run"))

    def update_run(self, run_id, status):
        _called("update_run", run_id=run_id, status=status)

    def log_batch(self, run_id, metrics=(), params=()):
        assert len(params) <= 100
        shown = [one.shown for one in (*metrics, *params)]
        _called("params" if params else "log_batch", run_id=run_id, values=shown)

    def log_image(self, run_id, image, artifact_file):
        _called("log_image", run_id=run_id, shape=list(image.shape), artifact_file=artifact_file)

    def set_terminated(self, run_id, status):
        _called("set_terminated", run_id=run_id, status=status)
