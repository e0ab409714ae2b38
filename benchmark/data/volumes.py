"""Volumes: NRRD, HDF5 and NIfTI files as bytes in, compact arrays out.

A volume is kept as uint8 with the mean and deviation that standardise it: a hundred uncropped heart
scans are 3 GB so, and 12 GB as floats.
"""

import gzip
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray


class Volume(NamedTuple):
    """image: (x, y, z, 1); (image / 255 - mean) / std is the standardised volume."""

    image: UInt8[ndarray, "x y z 1"]
    mean: float
    std: float


def split_key(name: str) -> tuple[str, str]:
    """The file, and the array in it: an HDF5 file holds several, named file.h5:key."""
    file, colon, key = name.partition(".h5:")
    return (f"{file}.h5", key) if colon else (name, "")


def read_array(name: str, content: bytes) -> ndarray:
    """The array in a .nrrd, .nii, .nii.gz or .h5 file; ValueError if there is no volume in it.

    name: as of `split_key`.
    """
    import h5py
    import nibabel
    import nrrd

    _, key = split_key(name)
    try:
        if key:
            with h5py.File(io.BytesIO(content)) as opened:
                array = opened[key][:]
        elif name.endswith(".nrrd"):
            stream = io.BytesIO(content)
            array = nrrd.read_data(nrrd.read_header(stream), stream)
        else:
            raw = gzip.decompress(content) if name.endswith(".gz") else content
            array = np.asanyarray(nibabel.Nifti1Image.from_bytes(raw).dataobj)
    except Exception as error:  # each library has its own kinds
        raise ValueError(f"{name} cannot be read: {type(error).__name__}: {error}") from error
    if array.ndim != 3 or not array.size:
        raise ValueError(f"{name} is no volume: shape {array.shape}")
    return array


def compact(values: ndarray, *, is_standardised: bool) -> Volume:
    """The volume in 256 grey levels.

    uint8 data are kept as they are; others are mapped linearly from their range (an error of at
    most 1/510 of it). is_standardised: the values are z-scores already, such as those of a scan
    before it was cropped, and the volume gives them back; else mean and std are its own.
    """
    if values.dtype == np.uint8:
        low, width = 0.0, 255.0
        levels = values
    else:
        if not np.isfinite(values).all():
            raise ValueError("the volume holds values that are not finite")
        low, width = float(values.min()), float(np.ptp(values)) or 1.0
        levels = np.rint((values - low) * (255 / width)).astype(np.uint8)
    if is_standardised:
        return Volume(levels[..., None], -low / width, 1 / width)
    return Volume(levels[..., None], *grey_moments(levels))


def grey_moments(levels: UInt8[ndarray, "*s"]) -> tuple[float, float]:
    """Mean and deviation (at least 1e-6) of bytes as [0, 1].

    From the count of each level: as floats a dataset would need many times its memory.
    """
    shares = np.bincount(levels.ravel(), minlength=256) / levels.size
    grey = np.arange(256) / 255
    mean = float(shares @ grey)
    return mean, max(float(np.sqrt(shares @ (grey - mean) ** 2)), 1e-6)


def label_box(mask: UInt8[ndarray, "x y z"], margin: int, least: int) -> tuple[slice, ...]:
    """The part of the first two axes around the foreground; the third is kept whole.

    margin: voxels added on each side; least: of each side, where the volume has so many. As in
    yulequan/UA-MT@88ed29a data/la_heart_processing.py, whose margins are random.
    """
    box = []
    for axis in range(2):
        others = tuple(i for i in range(3) if i != axis)
        found = np.flatnonzero(mask.any(others))
        if len(found) == 0:
            box.append(slice(None))
            continue
        first, last = found[0] - margin, found[-1] + 1 + margin
        short = max(0, least - (last - first))
        first, last = first - (short + 1) // 2, last + short // 2
        box.append(slice(max(0, int(first)), min(mask.shape[axis], int(last))))
    return (*box, slice(None))


def pack(arrays: list[ndarray]) -> UInt8[ndarray, " n"]:
    """Arrays of different shapes, one behind the other."""
    return np.concatenate([np.ascontiguousarray(array).reshape(-1) for array in arrays])


def unpack(flat: UInt8[ndarray, " n"], shapes: list[list[int]]) -> list[ndarray]:
    """What `pack` put together, without copying."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    if len(flat) != ends[-1]:
        raise ValueError(f"{len(flat)} values for shapes that need {ends[-1]}")
    return [
        flat[end - int(np.prod(shape)) : end].reshape(shape)
        for end, shape in zip(ends, shapes, strict=True)
    ]


def write_nifti(file: Path, labels: UInt8[ndarray, "x y z"]) -> None:
    """A label volume in voxel coordinates (the datasets' headers carry no usable ones)."""
    import nibabel

    nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), file)
