"""A prepared dataset, on disk and in memory."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydantic
from jaxtyping import Float, UInt, UInt8
from numpy import ndarray
from pydantic import BaseModel, ConfigDict

from benchmark.data import names
from benchmark.data.card import Card
from benchmark.data.decoding.images import lost_classes, resize_image, resize_mask
from benchmark.data.slices import Slices, cut_images, cut_masks, starts
from benchmark.errors import ExitCode, UserError, unknown

_LARGEST_SIDE = 2**31  # voxels, or mm of a voxel
_LONGEST_ID = 200  # bytes: a file's name has 255, and endings are added
FORMAT = 2  # of the prepared folder
READING = 2
"""Raised when files are read otherwise: what was prepared before is prepared again if asked for."""


def is_text(name: str) -> bool:
    """Is the name of a file UTF-8? One of other bytes can be neither hashed nor written down."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def objection(id: str) -> str:
    """What speaks against the id of a case, which becomes a file's name, a line and a field; ""."""
    if not id.isprintable():
        return "characters that cannot be printed, such as a line end"
    if "/" in id or "\\" in id or id.startswith("."):
        return "what leads to another folder: / or \\, or a dot at the start"
    if len(id.encode()) > _LONGEST_ID:
        return f"{len(id.encode())} bytes, more than {_LONGEST_ID}"
    return "" if id else "nothing"


SPLITS = ("train", "unlabelled", "val", "test")
"""In the order of the arrays. unlabelled: images without masks, which no budget labels; val: a
validation set that came with the data."""
NO_MASK = 255
"""What the stored mask of an image without one holds everywhere: no dataset has such a class, so
that whoever took it for a mask would notice."""


class CaseEntry(BaseModel):
    """One case in the manifest, in the order of the arrays."""

    id: str
    split: str
    """One of `SPLITS`."""
    group: str
    foreground: float
    """Share of foreground pixels as prepared."""
    shape: list[int] = []
    """Of a volume: (x, y, z)."""
    mean: float | list[float] | None = None
    """Of a volume: what standardises it, its grey levels taken as [0, 1]; a list of channels, if
    there are several."""
    std: float | list[float] | None = None
    spacing: list[float] = []
    """Of a volume: mm per voxel along each axis as stored; empty: unknown."""
    source_shape: list[int] = []
    """(height, width) or (x, y, z) as in the file of the image (upright); empty: as stored."""
    affine: list[list[float]] = []
    """Of the file of the image: voxel → mm in the patient (RAS); empty: unknown."""
    start: list[int] = []
    """Of a cropped volume: where it began in the whole one."""
    levels: int = 0
    """How many grey levels are in use; 0: not counted."""
    classes: list[float] = []
    """Share of each class, as prepared; empty in manifests from before."""
    image: str = ""
    """Checksums of what is stored of image and mask; "" in manifests from before. In no hash: the
    arrays are."""
    mask: str = ""

    @property
    def has_mask(self) -> bool:
        return self.split != "unlabelled"

    @pydantic.model_validator(mode="after")
    def _of_one_shape(self) -> "CaseEntry":
        """An image has two sides, a volume three."""
        if self.split not in SPLITS:
            raise ValueError(f"no split {self.split[:100]!r}; there are {', '.join(SPLITS)}")
        sides = 3 if self.shape else 2
        for name in ("shape", "source_shape", "spacing", "start"):
            values = getattr(self, name)
            if values and len(values) != sides:
                raise ValueError(f"{self.id}: {sides} values of {name}, got {len(values)}")
            if any(not 0 <= value < _LARGEST_SIDE for value in values):
                raise ValueError(f"{self.id}: no {name} is {values}")
        if self.affine and [len(row) for row in self.affine] != [4] * 4:
            raise ValueError(f"{self.id}: an affine has four rows of four")
        return self

    @pydantic.field_validator("id")
    @classmethod
    def _usable(cls, id: str) -> str:
        if why := objection(id):
            raise ValueError(f"no case can be named {id[:100]!r}: it holds {why}")
        return id


class Manifest(BaseModel):
    """What `bench data prepare` found; `manifest.json` of a prepared dataset."""

    model_config = ConfigDict(extra="forbid")
    format: int
    card: Card
    source: str
    source_fingerprint: str
    reading: int = 0
    """As of `READING`."""
    data_hash: str
    """See `data_hash`: part of every key, so other data are other trials."""
    mean: list[float]
    """Per channel over the train pool and the images without masks, pixels in [0, 1]."""
    std: list[float]
    cases: list[CaseEntry]
    test_sets: dict[str, int] = {}
    """Further test sets by name, with their numbers of cases. They lie beside this, with manifests
    of their own (`test_set`), and are in no hash of this."""
    partial: str = ""
    """How the cases differ from the whole dataset, if they do."""
    notes: list[str] = []
    faults: list[str] = []
    """As of `data.preparation.faults`: what makes scores on these data less than they seem."""

    @pydantic.model_validator(mode="after")
    def _spacing_of_each(self) -> "Manifest":
        """Where a case has no spacing of its own, the card's counts."""
        for case in self.cases:
            case.spacing = case.spacing or self.card.spacing
        return self

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def counted(self) -> list[str]:
        """85 train, 12 unlabelled, 80 test: the splits that there are, one by one."""
        numbers = {split: len(self.ids(split)) for split in SPLITS}
        return [f"{n} {split}" for split, n in numbers.items() if n]

    def ids(self, split: str) -> list[str]:
        return [case.id for case in self.cases if case.split == split]


