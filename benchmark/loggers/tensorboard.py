"""TensorBoard: event files in the study, by PyTorch's own writer."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from benchmark.loggers.logger import About, Place, flat, folder_of
from benchmark.wording import command

_LONGEST = 80  # characters of a folder's name: file systems take 255 bytes


class TensorBoard:
    """As of `Logger`."""

    def __init__(self, about: About, place: Place):
        from torch.utils.tensorboard import SummaryWriter

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

    def show(self, step: int, pictures: Mapping[str, UInt8[ndarray, "h w 3"]]) -> None:
        for name, picture in pictures.items():
            self._writer.add_image(name, picture, step, dataformats="HWC")

    def close(self, is_done: bool) -> None:
        self._writer.close()


def next_step(study_folder: Path, folder: Path) -> str:
    """What shows it."""
    return command("tensorboard", "--logdir", folder)


def _named(about: About) -> Path:
    """Folders that TensorBoard shows as the run's name: its label, and of its key what tells apart
    trials of other settings.
    """
    parts = [
        re.sub(r"[^\w.,=()\[\]%+ -]|^\.", "-", part)[:_LONGEST] for part in about.label.split("/")
    ]
    return Path(*parts, about.key[:8])
