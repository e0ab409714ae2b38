"""Volumes (NIfTI, NRRD, MetaImage, HDF5): read with where they lie, and turned to one orientation.

Affines are NIfTI's: voxel → mm in the patient, whose axes go to the right, to the front and upwards
(RAS). Where a file says how it lies, the axes of what is stored go that way as nearly as they can;
where it does not, they stay as they are.
"""

import gzip
import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

_GZIP = b"\x1f\x8b"
_ITK = (".nrrd", ".mha")
_LITTLE = 0.51
"""Voxels that image and mask may lie apart: half a one, as between centres and corners."""
_NEARLY = 0.01
"""Relative: header and affine are rounded apart."""
_TO_MM = {"meter": 1e3, "mm": 1.0, "micron": 1e-3, "unknown": 1.0}
_DEFAULTS = (np.eye(4), np.diag([-1.0, -1, 1, 1]))
"""Affines of who was told nothing: NiBabel's, and SimpleITK's (LPS) as NIfTI has it."""


class InSpace(NamedTuple):
    """array: (x, y, z), or (x, y, z, channel); name: of its file, for messages."""

    name: str
    array: ndarray
    affine: Float[ndarray, "4 4"] | None = None
    """None where the file does not say how it lies."""
    spacing: tuple[float, ...] = ()
    """mm per voxel along each axis; none where the file says nothing, or 1 of each."""
    names_unit: bool = False
    """Or else mm are meant, as nearly always; a card that says otherwise is believed."""


def split_key(name: str) -> tuple[str, str]:
    """The file, and the array in it: an HDF5 file holds several, named file.h5:key."""
    file, colon, key = name.partition(".h5:")
    return (f"{file}.h5", key) if colon else (name, "")


def read_volume(name: str, content: bytes) -> InSpace:
    """What is in a .nii, .nii.gz, .nrrd, .mha or .h5 file; ValueError if it holds no volume.

    name: as of `split_key`; its case does not matter, and whether it is packed the content says.
    Axes of length 1 behind the third are dropped.
    """
    import h5py

    _, key = split_key(name)
    try:
        if key:
            with h5py.File(io.BytesIO(content)) as opened:
                found = InSpace(name, opened[key][:])
        elif name.lower().endswith(_ITK):
            found = _of_itk(name, content)
        else:
            raw = gzip.decompress(content) if content.startswith(_GZIP) else content
            found = _nifti(name, raw)
    except Exception as error:  # each library has its own kinds
        why = str(error).strip().splitlines()[-1:] or [""]
        raise ValueError(f"{name} cannot be read: {type(error).__name__}: {why[0]}") from error
    array = found.array
    flat = tuple(axis for axis in range(3, array.ndim) if array.shape[axis] == 1)
    array = array.squeeze(flat)
    if array.ndim not in (3, 4) or not array.size:
        raise ValueError(f"{name} is no volume: shape {array.shape}")
    return found._replace(array=array)


def in_space(name: str, array: ndarray, affine: Float[ndarray, "4 4"] | None) -> InSpace:
    """An array in memory that lies as a NIfTI of this affine would, in mm."""
    return InSpace(name, array, affine, () if affine is None else _sides(affine))


def _nifti(name: str, raw: bytes) -> InSpace:
    """No affine where the header gives none; spacing from its voxel sizes and their unit.

    The first number of a NIfTI-2 header is 540, in either order of bytes.
    """
    import nibabel
    from nibabel.imageglobals import LoggingOutputSuppressor

    is_second = raw[:4] in ((540).to_bytes(4, "little"), (540).to_bytes(4, "big"))
    with LoggingOutputSuppressor():  # it mends headers, and prints so for each
        image = (nibabel.Nifti2Image if is_second else nibabel.Nifti1Image).from_bytes(raw)
    says_where = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    unit = _unit(image)
    to_mm, is_said = _TO_MM[unit], unit != "unknown"
    affine = np.diag([to_mm, to_mm, to_mm, 1.0]) @ _affine(image)
    array = np.asanyarray(image.dataobj)
    if says_where and _tells_axes(affine):
        means_ones = is_said and not _is_default(affine)
        return InSpace(name, array, affine, _sides(affine, means_ones=means_ones), is_said)
    return InSpace(name, array, None, _usable(image.header["pixdim"][1:4] * to_mm), is_said)


