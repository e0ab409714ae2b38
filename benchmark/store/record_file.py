"""The file of a record: written last and whole, read with doubt, for strangers send them too.

`results/<study>/trials/<key>/record.json` appears after its neighbours (`history.csv`, `cases.csv`,
`config.yaml`, `panel.npz`): a folder without it is a trial to be run. The records are the truth;
the table of them (`store.tables`) is a view.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pydantic

from benchmark import files
from benchmark.data.split.budget import Budget
from benchmark.errors import ExitCode, UserError
from benchmark.files import write_atomically
from benchmark.keys import digest, plain
from benchmark.store import layout
from benchmark.store.layout import LARGEST_RECORD, RECORD, pretraining_folder, trial_folder
from benchmark.store.record import SCHEMA, JobRecord, PretrainingRecord, Record
from benchmark.study.sources import Code
from benchmark.study.syntax import SEEDS, Variant
from benchmark.wording import percent, printable

_ONLY_VALUES = {"pathways": "separate", "image_to_mask": "z_scores"}
"""Hyper-parameters of version 0.1.0 that are gone → what every trial since does."""

_R = TypeVar("_R", bound=JobRecord)


def write(folder: Path, record: JobRecord) -> None:
    """The last write of a job, into its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = json.loads(record.model_dump_json())
    content = json.dumps(fields | {"checksum": checksum_of(fields)}, indent=1, ensure_ascii=False)
    write_atomically(folder / RECORD, content)


def checksum_of(fields: Mapping[str, Any]) -> str:
    """Of values, not of bytes: line ends and spaces do not count."""
    return files.checksum(json.dumps(fields, sort_keys=True).encode())


def exists(folder: Path) -> bool:
    """Is there a record in the job's folder?"""
    return (folder / RECORD).exists()


def read(folder: Path, kind: type[_R] = Record) -> _R:
    """A validated record; `UserError` (exit code 3) names the file and what is wrong with it."""
    try:
        return _read(folder, kind)
    except _Damaged as error:
        raise UserError(
            f"the record {folder / RECORD} is damaged ({error}). Nothing writes half a record, so "
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
        content = files.read_within(folder.parent.parent, folder / RECORD, LARGEST_RECORD)
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
    if "settings" not in fields:  # of a pretraining
        return
    settings = plain(fields["settings"])
    if digest(settings) != fields["key"]:
        raise ValueError("its key is not that of its settings")
    without_seeds = {name: value for name, value in settings.items() if name not in SEEDS}
    if settings and fields.get("configuration", "") not in ("", digest(without_seeds)):
        raise ValueError("its configuration is not that of its settings")


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
    for folder, content in files.read_each(study_folder / "trials", RECORD, LARGEST_RECORD):
        try:
            if isinstance(content, ValueError):
                raise _Damaged(str(content))
            found.records.append(_parsed(folder, content, Record))
        except _Damaged as error:
            found.damaged[folder] = str(error)
    return found


def set_aside(folder: Path) -> Path:
    """Rename a damaged record, so that its trial counts as not run; returns the new name."""
    return files.set_aside(folder if folder.is_symlink() else folder / RECORD)


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
