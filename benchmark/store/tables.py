"""Records as tables: `results.csv`, always rebuilt, and the frames that reports are made of."""

import contextlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy import ndarray
from numpy.lib import format as npy

from benchmark.data.prepared import objection
from benchmark.errors import ExitCode, UserError
from benchmark.files import locked, read_each, read_within, write_atomically
from benchmark.store import datasets, record, record_file
from benchmark.store.layout import pretraining_folder, trial_folder
from benchmark.store.record import Record
from benchmark.wording import without_formula

_DAMAGES = (ValueError, TypeError, KeyError, EOFError, RuntimeError, NotImplementedError)
_LONGEST_HEAD = 2**16  # bytes of a table's first line
_LARGEST = 2**26  # bytes of a table, or of pictures unpacked
_NESTED = ("schema_version", "settings", "packages", "metrics", "classes")
_FIRST_METRICS = [
    f"{prefix}{metric}_{aggregate}"
    for prefix in ("", "oracle_", "all_background_", "all_foreground_")
    for metric in ("dc", "ji")
    for aggregate in ("pooled", "case")
]
_FIRST_FIELDS = ("key", "configuration", "study", "status", "error")
_LAST_FIELDS = ("seconds_total", "peak_memory_mib", "device", "method_code", "tool_code")
_OF_A_TRIAL = {"case", "image_0", "target_0", "prediction_0"}
_OF_A_PRETRAINING = {"image_0", "pseudo_label_0"}
_WHERE = ["dataset", "budget", "variant", "seed"]
_ORDER = ["dataset", "evaluate_on", "budget_order", "variant", "seed", "key"]