def _unit(image: Any) -> str:
    try:
        return image.header.get_xyzt_units()[0]
    except KeyError:  # a number that means none
        return "unknown"


def _tells_axes(affine: Float[ndarray, "4 4"]) -> bool:
    """Has each axis of the voxels a direction of its own in the patient?"""
    from nibabel import orientations

    if not np.isfinite(affine).all() or not np.linalg.det(affine[:3, :3]):
        return False
    try:
        return bool(np.isfinite(orientations.io_orientation(affine)).all())
    except orientations.OrientationError:
        return False


def _is_default(affine: Float[ndarray, "4 4"]) -> bool:
    return any(np.allclose(affine, default) for default in _DEFAULTS)


def _affine(image: Any) -> Float[ndarray, "4 4"]:
    """The file's sform, unless its voxels are none that the header has: then the qform.

    The sform of ACDC's files says voxels of 1 mm, where their header and qform say 1.37 by 10.
    """
    affine, sides = image.affine, image.header["pixdim"][1:4]
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if np.allclose(lengths, sides, rtol=_NEARLY) or not (np.isfinite(sides).all() and sides.all()):
        return affine
    if int(image.header["qform_code"]) > 0:
        return image.get_qform()
    return affine


def of_simpleitk(image: InSpace) -> InSpace:
    """An array without a header whose axes are (z, y, x), as SimpleITK gives them.

    Unless a file says otherwise x goes to the left and y to the back there.
    """
    return image._replace(array=image.array.transpose(2, 1, 0), affine=np.diag([-1.0, -1, 1, 1]))


def _sides(affine: Float[ndarray, "4 4"], *, means_ones: bool = False) -> tuple[float, ...]:
    return _usable(np.linalg.norm(affine[:3, :3], axis=0), means_ones=means_ones)


def _usable(sides: Float[ndarray, "3"], *, means_ones: bool = False) -> tuple[float, ...]:
    """Voxel sizes to six digits (headers hold float32); none where they are no sizes.

    Nor where they are all 1, which is what headers have that were told nothing: unless the file is
    known to mean it (means_ones).
    """
    found = tuple(float(f"{side:.6g}") for side in sides.tolist())
    is_size = all(np.isfinite(side) and side > 0 for side in found)
    return found if is_size and (means_ones or found != (1.0, 1.0, 1.0)) else ()


def _of_itk(name: str, content: bytes) -> InSpace:
    """Directions and mm, but of NRRD without a space; a file of mere defaults says nothing.

    SimpleITK's patient has axes to the left and to the back (LPS).
    """
    array, image = with_simpleitk(name, content)
    affine = np.eye(4)
    directions = np.array(image.GetDirection()).reshape([image.GetDimension()] * 2)[:3, :3]
    affine[:3, :3] = directions * image.GetSpacing()[:3]
    affine[:3, 3] = image.GetOrigin()[:3]
    is_nrrd = image.GetMetaData("ITK_InputFilterName").startswith("Nrrd")
    is_said = not is_nrrd or image.HasMetaDataKey("NRRD_space")
    spacing, is_default = _sides(affine), np.array_equal(affine, np.eye(4))
    affine[:2] *= -1
    return InSpace(name, array, affine if is_said and not is_default else None, spacing, is_said)


def with_simpleitk(name: str, content: bytes) -> tuple[ndarray, Any]:
    """Array (x first; channels last; of pictures rows first) and the `SimpleITK.Image`.

    RuntimeError if it cannot be read. SimpleITK reads files alone.
    """
    import SimpleITK

    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)  # what matters is checked
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, f"image{Path(name.lower()).suffix}")
        file.write_bytes(content)
        image = SimpleITK.ReadImage(str(file))
    array, dims = SimpleITK.GetArrayFromImage(image), image.GetDimension()
    if dims == 2:
        return array.reshape(*array.shape[:2], -1), image
    return array.transpose(*reversed(range(dims)), *range(dims, array.ndim)), image


def turned(image: InSpace) -> InSpace:
    """Its axes to the right, to the front and upwards, as nearly as they can."""
    from nibabel import orientations

    if image.affine is None:
        return image
    turn = orientations.io_orientation(image.affine)
    affine = image.affine @ orientations.inv_ornt_aff(turn, image.array.shape[:3])
    array = orientations.apply_orientation(image.array, turn)
    spacing = _sides(affine, means_ones=bool(image.spacing))
    return image._replace(array=array, affine=affine, spacing=spacing)


