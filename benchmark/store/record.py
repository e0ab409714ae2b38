"""What a job leaves: the record of a trial or of a pretraining, written last and whole.

`results/<study>/trials/<key>/record.json` appears after its neighbours (`history.csv`, `cases.csv`,
`config.yaml`, `panel.npz`): a folder without it is a trial to be run. The records are the truth;
the table of them (`store.tables`) is a view.
"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict

from benchmark.errors import ExitCode, UserError
from benchmark.files import write_atomically
from benchmark.store.layout import pretraining_folder, trial_folder
from benchmark.study.sources import Code
from benchmark.study.syntax import trial_name
from benchmark.wording import percent

SCHEMA = 2
_FILE = "record.json"
_LEFT_OVER_SECONDS = 3600.0


class JobRecord(BaseModel):
    """What every finished or failed job leaves."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    key: str
    status: Literal["done", "failed"]
    method_code: str = ""
    """Of the method's sources (`study.sources`); "" of records from before."""
    tool_code: str = ""
    """Of the tool's part that makes numbers."""
    error: str = ""
    seconds_total: float | None = None
    """Of the whole last attempt."""
    peak_memory_mib: float | None = None
    """Of the process, or of the GPU's allocator; None where it cannot be measured."""
    device: str = ""

    @property
    def is_done(self) -> bool:
        return self.status == "done"

    @property
    def code(self) -> Code:
        """What made it."""
        return Code(self.method_code, self.tool_code)

    @property
    def summary(self) -> str:
        """For people, of a job that is done."""
        raise NotImplementedError


class PretrainingRecord(JobRecord):
    """What a pretraining leaves beside its weights."""

    label: str
    steps: int = 0
    seconds_train: float = 0.0
    flops_per_step: int = 0
    code_version: str = ""

    @property
    def summary(self) -> str:
        return f"{self.steps} steps in {self.seconds_total:.0f} s"


class Record(JobRecord):
    """What a trial leaves. A failed one has no metrics."""

    schema_version: Literal[2] = SCHEMA
    configuration: str
    """The key of all trials that differ from this one by the seed alone."""
    study: str
    dataset: str
    budget: str
    """How much is labelled, as tables print it: 5 %."""
    budget_order: float
    """By which budgets are sorted."""
    ratio: float
    """The labelled share of the train pool that was asked for."""
    method: str
    variant: str
    seed: int
    evaluate_on: str
    preset: str
    overrides: str = ""
    """Command-line overrides of the preset's settings, as typed."""
    n_labelled: int | None = None
    n_unlabelled: int | None = None
    n_test: int | None = None
    metrics: dict[str, int | float | None] = {}
    """Columns of `results.csv`, such as dc_pooled (final step, argmax) and oracle_dc_pooled."""
    parameters: int | None = None
    parameters_tested: int | None = None
    flops_per_step: int | None = None
    steps: int | None = None
    pretrain_key: str = ""
    pretrain_steps: int | None = None
    pretrain_flops_per_step: int | None = None
    seconds_pretrain: float | None = None
    """Of the pretraining that the trial started from, which others may share."""
    seconds_train: float | None = None
    settings: dict[str, Any] = {}
    data_hash: str = ""
    data_partial: str = ""
    split_hash: str = ""
    subset_hash: str = ""
    code_version: str = ""
    packages: dict[str, str] = {}
    host: str = ""
    finished_at: str = ""

    @property
    def label(self) -> str:
        """For people: cps/glas/5 %/seed 3."""
        return trial_name(self.variant, self.dataset, self.budget, self.seed)

    @property
    def summary(self) -> str:
        return f"DC {self.metrics['dc_pooled']:.4f} in {self.seconds_total:.0f} s"


MAY_DIFFER = (
    "study", "preset", "overrides", "error", "method_code", "tool_code", "seconds_pretrain",
    "seconds_train", "seconds_total", "peak_memory_mib", "flops_per_step",
    "pretrain_flops_per_step", "data_partial", "code_version", "packages", "host", "device",
    "finished_at",
)  # fmt: skip
"""Fields of a record in which two runs of one trial may differ: names, times, places, versions, and
what PyTorch counts. All others must be equal."""