def write_table(file: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as CSV, numbers in full precision."""
    write_atomically(file, pd.DataFrame(list(rows)).map(without_formula).to_csv(index=False))


def rebuild(study_folder: Path) -> None:
    """Write `results.csv` from the records.

    Locked from reading to writing: of two shards that end together, the later table is the fuller.
    """
    with locked(study_folder / ".table.lock", 600.0):
        records = datasets.with_units(study_folder, record_file.survey(study_folder).records)
        text = table(records).map(without_formula).to_csv(index=False)
        write_atomically(study_folder / "results.csv", text)


def table(records: Iterable[Record]) -> pd.DataFrame:
    """One row a trial: settings, then metrics, then costs and provenance. See results/README.md."""
    others = [f for f in Record.__annotations__ if f not in (*_NESTED, *_FIRST_FIELDS)]
    fields = [*_FIRST_FIELDS, *others, *_LAST_FIELDS]
    rows = [
        {
            **found.model_dump(exclude=set(_NESTED)),
            "size": record.size_of(found.settings),
            **found.metrics,
        }
        for found in records
    ]
    if not rows:
        return pd.DataFrame(columns=fields)
    frame = pd.DataFrame(rows)
    further = [c for c in frame.columns if c not in {*fields, *_FIRST_METRICS, "size"}]
    at = fields.index("parameters")
    known = [c for c in _FIRST_METRICS if c in frame.columns]
    frame = frame[[*fields[:at], *known, *sorted(further), "size", *fields[at:]]]
    return frame.sort_values(_ORDER, ignore_index=True)


def trials(records: Iterable[Record]) -> pd.DataFrame:
    """One row a trial: the columns of `results.csv`; as in the record `settings`, `classes` and
    `packages`.
    """
    records = list(records)
    frame = table(records)
    nested = {
        name: frame.key.map({found.key: getattr(found, name) for found in records})
        for name in ("settings", "classes", "packages")
    }
    return frame.assign(**nested)


def stacked(study_folder: Path, rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The tables of this name (history.csv, cases.csv, classes.csv) of these trials, stacked.

    Each line says of which trial it is, by key and by dataset, budget, variant and seed; trials
    without the file have none.
    """
    wanted = rows.set_index("key")[_WHERE]
    found = {
        folder.name: content
        for folder, content in read_each(study_folder / "trials", name, _LARGEST)
        if folder.name in wanted.index
    }
    if not found:
        return pd.DataFrame(columns=["key", *_WHERE])
    for key, content in found.items():
        with _readable(trial_folder(study_folder, key) / name):
            if isinstance(content, ValueError):
                raise content
    parts = [_together(study_folder, name, group) for group in _alike(found)]
    lines = pd.concat(parts, ignore_index=True)
    order = {key: place for place, key in enumerate(wanted.index)}
    lines = lines.sort_values("key", key=lambda keys: keys.map(order), kind="stable")
    of_each = wanted.loc[lines.key].set_index(lines.index)
    return pd.concat([lines, of_each], axis=1).reset_index(drop=True)


_Contents = dict[str, bytes]  # key → of the trial's table


def _alike(found: _Contents) -> list[_Contents]:
    """Tables of the same first line together."""
    groups: dict[bytes, _Contents] = {}
    for key, content in found.items():
        groups.setdefault(content.partition(b"\n")[0], {})[key] = content
    return list(groups.values())


def _together(study_folder: Path, name: str, contents: _Contents) -> pd.DataFrame:
    """Tables of one first line as one, with a column `key`: thousands are parsed at once.

    If that fails, or finds other lines than the files have, each is read alone, and the first that
    is damaged is named.
    """
    try:
        return _at_once(contents, name)
    except _DAMAGES:
        pass
    parts = []
    for key, content in contents.items():
        with _readable(trial_folder(study_folder, key) / name):
            lines = _table_of(io.BytesIO(content)).assign(key=key)
            _require_possible(lines, name)
        parts.append(lines)
    return pd.concat(parts, ignore_index=True)


def _table_of(content: io.BytesIO) -> pd.DataFrame:
    """Lines of trials' CSVs. A case may be named NA, 01 or 1e3: that is a text all the same."""
    head = content.readline(_LONGEST_HEAD)
    if len(head) == _LONGEST_HEAD:
        raise ValueError("a first line longer than any trial's")
    content.seek(0)
    names = pd.read_csv(io.BytesIO(head), nrows=0).columns
    missing = {name: [""] for name in names if name != "case"}
    lines = pd.read_csv(content, dtype={"case": str}, keep_default_na=False, na_values=missing)
    return lines.drop(columns=["key", *_WHERE], errors="ignore")  # a stranger's: ours are put there


def _at_once(contents: _Contents, name: str) -> pd.DataFrame:
    head = next(iter(contents.values())).partition(b"\n")[0]
    bodies = {
        key: content[len(head) + 1 :].removesuffix(b"\n") for key, content in contents.items()
    }
    counts = {key: body.count(b"\n") + 1 for key, body in bodies.items() if body}
    lines = _table_of(io.BytesIO(b"\n".join([head, *(bodies[key] for key in counts)])))
    if len(lines) != sum(counts.values()):
        raise ValueError("a line end within a field")
    lines["key"] = np.repeat(list(counts), list(counts.values()))
    _require_possible(lines, name)
    return lines


def cases(study_folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """The lines of `cases.csv` of all these trials; `UserError` (exit code 3) if one has none."""
    missing = [
        row for row in rows.itertuples()
        if not (trial_folder(study_folder, row.key) / "cases.csv").exists()
    ]  # fmt: skip
    if missing:
        first = missing[0]
        raise UserError(
            f"intervals over cases need the file cases.csv of every trial; {len(missing)} of "
            f"{len(rows)} have none, such as {trial_folder(study_folder, first.key)} (seed "
            f"{first.seed} of {first.variant}): restore it, or delete the folder and run the "
            "trial again; --ci seeds does without",
            ExitCode.DATA,
        )
    return stacked(study_folder, rows, "cases.csv")


def pretrainings(study_folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each variant of a dataset and pretraining that its trials started from.

    Columns: dataset, variant, key, steps, doubts (a list) and the pretraining's figures.
    """
    started = rows[rows.pretrain_key.fillna("") != ""]
    found = []
    for row in started.drop_duplicates(["variant", "pretrain_key"]).itertuples():
        made = record_file.pretraining_record(study_folder, row.pretrain_key)
        if made is not None and made.figures:
            where = {"dataset": row.dataset, "variant": row.variant, "key": made.key}
            found.append({**where, "steps": made.steps, "doubts": made.doubts, **made.figures})
    return pd.DataFrame(found, columns=None if found else ["dataset", "variant", "key"])


def pretraining_panels(
    study_folder: Path, found: pd.DataFrame
) -> dict[tuple[str, str], dict[str, ndarray]]:
    """(dataset, variant) → pictures of its first pretraining. found: as of `pretrainings`."""
    panels: dict[tuple[str, str], dict[str, ndarray]] = {}
    for row in found.itertuples():
        file = pretraining_folder(study_folder, row.key) / "panel.npz"
        if (row.dataset, row.variant) not in panels and file.exists():
            panels[row.dataset, row.variant] = pictures_in(study_folder, file, _OF_A_PRETRAINING)
    return panels


def panels(study_folder: Path, rows: pd.DataFrame) -> dict[tuple, dict[str, ndarray]]:
    """(dataset, budget, variant) → pictures of the trial with the lowest seed that has them."""
    found: dict[tuple, dict[str, ndarray]] = {}
    for row in rows.sort_values("seed")[["key", *_WHERE]].to_dict("records"):
        where = (row["dataset"], row["budget"], row["variant"])
        file = trial_folder(study_folder, row["key"]) / "panel.npz"
        if where not in found and file.exists():
            found[where] = pictures_in(study_folder, file, _OF_A_TRIAL)
    return found


def pictures_in(study_folder: Path, file: Path, needed: set[str]) -> dict[str, ndarray]:
    """What is in a `panel.npz` or `extremes.npz`, by name; `UserError` (exit code 3) if damaged."""
    with _readable(file):
        content = io.BytesIO(read_within(study_folder, file, _LARGEST))
        with np.load(content) as pictures:
            _require_small(pictures, needed)
            return dict(pictures)


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """What goes wrong with the file's content is a `UserError` (exit code 3) that names it.

    Records come from strangers too, and a small file may unfold into more than there is memory.
    """
    try:
        yield
    except (*_DAMAGES, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{file} is damaged ({error}): restore it, or delete the folder {file.parent} and run "
            "the trial again",
            ExitCode.DATA,
        ) from error


def _require_possible(lines: pd.DataFrame, file: str) -> None:
    """A line an epoch, a case, or a class of a case in `classes.csv`, once of each trial; of cases
    the scores lie between 0 and 1.
    """
    first = lines.columns[0]
    if first not in ("epoch", "case"):
        raise ValueError(f"its first column is {first[:40]!r}")
    of_a_class = ["class"] if file == "classes.csv" else []
    if missing := set(of_a_class) - {*lines.columns}:
        raise ValueError(f"it has no column {min(missing)}")
    if lines.duplicated([first, *of_a_class, "key"]).any():
        raise ValueError(f"a {first} stands there twice")
    for name in lines[first].astype(str).unique() if first == "case" else ():
        if why := objection(name):
            raise ValueError(f"no case can be named {name[:40]!r}: it holds {why}")
    for name in lines.columns[lines.columns.str.match(r"(dc|ji)(_|$)")] if first == "case" else ():
        values = pd.to_numeric(lines[name])
        if ((values < 0) | (values > 1)).any():
            raise ValueError(f"{name} outside 0 and 1")


def _require_small(content: np.lib.npyio.NpzFile, needed: set[str]) -> None:
    """The arrays say in their first bytes how large they are."""
    total = 0
    if missing := sorted(needed - set(content.files)):
        raise ValueError(f"{', '.join(missing)} missing")
    for name in content.zip.namelist():
        with content.zip.open(name) as stream:
            version = npy.read_magic(stream)
            is_first = version == (1, 0)
            read = npy.read_array_header_1_0 if is_first else npy.read_array_header_2_0
            shape, _, dtype = read(stream)
        total += math.prod(shape) * dtype.itemsize
    if total > _LARGEST:
        raise ValueError(f"{total} bytes of pictures, more than any trial leaves")
