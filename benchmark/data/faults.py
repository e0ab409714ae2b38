"""What is wrong with a dataset that each of its files does not show: duplicates, empty classes."""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmark.data.card import Card
from benchmark.data.decode import Decoded
from benchmark.data.prepared import CaseEntry
from benchmark.wording import counted, shortened


def refusal(card: Card, decoded: Sequence[Decoded]) -> str:
    """Why the masks cannot be meant so; "" if they can."""
    masks = [one.mask for one in decoded]
    if all(not mask.any() for mask in masks):
        return (
            f'no mask has a foreground pixel under the card\'s rule "mask: {card.mask}": if they '
            f"are not empty, {_likely(card)}"
        )
    if all(mask.all() for mask in masks):
        return (
            f'every pixel of every mask is foreground under the card\'s rule "mask: {card.mask}": '
            "is the background another value than 0?"
        )
    return ""


def _likely(card: Card) -> str:
    if card.mask.startswith(">"):
        return "their values do not exceed that (masks of 0 and 1 need a rule such as nonzero)"
    return "their object may lie in another channel (mask_channel)"


def found(card: Card, cases: Sequence[CaseEntry], decoded: Sequence[Decoded]) -> list[str]:
    """What a user should know, and a report says: nothing of it stops a run."""
    return [
        *_absent(card, cases, decoded),
        *_shared(cases),
        *_contradicting(cases),
        *_too_small(cases, decoded),
        *_crushed(cases, decoded),
    ]


def _absent(card: Card, cases: Sequence[CaseEntry], decoded: Sequence[Decoded]) -> Iterator[str]:
    present: dict[str, set[int]] = {"train": set(), "test": set()}
    for case, one in zip(cases, decoded, strict=True):
        present[case.split] |= set(np.unique(one.mask).tolist())
    for number, name in enumerate(card.classes):
        lacking = [split for split, classes in present.items() if number not in classes]
        if lacking:
            where = "any mask" if len(lacking) == 2 else f"any {lacking[0]} mask"
            yield f"class {number} ({name}) does not occur in {where}"


def _shared(cases: Sequence[CaseEntry]) -> Iterator[str]:
    train = {case.image: case.id for case in cases if case.split == "train" and case.image}
    pairs = [
        f"{case.id} and {train[case.image]}"
        for case in cases
        if case.split == "test" and case.image in train
    ]
    if pairs:
        yield (
            f"{counted(len(pairs), 'test image')} {'is' if len(pairs) == 1 else 'are'} in the "
            f"train pool too, byte for byte as prepared ({shortened(pairs)}): scores on the test "
            "set are too high"
        )


def _contradicting(cases: Sequence[CaseEntry]) -> Iterator[str]:
    same: dict[str, list[CaseEntry]] = {}
    for case in cases:
        if case.image:
            same.setdefault(case.image, []).append(case)
    groups = [group for group in same.values() if len({case.mask for case in group}) > 1]
    if groups:
        named = ["=".join(case.id for case in group[:3]) for group in groups]
        yield f"{counted(len(groups), 'image')} with more than one mask ({shortened(named)})"


def _too_small(cases: Sequence[CaseEntry], decoded: Sequence[Decoded]) -> Iterator[str]:
    lost = [case.id for case, one in zip(cases, decoded, strict=True) if one.lost_class]
    if lost:
        yield (
            f"{counted(len(lost), 'mask')} lost a class to resizing ({shortened(lost)}): a larger "
            "size in the card keeps small objects"
        )


def _crushed(cases: Sequence[CaseEntry], decoded: Sequence[Decoded]) -> Iterator[str]:
    pairs = zip(cases, decoded, strict=True)
    few = [f"{case.id}: {one.crushed_to}" for case, one in pairs if one.crushed_to]
    if few:
        yield (
            f"{counted(len(few), 'volume')} of few grey levels, of the 256 that are stored from "
            f"least to greatest value ({shortened(few)}): clip outliers, or the range of CT, "
            "beforehand"
        )
