"""Records ⇄ disk. The records are the truth; `results.csv` is a view of them, always rebuilt.

`results/<study>/trials/<key>/record.json` appears last and whole, after its neighbours
(`history.csv`, `cases.csv`, `config.yaml`, `panel.npz`): a folder without it is a trial to be run.
The columns are described in `results/README.md`.
"""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pydantic
from filelock import FileLock
from pydantic import BaseModel, ConfigDict

from benchmark.errors import ExitCode, UserError
from benchmark.folders import studies, trial_folder, write_atomically
from benchmark.study import label

__all__ = ["studies", "trial_folder", "write_atomically"]  # so that `results` is all one needs

SCHEMA = 1
_LEFT_OVER_SECONDS = 3600.0


class Record(BaseModel):
    """What one finished or failed trial leaves. A failed one has no metrics."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    schema_version: Literal[1] = SCHEMA
    key: str
    cell: str
    study: str
    status: Literal["done", "failed"]
    error: str = ""
    dataset: str
    ratio: float
    method: str
    variant: str
    seed: int
    evaluate_on: str
    preset: str
    changes: str = ""
    """Settings that were typed over those of the preset, as typed."""
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
    seconds_total: float | None = None
    peak_memory_mib: float | None = None
    settings: dict[str, Any] = {}
    data_hash: str = ""
    data_partial: str = ""
    split_hash: str = ""
    subset_hash: str = ""
    code_version: str = ""
    packages: dict[str, str] = {}
    host: str = ""
    device: str = ""
    finished_at: str = ""

    @property
    def is_done(self) -> bool:
        return self.status == "done"

    @property
    def label(self) -> str:
        """For people: cps/glas/5 %/seed 3."""
        return label(self.variant, self.dataset, self.ratio, self.seed)

    @property
    def summary(self) -> str:
        """For people, of a trial that is done."""
        return f"DC {self.metrics['dc_pooled']:.4f} in {self.seconds_total:.0f} s"


# Figures that differ from run to run of the same trial; everything else is repeatable.
VOLATILE = (
    "seconds_pretrain", "seconds_train", "seconds_total", "peak_memory_mib", "host", "device",
    "finished_at",
)  # fmt: skip
_NOT_IN_TABLE = ("schema_version", "settings", "packages", "metrics")
_FIRST_METRICS = [
    f"{prefix}{metric}_{aggregate}"
    for prefix in ("", "oracle_", "all_background_", "all_foreground_")
    for metric in ("dc", "ji")
    for aggregate in ("pooled", "case")
]


def remove_left_overs(folder: Path) -> None:
    """Delete half-written files that a killed process left long ago.

    Younger ones may be another process's at work: a worker outlives its driver by seconds.
    """
    for file in folder.glob("*.tmp"):
        if time.time() - file.stat().st_mtime > _LEFT_OVER_SECONDS:
            file.unlink(missing_ok=True)


def write_record(study_folder: Path, record: Record) -> None:
    """The last write of a trial."""
    folder = trial_folder(study_folder, record.key)
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "record.json", record.model_dump_json(indent=1))


def write_table(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as CSV, numbers in full precision."""
    write_atomically(file, pd.DataFrame(list(rows)).to_csv(index=False))


def read_record(file: Path) -> Record:
    """A validated record; `UserError` (exit code 3) names the file and what is wrong with it."""
    try:
        return Record.model_validate_json(file.read_text(encoding="utf-8"))
    except (pydantic.ValidationError, UnicodeDecodeError) as error:
        first = str(error.errors()[0]["msg"] if hasattr(error, "errors") else error)
        raise UserError(
            f"the record {file} is not readable ({first}). Nothing writes half a record, so "
            f"something else changed it: restore it, or delete {file.parent} to run it again",
            ExitCode.DATA,
        ) from error


def read_records(study_folder: Path) -> list[Record]:
    """All records of a study, sorted by key."""
    return [read_record(f) for f in sorted(study_folder.glob("trials/*/record.json"))]


def done_keys(study_folder: Path) -> set[str]:
    """Keys of the trials that need not run again."""
    return {record.key for record in read_records(study_folder) if record.is_done}


def table(records: Iterable[Record]) -> pd.DataFrame:
    """One row a trial: settings, then metrics, then costs and provenance."""
    rows = []
    for record in records:
        fields = record.model_dump(exclude=set(_NOT_IN_TABLE))
        rows.append({**fields, "size": _size(record.settings), **record.metrics})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=[f for f in Record.model_fields if f not in _NOT_IN_TABLE])
    fields = [f for f in Record.model_fields if f not in _NOT_IN_TABLE]
    others = [c for c in frame.columns if c not in {*fields, *_FIRST_METRICS, "size"}]
    at = fields.index("parameters")
    known = [c for c in _FIRST_METRICS if c in frame.columns]
    frame = frame[[*fields[:at], *known, *sorted(others), "size", *fields[at:]]]
    order = ["dataset", "evaluate_on", "ratio", "variant", "seed", "key"]
    return frame.sort_values(order, ignore_index=True)


def _size(settings: Mapping[str, Any]) -> str:
    """Of the images, or of the patches of volumes, as the settings have it: 128x128."""
    return "x".join(map(str, settings.get("size") or settings.get("patch") or []))


def rebuild_csv(study_folder: Path) -> Path:
    """Write `results.csv` from the records; returns its path.

    Locked from reading to writing: of two shards that end together, the later table is the fuller.
    """
    file = study_folder / "results.csv"
    with FileLock(study_folder / ".table.lock", timeout=600):
        write_atomically(file, table(read_records(study_folder)).to_csv(index=False))
    return file