def turned_shape(shape: Sequence[int], affine: Float[ndarray, "4 4"] | None) -> tuple[int, ...]:
    """The shape that `turned` gives an array of this one."""
    if affine is None:
        return tuple(shape)
    from nibabel import orientations

    axes = orientations.io_orientation(affine)[:, 0].astype(int)
    return tuple(int(side) for _, side in sorted(zip(axes, shape, strict=True)))


def turned_back(array: ndarray, affine: Float[ndarray, "4 4"]) -> ndarray:
    """What `turned` would turn, as it was in the file of this affine."""
    from nibabel import orientations

    turn = orientations.io_orientation(affine)
    back = orientations.ornt_transform(orientations.axcodes2ornt("RAS"), turn)
    return orientations.apply_orientation(array, back)


class Fitted(NamedTuple):
    """array: as `turned` turns the image."""

    array: ndarray
    by_order: bool = False
    """The affines say otherwise, and one of the two is a default; many a script saves masks so."""
    was_part: bool = False
    """It was of a part of the image, and is filled up with 0."""


def turned_like(other: InSpace, image: InSpace, *, is_mask: bool = False) -> Fitted:
    """Another volume (a mask, a channel) with its voxels where those of the turned image are.

    Where one of the two files does not say how it lies, their voxels are in one order. A mask of a
    part of the image, as Slicer saves segments, is filled up with 0. ValueError if it lies
    elsewhere in the patient.
    """
    in_one_order = turned(image._replace(array=other.array)).array
    if other.affine is None or image.affine is None:
        return Fitted(in_one_order)
    array, affine = _in_order_of(other, image)
    there = np.linalg.solve(image.affine, affine)  # voxels of the other → of the image
    was_part = is_mask and _is_part(array, there, image.array.shape[:3])
    if was_part:
        array, there = _filled_up(array, there, image.array.shape[:3])
    apart = _apart(there, array.shape[:3])
    if apart <= _LITTLE:
        return Fitted(turned(image._replace(array=array)).array, was_part=was_part)
    if any(_is_default(one.affine) for one in (other, image) if one.affine is not None):
        return Fitted(in_one_order, by_order=True)
    raise ValueError(
        f"{other.name} lies elsewhere in the patient than {image.name}, by up to {apart:.3g} "
        "voxels (their affines): resample it onto the image"
    )


def _in_order_of(other: InSpace, image: InSpace) -> tuple[ndarray, Float[ndarray, "4 4"]]:
    """Array and affine of the other volume, its axes as those of the image's file."""
    from nibabel import orientations

    turn = orientations.io_orientation(np.linalg.solve(image.affine, other.affine))
    affine = other.affine @ orientations.inv_ornt_aff(turn, other.array.shape[:3])
    return orientations.apply_orientation(other.array, turn), affine


def _is_part(array: ndarray, there: Float[ndarray, "4 4"], shape: tuple[int, ...]) -> bool:
    """Is it a part of the image's grid that begins elsewhere than the image?

    One that begins where the image does is most likely none: a mask of another resolution, or of
    another case, or cut out by a script that left the affine as it was.
    """
    start = np.rint(there[:3, 3]).astype(int)
    has_its_voxels = np.allclose(there[:3, :3], np.eye(3), atol=1e-3)
    is_smaller = array.shape[:3] != shape and array.ndim == 3
    is_within = (start >= 0).all() and (start + array.shape[:3] <= shape).all()
    return bool(is_smaller and has_its_voxels and is_within and start.any())


def _filled_up(
    array: ndarray, there: Float[ndarray, "4 4"], shape: tuple[int, ...]
) -> tuple[ndarray, Float[ndarray, "4 4"]]:
    """A part of the image's grid with 0 around it."""
    start = np.rint(there[:3, 3]).astype(int)
    end = start + array.shape[:3]
    whole = np.zeros(shape, array.dtype)
    whole[tuple(slice(a, b) for a, b in zip(start, end, strict=True))] = array
    left = there.copy()
    left[:3, 3] -= start
    return whole, left


def _apart(there: Float[ndarray, "4 4"], shape: tuple[int, ...]) -> float:
    """How far the corners of a volume are moved, in voxels along an axis."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1)
    corners = np.column_stack([corners, np.ones(len(corners))])
    return float(np.abs(there @ corners.T - corners.T).max())


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
