"""The file of a trained network, by the key of its trial."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.errors import ExitCode, UserError
from benchmark.store import layout, record_file, show, weights


def weights_file(key: str, study_folders: Sequence[Path]) -> Path:
    """The file that is meant; a key, or how it begins, is looked up as `bench show` does.

    `UserError` (exit code 3) where there is no such trial, or nothing was saved of it.
    """
    folder = show.find(list(study_folders), key)
    if folder.parent.name == layout.pretraining_folder(folder, "").name:
        raise UserError(
            f"{folder.name} is a pretraining, and has seen no label: name a trial", ExitCode.DATA
        )
    file = folder / weights.NAME
    if not file.is_file() and not record_file.exists(folder):
        raise UserError(
            f"trial {folder.name} has not come to its end: the same bench run goes on with it",
            ExitCode.DATA,
        )
    if not file.is_file():
        raise UserError(
            f"the network of trial {folder.name} was not kept: delete {folder} and run the trial "
            "again with --save weights",
            ExitCode.DATA,
        )
    return file
