"""Manifests of the data that a study's trials saw: to say later in what other data differ.

They also tell the unit of distances in records that do not name it.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pydantic

from benchmark.data.differences import differences
from benchmark.data.prepared import Manifest
from benchmark.files import read_within, write_atomically
from benchmark.store.record import Record
from benchmark.wording import counted, printable

_FOLDER = "datasets"
_LARGEST = 2**26  # bytes
_DISTANCES = ("hd95_directed", "hd95_joint", "asd_directed", "asd_joint")


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


def with_units(study_folder: Path, records: Iterable[Record]) -> list[Record]:
    """The records, their distances under the names of today: hd95_joint_voxels, hd95_joint_mm.

    Older ones name no unit: it was mm where the dataset's card had a spacing, else voxels. Of
    volumes whose card was not kept nobody knows, and the names stay as they are.
    """
    manifest_of = cache(lambda data_hash: kept(study_folder, data_hash))

    def unit_of(found: Record) -> str:
        if found.settings.get("patch") is None:  # images have no spacing
            return "voxels"
        manifest = manifest_of(found.data_hash)
        return "" if manifest is None else unit_before(manifest)

    return [
        found.model_copy(update={"metrics": renamed(found.metrics, unit_of(found))})
        if set(_DISTANCES) & set(found.metrics) else found
        for found in records
    ]  # fmt: skip


def unit_before(manifest: Manifest) -> str:
    """In which distances on these data were measured when records did not name the unit."""
    return "mm" if manifest.card.spacing else "voxels"


def renamed(values: Mapping[str, Any], unit: str) -> dict[str, Any]:
    """Values by name, the unit added to the distances that have none; "": unknown.

    A name may be the last word of several, as in "cases.csv c1 hd95_joint".
    """
    has_none = {name for name in values if name.rpartition(" ")[2] in _DISTANCES}
    return {f"{n}_{unit}" if unit and n in has_none else n: v for n, v in values.items()}
