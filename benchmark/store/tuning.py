"""`tuning.json` of a tuning study: what was tried, how it scored, what was chosen, what it cost."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from benchmark import files
from benchmark.data.split.roles import FOLDS
from benchmark.errors import ExitCode, UserError
from benchmark.store import record_file
from benchmark.study.tuning import METRIC
from benchmark.wording import counted, printable

FILE = "tuning.json"
_LARGEST = 2**24  # bytes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


class Try(_Part):
    """A variant, and how it scored."""

    variant: str
    units: dict[str, float] = {}
    """Seed, or of one seed fold → its score."""
    mean: float | None = None
    """None of a try that cannot be chosen."""
    standard_deviation: float | None = None
    """Of the units; None of fewer than two."""
    failed: str = ""
    """Why it cannot be chosen."""


class Masks(_Part):
    """How many masks a choice looked at."""

    labelled: int
    """Of one seed: what a trial has. The most of any seed."""
    of_seeds: int
    """Different ones, of all seeds together."""
    development: int = 0
    """Of the development set: beyond all labelled ones."""


class Choice(_Part):
    """Of a method on a dataset at a label budget."""

    dataset: str
    budget: str
    method: str
    """As it was typed: a method, or one with some hyper-parameters fixed."""
    variant: str
    """What was chosen; "" where no try has a score."""
    tries: list[Try]
    further_tries: int = Field(default=0, ge=0)
    """Other variants of the method that were tried in the study, by earlier commands."""
    lead: float | None = None
    """Of the chosen try before the next one, mean over the units; None of a single try."""
    lead_standard_deviation: float | None = None
    masks: Masks


class Cost(_Part):
    """Of the whole study."""

    trials: int
    steps: int
    """Of training, and of each pretraining once."""
    seconds: float
    """Of all trials and pretrainings, one after the other."""


class Tuning(_Part):
    """A tuning study that has come to its end."""

    schema_version: Literal[1] = 1
    name: str
    preset: str
    overrides: str = ""
    evaluate_on: Literal["folds", "dev"]
    metric: str = METRIC
    over: dict[str, list[Any]]
    tries: int = Field(ge=1)
    draw: int
    seeds: list[int]
    settings: dict[str, Any]
    """What a run that uses the choice must have in common with it."""
    data: dict[str, str]
    """Dataset → hash of its content."""
    choices: list[Choice]
    cost: Cost

    def told(self, choice: Choice) -> str:
        """How a variant was chosen, for records and footers."""
        masks, seeds = choice.masks, counted(len(self.seeds), "seed")
        n = len(choice.tries)
        more = f" ({choice.further_tries} more in the study)" if choice.further_tries else ""
        how = f"{self.name}: best of {n} {'try' if n == 1 else 'tries'}{more} by {self.metric}"
        if self.evaluate_on != FOLDS:
            return (
                f"{how} on the development set, {seeds}; it looked at "
                f"{counted(masks.development, 'mask')} beyond the {masks.labelled} labelled"
            )
        together = (
            f" ({masks.of_seeds} different ones of all seeds, of which a trial has "
            f"{masks.labelled})"
            if masks.of_seeds != masks.labelled
            else ""
        )
        return f"{how} in folds of the labelled images of {seeds}; 0 masks beyond these{together}"


def write(study_folder: Path, tuning: Tuning) -> None:
    """With a checksum, as records have."""
    fields = json.loads(tuning.model_dump_json())
    content = fields | {"checksum": record_file.checksum_of(fields)}
    text = json.dumps(content, indent=1, ensure_ascii=False)
    files.write_atomically(study_folder / FILE, text + "\n")


def read(study_folder: Path) -> Tuning:
    """`UserError` (exit code 3) if there is none, or a damaged one."""
    file = study_folder / FILE
    try:
        fields = printable(json.loads(files.read_within(study_folder, file, _LARGEST)))
        _require_whole(fields)
        return Tuning.model_validate(fields)
    except FileNotFoundError:
        raise UserError(
            f"there is no {file}: it is written when all tries of `bench tune --study "
            f"{study_folder.name}` have run; the same command goes on",
            ExitCode.DATA,
        ) from None
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _damaged(file, why) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(file, str(error)) from error


def _require_whole(fields: Mapping[str, Any]) -> None:
    if not isinstance(fields, dict):
        raise ValueError(f"no fields, but {type(fields).__name__}")
    if fields.pop("checksum", None) != record_file.checksum_of(fields):
        raise ValueError("its checksum is of other content")


def _damaged(file: Path, why: str) -> UserError:
    return UserError(
        f"{file} is damaged ({why}): the same `bench tune` as before writes it again from the "
        "records of its trials",
        ExitCode.DATA,
    )
