"""What a job leaves: the record of a trial or of a pretraining, written last and whole.

`results/<study>/trials/<key>/record.json` appears after its neighbours (`history.csv`, `cases.csv`,
`config.yaml`, `panel.npz`): a folder without it is a trial to be run. The records are the truth;
the table of them (`store.tables`) is a view.
"""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import pydantic
from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark import files
from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Roles
from benchmark.errors import ExitCode, UserError
from benchmark.files import write_atomically
from benchmark.keys import fingerprint, plain
from benchmark.store import layout
from benchmark.store.layout import pretraining_folder, trial_folder
from benchmark.study.sources import Code
from benchmark.study.syntax import Variant, seed_name, trial_name
from benchmark.wording import percent, printable

SCHEMA = 2
_FILE = "record.json"
_LARGEST = 2**20  # bytes; that of a real trial has some thousand
_MOST_METRICS = 1000
_LONGEST_CLASS = 200
_LONGEST_NAME = 1000  # of a variant with many changes
_METRIC = re.compile(r"[a-z0-9_]{1,100}")
_PLAIN = re.compile(r"\w{1,100}")
_SHARE = re.compile(r"(.*_)?(dc|ji)_.*")


Amount = Annotated[int, Field(ge=0, lt=2**63)] | None
Quantity = Annotated[float, Field(ge=0)] | None


_ONLY_VALUES = {"pathways": "separate", "image_to_mask": "z_scores"}
"""Hyper-parameters of version 0.1.0 that are gone → what every trial since does."""


def possible_metrics(metrics: dict[str, int | float | None]) -> dict[str, int | float | None]:
    """The metrics; `ValueError` for what no trial has. A score may be NaN or infinite."""
    if len(metrics) > _MOST_METRICS:
        raise ValueError(f"{len(metrics)} metrics")
    for name, value in metrics.items():
        if not _METRIC.fullmatch(name):
            raise ValueError(f"no metric is named {name[:40]!r}")
        largest = 1.0 if _SHARE.fullmatch(name) else math.inf
        if value is not None and math.isfinite(value) and not 0 <= value <= largest:
            raise ValueError(f"{name} cannot be {value:g}")
    return metrics


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
    seconds_total: Quantity = None
    """Of the whole last attempt."""
    peak_memory_mib: Quantity = None
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

    @property
    def numbers(self) -> dict[str, int | float | None]:
        """What it found, by name; empty of a job that failed."""
        raise NotImplementedError


