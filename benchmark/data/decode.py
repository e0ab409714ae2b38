"""One case from its files to arrays: decoded, checked against the card, resized or cropped.

Images are PNG, BMP, JPEG or TIFF; volumes NRRD, NIfTI or HDF5. A volume is kept as uint8 with the
mean and standard deviation that standardise it: a hundred uncropped heart scans are 3 GB so, and 12
GB as floats.
"""

import gzip
import io
import math
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from benchmark.data.card import Card
from benchmark.data.layouts import Case
from benchmark.data.source import Source

# UA-MT draws its margins from 10 to 20 voxels, without a seed, and keeps at least 112.
_CROP_MARGIN, _CROP_LEAST = 15, 112
_NEARLY_WHOLE = 1e-3
_ALPHA = 3
_FEW_LEVELS = 64
_GZIP = b"\x1f\x8b"


class Decoded(NamedTuple):
    """A case as it is stored; mean and std of a volume."""

    image: UInt8[ndarray, "*s c"]
    mask: UInt8[ndarray, "*s"]
    mean: float | None = None
    std: float | None = None
    lost_class: bool = False
    """By resizing: what there was of it is too small."""
    crushed_to: int = 0
    """Of a volume: how many grey levels are left, if storing it in 256 has cost most of them."""


def decode(source: Source, card: Card, case: Case) -> Decoded:
    """Image and mask of a case, checked, at the card's size.

    Raises ValueError or OSError that says what is wrong with which file.
    """
    return (_decode_volume if card.is_volume else _decode_image)(source, card, case)


def _decode_image(source: Source, card: Card, case: Case) -> Decoded:
    image = _image(_open(source, case.images[0]), card)
    values = _grey(_open(source, case.masks[0]), card)
    _require_equal_size(image.shape[:2], values.shape, case)
    mask = _classes(values, card)
    small = resize_mask(mask, card.size)
    is_lost = bool(set(np.unique(mask).tolist()) - set(np.unique(small).tolist()) - {0})
    return Decoded(resize_image(image, card.size), small, lost_class=is_lost)


def _decode_volume(source: Source, card: Card, case: Case) -> Decoded:
    image, labels = (
        read_volume(name, source.read(split_key(name)[0]))
        for name in (case.images[0], case.masks[0])
    )
    values = image.array
    turned = _turned(labels, image)
    _require_equal_size(values.shape, turned.shape, case)
    mask = _classes(turned, card)
    volume = compact(values, is_standardised=bool(split_key(case.images[0])[1]))
    box = (slice(None),) * 3
    if card.crop == "label_box":
        box = label_box(mask, _CROP_MARGIN, _CROP_LEAST)
    crushed_to = _levels_left(values, volume.image)
    return Decoded(volume.image[box], mask[box], volume.mean, volume.std, crushed_to=crushed_to)


def _levels_left(values: ndarray, stored: UInt8[ndarray, "x y z 1"]) -> int:
    """How many levels are in use, where they are few and there were many more; else 0."""
    left = int((np.bincount(stored.ravel(), minlength=256) > 0).sum())
    return left if left < _FEW_LEVELS and len(np.unique(values)) > 2 * left else 0


def _require_equal_size(image: tuple[int, ...], mask: tuple[int, ...], case: Case) -> None:
    if image != mask:
        raise ValueError(
            f"the mask has another size than the image: {_by(mask)} in {case.masks[0]}, "
            f"{_by(image)} in {case.images[0]}"
        )


def _by(shape: tuple[int, ...]) -> str:
    """Width × height of images, x × y × z of"""
    return "×".join(map(str, shape if len(shape) == 3 else shape[::-1]))


def _open(source: Source, name: str) -> Image.Image:
    content = source.read(name)
    try:
        image = Image.open(io.BytesIO(content))
        # A photograph may hold a smaller copy of itself (MPO).
        if (pages := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
            raise ValueError(f"{name} has {pages} pages, and which of them counts is not said")
        image.load()
    except UnidentifiedImageError:
        raise ValueError(f"{name} is not an image ({len(content):,} bytes)") from None
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    # As cameras and every viewer mean it; where nothing says so, it is as it was.
    return ImageOps.exif_transpose(image)


def _image(image: Image.Image, card: Card) -> UInt8[ndarray, "h w c"]:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"the image has more than 8 bits per channel (mode {image.mode})")
    array = np.asarray(image.convert("RGB" if card.channels == 3 else "L"))
    return array.reshape(*array.shape[:2], card.channels)


