"""Manifests of the data that a study's trials saw: to say later in what other data differ."""

from collections.abc import Iterable
from pathlib import Path

import pydantic

from benchmark.data.differences import differences
from benchmark.data.prepared import Manifest
from benchmark.files import read_within, write_atomically
from benchmark.store.record import Record
from benchmark.wording import counted, printable

_FOLDER = "datasets"
_LARGEST = 2**26  # bytes


def keep(study_folder: Path, manifest: Manifest) -> None:
    """Write the manifest into the study, once."""
    file = _file(study_folder, manifest.data_hash)
    if kept(study_folder, manifest.data_hash) is None:
        file.parent.mkdir(exist_ok=True)
        write_atomically(file, manifest.model_dump_json(indent=1))


def kept(study_folder: Path, data_hash: str) -> Manifest | None:
    """The manifest of these data; None if there is none that can be read."""
    if not data_hash.isalnum():
        return None
    try:
        content = read_within(study_folder, _file(study_folder, data_hash), _LARGEST)
        found = Manifest.model_validate_json(content)
    except (OSError, ValueError, pydantic.ValidationError):
        return None
    return found if found.data_hash == data_hash else None


def all_kept(study_folder: Path) -> list[Manifest]:
    """All that can be read."""
    names = sorted(file.stem for file in (study_folder / _FOLDER).glob("*.json"))
    return [found for name in names if (found := kept(study_folder, name))]


def _file(study_folder: Path, data_hash: str) -> Path:
    return study_folder / _FOLDER / f"{data_hash}.json"


def others(study_folder: Path, records: Iterable[Record], now: Manifest) -> list[str]:
    """A line for each other data of which the study has finished trials of this dataset."""
    counts: dict[str, list[Record]] = {}
    for found in records:
        if found.is_done and found.dataset == now.name and found.data_hash != now.data_hash:
            counts.setdefault(found.data_hash, []).append(found)
    return [
        f"{counted(len(trials), 'trial')} of {now.name} in this study "
        f"{'is' if len(trials) == 1 else 'are'} of other data: compared with them, these have "
        f"{explained(study_folder, data_hash, now)}"
        for data_hash, trials in counts.items()
    ]


def explained(study_folder: Path, data_hash: str, now: Manifest) -> str:
    """In what the data differ from those of this hash, as far as the study knows them."""
    old = kept(study_folder, data_hash)
    if old is None:
        return (
            f"another hash ({now.data_hash}, theirs {data_hash}); no list of their cases was kept"
        )
    return printable("; ".join(differences(old, now)))
