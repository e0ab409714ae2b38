"""What a trial scores on further test sets: files beside its record, with checksums of their own.

`trials/<key>/on-NAME.json` may come long after the record, and changes nothing of it.
"""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pandas as pd
import pydantic
from pydantic import BaseModel, ConfigDict, Field

from benchmark.files import read_each, write_atomically
from benchmark.store.layout import trial_folder
from benchmark.store.record import possible_metrics
from benchmark.store.record_file import checksum_of

_LARGEST = 2**20  # bytes
_FILE = re.compile(r"on-([a-z0-9_]{1,100})\.json")


class OnTestSet(BaseModel):
    """Scores of one trial on one further test set."""

    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")

    key: str
    """Of the trial."""
    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,100}$")]
    data_hash: str
    """Of the test set's prepared data."""
    n_test: int = Field(ge=0)
    metrics: dict[str, int | float | None]
    """Columns of `results.csv`: final step, and the trivial floors."""
    code_version: str = ""
    tool_code: str = ""
    device: str = ""
    evaluated_at: str = ""

    @pydantic.field_validator("metrics")
    @classmethod
    def _possible(cls, metrics: dict[str, int | float | None]) -> dict[str, int | float | None]:
        return possible_metrics(metrics)


def write(study_folder: Path, found: OnTestSet) -> None:
    """Beside the trial's record."""
    fields = json.loads(found.model_dump_json())
    content = json.dumps(fields | {"checksum": checksum_of(fields)}, indent=1)
    write_atomically(trial_folder(study_folder, found.key) / f"on-{found.name}.json", content)


def names(study_folder: Path) -> list[str]:
    """Of all test sets that any trial of the study was evaluated on."""
    trials = study_folder / "trials"
    files = {file for folder in _listed(trials) for file in _listed(trials / folder)}
    return sorted(match[1] for file in files if (match := _FILE.fullmatch(file)))


def _listed(folder: Path) -> list[str]:
    """What lies in it; nothing if it is no folder, or has gone meanwhile."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def survey(study_folder: Path, name: str) -> tuple[dict[str, OnTestSet], list[str]]:
    """Key → what the trial scores there; and a line for each file that is not as it was written."""
    found: dict[str, OnTestSet] = {}
    damaged = []
    for folder, content in read_each(study_folder / "trials", f"on-{name}.json", _LARGEST):
        try:
            if isinstance(content, ValueError):
                raise content
            found[folder.name] = _parsed(content, folder.name, name)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            why = str(error).partition("\n")[0]
            damaged.append(f"left out: trials/{folder.name}/on-{name}.json is damaged ({why})")
    return found, damaged


def _parsed(content: bytes, key: str, name: str) -> OnTestSet:
    fields = json.loads(content)
    if fields.pop("checksum") != checksum_of(fields):
        raise ValueError("its checksum is of other content")
    found = OnTestSet.model_validate(fields)
    if (found.key, found.name) != (key, name):
        raise ValueError(f"it is of the trial {found.key} on {found.name}")
    return found


def with_test_sets(study_folder: Path, trials: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The trials, and each again for every further test set, as a dataset "glas on b" of its own.

    Those lines have what was measured there alone: no epoch was chosen on it. Also what does not
    count, for people.
    """
    parts, notes = [trials], []
    for name in names(study_folder):
        found, damaged = survey(study_folder, name)
        notes += damaged
        rows = trials[trials.key.isin(found)]
        if len(rows):
            parts.append(_lines(rows, name, [found[key] for key in rows.key]))
    return pd.concat(parts, ignore_index=True) if len(parts) > 1 else trials, notes


def _lines(rows: pd.DataFrame, name: str, found: Iterable[OnTestSet]) -> pd.DataFrame:
    found = list(found)
    measured = pd.DataFrame([one.metrics for one in found], index=rows.index)
    about = {
        "dataset": rows.dataset + f" on {name}",
        "data_hash": [one.data_hash for one in found],
        "n_test": [one.n_test for one in found],
        "data_partial": "",
        "key": rows.key + f"/{name}",  # its tables are not those of the trial
    }
    fields = [c for c in rows.columns if not c.startswith(_SCORES)]
    return rows[fields].assign(**about).join(measured)


_SCORES = ("dc_", "ji_", "oracle_", "val_", "all_", "hd95_", "asd_", "nsd_", "n_empty", "n_one",
           "n_lost", "n_false", "n_absent", "n_predicted", "sensitivity", "precision")  # fmt: skip
