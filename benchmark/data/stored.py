"""A dataset at the size of a run as files, which all processes of a machine map and none copies."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy import ndarray

from benchmark.data import prepared
from benchmark.data.prepared import Manifest, Prepared, with_slices
from benchmark.errors import ExitCode, UserError
from benchmark.files import naming


class Stored(NamedTuple):
    """Arrays in files, and the manifest that they belong to."""

    manifest: Manifest
    folder: Path
    data_root: Path
    sliced: Path | None = None
    """Of volumes that are trained on slice by slice: where these lie."""

    def opened(self) -> Prepared:
        """The dataset; `UserError` (exit code 3) if another was prepared in its place meanwhile."""
        name, is_prepared = self.manifest.name, self.folder.parent == self.data_root
        if is_prepared and not self._is_as_it_was():
            raise UserError(
                f'the dataset "{name}" was prepared again while this ran. The same command runs '
                "what is missing, of the new data",
                ExitCode.DATA,
            )
        try:
            whole = prepared.assembled(self.manifest, *_mapped(self.folder))
            return whole if self.sliced is None else with_slices(whole, *_mapped(self.sliced))
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f'the files of the dataset "{name}" changed while this ran ({error}). The same '
                "command runs what is missing",
                ExitCode.DATA,
            ) from error

    def _is_as_it_was(self) -> bool:
        there = prepared.read_manifest(self.data_root, self.manifest.name)
        return there.data_hash == self.manifest.data_hash


def _mapped(folder: Path) -> tuple[ndarray, ndarray]:
    """Images and masks."""
    return prepared.mapped(folder / "images.npy"), prepared.mapped(folder / "masks.npy")


def store(
    data_root: Path, name: str, size: list[int] | None, scratch: Path, *, slices: bool = False
) -> Stored:
    """A prepared dataset, compared with the manifest's hash, as a run sees it (`as_trained`).

    scratch: a folder for arrays that are others than the prepared ones.
    """
    data_root = data_root.resolve()
    loaded = prepared.load(data_root, name)
    seen = prepared.as_trained(loaded, size, slices=slices)
    folder, own = data_root / name, scratch / name
    if seen is loaded:
        return Stored(loaded.manifest, folder, data_root)
    made = seen if seen.slices is None else seen.slices
    own.mkdir()
    for file, array in (("images.npy", made.images), ("masks.npy", made.masks)):
        with naming(own / file):
            np.save(own / file, array)
    if seen.slices is None:
        return Stored(loaded.manifest, own, data_root)
    return Stored(loaded.manifest, folder, data_root, sliced=own)