class PretrainingRecord(JobRecord):
    """What a pretraining leaves beside its weights."""

    label: str
    weights: str = ""
    """Checksum of their file (SHA-256)."""
    steps: int = 0
    seconds_train: float = 0.0
    flops_per_step: int = 0
    code_version: str = ""
    figures: dict[str, float] = {}
    """What the method says of images after it (`Method.examine`), means over the pool."""
    doubts: list[str] = []
    """What is wrong with it, a sentence each."""

    @field_validator("figures")
    @classmethod
    def _named(cls, figures: dict[str, float]) -> dict[str, float]:
        if len(figures) > _MOST_METRICS:
            raise ValueError(f"{len(figures)} figures")
        for name in figures:
            if not _METRIC.fullmatch(name):
                raise ValueError(f"no figure is named {name[:40]!r}")
        return figures

    @property
    def numbers(self) -> dict[str, int | float | None]:
        return dict(self.figures)

    @property
    def summary(self) -> str:
        warning = "".join(f"; warning: {doubt}" for doubt in self.doubts)
        return f"{self.steps} steps in {self.seconds_total:.0f} s{warning}"


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
    ratio: float | None = Field(ge=0, le=1)
    """The share of the images with masks that was asked for; None of other budgets."""
    method: str
    variant: str
    seed: int = Field(ge=0, lt=2**63)
    subset_seed: Amount = None
    """Of the labelled subset, where it is another."""
    evaluate_on: str = Field(pattern=r"^(test|dev|fold [1-9]\d?/[1-9]\d?)$")
    tuned: str = Field(default="", max_length=_LONGEST_NAME)
    """How a tuning study chose the variant; "" where none did, and in records from before."""
    preset: str
    overrides: str = ""
    """Command-line overrides of the preset's settings, as typed."""
    n_labelled: Amount = None
    n_unlabelled: Amount = None
    n_test: Amount = None
    n_val: Amount = None
    """Of the validation set that the data came with, where it is not what is evaluated."""
    n_labelled_foreground: Amount = None
    """Labelled images that have any foreground; 0: nothing teaches what it looks like. None in
    records from before."""
    metrics: dict[str, int | float | None] = {}
    """Columns of `results.csv`, such as dc_pooled (final step, argmax) and oracle_dc_pooled."""
    parameters: Amount = None
    parameters_tested: Amount = None
    flops_per_step: Amount = None
    steps: Amount = None
    pretrain_key: str = ""
    pretrain_steps: Amount = None
    pretrain_flops_per_step: Amount = None
    seconds_pretrain: Quantity = None
    """Of the pretraining that the trial started from, which others may share."""
    seconds_train: Quantity = None
    seconds_evaluate: Quantity = None
    """Of all evaluations together; None in records from before."""
    settings: dict[str, Any] = {}
    data_hash: str = ""
    data_partial: str = ""
    classes: list[str] = []
    """Their names, the background first; [] in records from before."""
    split_hash: str = ""
    subset_hash: str = ""
    code_version: str = ""
    packages: dict[str, str] = {}
    host: str = ""
    finished_at: str = ""

    @field_validator("budget", "variant")
    @classmethod
    def _text(cls, name: str) -> str:
        """Tables and figures show it."""
        if not name or len(name) > _LONGEST_NAME or not name[0].isalnum():
            raise ValueError(f"no name is {name[:40]!r}")
        return name

    @field_validator("dataset", "method")
    @classmethod
    def _name(cls, name: str) -> str:
        """It is in the names of files too."""
        if not _PLAIN.fullmatch(name):
            raise ValueError(f"no name is {name[:40]!r}")
        return name

    @field_validator("classes")
    @classmethod
    def _few_names(cls, classes: list[str]) -> list[str]:
        """Tables show them too."""
        if len(classes) > 255 or any(len(name) > _LONGEST_CLASS for name in classes):
            raise ValueError("no dataset has so many classes, or such names of them")
        return classes

    @field_validator("data_hash", "pretrain_key")
    @classmethod
    def _hash(cls, text: str) -> str:
        """So is this, where it is known."""
        return cls._name(text) if text else text

    @field_validator("metrics")
    @classmethod
    def _possible(cls, metrics: dict[str, int | float | None]) -> dict[str, int | float | None]:
        """Records come from strangers too."""
        return possible_metrics(metrics)

    @property
    def subset(self) -> int:
        """The seed of its labelled subset."""
        return self.seed if self.subset_seed is None else self.subset_seed

    @property
    def seed_name(self) -> str:
        """For people."""
        return seed_name(self.seed, self.subset_seed)

    @property
    def roles(self) -> Roles:
        """What became of the dataset's splits."""
        rest = {name: self.settings[name] for name in _ROLES if name in self.settings}
        return Roles(self.evaluate_on, **rest)

    @property
    def label(self) -> str:
        """For people: cps/glas/5 %/seed 3."""
        fold = self.roles.fold
        return trial_name(self.variant, self.dataset, self.budget, self.seed_name, fold)

    @property
    def numbers(self) -> dict[str, int | float | None]:
        return self.metrics

    @property
    def summary(self) -> str:
        return f"DC {self.metrics['dc_pooled']:.4f} in {self.seconds_total:.0f} s"


