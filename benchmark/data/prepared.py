"""Prepared datasets in memory, and the part of one that a trial may see."""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydantic
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from benchmark.data import splits, volumes
from benchmark.data.cards import Card
from benchmark.errors import ExitCode, UserError

FORMAT = 1  # of the prepared folder
DEV_SHARE = 0.2


class CaseEntry(BaseModel):
    """One case in the manifest, in the order of the arrays."""

    id: str
    split: str
    group: str
    foreground: float
    """Share of foreground pixels as prepared."""
    shape: list[int] = []
    """Of a volume: (x, y, z)."""
    mean: float | None = None
    """Of a volume: what standardises it, in units of its 256 grey levels as [0, 1]."""
    std: float | None = None


class Manifest(BaseModel):
    """What `bench data prepare` found; `manifest.json` of a prepared dataset."""

    model_config = ConfigDict(extra="forbid")
    format: int
    card: Card
    source: str
    source_fingerprint: str
    data_hash: str
    """Of ids, splits and pixels: part of every key, so other data are other trials."""
    mean: list[float]
    """Per channel over the train pool, pixels in [0, 1]."""
    std: list[float]
    cases: list[CaseEntry]
    partial: str = ""
    """How the cases differ from the whole dataset, if they do."""
    notes: list[str] = []

    @property
    def name(self) -> str:
        return self.card.name

    def ids(self, split: str) -> list[str]:
        return [case.id for case in self.cases if case.split == split]


# Images of one size in one array (n, h, w, c) and masks (n, h, w); volumes, each of its own size,
# in lists of (x, y, z, c) and (x, y, z). All are uint8, in the order of the manifest's cases.
Arrays = ndarray | list[ndarray]


class Prepared(NamedTuple):
    """A prepared dataset in memory."""

    manifest: Manifest
    images: Arrays
    masks: Arrays
    mean: Float[ndarray, "n c"]
    """Standardises each case: (image / 255 - mean) / std. Images share the train pool's."""
    std: Float[ndarray, "n c"]


class Unlabelled(NamedTuple):
    """Images without masks: what a trial gets of the unlabelled pool."""

    images: Arrays
    indices: Int[ndarray, " k"]

    def __len__(self) -> int:
        return len(self.indices)


class Labelled(NamedTuple):
    """Images with masks."""

    images: Arrays
    masks: Arrays
    indices: Int[ndarray, " k"]
    ids: list[str]

    def __len__(self) -> int:
        return len(self.indices)


class TrialData(NamedTuple):
    """What one trial may see. `evaluation` is the test set, or the development set."""

    labelled: Labelled
    unlabelled: Unlabelled
    evaluation: Labelled
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]
    classes: int
    spacing: list[float]
    """Of the pixels along each axis; 1 where the card gives none."""

    @property
    def channels(self) -> int:
        return self.mean.shape[1]

    @property
    def spatial_dims(self) -> int:
        return self.evaluation.masks[0].ndim

    @property
    def subset_hash(self) -> str:
        """Of the labelled ids: equal for all methods of one (dataset, ratio, seed)."""
        return short_hash(sorted(self.labelled.ids))


class Images(NamedTuple):
    """The whole train pool without a mask: what a pretraining may see."""

    unlabelled: Unlabelled
    mean: Float[ndarray, "n c"]
    std: Float[ndarray, "n c"]


def short_hash(value: Any) -> str:
    """16 hexadecimal digits of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def data_hash(card: Card, cases: list[CaseEntry], stored: list[ndarray]) -> str:
    """Of everything in a prepared dataset that can change a number; stored: as on disk."""
    facts = [[c.id, c.split, c.group, c.shape, c.mean, c.std] for c in cases]
    spacing = [card.spacing] if card.spacing else []
    about = [card.name, len(card.classes), card.keeps_groups, facts, *spacing]
    digest = hashlib.sha256(json.dumps(about).encode())
    for array in stored:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def prepared_names(data_root: Path) -> list[str]:
    """Datasets that lie prepared under the data root."""
    return sorted(file.parent.name for file in data_root.glob("[!.]*/manifest.json"))


def read_manifest(data_root: Path, name: str) -> Manifest:
    """The manifest alone; `UserError` (exit code 3) if the dataset is not prepared or damaged."""
    file = data_root / name / "manifest.json"
    if not file.is_file():
        raise not_prepared(data_root, name)
    try:
        manifest = Manifest.model_validate_json(file.read_text(encoding="utf-8"))
    except (pydantic.ValidationError, ValueError) as error:
        raise _damaged(data_root, name, f"manifest.json is not readable ({error})") from error
    if manifest.format != FORMAT:
        raise _damaged(data_root, name, f"format {manifest.format}, this version reads {FORMAT}")
    return manifest


def not_prepared(data_root: Path, name: str, where: str = "") -> UserError:
    """The error for a dataset that is not there; where: " from … (terms: …)"."""
    return UserError(
        f'dataset "{name}" is not prepared under {data_root}. Get it{where}, then:\n'
        f"  bench data prepare {name} --from /path/to/what/you/downloaded",
        ExitCode.DATA,
    )


def load(data_root: Path, name: str) -> Prepared:
    """A prepared dataset; its content is compared with the manifest's hash."""
    manifest = read_manifest(data_root, name)
    try:
        images = np.load(data_root / name / "images.npy")
        masks = np.load(data_root / name / "masks.npy")
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(data_root, name, str(error)) from error
    if data_hash(manifest.card, manifest.cases, [images, masks]) != manifest.data_hash:
        raise _damaged(data_root, name, "the arrays are not those that were prepared")
    if manifest.card.is_volume:
        shapes = [case.shape for case in manifest.cases]
        images = volumes.unpack(images, [[*shape, 1] for shape in shapes])
        masks = volumes.unpack(masks, shapes)
    return Prepared(manifest, images, masks, *_constants(manifest))