def _classes(values: ndarray, card: Card) -> UInt8[ndarray, "*s"]:
    """Classes 0 … k-1 by the card's rule; ValueError for values that the rule does not expect."""
    if values.dtype.kind not in "biuf":
        raise ValueError(f"mask values are {values.dtype}, no numbers that could be classes")
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(f"{int(np.isnan(values).sum())} mask values are NaN, which is no class")
    if card.mask.startswith(">"):
        return (values > float(card.mask.removeprefix(">"))).astype(np.uint8)
    values = _whole(values)
    present = np.unique(values)
    listed = _listed(present)
    if present.min() < 0:
        raise ValueError(
            f"mask values {listed}: no class is negative. Values to be ignored are not supported: "
            "give them a class"
        )
    if card.mask == "labels":
        if present.max() >= len(card.classes):
            raise ValueError(
                f"mask values {listed}, but classes 0 … {len(card.classes) - 1} ({card.name}.yaml)"
            )
        return values.astype(np.uint8)
    if card.mask == "binary" and len(present[present > 0]) > 1:
        raise ValueError(
            f'mask values {listed}, but the card says "mask: binary" (0 and one other); '
            'use "nonzero" for instance numbers or "> 127" for grey levels'
        )
    return (values > 0).astype(np.uint8)


def _listed(values: ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values[:6]) + (" …" if len(values) > 6 else "")


def _whole(values: ndarray) -> ndarray:
    """Class numbers that a scale factor in the file has made nearly whole, whole again."""
    if values.dtype.kind != "f":
        return values
    rounded = np.rint(values)
    with np.errstate(invalid="ignore"):  # of infinite values
        odd = np.unique(values[~(np.abs(values - rounded) <= _NEARLY_WHOLE)])
    if len(odd):
        raise ValueError(
            f"mask values {_listed(odd)} are no whole numbers, and so no classes; of a soft mask "
            'the card says where the foreground begins, as in "> 0.5"'
        )
    return rounded


def _grey(image: Image.Image, card: Card) -> ndarray:
    """The one channel that holds the classes; bits are 0 and 255."""
    if (channel := card.mask_channel) is not None:
        return np.asarray(image.convert("RGBA" if channel == _ALPHA else "RGB"))[..., channel]
    if image.mode in ("P", "PA"):
        return _of_palette(image, card.mask)
    values = np.asarray(image.convert("L") if image.mode == "1" else image)
    if values.ndim == 2:
        return values
    colours = values[..., :3] if values.shape[-1] > 2 else values[..., :1]
    if (colours != colours[..., :1]).any():
        raise ValueError("a colour mask; name its channel with mask_channel in the card")
    if values.shape[-1] in (2, 4) and np.ptp(colours) == 0 and np.ptp(values[..., -1]) > 0:
        raise ValueError(
            "one colour everywhere, and the object in the alpha channel: "
            f"mask_channel: {_ALPHA} in the card reads that"
        )
    return colours[..., 0]


def _of_palette(image: Image.Image, rule: str) -> ndarray:
    """The greys of a grey palette, whose entries a quantiser orders as it likes.

    Of a palette of colours the numbers of its entries, as of PASCAL VOC's, where each class has a
    colour; also of greys that are classes ("labels") and ascend with their numbers.
    """
    colours = np.asarray(image.convert("RGB"))
    numbers = np.asarray(image if image.mode == "P" else image.getchannel(0))
    is_grey = bool((colours == colours[..., :1]).all())
    if rule.startswith(">") and not is_grey:
        raise ValueError('a palette of colours, and a rule for greys; "labels" takes its numbers')
    _, first = np.unique(numbers, return_index=True)
    greys = colours[..., 0].ravel()[first].tolist()
    are_classes = rule == "labels" and greys == sorted(greys)
    return colours[..., 0] if is_grey and not are_classes else numbers