# Images of one size in one array (n, h, w, c) and masks (n, h, w); volumes, each of its own size,
# in lists of (x, y, z, c) and (x, y, z), in the order of the manifest's cases. Masks are uint8, and
# images uint8 or, where that would lose much, uint16.
Arrays = ndarray | list[ndarray]


class Prepared(NamedTuple):
    """A prepared dataset in memory."""

    manifest: Manifest
    images: Arrays
    masks: Arrays
    mean: Float[ndarray, "n c"]
    """Standardises each case: (image / most - mean) / std, most being 255 or, of 16 bits, 65,535.
    Images share the train pool's."""
    std: Float[ndarray, "n c"]
    slices: Slices | None = None
    """Of volumes that a run trains on slice by slice."""


def short_hash(value: Any) -> str:
    """16 hexadecimal digits of plain values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def data_hash(manifest: Manifest, images: ndarray, masks: ndarray) -> str:
    """Of everything in a prepared dataset that can change a number; images and masks as on disk.

    A field of the card that is added later joins only where it is not at the value that gives what
    was there before, as `spacing` does.
    """
    card = manifest.card
    facts = [[c.id, c.split, c.group, c.shape, c.mean, c.std] for c in manifest.cases]
    about = {
        "name": card.name, "classes": len(card.classes), "keeps_groups": card.keeps_groups,
        "mean": manifest.mean, "std": manifest.std, "cases": facts,
    }  # fmt: skip
    if card.spacing:
        about["spacing"] = card.spacing
    if any(case.spacing != card.spacing for case in manifest.cases):
        about["spacings"] = [case.spacing for case in manifest.cases]
    if card.symmetry != "all":
        about["symmetry"] = card.symmetry
    if card.subset != "cases":
        about["subset"] = card.subset
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for array in (images, masks):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()[:16]


def test_set(name: str, further: str) -> str:
    """Under which name a further test set of a dataset is loaded."""
    return f"{name}/tests/{further}"


def _again(name: str, fields: Mapping[str, Any]) -> str:
    """How a dataset of another format gets this one."""
    if fields.get("card", {}).get("phantom"):
        return "It is synthetic: the next run that names it makes it anew"
    return f"Prepare it again:\n  bench data prepare {name} --from /path/to/what/you/downloaded"


def read_manifest(data_root: Path, name: str) -> Manifest:
    """The manifest alone; `UserError` (exit code 3) if the dataset is not prepared or damaged."""
    file = data_root / name / "manifest.json"
    if not file.is_file():
        known = {*names.cards(), *names.prepared(data_root)}
        if name not in known and name.casefold() in known:
            raise unknown("dataset", name, known, "bench list datasets")
        raise not_prepared(data_root, name)
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        if (found := fields.get("format")) != FORMAT:
            raise UserError(
                f'the dataset "{name}" under {data_root} was prepared by another version of this '
                f"tool (format {found}, this one reads {FORMAT}). {_again(name, fields)}",
                ExitCode.DATA,
            )
        return Manifest.model_validate(fields)
    except pydantic.ValidationError as error:  # without the input: a link could lead anywhere
        first = error.errors()[0]
        why = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise _damaged(data_root, name, f"manifest.json is not readable ({why})") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged(data_root, name, f"manifest.json is not readable ({error})") from error


def not_prepared(data_root: Path, name: str, where: str = "", typed: str = "") -> UserError:
    """The error for a dataset that is not there; where: " from … (terms: …)".

    typed: how its card is called, where that is not its name.
    """
    return UserError(
        f'dataset "{name}" is not prepared under {data_root}. Get it{where}, then:\n'
        f"  bench data prepare {typed or name} --from /path/to/what/you/downloaded",
        ExitCode.DATA,
    )


def load(data_root: Path, name: str) -> Prepared:
    """A prepared dataset; its content is compared with the manifest's hash."""
    manifest = read_manifest(data_root, name)
    try:
        images, masks = (mapped(data_root / name / f"{kind}.npy") for kind in ("images", "masks"))
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise _damaged(data_root, name, str(error)) from error
    if data_hash(manifest, images, masks) != manifest.data_hash:
        raise _damaged(data_root, name, "the arrays are not those that were prepared")
    return assembled(manifest, images, masks)