def _constants(manifest: Manifest) -> tuple[Float[ndarray, "n c"], Float[ndarray, "n c"]]:
    """Mean and deviation of each case: its own for volumes, the train pool's for images."""
    if manifest.card.is_volume:
        own = np.array([[case.mean, case.std] for case in manifest.cases])
        return own[:, :1], own[:, 1:]
    n = len(manifest.cases)
    return np.tile(manifest.mean, (n, 1)), np.tile(manifest.std, (n, 1))


def _damaged(data_root: Path, name: str, what: str) -> UserError:
    return UserError(
        f'the prepared dataset "{name}" is damaged: {what}. Delete {data_root / name} and prepare '
        "it again",
        ExitCode.DATA,
    )


def resized(prepared: Prepared, size: list[int] | None) -> Prepared:
    """The dataset at another (h, w): images bilinear with antialiasing, masks nearest.

    Volumes stay as they are: they are seen in patches.
    """
    is_volume = prepared.manifest.card.is_volume
    if size is None or is_volume or tuple(size) == prepared.masks.shape[1:]:
        return prepared
    images = np.stack([resize_image(image, size) for image in prepared.images])
    masks = np.stack([resize_mask(mask, size) for mask in prepared.masks])
    return prepared._replace(images=images, masks=masks)


def resize_image(image: UInt8[ndarray, "h w c"], size: list[int]) -> UInt8[ndarray, "H W c"]:
    """Bilinear, antialiased where it shrinks."""
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    result = Image.fromarray(squeezed).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(result).reshape(*size, image.shape[-1])


def resize_mask(mask: UInt8[ndarray, "h w"], size: list[int]) -> UInt8[ndarray, "H W"]:
    """Nearest neighbour: classes stay classes."""
    return np.asarray(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))


def split_ids(manifest: Manifest, evaluate_on: str) -> tuple[list[str], list[str]]:
    """(train pool, evaluation set): the test set, or a fixed 20 % of the train pool for "dev".

    The development set is drawn by hash and is then neither labelled nor unlabelled.
    """
    train = manifest.ids("train")
    if evaluate_on == "test":
        return train, manifest.ids("test")
    keeps = manifest.card.keeps_groups
    groups = [c.group if keeps else "" for c in manifest.cases if c.split == "train"]
    dev = splits.held_out(train, groups, DEV_SHARE, manifest.name, "dev")
    return [i for i in train if i not in dev], [i for i in train if i in dev]


def for_pretraining(prepared: Prepared, *, evaluate_on: str) -> Images:
    """All images of the train pool (without the development set, if that is evaluated)."""
    ids = set(split_ids(prepared.manifest, evaluate_on)[0])
    rows = [i for i, case in enumerate(prepared.manifest.cases) if case.id in ids]
    indices = np.array(rows, dtype=np.int64)
    return Images(Unlabelled(prepared.images, indices), prepared.mean, prepared.std)


def for_trial(prepared: Prepared, *, ratio: float, seed: int, evaluate_on: str) -> TrialData:
    """The labelled subset, the unlabelled rest of the pool without masks, the evaluation set."""
    manifest, images, masks, mean, std = prepared
    pool, evaluation = split_ids(manifest, evaluate_on)
    chosen = set(splits.labelled_subset(pool, manifest.name, seed, ratio))
    row = {case.id: i for i, case in enumerate(manifest.cases)}

    def indices(ids: list[str]) -> Int[ndarray, " k"]:
        return np.array([row[i] for i in ids], dtype=np.int64)

    labelled = [i for i in pool if i in chosen]
    return TrialData(
        labelled=Labelled(images, masks, indices(labelled), labelled),
        unlabelled=Unlabelled(images, indices([i for i in pool if i not in chosen])),
        evaluation=Labelled(images, masks, indices(evaluation), evaluation),
        mean=mean,
        std=std,
        classes=len(manifest.card.classes),
        spacing=manifest.card.spacing or [1.0] * masks[0].ndim,
    )