def resize_image(image: UInt8[ndarray, "h w c"], size: list[int]) -> UInt8[ndarray, "H W c"]:
    """Bilinear, antialiased where it shrinks."""
    squeezed = image[..., 0] if image.shape[-1] == 1 else image
    result = Image.fromarray(squeezed).resize((size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(result).reshape(*size, image.shape[-1])


def resize_mask(mask: UInt8[ndarray, "h w"], size: list[int]) -> UInt8[ndarray, "H W"]:
    """Nearest neighbour: classes stay classes."""
    return np.asarray(Image.fromarray(mask).resize((size[1], size[0]), Image.Resampling.NEAREST))


class Volume(NamedTuple):
    """image: (x, y, z, 1); (image / 255 - mean) / std is the standardised volume."""

    image: UInt8[ndarray, "x y z 1"]
    mean: float
    std: float


def split_key(name: str) -> tuple[str, str]:
    """The file, and the array in it: an HDF5 file holds several, named file.h5:key."""
    file, colon, key = name.partition(".h5:")
    return (f"{file}.h5", key) if colon else (name, "")


class InSpace(NamedTuple):
    """A volume, and where its voxels lie in the patient, if the file says so (NIfTI alone)."""

    array: ndarray
    affine: ndarray | None = None


def read_volume(name: str, content: bytes) -> InSpace:
    """What is in a .nrrd, .nii, .nii.gz or .h5 file; ValueError if there is no volume in it.

    name: as of `split_key`; its case does not matter, and whether it is packed the content says.
    Axes of length 1 behind the third are dropped.
    """
    import h5py
    import nrrd

    _, key = split_key(name)
    affine = None
    try:
        if key:
            with h5py.File(io.BytesIO(content)) as opened:
                array = opened[key][:]
        elif name.lower().endswith(".nrrd"):
            stream = io.BytesIO(content)
            array = nrrd.read_data(nrrd.read_header(stream), stream)
        else:
            raw = gzip.decompress(content) if content.startswith(_GZIP) else content
            array, affine = _nifti(raw)
    except Exception as error:  # each library has its own kinds
        raise ValueError(f"{name} cannot be read: {type(error).__name__}: {error}") from error
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim != 3 or not array.size:
        raise ValueError(f"{name} is no volume: shape {array.shape}")
    return InSpace(array, affine)


def _nifti(raw: bytes) -> tuple[ndarray, ndarray | None]:
    """Array and affine; no affine where the header gives none.

    The first number of a NIfTI-2 header is 540, in either order of bytes.
    """
    import nibabel

    is_second = raw[:4] in ((540).to_bytes(4, "little"), (540).to_bytes(4, "big"))
    image = (nibabel.Nifti2Image if is_second else nibabel.Nifti1Image).from_bytes(raw)
    says_where = int(image.header["sform_code"]) > 0 or int(image.header["qform_code"]) > 0
    return np.asanyarray(image.dataobj), image.affine if says_where else None


def _turned(labels: InSpace, image: InSpace) -> ndarray:
    """The labels with their axes as the image has them; ValueError if they lie elsewhere.

    Where one of the two files does not say how it lies, or says the identity and does not fit (many
    a script saves masks so), their voxels are in one order.
    """
    from nibabel import orientations

    if labels.affine is None or image.affine is None:
        return labels.array
    there, here = map(orientations.io_orientation, (labels.affine, image.affine))
    turn = orientations.ornt_transform(there, here)
    array = orientations.apply_orientation(labels.array, turn)
    affine = labels.affine @ orientations.inv_ornt_aff(turn, labels.array.shape)
    voxel = float(np.linalg.norm(image.affine[:3, :3], axis=0).max())
    apart = _apart(affine, image.affine, array.shape)
    if apart <= voxel:
        return array
    if any(np.allclose(one, np.eye(4)) for one in (labels.affine, image.affine)):
        return labels.array
    raise ValueError(
        f"image and mask lie elsewhere in the patient, by up to {apart:.3g} mm (their affines): "
        "resample the mask onto the image"
    )


def _apart(one: ndarray, other: ndarray, shape: tuple[int, ...]) -> float:
    """How far the corners of a volume lie apart under two affines, in mm."""
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(shape) - 1)
    differences = (one - other)[:3]
    return float(np.linalg.norm(corners @ differences[:, :3].T + differences[:, 3], axis=1).max())


def compact(values: ndarray, *, is_standardised: bool) -> Volume:
    """The volume in 256 grey levels.

    uint8 data are kept as they are; others are mapped linearly from their range (an error of at
    most 1/510 of it). is_standardised: the values are z-scores already, such as those of a scan
    before it was cropped, and the volume gives them back; else mean and std are its own.
    """
    if values.dtype.kind not in "biuf":
        raise ValueError(f"the volume holds no grey values, but {values.dtype}")
    if values.dtype in (np.bool_, np.float16):  # too narrow to subtract in
        values = values.astype(np.float32)
    if values.dtype == np.uint8:
        low, width = 0.0, 255.0
        levels = values
    else:
        if not np.isfinite(values).all():
            raise ValueError("the volume holds values that are not finite")
        low, width = float(values.min()), _range(values) or 1.0
        levels = np.rint((values - low) * (255 / width)).astype(np.uint8)
    if is_standardised:
        return Volume(levels[..., None], -low / width, 1 / width)
    return Volume(levels[..., None], *grey_moments(levels))


def _range(values: ndarray) -> float:
    """Greatest less least; signed integers would wrap in their own type."""
    if values.dtype.kind == "f":
        return float(np.ptp(values))
    return float(int(values.max()) - int(values.min()))


def grey_moments(levels: UInt8[ndarray, "*s"]) -> tuple[float, float]:
    """Mean and standard deviation (at least 1e-6) of bytes as [0, 1].

    From the count of each level: as floats a dataset would need many times its memory. In whole
    numbers up to the last step: the moments are in the keys of trials, which must not depend on how
    a processor sums.
    """
    counts = [int(n) for n in np.bincount(levels.ravel(), minlength=256)]
    n = sum(counts)
    total = sum(level * count for level, count in enumerate(counts))
    squares = sum(level**2 * count for level, count in enumerate(counts))
    variance = (n * squares - total**2) / (255 * n) ** 2
    return total / (255 * n), max(math.sqrt(variance), 1e-6)


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
