"""What a job leaves: the record of a trial or of a pretraining (`record_file` has its file)."""

import json
import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.data.split.roles import Fold, Roles
from benchmark.study.sources import Code
from benchmark.study.syntax import seed_name, trial_name

SCHEMA = 2
_MOST_METRICS = 10_000  # 255 classes have less than half
_LONGEST_CLASS = 200
_LONGEST_NAME = 1000  # of a variant with many changes
_METRIC = re.compile(r"[a-z0-9_]{1,100}")
_PLAIN = re.compile(r"\w{1,100}")
_SHARE = re.compile(r"(.*_)?(dc|ji)_.*")


Amount = Annotated[int, Field(ge=0, lt=2**63)] | None
Quantity = Annotated[float, Field(ge=0)] | None


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
    evaluate_on: str
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

    @field_validator("evaluate_on")
    @classmethod
    def _set(cls, name: str) -> str:
        if name not in ("test", "dev") and Fold.parse(name) is None:
            raise ValueError(f"nothing is evaluated on {name[:40]!r}")
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
        rest = {name: self.settings[name] for name in Roles._fields[1:] if name in self.settings}
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


def size_of(settings: Mapping[str, Any]) -> str:
    """Of the images, or of the patches of volumes, as the settings have it: 128x128."""
    return "x".join(map(str, settings.get("size") or settings.get("patch") or []))
