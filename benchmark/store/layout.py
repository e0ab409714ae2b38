"""What a study is on disk: a folder, and the paths in it. Imports nothing heavy."""

import re
from pathlib import Path

from benchmark import files
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.wording import printable

SETTINGS = "study.yaml"
"""Settings of the study's last run; written first, so that its time is that of the last run."""

RECORD = "record.json"
"""In the folder of every job that came to an end."""

LARGEST_RECORD = 2**24
"""In bytes; that of a real trial has some thousand, or the names of a long list."""

_LARGEST_LOG = 2**26  # bytes
_EPOCH = re.compile(r"epoch (\d{1,9})(?:/| of )(\d{1,9})\b")


def trial_folder(study_folder: Path, key: str) -> Path:
    """Where the trial of this key keeps its files."""
    return study_folder / "trials" / key


def pretraining_folder(study_folder: Path, key: str) -> Path:
    """Where the pretraining of this key keeps its files."""
    return study_folder / "pretrained" / key


def weights(study_folder: Path, key: str) -> Path:
    """What the pretraining of this key made."""
    return pretraining_folder(study_folder, key) / "weights.safetensors"


def logs(study_folder: Path, logger: str) -> Path:
    """Where a logger keeps what it writes into the study."""
    return study_folder / "logs" / logger


def last_log_line(job_folder: Path) -> str:
    """The end of what a job printed: of one that runs, its last epoch; "" if there is nothing."""
    return printable(_log(job_folder).strip().rpartition("\n")[2])


def log_lines(job_folder: Path, key: str, start: str) -> list[str]:
    """The lines of a job's log, of its present life, that begin so after the time."""
    lines = (line.partition(" ")[2] for line in log_of(job_folder, key).splitlines())
    return [printable(line) for line in lines if line.startswith(start)]


def last_epoch(job_folder: Path, key: str) -> tuple[int, int] | None:
    """Of a job that runs: how many epochs it has trained, of how many; None before the first."""
    found = _EPOCH.findall(log_of(job_folder, key))
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def log_of(job_folder: Path, key: str) -> str:
    """What a job printed since it was last taken up, which its first line says."""
    return _log(job_folder).rpartition(f", key {key}\n")[2]


def _log(job_folder: Path) -> str:
    """All that it printed; "" if it has not yet, or if that cannot be read."""
    try:
        log = files.read_within(job_folder.parent.parent, job_folder / "log.txt", _LARGEST_LOG)
    except (OSError, ValueError):  # shared storage has its moments, and no run ends for them
        return ""
    return log.decode(errors="replace")


def require_own_folders(study_folder: Path) -> None:
    """Refuse a study whose folders are links, through which a run would write elsewhere."""
    for name in ("trials", "pretrained", "datasets", "logs"):
        folder = study_folder / name
        if folder.is_symlink():
            raise UserError(
                f"{folder} is a link, and links in a study are not followed: put what it leads to "
                f"in its place, or link the whole folder {study_folder}",
                ExitCode.DATA,
            )


def is_study(folder: Path) -> bool:
    """Was a study run, or merged, into this folder?"""
    return (folder / SETTINGS).is_file() or (folder / "trials").is_dir()


def studies(results_root: Path) -> list[str]:
    """Names of the studies under the results folder, the most recently run first."""
    folders = [folder for folder in results_root.glob("*") if is_study(folder)]
    return [folder.name for folder in sorted(folders, key=_last_run, reverse=True)]


def _last_run(folder: Path) -> float:
    settings = folder / SETTINGS
    return (settings if settings.is_file() else folder / "trials").stat().st_mtime


def chosen_study(results_root: Path, name: str | None) -> str:
    """The name, or the newest study; `UserError` (exit code 3) if there is none at all."""
    known = studies(results_root)
    if not known and (results_root / "trials").is_dir():
        raise UserError(
            f"{results_root} is a study itself (it has trials/), and --results takes the folder "
            f"that studies lie in: --study {results_root.absolute().name} --results "
            f"{results_root.absolute().parent}",
            ExitCode.DATA,
        )
    if not known:
        raise UserError(
            f"no study under {results_root}; make one, such as: bench run --preset demo",
            ExitCode.DATA,
        )
    if name is not None and name not in known:
        raise unknown("study", name, known)
    return name or known[0]
