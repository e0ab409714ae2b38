"""The verb `bench merge`: the union of the trials of several studies, checked before it is copied.

The trials do not depend on the order of the sources, and doing it twice changes nothing.
"""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.errors import ExitCode, UserError
from benchmark.files import settle, settled_copy, write_atomically
from benchmark.store import (
    datasets,
    layout,
    left_overs,
    locks,
    planned,
    record,
    record_file,
    tables,
)
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record
from benchmark.study.syntax import WHOLE
from benchmark.wording import counted

_NAMED = 10  # conflicts in the message


@dataclass
class Merge:
    """What a merge does, and did: trials by key."""

    copied: list[str] = field(default_factory=list)
    already_there: int = 0
    unfinished: int = 0
    """Folders without a record, which are left where they are."""

    def describe(self, into: Path) -> str:
        """For people."""
        left = f", {self.unfinished} unfinished left out" if self.unfinished else ""
        copied = counted(len(self.copied), "trial")
        return f"{into}: {copied} copied, {self.already_there} already there{left}"


def merge(sources: list[Path], into: Path) -> Merge:
    """Copy into a study what it lacks of others, or what they have better (`_standing`).

    Everything is read and compared first. `UserError` (exit code 3), and nothing is written, if a
    folder is no study, a record is damaged, or one key has different numbers.
    """
    for source in sources:
        _check(source, into)
    into.mkdir(parents=True, exist_ok=True)
    merged = Merge()
    with locks.claimed(into, WHOLE):
        layout.require_own_folders(into)
        left_overs.remove(left_overs.of_study(into, WHOLE), into, WHOLE)
        for key, folder in _chosen(sources, into, merged).items():
            _copy(folder, into, key)
            merged.copied.append(key)
        for source in sources:
            planned.add(into, planned.read(source).values())
        for found in (one for source in sources for one in datasets.all_kept(source)):
            datasets.keep(into, found)
        _add_settings(sources, into)
        tables.rebuild(into)
    return merged


def _chosen(sources: list[Path], into: Path, merged: Merge) -> dict[str, Path]:
    """Key → folder to copy; counts the rest. Raises `UserError` if numbers contradict."""
    # What is damaged here is as good as missing: a source may have it.
    known = {r.key: (r, trial_folder(into, r.key)) for r in record_file.survey(into).records}
    chosen: dict[str, Path] = {}
    conflicts: list[str] = []
    for source in sources:
        for key, found in _records(source, merged).items():
            if key in known and record.contradict(found[0], known[key][0]):
                conflicts.append(_conflict(known[key], found))
            if key in known and _standing(*found) >= _standing(*known[key]):
                merged.already_there += 1
            else:
                known[key], chosen[key] = found, found[1]
    if conflicts:
        raise _refusal(conflicts, into)
    return chosen


def _standing(found: Record, folder: Path) -> tuple[bool, int, str, str]:
    """Of equal keys the least is kept, so that the order of the sources changes nothing.

    Done before failed, then the folder with more files (saved weights), then the one that ended
    first; the last resort is the text itself.
    """
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".tmp"]
    return not found.is_done, -len(files), found.finished_at, found.model_dump_json()


def _check(source: Path, into: Path) -> None:
    if not layout.is_study(source):
        raise UserError(
            f"{source} is no study: a study is a folder such as results/paper, with trials/ in it",
            ExitCode.DATA,
        )
    if source.resolve() == into.resolve():
        raise UserError(f"{source} cannot be merged into itself")
    # What loggers keep there is not copied, and is as they like it.
    outside = layout.logs(source, "")
    everything = [path for path in source.rglob("*") if not path.is_relative_to(outside)]
    odd = next((p for p in everything if not (p.is_symlink() or p.is_file() or p.is_dir())), None)
    if odd is not None:
        raise UserError(f"{odd} is no file, and no study has such: delete it", ExitCode.DATA)
    link = next((path for path in everything if path.is_symlink()), None)
    if link is not None:
        raise UserError(
            f"{link} is a link, and could lead to what is not the study's: put in its place what "
            "it leads to, or delete it",
            ExitCode.DATA,
        )


def _records(source: Path, merged: Merge) -> dict[str, tuple[Record, Path]]:
    """Validated records by key; counts the folders that have none."""
    there = record_file.survey(source)
    if there.damaged:
        lines = "\n".join(f"  {note.removeprefix('left out: ')}" for note in there.notes[:_NAMED])
        raise UserError(
            f"{source} holds what is no trial as it was written, and nothing was copied:\n{lines}\n"
            "Mend or delete that, then merge again",
            ExitCode.DATA,
        )
    trials = [folder for folder in trial_folder(source, "").glob("[!.]*") if folder.is_dir()]
    merged.unfinished += len(trials) - len(there.records)
    return {found.key: (found, trial_folder(source, found.key)) for found in there.records}


def _conflict(first: tuple[Record, Path], second: tuple[Record, Path]) -> str:
    values = []
    for found, folder in (first, second):
        score = found.metrics.get("dc_pooled")
        values.append(f"DC {score} ({found.code_version or 'unknown version'}) in {folder}")
    return f"{first[0].label}: {values[0]}, {values[1]}"


def _refusal(conflicts: list[str], into: Path) -> UserError:
    more = [f"and {len(conflicts) - _NAMED} more"] if len(conflicts) > _NAMED else []
    lines = "\n".join(f"  {line}" for line in conflicts[:_NAMED] + more)
    return UserError(
        f"equal settings on equal data gave different numbers:\n{lines}\n"
        f"Nothing was copied into {into}. Versions, processors or a GPU may differ: keep such "
        "studies apart, or delete the trials that you do not trust",
        ExitCode.DATA,
    )


def _copy(folder: Path, into: Path, key: str) -> None:
    """The whole folder or none of it; in place of an unfinished or failed trial, if one is there.

    Killed between the two renames, the trial is missing, and the same command brings it.
    """
    target, half = trial_folder(into, key), into / ".merging"
    ignored = shutil.ignore_patterns("*.tmp")
    shutil.copytree(folder, half / "new", ignore=ignored, copy_function=settled_copy)
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        target.replace(half / "old")
    (half / "new").replace(target)
    settle(target)
    shutil.rmtree(half)


def _add_settings(sources: list[Path], into: Path) -> None:
    """`study.yaml`, by which a folder is known as a study; of several the first by its text."""
    texts = [
        (study / layout.SETTINGS).read_text(encoding="utf-8", errors="replace")
        for study in (into, *sources)
        if (study / layout.SETTINGS).is_file() and not (study / layout.SETTINGS).is_symlink()
    ]
    if texts:
        write_atomically(into / layout.SETTINGS, min(texts))