MAY_DIFFER = (
    "study", "preset", "overrides", "error", "method_code", "tool_code", "seconds_pretrain",
    "seconds_train", "seconds_evaluate", "seconds_total", "peak_memory_mib", "flops_per_step",
    "pretrain_flops_per_step", "data_partial", "code_version", "packages", "host", "device",
    "finished_at", "n_labelled_foreground", "classes", "tuned",
)  # fmt: skip
"""Fields of a record in which two runs of one trial may differ: names, times, places, versions,
what PyTorch counts, and what older versions did not note. All others must be equal."""

_R = TypeVar("_R", bound=JobRecord)


def write(folder: Path, record: JobRecord) -> None:
    """The last write of a job, into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = json.loads(record.model_dump_json())
    content = json.dumps(fields | {"checksum": checksum_of(fields)}, indent=1, ensure_ascii=False)
    write_atomically(folder / _FILE, content)


def checksum_of(fields: Mapping[str, Any]) -> str:
    """Of values, not of bytes: line ends and spaces do not count."""
    return files.checksum(json.dumps(fields, sort_keys=True).encode())


def exists(folder: Path) -> bool:
    """Is there a record in the job's folder?"""
    return (folder / _FILE).exists()


def read(folder: Path, kind: type[_R] = Record) -> _R:
    """A validated record; `UserError` (exit code 3) names the file and what is wrong with it."""
    try:
        return _read(folder, kind)
    except _Damaged as error:
        raise UserError(
            f"the record {folder / _FILE} is damaged ({error}). Nothing writes half a record, so "
            "something else changed it: restore it; or the same `bench run` as before sets it "
            "aside and runs the trial again",
            ExitCode.DATA,
        ) from error


_DAMAGES = (
    ValueError, KeyError, TypeError, RecursionError, OverflowError, AttributeError, UserError,
)  # fmt: skip


class _Damaged(Exception):
    """A record is not as it was written: in what."""


def _read(folder: Path, kind: type[_R]) -> _R:
    try:
        content = files.read_within(folder.parent.parent, folder / _FILE, _LARGEST)
    except _DAMAGES as error:
        raise _Damaged(str(error)) from error
    return _parsed(folder, content, kind)


def _parsed(folder: Path, content: bytes, kind: type[_R]) -> _R:
    """The record that these bytes are, if they are one of the job with this folder."""
    try:
        found = kind.model_validate(_fields(content.decode("utf-8-sig")))
        if isinstance(found, Record):
            _require_agreement(found)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise _Damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except _DAMAGES as error:
        raise _Damaged(str(error)) from error
    if found.key != folder.name:
        raise _Damaged(f"it is of the trial {found.key}: the folder was renamed or copied")
    return found


def _fields(text: str) -> dict[str, Any]:
    fields = json.loads(text)
    if not isinstance(fields, dict):
        raise ValueError(f"no fields, but {type(fields).__name__}")
    if "checksum" in fields:  # those of before have none
        _require_whole(fields)
    if "\\" in text or not text.replace("\n", "").isprintable():
        fields = printable(fields)  # what a stranger wrote is shown too
    return _of_schema_1(fields) if fields.get("schema_version") == 1 else fields


_ROLES = ("val_as", "unlabelled", "slices")
_STAND_TWICE = (
    "dataset", "data_hash", "budget", "method", "seed", "subset_seed", "evaluate_on",
)  # fmt: skip


def _require_agreement(found: Record) -> None:
    """`ValueError` if what a report shows of a trial is not what its settings are."""
    for name in _STAND_TWICE:
        there = found.settings.get(name, getattr(found, name))
        if there != getattr(found, name):
            raise ValueError(f"{name} is {getattr(found, name)!r}, in its settings {there!r}")
    meant = Budget.recorded(found.budget)
    if (found.budget, found.ratio) != (meant.text, meant.share):
        raise ValueError(f"budget is {found.budget}, and the labelled share {found.ratio}")
    typed = Variant.parse(found.variant)
    if typed.method != found.method:
        raise ValueError(f"the variant {found.variant[:40]!r} is none of {found.method}")
    hyperparameters = found.settings.get("hyperparameters", {})
    for name, value in typed.changes.items():
        meant = math.inf if value == "inf" else value
        if plain(hyperparameters.get(name, meant)) != plain(meant):
            raise ValueError(f"the variant {found.variant[:80]!r} is not what its settings say")


