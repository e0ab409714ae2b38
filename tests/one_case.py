"""The files of one case, as somebody may have them, and what they are decoded to."""

import gzip
import io
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK
from PIL import Image

from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded, decode
from benchmark.data.layouts import Case
from benchmark.data.source import Source

DISC = np.zeros((8, 8), np.uint8)
DISC[2:5, 1:4] = 1
BALL = np.zeros((10, 8, 6), np.uint8)
BALL[1:4, 2:7, 0:2] = 1
RAS = np.array([[0.7, 0, 0, -3], [0, 0.7, 0, 5], [0, 0, 2.0, 1], [0, 0, 0, 1]])
"""An affine: voxels of 0.7 × 0.7 × 2 mm, axes to the right, the front and upwards."""


def decoded(folder: Path, card: Card, images: dict[str, bytes], masks: dict[str, bytes]) -> Decoded:
    """File name → content, of image and mask; written to image/ and mask/."""
    for kind, files in (("image", images), ("mask", masks)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / kind / name).write_bytes(content)
    paths = [tuple(f"{k}/{n}" for n in files) for k, files in (("image", images), ("mask", masks))]
    return decode(Source(folder), card, Case("a", "", "", *paths))


def picture(values: np.ndarray | Image.Image, kind: str = "png", **options) -> bytes:
    stream = io.BytesIO()
    image = values if isinstance(values, Image.Image) else Image.fromarray(values)
    image.save(stream, kind, **options)
    return stream.getvalue()


def nifti(values: np.ndarray, affine=RAS, kind=nibabel.Nifti1Image, unit="unknown") -> bytes:
    """As .nii.gz; affine None: the header does not say how the volume lies."""
    image = kind(np.ascontiguousarray(values), affine)
    image.header.set_xyzt_units(unit)
    return gzip.compress(image.to_bytes())


def itk(folder: Path, name: str, values: np.ndarray, affine=None) -> bytes:
    """A .nrrd, .mha or 16-bit .png of these (x first) that lies as a NIfTI of this affine does."""
    is_flat = name.endswith((".png", ".tif"))
    array = values if is_flat else np.moveaxis(values, [0, 1, 2], [2, 1, 0])
    image = SimpleITK.GetImageFromArray(array, isVector=values.ndim == (3 if is_flat else 4))
    if affine is not None:
        lps = np.diag([-1, -1, 1, 1]) @ affine
        spacing = np.linalg.norm(lps[:3, :3], axis=0)
        image.SetSpacing(spacing.tolist())
        image.SetDirection((lps[:3, :3] / spacing).ravel().tolist())
        image.SetOrigin(lps[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(folder / name))
    return (folder / name).read_bytes()


def flipped(array: np.ndarray, affine: np.ndarray, axes: tuple[int, ...]):
    """The same voxels at the same places, counted from the other end along some axes."""
    turned = affine.copy()
    for axis in axes:
        turned[:3, 3] += turned[:3, axis] * (array.shape[axis] - 1)
        turned[:3, axis] *= -1
    return np.flip(array, axes), turned