_R = TypeVar("_R", bound=JobRecord)


def write(folder: Path, record: JobRecord) -> None:
    """The last write of a job, into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / _FILE, record.model_dump_json(indent=1))


def exists(folder: Path) -> bool:
    """Is there a record in the job's folder?"""
    return (folder / _FILE).exists()


def read(folder: Path, kind: type[_R] = Record) -> _R:
    """A validated record; `UserError` (exit code 3) names the file and what is wrong with it."""
    file = folder / _FILE
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(fields, dict) and fields.get("schema_version") == 1:
            fields = _of_schema_1(fields)
        return kind.model_validate(fields)
    except pydantic.ValidationError as error:
        raise unreadable(file, error.errors()[0]["msg"]) from error
    except (ValueError, KeyError, TypeError) as error:
        raise unreadable(file, str(error)) from error


def _of_schema_1(fields: dict[str, Any]) -> dict[str, Any]:
    """A record of version 0.1.0 and earlier, in today's fields; its key is one of no new trial."""
    renamed = {"cell": "configuration", "changes": "overrides"}
    fields = {renamed.get(name, name): value for name, value in fields.items()}
    budget = percent(fields["ratio"])
    settings = {name: value for name, value in fields["settings"].items() if name != "ratio"}
    return fields | {
        "schema_version": SCHEMA, "budget": budget, "budget_order": fields["ratio"],
        "settings": settings | {"budget": budget} if settings else settings,
    }  # fmt: skip


def unreadable(file: Path, why: str) -> UserError:
    """The error for a record that is not as it was written."""
    return UserError(
        f"the record {file} is not readable ({why}). Nothing writes half a record, so "
        f"something else changed it: restore it, or delete {file.parent} to run it again",
        ExitCode.DATA,
    )


def read_all(study_folder: Path) -> list[Record]:
    """All records of a study's trials, sorted by key."""
    return [read(f.parent) for f in sorted(study_folder.glob(f"trials/*/{_FILE}"))]


def done_keys(study_folder: Path) -> set[str]:
    """Keys of the trials that need not run again."""
    return {record.key for record in read_all(study_folder) if record.is_done}


def contradict(first: Record, second: Record) -> bool:
    """Are these two runs of one trial that ended in different numbers?"""

    def text(record: Record) -> str:  # in which a NaN equals itself
        return json.dumps(record.model_dump(exclude=set(MAY_DIFFER)), sort_keys=True)

    return first.is_done and second.is_done and text(first) != text(second)


def remove_left_overs(folder: Path) -> None:
    """Delete half-written files that a killed process left long ago.

    Younger ones may be another process's at work: a worker outlives its driver by seconds.
    """
    for file in folder.glob("*.tmp"):
        if time.time() - file.stat().st_mtime > _LEFT_OVER_SECONDS:
            file.unlink(missing_ok=True)


def trial_record(study_folder: Path, key: str) -> Record | None:
    """The record of the trial of this key, if it came to an end."""
    folder = trial_folder(study_folder, key)
    return read(folder) if exists(folder) else None


def pretraining_record(study_folder: Path, key: str) -> PretrainingRecord | None:
    """What the pretraining of this key left; None if nothing readable, for it can be made again."""
    try:
        return read(pretraining_folder(study_folder, key), PretrainingRecord)
    except (FileNotFoundError, UserError):
        return None


def usable_pretraining(study_folder: Path, key: str, code: Code) -> PretrainingRecord | None:
    """The record, if it is done and by this code: half of a method by each would be of neither."""
    found = pretraining_record(study_folder, key)
    return found if found and found.is_done and found.code == code else None


def size_of(settings: Mapping[str, Any]) -> str:
    """Of the images, or of the patches of volumes, as the settings have it: 128x128."""
    return "x".join(map(str, settings.get("size") or settings.get("patch") or []))
