"""Weights & Biases. Its own variables hold: WANDB_MODE=offline, WANDB_PROJECT, WANDB_ENTITY."""

import secrets
from collections.abc import Mapping
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from benchmark.loggers.logger import About, Place, folder_of, from_environment
from benchmark.wording import command

_PROJECT = "semiseg-bench"


class WeightsAndBiases:
    """As of `Logger`."""

    def __init__(self, about: About, place: Place):
        import wandb

        self._wandb = wandb
        self._run = wandb.init(
            project=from_environment("WANDB_PROJECT", _PROJECT),
            group=about.study,
            name=about.label,
            # A failed trial starts over: its new curves must not meet the old ones.
            id=place.run or f"{about.key}-{secrets.token_hex(4)}",
            resume="allow",
            reinit="finish_previous",  # of a trial before this one, whose logger was switched off
            config=dict(about.settings),
            dir=str(folder_of("wandb", about)),
            # The trial's output is not its own, and a study holds no links.
            settings=wandb.Settings(console="off", silent=True, symlink=False),
        )

    @property
    def run(self) -> str:
        return str(self._run.id)

    def add(self, step: int, values: Mapping[str, float]) -> None:
        self._run.log(dict(values), step=step)

    def show(self, step: int, pictures: Mapping[str, UInt8[ndarray, "_ _ 3"]]) -> None:
        images = {name: self._wandb.Image(picture) for name, picture in pictures.items()}
        self._run.log(images, step=step)

    def end(self, step: int, results: Mapping[str, float], is_done: bool) -> None:
        self._run.summary.update(dict(results))
        self._run.finish(exit_code=0 if is_done else 1)


def next_step(study_folder: Path, folder: Path) -> str:
    """What shows it; of runs that were kept here, what sends them."""
    is_offline = from_environment("WANDB_MODE", "online") == "offline"
    if is_offline or any(folder.glob("wandb/offline-run-*")):
        return f"{command('wandb', 'sync', '--include-offline', folder)}/wandb/offline-run-*"
    project = from_environment("WANDB_PROJECT", _PROJECT)
    return f"your Weights & Biases: project {project}, group {study_folder.name}"
