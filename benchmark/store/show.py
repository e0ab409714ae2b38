"""The verb `bench show`: one record, readable."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmark import files
from benchmark.errors import ExitCode, UserError
from benchmark.store import failures, layout, record_file
from benchmark.store.layout import pretraining_folder, trial_folder
from benchmark.store.record import PretrainingRecord, Record

_LARGEST = 2**20  # bytes of a list of packages
_REQUIREMENT = re.compile(r"# [ -~]*|[a-z0-9-]+==[\w.+!-]+")
_SIZES = ("n_labelled", "n_labelled_foreground", "n_unlabelled", "n_val", "n_test")
_COSTS = (
    "parameters", "parameters_tested", "flops_per_step", "steps", "seconds_train",
    "seconds_total", "peak_memory_mib",
)  # fmt: skip
_PROVENANCE = (
    "code_version", "host", "device", "finished_at", "data_hash", "data_partial", "split_hash",
    "subset_hash", "configuration",
)  # fmt: skip


def find(study_folders: list[Path], key: str) -> Path:
    """The folder of the one trial or pretraining whose key starts so; of several studies: the
    first's.

    Raises `UserError` if there is none (exit code 3), or more than one.
    """
    found: dict[str, Path] = {}
    for folder in study_folders:
        for jobs in (trial_folder(folder, ""), pretraining_folder(folder, "")):
            for job in sorted(jobs.glob(f"{_plain(key)}*")):
                found.setdefault(job.name, job)
    if not found:
        where = ", ".join(folder.name for folder in study_folders)
        raise UserError(
            f"no trial or pretraining with a key starting with {key!r} in {where}; results.csv has "
            "the keys, and so has bench run … --dry-run -v",
            ExitCode.DATA,
        )
    if len(found) > 1:
        names = ", ".join(found)
        raise UserError(f"{len(found)} trials or pretrainings start with {key!r}: {names}")
    return next(iter(found.values()))


def _plain(key: str) -> str:
    """The key without anything that a pattern of file names would take for more than itself."""
    return "".join(c for c in key if c.isalnum()) or "-"


def describe(trial: Path) -> str:
    """A trial's record and files; or how far it came, if it has no record."""
    if not record_file.exists(trial):
        last = [layout.last_log_line(trial)]
        return "\n".join([f"{trial.name}: no record yet", *_section("log", last), *_files(trial)])
    if trial.parent.name == pretraining_folder(trial, "").name:
        return "\n".join(_pretraining(record_file.read(trial, PretrainingRecord), trial))
    record = record_file.read(trial)
    fields = record.model_dump()
    lines = [
        f"{record.label}",
        f"key {record.key}, study {record.study}, preset {record.preset}"
        f"{' with ' + record.overrides if record.overrides else ''}, "
        f"evaluated on {record.evaluate_on}",
        *_status(record, trial),
        *_section("images", _pairs({name: fields[name] for name in _SIZES})),
        *_numbers(record),
        *_start(record, trial.parent.parent),
        *_section("costs", _pairs({name: fields[name] for name in _COSTS})),
        *_section("settings", _pairs(record.settings)),
        *_section("provenance", _pairs({name: fields[name] for name in _PROVENANCE})),
        *_section("packages", _pairs(record.packages)),
        *_files(trial),
    ]
    return "\n".join(lines)


def _status(record: Record | PretrainingRecord, folder: Path) -> list[str]:
    """One word of what is done; of a failure its story."""
    if record.is_done:
        return [record.status]
    return [f"failed: {record.error}", *(f"  {line}" for line in failures.story(record, folder))]


def _start(record: Record, study_folder: Path) -> list[str]:
    """What the trial started from, if it is there."""
    found = record_file.pretraining_record(study_folder, record.pretrain_key)
    if not record.pretrain_key or found is None:
        return []
    title = f"pretraining {found.key}: {found.steps} steps"
    return _section(title, [*_pairs(found.figures), *(f"warning: {d}" for d in found.doubts)])


def _pretraining(record: PretrainingRecord, folder: Path) -> list[str]:
    fields = record.model_dump()
    return [
        record.label,
        f"key {record.key}, study {folder.parent.parent.name}",
        *_status(record, folder),
        *(f"warning: {doubt}" for doubt in record.doubts),
        *_section("on images of the train pool", _pairs(record.figures)),
        *_section("costs", _pairs({n: fields[n] for n in _COSTS if n in fields})),
        *_section("provenance", _pairs({n: fields[n] for n in _PROVENANCE if n in fields})),
        *_files(folder),
    ]


def requirements(trial: Path) -> str:
    """The packages that a trial was made with, as pip reads them; no host, no folder.

    Of trials from before they were kept: the few that their records name. `UserError` (exit code
    3) of a pretraining: its trials have them.
    """
    if trial.parent.name == pretraining_folder(trial, "").name:
        raise UserError(f"{trial.name} is a pretraining: ask for a trial of it", ExitCode.DATA)
    file = trial / "requirements.txt"
    if file.exists():
        try:
            text = files.read_within(trial.parent.parent, file, _LARGEST).decode()
        except ValueError as error:
            raise UserError(f"{file} is damaged ({error})", ExitCode.DATA) from error
        odd = [line for line in text.splitlines() if not _REQUIREMENT.fullmatch(line)]
        if odd:
            raise UserError(
                f"{file} is damaged: {odd[0][:80]!r} is no package with its version",
                ExitCode.DATA,
            )
        return text.rstrip()
    record = record_file.read(trial)
    versions = {name: version for name, version in record.packages.items() if version}
    return "\n".join([
        f"# Python {versions.pop('python', 'unknown')}",
        f"# semiseg-bench {record.code_version}",
        "# no other packages were recorded",
        *(f"{name}=={version}" for name, version in sorted(versions.items())),
    ])  # fmt: skip


def _numbers(record: Record) -> list[str]:
    final = {k: v for k, v in record.metrics.items() if not k.startswith("oracle_")}
    oracle = {k: v for k, v in record.metrics.items() if k.startswith("oracle_")}
    return [
        *_section("final step", _pairs(final)),
        *_section("chosen on the evaluation set (oracle)", _pairs(oracle)),
    ]


def _files(trial: Path) -> list[str]:
    return _section("files", [str(file) for file in sorted(trial.glob("[!.]*"))])


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _pairs(values: Mapping[str, Any], prefix: str = "") -> list[str]:
    """One line a value, nested names joined by dots as on the command line; blanks left out."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            lines += _pairs(value, f"{prefix}{name}.")
        elif value not in ("", None):
            text = f"{value:.6g}" if isinstance(value, float) else str(value)
            lines.append(f"{prefix + name:27} {text}")
    return lines
