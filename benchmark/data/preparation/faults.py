"""What is wrong with a dataset that each of its files does not show: duplicates, empty classes."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded, Seen
from benchmark.data.prepared import CaseEntry
from benchmark.wording import counted, shortened

_THICKER = 1.5  # times the third side of a voxel another one is, where planes lie across that
_SIDES = re.compile(r"\b(left|right)\b")


def refusal(card: Card, decoded: Sequence[Decoded]) -> str:
    """Why the masks cannot be meant so; "" if they can."""
    masks = [one.mask for one in decoded]
    if all(not mask.any() for mask in masks):
        return (
            f'no mask has a foreground pixel under the card\'s rule "mask: {card.mask}": if they '
            f"are not empty, {_likely(card)}"
        )
    if all(Seen.IMAGE_AGAIN in one.seen for one in decoded):
        return "every mask is its image again, pixel for pixel: where are the masks?"
    if all(mask.all() for mask in masks):
        return (
            f'every pixel of every mask is foreground under the card\'s rule "mask: {card.mask}": '
            "is the background another value than 0? mask: labels with values: {1: 0, 2: 1} makes "
            "it 1"
        )
    return ""


def _likely(card: Card) -> str:
    if card.mask.startswith(">"):
        return "their values do not exceed that (masks of 0 and 1 need a rule such as nonzero)"
    return "their object may lie in another channel (mask_channel)"


def of_dataset(card: Card, cases: Sequence[CaseEntry]) -> list[str]:
    """What a user should know, and a report says: nothing of it stops a run."""
    return [
        *_absent(card, cases),
        *_shared(cases),
        *_contradicting(cases),
        *_partly_known_spacing(card, cases),
        *_cut_across_planes(card, cases),
        *_mirrored(card),
    ]


def of_files(card: Card, cases: Sequence[CaseEntry], decoded: Sequence[Decoded]) -> list[str]:
    """The like, of which what is stored tells nothing any more."""
    return [*_of_cases(cases, decoded), *_unequal_depth(card, decoded), *_values(decoded)]


def _absent(card: Card, cases: Sequence[CaseEntry]) -> Iterator[str]:
    masked = [case for case in cases if case.has_mask]
    every = {case.split for case in masked}
    for number, name in enumerate(card.classes):
        splits = every - {case.split for case in masked if case.classes[number] > 0}
        for split in sorted(splits) if splits != every else [""]:
            where = f"any {split} mask" if split else "any mask"
            yield f"class {number} ({name}) does not occur in {where}"


def _shared(cases: Sequence[CaseEntry]) -> Iterator[str]:
    """Images in two splits: what that does to scores."""
    tests = sorted({case.split for case in cases if case.split.startswith("test")})
    for ones, other, what in (
        (tests, "train", "in the train pool too, {}: scores on the test set are too high"),
        (tests, "unlabelled", "among the images without masks too, {}: methods train on them"),
        (tests, "val", "in the validation set too, {}: who chooses there chooses on the test set"),
        (["val"], "train", "in the train pool too, {}: scores on the validation set are too high"),
        (["train"], "unlabelled", "among the images without masks too, {}: they count twice"),
    ):
        yield from (line for one in ones for line in _in_both(cases, one, other, what))


def _in_both(cases: Sequence[CaseEntry], one: str, other: str, what: str) -> Iterator[str]:
    first = {case.image: case.id for case in cases if case.split == other and case.image}
    pairs = [
        f"{case.id} and {first[case.image]}"
        for case in cases
        if case.split == one and case.image in first
    ]
    if pairs:
        said = what.format(f"byte for byte as prepared ({shortened(pairs)})")
        noun = counted(len(pairs), f"{one} image")
        yield f"{noun} {'is' if len(pairs) == 1 else 'are'} {said}"


def _contradicting(cases: Sequence[CaseEntry]) -> Iterator[str]:
    same: dict[str, list[CaseEntry]] = {}
    for case in cases:
        if case.image and case.has_mask:
            same.setdefault(case.image, []).append(case)
    groups = [group for group in same.values() if len({case.mask for case in group}) > 1]
    if groups:
        named = ["=".join(case.id for case in group[:3]) for group in groups]
        yield f"{counted(len(groups), 'image')} with more than one mask ({shortened(named)})"


def _partly_known_spacing(card: Card, cases: Sequence[CaseEntry]) -> Iterator[str]:
    unknown = [case.id for case in cases if not case.spacing]
    if card.is_volume and 0 < len(unknown) < len(cases):
        yield (
            f"{counted(len(unknown), 'volume')} whose voxel size is not known "
            f"({shortened(unknown)}): no distances in mm. The card's spacing counts where a file "
            "has none"
        )


def _cut_across_planes(card: Card, cases: Sequence[CaseEntry]) -> Iterator[str]:
    """Slices that are no images of the scanner: those lie across the axis of the largest voxels."""
    known = [case for case in cases if case.spacing]
    across = [case.id for case in known if max(case.spacing[:2]) > _THICKER * case.spacing[2]]
    if card.is_sliced and across:
        yield (
            f"{counted(len(across), 'volume')} with planes across another axis than the third, "
            f"which dims: 2 cuts ({shortened(across)}): each slice is a line of every plane. "
            "dims: 3 does not cut"
        )


def _mirrored(card: Card) -> Iterator[str]:
    """Classes that a flip would exchange, and a card that says nothing of flips."""
    sides = {word for name in card.classes for word in _SIDES.findall(name.lower())}
    if len(sides) == 2 and "symmetry" not in card.model_fields_set:
        yield (
            "classes are called left and right, and images are flipped in training: symmetry: none "
            "in the card, unless they can be told apart all the same (symmetry: all)"
        )


_SENTENCES = {
    Seen.LOST_CLASS: (
        "mask",
        "lost a class to resizing ({}): a larger size in the card keeps small objects",
    ),
    Seen.BELOW_RULE: (
        "mask",
        "without foreground, which hold values but none above the card's rule ({})",
    ),
    Seen.LOW_RULE: (
        "mask",
        "of values far above the card's rule, and of less foreground above half of them ({}): is "
        "it a rule for 8 bits?",
    ),
    Seen.HAS_RIM: (
        "mask",
        'of shades up to white, all of which "nonzero" takes for the object ({}): mask: "> 127" '
        "takes what is above half",
    ),
    Seen.UNITED: (
        "image",
        "with several masks that overlap and are taken together ({}): of one object by several "
        "people keep one, classes go into one file",
    ),
    Seen.IMAGE_AGAIN: ("mask", "which is its image again, pixel for pixel ({})"),
    Seen.BY_ORDER: (
        "mask",
        "paired with the image voxel by voxel, as one of the two has the identity for an affine "
        "({}): look at them (--preview)",
    ),
    Seen.FILLED_UP: (
        "mask",
        "of a part of its image, filled up with background ({}): look at them (--preview)",
    ),
    Seen.TURNED: (
        "image",
        "turned or mirrored as EXIF says, with a mask of which it says nothing, or the other way "
        "round ({}): look whether masks lie on their objects (--preview)",
    ),
    Seen.NO_BACKGROUND: ("mask", "without any background ({}): look at them (--preview)"),
    Seen.OTHER_SPACING: (
        "volume",
        "whose file names no unit, and another voxel size than the card ({}): the card's counts",
    ),
    Seen.CRUSHED: (
        "volume",
        "of few grey levels, where there were many more ({}): window, or clip: [0.5, 99.5], in the "
        "card keeps them",
    ),
    Seen.CLIPPED_CLASS: (
        "volume",
        "in which most of a class is beyond the grey values that are kept ({}): a wider window, or "
        "clip: [0, 100], in the card keeps it",
    ),
    Seen.CONSTANT: ("image", "of one grey value everywhere ({})"),
    Seen.WAS_COLOUR: ("coloured image", "made grey, as the card has channels: 1 ({})"),
}


def _of_cases(cases: Sequence[CaseEntry], decoded: Sequence[Decoded]) -> Iterator[str]:
    for what, (noun, sentence) in _SENTENCES.items():
        ids = [case.id for case, one in zip(cases, decoded, strict=True) if what in one.seen]
        if ids:
            yield f"{counted(len(ids), noun)} {sentence.format(shortened(ids))}"


def _values(decoded: Sequence[Decoded]) -> Iterator[str]:
    found = Counter(value for one in decoded for value in one.values)
    if len(found) > 1:
        listed = ", ".join(f"{value:g} in {n}" for value, n in sorted(found.items()))
        yield f"masks of one class hold different values ({listed}): if these are classes, say so"


def _unequal_depth(card: Card, decoded: Sequence[Decoded]) -> Iterator[str]:
    """Of images kept as they are, 255 is white in one file and nearly black in the other."""
    deep = sum(one.image.dtype != np.uint8 for one in decoded)
    if 0 < deep < len(decoded) and not (card.is_volume or card.window or card.clip):
        yield (
            f"{counted(deep, 'image')} of 16 bits among {len(decoded) - deep} of 8: their "
            "brightness can be compared only if all use the whole of their range"
        )
