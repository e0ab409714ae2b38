"""What the names of files say: which of them is a mask, which channel it is, whose mask it is."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

IMAGE, MASK = "image", "mask"
UNLABELLED = "unlabelled"
KINDS = {
    **dict.fromkeys(("image", "images", "img", "imgs", "original", "originals"), IMAGE),
    **dict.fromkeys(("mask", "masks", "label", "labels", "annotation", "annotations"), MASK),
    **dict.fromkeys(("segmentation", "segmentations"), MASK),
    **dict.fromkeys(("gt", "groundtruth", "ground_truth", "ground truth"), MASK),
}
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("unlabelled", "unlabeled"), UNLABELLED),
}
"""Names of folders, in small letters → what they hold, and which split."""

NOT_READ = {
    ".dcm": "DICOM is not read: convert each series to NIfTI, as dcm2niix does",
    **dict.fromkeys(
        (".gif", ".webp", ".heic", ".jp2"), "of pictures PNG, BMP, JPEG, TIFF are read"
    ),
    **dict.fromkeys((".npy", ".npz", ".mat"), "arrays are not read: save them as PNG or NIfTI"),
    **dict.fromkeys(
        (".mhd", ".nhdr", ".hdr", ".img", ".mgz"), "of volumes .nii, .nrrd and .mha are read"
    ),
}
"""Endings of images that are not read → what to do."""

_WORD = r"(?P<word>mask|segmentation|seg|label|gt|anno)"
_MASK_NAMES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?P<name>.+?)[._-]{_WORD}(?:_(?P<number>\d+))?",
        rf"{_WORD}[_-]?(?P<name>\d.*)",
        rf"(?P<name>){_WORD}",
    )
]
_IMAGE_NAMES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<name>.+?)[_-](?:image|img|0000)",
        r"(?:image|img)[_-]?(?P<name>\d.*)",
        r"(?P<name>)(?:image|img)",
    )
]
_ENDING = re.compile(r"(\.nii)?\.[a-z]\w*$", re.IGNORECASE)
_OTHER_CHANNEL = re.compile(r".*_000[1-9]")


def without_ending(name: str) -> str:
    """The name of a file without .png, .nii.gz or .h5."""
    return _ENDING.sub("", name)


def as_ids(path: str) -> Iterator[str]:
    """What the case may be called whose file this is, the longest first.

    data/images/pat01/007.png: data_pat01_007, pat01_007, 007; Train/Images/1.PNG: train_1, 1;
    pat01/image.png: pat01.
    """
    *folders, file = path.replace("\\", "/").split("/")
    stem = without_ending(file)
    within = [SPLITS.get(one.lower(), one) for one in folders if one and one.lower() not in KINDS]
    for name in dict.fromkeys((stem, image_name(stem))):
        parts = [*within, name] if name else within
        yield from ("_".join(parts[i:]) for i in range(len(parts)))


class MaskName(NamedTuple):
    """Of a_mask_2: (a, mask, 2). word is "" where nothing says mask, number where none is given."""

    name: str
    word: str = ""
    number: str = ""


def mask_name(stem: str) -> MaskName:
    """What the name of a mask says: a_mask, a.seg (of Slicer), label0001 (beside img0001), mask."""
    for pattern in _MASK_NAMES:
        if match := pattern.fullmatch(stem):
            said = match.groupdict()
            return MaskName(said["name"], said["word"].lower(), said.get("number") or "")
    return MaskName(stem)


def image_name(stem: str) -> str:
    """Without what says image, or the first channel as nnU-Net numbers them."""
    matches = (pattern.fullmatch(stem) for pattern in _IMAGE_NAMES)
    return next((match["name"] for match in matches if match), stem)


def channel(stem: str, modalities: Sequence[str]) -> tuple[str, str] | None:
    """(name, modality) of a file; None if it is of no modality that is wanted."""
    if not modalities:
        return stem, ""
    fitting = [one for one in modalities if stem.casefold().endswith(one.casefold())]
    modality = max(fitting, key=len, default="")
    return (stem[: -len(modality)].rstrip("_-."), modality) if modality else None


def is_other_channel(stem: str) -> bool:
    """Whether nnU-Net would number the second channel, or a later one, so."""
    return bool(_OTHER_CHANNEL.fullmatch(stem))


def matched(images: Iterable[str], masks: Iterable[str]) -> dict[str, tuple[str, list[str]]]:
    """Image → its case's name and its masks: first by equal names, last by what is left of them.

    Several masks of an image are told apart by a number. Letters in another case count where
    nothing else fits, and names that would fit several images fit none.
    """
    lone_images, lone_masks = set(images), set(masks)
    found = {}
    for fold in (str, str.casefold):
        for of_image, of_mask in _SPELLINGS:
            keyed_images = _by_key(lone_images, lambda stem: fold(of_image(stem)))  # noqa: B023
            keyed_masks = _by_key(lone_masks, lambda stem: fold(of_mask(stem)))  # noqa: B023
            for key in keyed_images.keys() & keyed_masks.keys():
                of_key, its_masks = keyed_images[key], keyed_masks[key]
                if len(of_key) == 1 and _are_numbered(its_masks):
                    found[of_key[0]] = (of_image(of_key[0]), its_masks)
                    lone_images -= set(of_key)
                    lone_masks -= set(its_masks)
    return found


_SPELLINGS: Sequence[tuple[Callable[[str], str], Callable[[str], str]]] = (
    (str, str),
    (str, lambda stem: mask_name(stem).name),
    (image_name, lambda stem: mask_name(stem).name),
)


def _by_key(stems: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    """Stems of each key; masks of one image in the order of their numbers."""
    found = defaultdict(list)
    for stem in sorted(stems, key=lambda stem: (len(mask_name(stem).number), stem)):
        found[key(stem)].append(stem)
    return found


def _are_numbered(masks: Sequence[str]) -> bool:
    """Whether these are one mask, or a_mask, a_mask_1, a_mask_2 of one image."""
    names = {mask_name(mask)._replace(number="") for mask in masks}
    return len(masks) == 1 or (len(names) == 1 and all(mask_name(mask).word for mask in masks))