def assembled(
    manifest: Manifest, images: UInt[ndarray, "..."], masks: UInt8[ndarray, "..."]
) -> Prepared:
    """A dataset of its manifest and of the arrays as they lie on disk; `ValueError` if not its."""
    if manifest.card.is_volume:
        shapes = [case.shape for case in manifest.cases]
        images = unpack(images, [[*shape, manifest.card.channels] for shape in shapes])
        masks = unpack(masks, shapes)
    elif not len(images) == len(masks) == len(manifest.cases):
        raise ValueError(f"{len(images)} images, {len(masks)} masks, {len(manifest.cases)} cases")
    return Prepared(manifest, images, masks, *_constants(manifest))


def mapped(file: Path) -> UInt[ndarray, "..."]:
    """An array on disk, read as it is used, and shared with all processes that map it."""
    if file.exists() and not file.is_file():  # a pipe would be waited for
        raise ValueError(f"{file} is no file")
    return np.asarray(np.load(file, mmap_mode="r"))


def _constants(manifest: Manifest) -> tuple[Float[ndarray, "n c"], Float[ndarray, "n c"]]:
    """Mean and std of each case: its own for volumes, the train pool's for images."""
    if manifest.card.is_volume:
        mean, std = (
            [np.atleast_1d(getattr(c, n)) for c in manifest.cases] for n in ("mean", "std")
        )
        return np.array(mean, float), np.array(std, float)
    n = len(manifest.cases)
    return np.tile(manifest.mean, (n, 1)), np.tile(manifest.std, (n, 1))


def _damaged(data_root: Path, name: str, what: str) -> UserError:
    return UserError(
        f'the prepared dataset "{name}" is damaged: {what}. Delete {data_root / name} and prepare '
        "it again",
        ExitCode.DATA,
    )


def is_enlarged(card: Card, size: list[int] | None) -> bool:
    """Would `resized` bring images of this card to more pixels along a side than they have?"""
    if size is None or card.is_volume:
        return False
    return any(wanted > made for wanted, made in zip(size, card.size, strict=True))


def lost_in_resizing(data_root: Path, manifest: Manifest, size: list[int] | None) -> list[str]:
    """Ids of cases of which a class is gone when masks are resized to a run's (h, w)."""
    if size is None or manifest.card.is_volume or size == manifest.card.size:
        return []
    try:
        masks = mapped(data_root / manifest.name / "masks.npy")
    except (OSError, ValueError):  # whoever loads the dataset will say it
        return []
    if masks.shape != (len(manifest.cases), *manifest.card.size):
        return []
    return [
        case.id
        for case, mask in zip(manifest.cases, masks, strict=True)
        if case.has_mask and lost_classes(mask, resize_mask(np.array(mask), size))
    ]


def as_trained(prepared: Prepared, size: list[int] | None, *, slices: bool = False) -> Prepared:
    """The dataset as a run sees it: images at its (h, w), volumes with their slices at that size.

    Volumes that are trained on as such stay as they are: they are seen in patches.
    """
    if not slices:
        return prepared if prepared.manifest.card.is_volume else resized(prepared, size)
    images, masks = (cut_images(prepared.images, size), cut_masks(prepared.masks, size))
    return with_slices(prepared, images, masks)


def with_slices(
    prepared: Prepared, images: UInt[ndarray, "n h w c"], masks: UInt8[ndarray, "n h w"]
) -> Prepared:
    """The dataset of volumes with its slices; `ValueError` if they are not its."""
    found = starts([case.shape[2] for case in prepared.manifest.cases])
    if not len(images) == len(masks) == found[-1]:
        raise ValueError(f"{len(images)} slices, {len(masks)} masks, and {found[-1]} are needed")
    return prepared._replace(slices=Slices(images, masks, found))


def resized(prepared: Prepared, size: list[int] | None) -> Prepared:
    """Images at another (h, w): bilinear with antialiasing, masks nearest."""
    if size is None or tuple(size) == prepared.masks.shape[1:]:
        return prepared
    images = np.stack([resize_image(image, size) for image in prepared.images])
    masks = np.stack([resize_mask(mask, size) for mask in prepared.masks])
    return prepared._replace(images=images, masks=masks)


def pack(arrays: list[ndarray]) -> UInt[ndarray, " n"]:
    """Arrays of different shapes, one behind the other."""
    return np.concatenate([np.ascontiguousarray(array).reshape(-1) for array in arrays])


def unpack(flat: UInt[ndarray, " n"], shapes: list[list[int]]) -> list[ndarray]:
    """What `pack` put together, without copying."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if len(flat) != ends[-1]:
        raise ValueError(f"{len(flat)} values for shapes that need {ends[-1]}")
    return [
        flat[end - int(np.prod(shape)) : end].reshape(shape)
        for end, shape in zip(ends, shapes, strict=True)
    ]