def _require_whole(fields: dict[str, Any]) -> None:
    """Take out the checksum; `ValueError` if it is of something else, or the key is."""
    if fields.pop("checksum") != checksum_of(fields):
        raise ValueError("its checksum is of other content")
    if "settings" in fields and fingerprint(fields["settings"]) != fields["key"]:
        raise ValueError("its key is not that of its settings")


def _of_schema_1(fields: dict[str, Any]) -> dict[str, Any]:
    """A record of version 0.1.0 and earlier, in today's fields; its key is one of no new trial."""
    renamed = {"cell": "configuration", "changes": "overrides"}
    fields = {renamed.get(name, name): value for name, value in fields.items()}
    budget = percent(fields["ratio"])
    settings = {name: value for name, value in fields["settings"].items() if name != "ratio"}
    given = settings.get("hyperparameters", {})
    for name, value in _ONLY_VALUES.items():
        if given.get(name) == value:
            settings["hyperparameters"] = given = {k: v for k, v in given.items() if k != name}
    return fields | {
        "schema_version": SCHEMA, "budget": budget, "budget_order": fields["ratio"],
        "settings": settings | {"budget": budget} if settings else settings,
    }  # fmt: skip


class Found(NamedTuple):
    """What lies in a study's folder of trials."""

    records: list[Record]
    """Sorted by key."""
    damaged: dict[Path, str]
    """Folder → what is wrong with its record: nothing of it counts."""

    @property
    def notes(self) -> list[str]:
        """What does not count, for people."""
        return [
            f"left out: the record in trials/{folder.name} is damaged ({why})"
            for folder, why in self.damaged.items()
        ]


def survey(study_folder: Path) -> Found:
    """All records of a study's trials; a damaged one hides no other."""
    found = Found([], {})
    for folder, content in files.read_each(study_folder / "trials", _FILE, _LARGEST):
        try:
            if isinstance(content, ValueError):
                raise _Damaged(str(content))
            found.records.append(_parsed(folder, content, Record))
        except _Damaged as error:
            found.damaged[folder] = str(error)
    return found


def set_aside(folder: Path) -> Path:
    """Rename a damaged record, so that its trial counts as not run; returns the new name."""
    return files.set_aside(folder if folder.is_symlink() else folder / _FILE)


def contradict(first: Record, second: Record) -> bool:
    """Are these two runs of one trial that ended in different numbers?

    What only one of them measured is no contradiction: versions add metrics.
    """
    measured = first.metrics.keys() & second.metrics.keys()

    def text(record: Record) -> str:  # in which a NaN equals itself
        fields = record.model_dump(exclude=set(MAY_DIFFER))
        metrics = {name: value for name, value in record.metrics.items() if name in measured}
        return json.dumps(fields | {"metrics": metrics}, sort_keys=True)

    return first.is_done and second.is_done and text(first) != text(second)


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


def unusable(study_folder: Path, key: str, code: Code) -> str | None:
    """Why no trial can start from the pretraining of this key; None if one can.

    "" where none was made; otherwise words for people. Half of a method by each code would be of
    neither.
    """
    if not exists(pretraining_folder(study_folder, key)):
        return ""
    found, weights = pretraining_record(study_folder, key), layout.weights(study_folder, key)
    if found is None:
        return "its record is damaged"
    if not found.is_done:
        return "it failed"
    if found.code != code:
        return "it was made by other code"
    if not weights.is_file():
        return "its weights are gone"
    if files.checksum(weights.read_bytes()) != found.weights:
        return "its weights are damaged"
    return None


def size_of(settings: Mapping[str, Any]) -> str:
    """Of the images, or of the patches of volumes, as the settings have it: 128x128."""
    return "x".join(map(str, settings.get("size") or settings.get("patch") or []))
