"""A dataset at the size of a run as files, which all processes of a machine map and none copies."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data import prepared
from benchmark.data.prepared import Manifest, Prepared
from benchmark.errors import ExitCode, UserError


class Stored(NamedTuple):
    """Arrays in files, and the manifest that they belong to."""

    manifest: Manifest
    folder: Path
    data_root: Path

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
            images, masks = (prepared.mapped(self.folder / f"{k}.npy") for k in ("images", "masks"))
            return prepared.assembled(self.manifest, images, masks)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(
                f'the files of the dataset "{name}" changed while this ran ({error}). The same '
                "command runs what is missing",
                ExitCode.DATA,
            ) from error

    def _is_as_it_was(self) -> bool:
        there = prepared.read_manifest(self.data_root, self.manifest.name)
        return there.data_hash == self.manifest.data_hash


def store(data_root: Path, name: str, size: list[int] | None, scratch: Path) -> Stored:
    """A prepared dataset, compared with the manifest's hash, at a run's (h, w).

    scratch: a folder for arrays that have another size than the prepared ones.
    """
    data_root = data_root.resolve()
    loaded = prepared.load(data_root, name)
    at_size = prepared.resized(loaded, size)
    folder = data_root / name
    if at_size is not loaded:
        folder = scratch / name
        folder.mkdir()
        np.save(folder / "images.npy", at_size.images)
        np.save(folder / "masks.npy", at_size.masks)
    return Stored(loaded.manifest, folder, data_root)
