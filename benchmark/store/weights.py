"""Files of trained networks (`--save weights`): tensors, and everything that it takes to use them.

The metadata of such a safetensors file has two entries: the version of its format, and one JSON
value, `About`. With it the network is built and used where neither its study nor the prepared
dataset is.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic
import safetensors
import safetensors.torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from benchmark.data.card import Card
from benchmark.errors import ExitCode, UserError
from benchmark.files import replacing
from benchmark.wording import counted

NAME = "weights.safetensors"
FORMAT = 1
FORMAT_ENTRY, ABOUT_ENTRY = "semiseg_bench_format", "semiseg_bench"


class Score(BaseModel):
    """How good the network was when it was evaluated at its final step, pooled over all images."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    evaluated_on: str
    """test, dev or a fold, as of the record."""
    images: int = Field(ge=0)
    dice: float
    """Of several classes the mean over the foreground."""
    floor: float
    """The better Dice of one class everywhere: who does not exceed it has learnt nothing."""


class About(BaseModel):
    """What a file of a trained network says of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    key: str
    """Of the trial."""
    label: str
    """Of the trial, for people: cps/glas/5 %/seed 3."""
    method: str
    variant: str
    settings: dict[str, Any]
    """Of the trial: hyper-parameters, network, training, budget, seeds; `Trial.settings`."""
    card: Card
    """Of the dataset: classes, channels, grey values to keep, terms. No names of cases."""
    data_hash: str
    data_partial: str = ""
    seen_as: Literal["images", "slices", "volumes"]
    """In 2D, in 2D slice by slice, or in 3D window by window."""
    sides: list[int]
    """Of what the network sees at a time: (height, width), or the window's (x, y, z)."""
    standardised_by: Literal["train pool", "each volume"]
    """Whose mean and standard deviation standardise an image, its grey values taken as [0, 1]."""
    mean: list[float]
    """Of each channel, of the train pool; empty where each volume has its own."""
    std: list[float]
    came_as: list[list[int]]
    """Sides of what it was trained on, the least and the greatest: (height, width) of the files of
    images, (x, y, z) of volumes, turned as they are stored; empty where it was not kept."""
    spacing: list[list[float]]
    """Of these volumes, in mm, the least and the greatest; empty where it is not known."""
    labelled: int = Field(ge=0)
    """How many images, or slices, it learnt from with their masks."""
    unlabelled: int = Field(ge=0)
    parameters: int = Field(ge=0)
    """Of the network that is tested."""
    score: Score
    terms: str
    """What the dataset's terms say, as far as its card knows: they may bind what was learnt too."""
    code_version: str
    method_code: str
    tool_code: str
    """As of the record."""
    packages: dict[str, str]

    @property
    def classes(self) -> list[str]:
        """Their names, the background first."""
        return self.card.classes

    @property
    def channels(self) -> int:
        return self.card.channels

    @property
    def fitness(self) -> str:
        """What it was trained on, and how well it did there, in one line for people."""
        score, kind = self.score, "volume" if self.card.is_volume else "image"
        tested = f"{counted(score.images, kind)} of {self.card.name} ({score.evaluated_on}"
        return (
            f"{self.label}: Dice {100 * score.dice:.1f} at the final step on {tested}; floor "
            f"{100 * score.floor:.1f}); trained on {self.labelled} labelled and {self.unlabelled} "
            f"unlabelled {self.seen_as}"
        )


def write(file: Path, tensors: Mapping[str, Tensor], about: About) -> None:
    """The file, whole or not at all. The same network gives the same bytes."""
    # Contiguous copies: the format takes neither shared memory nor other strides.
    plain = {
        name: value.detach().cpu().contiguous().clone() for name, value in sorted(tensors.items())
    }
    metadata = {FORMAT_ENTRY: str(FORMAT), ABOUT_ENTRY: about.model_dump_json()}
    with replacing(file) as stream:
        stream.write(safetensors.torch.save(plain, metadata))


def read(file: Path) -> tuple[About, dict[str, Tensor]]:
    """What the file says of itself, and its tensors; `UserError` (exit code 3) for any other."""
    try:
        with safetensors.safe_open(file, "pt") as opened:
            about = _about(file, opened.metadata() or {})
            return about, {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(
            f"no trained network at {file}: networks are kept by bench run … --save weights",
            ExitCode.DATA,
        ) from None
    except safetensors.SafetensorError as error:
        raise UserError(
            f"{file} is no file of safetensors, or a damaged one ({error})", ExitCode.DATA
        ) from error


def _about(file: Path, metadata: Mapping[str, str]) -> About:
    if ABOUT_ENTRY not in metadata:
        raise UserError(
            f"{file} does not say what network it holds: it was saved by an older version, or by "
            "another tool. Delete the trial's folder and run it again with --save weights",
            ExitCode.DATA,
        )
    if (found := metadata.get(FORMAT_ENTRY)) != str(FORMAT):
        raise UserError(
            f"{file} was saved by another version of this tool (format {found}, this one reads "
            f"{FORMAT})",
            ExitCode.DATA,
        )
    try:
        return About.model_validate_json(metadata[ABOUT_ENTRY])
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise UserError(
            f"what {file} says of its network is not readable ({where}: {first['msg']})",
            ExitCode.DATA,
        ) from error
