"""Where a user finds what loggers were given."""

from collections.abc import Iterable
from pathlib import Path

from benchmark.loggers import mlflow, tensorboard, wandb
from benchmark.store import layout

_OF = {
    "tensorboard": tensorboard.next_step,
    "wandb": wandb.next_step,
    "mlflow": mlflow.next_step,
}


def next_steps(names: Iterable[str], study_folder: Path) -> list[str]:
    """A command or a place of each logger."""
    return [_OF[name](study_folder, layout.logs(study_folder, name)) for name in names]
