"""TensorBoard: event files in the study, by PyTorch's own writer."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray

from benchmark.loggers.logger import About, Place, flat, folder_of
from benchmark.wording import command

_LONGEST = 80  # characters of a folder's name: file systems take 255 bytes


class TensorBoard:
    """As of `Logger`."""

    def __init__(self, about: About, place: Place):
        from torch.utils.tensorboard import SummaryWriter

        self._settings = about.settings
        folder = folder_of("tensorboard", about) / _named(about)
        if not place.run:  # of an attempt that is started over
            shutil.rmtree(folder, ignore_errors=True)
        # What a killed worker wrote of later steps is left out by whoever reads the files.
        purge = place.step + 1 if place.run else None
        self._writer = SummaryWriter(str(folder), purge_step=purge)
        if not place.run:
            rows = (f"| {name} | {value} |" for name, value in flat(about.settings).items())
            self._writer.add_text(
                "settings", "\n".join(["| setting | value |", "|---|---|", *rows])
            )

    @property
    def run(self) -> str:
        return "events"

    def add(self, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()  # or they would wait for two minutes

    def show(self, step: int, pictures: Mapping[str, UInt8[ndarray, "_ _ 3"]]) -> None:
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, step, dataformats="HWC")

    def end(self, step: int, results: Mapping[str, float], is_done: bool) -> None:
        if is_done:  # a line of the table that compares runs, beside its settings
            settings = {name: _plain(value) for name, value in flat(self._settings).items()}
            found = dict(results)
            self._writer.add_hparams(settings, found, run_name=".", global_step=step)
        self._writer.close()


def next_step(study_folder: Path, folder: Path) -> str:
    """What shows it."""
    return command("tensorboard", "--logdir", folder)


def _plain(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else str(value)


def _named(about: About) -> Path:
    """Folders that TensorBoard shows as the run's name: its label, and of its key what tells apart
    trials of other settings.
    """
    parts = [
        re.sub(r"[^\w.,=()\[\]%+ -]|^\.", "-", part)[:_LONGEST] for part in about.label.split("/")
    ]
    return Path(*parts, about.key[:8])
