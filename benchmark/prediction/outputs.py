"""What is written of a prediction: masks, maps of disagreement, overlays, and tables of sizes."""

import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped, UInt, UInt8
from numpy import ndarray
from PIL import Image
from pydantic import BaseModel, ConfigDict

from benchmark.data.decoding.greys import as_bytes
from benchmark.data.preview import colour, painted
from benchmark.files import replacing

MASKS, DISAGREEMENT, OVERLAYS = "masks", "disagreement", "overlays"
_PALETTE = [0, 0, 0, *(value for number in range(1, 256) for value in colour(number))]


class Measured(BaseModel):
    """What was predicted of one image, in numbers."""

    model_config = ConfigDict(extra="forbid")

    checksum: str
    """Of the image's files."""
    sizes: list[int]
    """Pixels or voxels of each class, the background first."""
    spacing: list[float]
    """Of volumes, mm per voxel along each axis; empty where it is not known."""
    disagreement: float | None
    """Of an ensemble, the mean over the image."""


def mask_file(out: Path, id: str, *, is_volume: bool) -> Path:
    """Where the mask of an image goes."""
    return out / MASKS / f"{id}{_ending(is_volume)}"


def disagreement_file(out: Path, id: str, *, is_volume: bool) -> Path:
    return out / DISAGREEMENT / f"{id}{_ending(is_volume)}"


def overlay_file(out: Path, id: str) -> Path:
    return out / OVERLAYS / f"{id}.png"


def _ending(is_volume: bool) -> str:
    return ".nii.gz" if is_volume else ".png"


def write_mask(
    file: Path, labels: UInt8[ndarray, "*s"], affine: Float[ndarray, "4 4"] | None
) -> None:
    """A PNG whose pixels are class numbers, and whose palette shows them in colours; or NIfTI."""
    if labels.ndim == 3:
        _write(file, _nifti(labels, affine))
        return
    image = Image.fromarray(labels)
    image.putpalette(_PALETTE)
    _write(file, _png(image))


def write_disagreement(
    file: Path, values: Float[ndarray, "*s"], affine: Float[ndarray, "4 4"] | None
) -> None:
    """A PNG of 16 bits, in which 65,535 is 1; or NIfTI of float32."""
    if values.ndim == 3:
        _write(file, _nifti(values.astype(np.float32), affine))
    else:
        _write(file, _png(Image.fromarray(np.rint(values * 65535).astype(np.uint16))))


def write_overlay(file: Path, image: UInt[ndarray, "h w c"], labels: UInt8[ndarray, "h w"]) -> None:
    """The image with its mask drawn on it."""
    grey = as_bytes(image)
    colours = np.repeat(grey, 3, -1) if grey.shape[-1] == 1 else grey
    _write(file, _png(Image.fromarray(painted(colours, labels))))


def rows(
    images: Mapping[str, Measured], classes: Sequence[str], *, is_volume: bool
) -> Iterator[dict[str, Any]]:
    """Of the table of sizes: one for each image and class of the foreground."""
    for id, found in sorted(images.items()):
        for number, name in list(enumerate(classes))[1:]:
            row = {"image": id, "class": name, "number": number}
            row["voxels" if is_volume else "pixels"] = found.sizes[number]
            row["share"] = found.sizes[number] / sum(found.sizes)
            if is_volume:
                voxel = float(np.prod(found.spacing)) if found.spacing else float("nan")
                row["mm3"] = found.sizes[number] * voxel
            if found.disagreement is not None:
                row["disagreement"] = found.disagreement
            yield row


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing(file) as stream:
        stream.write(content)


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "png")
    return stream.getvalue()


def _nifti(values: Shaped[ndarray, "x y z"], affine: Float[ndarray, "4 4"] | None) -> bytes:
    """As .nii.gz, over the image's file; the same values give the same bytes."""
    import nibabel

    image = nibabel.Nifti1Image(values, np.eye(4) if affine is None else affine)
    image.header.set_xyzt_units("unknown" if affine is None else "mm")
    return gzip.compress(image.to_bytes(), mtime=0)
