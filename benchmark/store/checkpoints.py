"""Checkpoints on disk: with a checksum, and with the code that made them."""

from pathlib import Path

from benchmark import files
from benchmark.study.sources import Code

NAME = "checkpoint.pt"


class Unusable(Exception):
    """Nothing can go on from the checkpoint: why, for people."""


def write(file: Path, content: bytes | memoryview, code: Code) -> None:
    """A killed worker leaves the previous one."""
    files.write_sealed(file, content, "-".join(code))


def read(file: Path, code: Code) -> bytes:
    """What was written; raises `Unusable`, and sets aside what is damaged.

    Half a run by each of two codes would be a run of neither.
    """
    try:
        label, content = files.read_sealed(file)
    except files.Damaged:
        raise Unusable(f"the checkpoint is damaged: now {files.set_aside(file).name}") from None
    if label != "-".join(code):
        raise Unusable("the checkpoint was made by other code")
    return content


def objection(folder: Path, code: Code) -> str:
    """Why a job with a checkpoint in this folder has to start over; "" if it does not.

    Sets aside what is damaged, as `read` does.
    """
    try:
        read(folder / NAME, code)
    except FileNotFoundError:
        return ""
    except Unusable as error:
        return str(error)
    return ""
