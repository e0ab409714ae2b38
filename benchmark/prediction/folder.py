"""The verb `bench predict`: a folder of images through one trained network, or several.

`predicted.json` in the target folder says by which networks, and what is there already: what was
interrupted goes on, and predictions of other networks are not mixed with them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydantic
from pydantic import BaseModel, ConfigDict

from benchmark import provenance
from benchmark.data.decoding.case import Decoded, decode
from benchmark.data.layouts import Case
from benchmark.errors import UserError, is_out_of_memory
from benchmark.files import checksum, read_within, write_atomically
from benchmark.prediction import outputs
from benchmark.prediction.ensemble import together
from benchmark.prediction.images import Images, oddities
from benchmark.prediction.outputs import Measured
from benchmark.prediction.trained import Trained
from benchmark.store.tables import write_table

NOTES = "predicted.json"
_LARGEST = 2**26  # bytes
_SECONDS = 30.0  # between two writes of the notes


class Network(BaseModel):
    """Which network predicted, for the notes."""

    model_config = ConfigDict(extra="forbid")

    key: str
    fitness: str
    terms: str
    weights: str
    """Checksum of its file."""


class Notes(BaseModel):
    """What lies in the folder, `predicted.json`."""

    model_config = ConfigDict(extra="forbid")

    networks: list[Network]
    smooth: bool
    code_version: str
    images: dict[str, Measured] = {}


@dataclass
class Outcome:
    """What became of the images, by their names."""

    done: list[str] = field(default_factory=list)
    already: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Why there is no mask."""
    odd: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """What is unlike in training → of which images."""
    table: Path = Path()


@dataclass(frozen=True)
class Task:
    """Which networks see which images, and where what they say goes."""

    networks: Sequence[Trained]
    files: Sequence[Path]
    """Of the networks."""
    images: Images
    out: Path
    overlays: bool = False
    smooth: bool = False
    """As of `Trained.probabilities`."""

    @property
    def is_volume(self) -> bool:
        return self.networks[0].card.is_volume


def predict(task: Task, progress: Callable[[Sequence[Case]], Iterable[Case]] = iter) -> Outcome:
    """Predict what is not there yet; an image that cannot be read stops no other.

    progress: wraps the images while they are predicted. Raises `UserError` for a folder in which
    something else lies.
    """
    notes = _notes(task)
    outcome = Outcome(problems=dict(task.images.problems))
    written = time.monotonic()
    task.out.mkdir(parents=True, exist_ok=True)
    _write(task, notes)
    try:
        for case in progress(task.images.cases):
            _predict(task, case, notes, outcome)
            if time.monotonic() - written > _SECONDS:
                _write(task, notes)
                written = time.monotonic()
    finally:
        outcome.table = _write(task, notes)
    return outcome


def _notes(task: Task) -> Notes:
    """Of the folder as it is: empty for one that is new, or what the same networks left."""
    networks = [
        Network(
            key=one.about.key,
            fitness=one.about.fitness,
            terms=one.about.terms,
            weights=checksum(file.read_bytes()),
        )
        for one, file in zip(task.networks, task.files, strict=True)
    ]
    new = Notes(networks=networks, smooth=task.smooth, code_version=provenance.code_version())
    if not task.out.exists() or (task.out.is_dir() and not any(task.out.iterdir())):
        return new
    found = _found(task.out)
    if found is None or (found.networks, found.smooth) != (networks, task.smooth):
        whose = "something else lies" if found is None else "predictions of another kind lie"
        raise UserError(
            f"--out takes a new folder, or one that the same command was writing to; {whose} in "
            f"{task.out}: name another one, or delete it"
        )
    return new.model_copy(update={"images": found.images})


def _found(out: Path) -> Notes | None:
    try:
        return Notes.model_validate_json(read_within(out, out / NOTES, _LARGEST))
    except (FileNotFoundError, NotADirectoryError, ValueError, pydantic.ValidationError):
        return None


def _write(task: Task, notes: Notes) -> Path:
    """Notes, and the table of them; returns the table."""
    write_atomically(task.out / NOTES, notes.model_dump_json(indent=1))
    table = task.out / ("volumes.csv" if task.is_volume else "areas.csv")
    classes = task.networks[0].about.classes
    write_table(table, outputs.rows(notes.images, classes, is_volume=task.is_volume))
    return table


def _predict(task: Task, case: Case, notes: Notes, outcome: Outcome) -> None:
    first = task.networks[0]
    try:
        content = b"".join(task.images.source.read(name) for name in case.images)
        digest = checksum(content)[:16]
        if _is_there(task, case, notes.images.get(case.id), digest):
            outcome.already.append(case.id)
            return
        one = decode(task.images.source, first.card, case)
    except (OSError, ValueError) as error:
        outcome.problems[case.id] = str(error)
        return
    for what in oddities(first.about, one):
        outcome.odd[what].append(case.id)
    try:
        measured = _saved(task, case, one, digest)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        outcome.problems[case.id] = "it does not fit into memory"
        return
    notes.images[case.id] = measured
    outcome.done.append(case.id)


def _is_there(task: Task, case: Case, known: Measured | None, digest: str) -> bool:
    """Was the very image predicted already, and is all of it there?"""
    files = [outputs.mask_file(task.out, case.id, is_volume=task.is_volume)]
    if len(task.networks) > 1:
        files.append(outputs.disagreement_file(task.out, case.id, is_volume=task.is_volume))
    if task.overlays:
        files.append(outputs.overlay_file(task.out, case.id))
    return known is not None and known.checksum == digest and all(map(Path.is_file, files))


def _saved(task: Task, case: Case, one: Decoded, digest: str) -> Measured:
    """Predict the image, and write all of it, the mask last."""
    many, is_volume = len(task.networks) > 1, task.is_volume
    found = together(network.of_decoded(one, smooth=task.smooth) for network in task.networks)
    labels = found.probabilities.argmax(0).astype(np.uint8)
    if many:
        file = outputs.disagreement_file(task.out, case.id, is_volume=is_volume)
        outputs.write_disagreement(file, found.disagreement, one.affine)
    if task.overlays:
        own_size = task.networks[0].card.model_copy(update={"size": list(labels.shape)})
        image = decode(task.images.source, own_size, case).image
        outputs.write_overlay(outputs.overlay_file(task.out, case.id), image, labels)
    mask = outputs.mask_file(task.out, case.id, is_volume=is_volume)
    outputs.write_mask(mask, labels, one.affine)
    return Measured(
        checksum=digest,
        sizes=np.bincount(labels.ravel(), minlength=len(found.probabilities)).tolist(),
        spacing=list(one.spacing),
        disagreement=float(found.disagreement.mean()) if many else None,
    )


def require_possible(task: Task, images: Path) -> None:
    """`UserError` for a target among the images, and for what is of pictures alone."""
    if images.is_dir() and task.out.resolve().is_relative_to(images.resolve()):
        raise UserError(
            f"--out {task.out} lies within --images {images}, and its masks would be images next "
            "time: name a folder elsewhere"
        )
    if (task.overlays or task.smooth) and task.is_volume:
        raise UserError(
            "--overlays and --smooth are of pictures; open a volume's mask over its image in a "
            "viewer of NIfTI"
        )
