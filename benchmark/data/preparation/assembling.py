"""Cases that were read, as the arrays and the manifest of a dataset."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt, UInt8
from numpy import ndarray

from benchmark.data import prepared
from benchmark.data.card import Card
from benchmark.data.decoding import greys
from benchmark.data.decoding.case import Decoded
from benchmark.data.decoding.shelf import stacked
from benchmark.data.layouts import Case, Layout
from benchmark.data.preparation import faults
from benchmark.data.source import Source
from benchmark.files import checksum


class Made(NamedTuple):
    """A manifest, and images and masks as they are stored."""

    manifest: prepared.Manifest
    images: ndarray
    masks: ndarray


def assemble(
    card: Card, source: Source, layout: Layout, cases: list[Case], decoded: list[Decoded], partial
) -> dict[str, Made]:
    """The dataset, under the name "", and its further test sets."""
    parts: dict[str, list[tuple[Case, Decoded]]] = {"": []}
    for case, one in zip(cases, decoded, strict=True):
        parts.setdefault(case.further, []).append((case, one))
    made = {}
    for name, pairs in parts.items():
        own = [case._replace(split="test") if name else case for case, _ in pairs]
        notes = [] if name else layout.notes
        made[name] = _assembled(card, source, notes, own, [one for _, one in pairs])
    whole = made[""].manifest
    whole.partial = partial
    whole.test_sets = {name: len(pairs) for name, pairs in parts.items() if name}
    entries = [
        case.model_copy(update={"split": f"test_{name}"}) if name else case
        for name, part in made.items()
        for case in part.manifest.cases
    ]
    ordered = [one for pairs in parts.values() for _, one in pairs]
    whole.faults = [
        *layout.faults,
        *faults.of_dataset(card, entries),
        *faults.of_files(card, entries, ordered),
    ]
    return made


def _assembled(
    card: Card, source: Source, notes: list[str], cases: list[Case], decoded: list[Decoded]
) -> Made:
    # Some cases may need 16 bits where bytes do for others.
    dtype = np.result_type(*(one.image for one in decoded))
    wide = [one._replace(image=greys.widened(one.image, dtype)) for one in decoded]
    entries = [_entry(card, case, one) for case, one in zip(cases, wide, strict=True)]
    join = prepared.pack if card.is_volume else stacked
    images, masks = join([one.image for one in wide]), join([one.mask for one in wide])
    has_train = any(entry.split == "train" for entry in entries)
    mean, std = _constants(images, entries) if has_train and not card.is_volume else ([], [])
    manifest = prepared.Manifest(
        format=prepared.FORMAT,
        card=card,
        source=source.path.name,
        source_fingerprint=source.fingerprint,
        reading=prepared.READING,
        data_hash="",
        mean=mean,
        std=std,
        cases=entries,
        notes=notes,
    )
    manifest.data_hash = prepared.data_hash(manifest, images, masks)
    return Made(manifest, images, masks)


def _entry(card: Card, case: Case, one: Decoded) -> prepared.CaseEntry:
    return prepared.CaseEntry(
        id=case.id,
        split=case.split,
        group=case.group,
        foreground=float((one.mask > 0).mean()) if case.masks else 0.0,
        shape=list(one.mask.shape) if card.is_volume else [],
        mean=one.mean,
        std=one.std,
        image=short_checksum(one.image),
        mask=short_checksum(one.mask) if case.masks else "",
        spacing=list(one.spacing),
        source_shape=list(one.source_shape),
        affine=[] if one.affine is None else one.affine.tolist(),
        start=list(one.start),
        levels=one.levels,
        classes=shares(one.mask, card) if case.masks else [],
    )


def shares(mask: UInt8[ndarray, "*s"], card: Card) -> list[float]:
    """Of each class, in the pixels of a mask."""
    return (np.bincount(mask.ravel(), minlength=len(card.classes)) / mask.size).tolist()


def short_checksum(array: ndarray) -> str:
    return checksum(np.ascontiguousarray(array).data)[:16]


def _constants(
    images: UInt[ndarray, "n h w c"], entries: list[prepared.CaseEntry]
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel over what is trained on, pixels in [0, 1]."""
    train = np.flatnonzero([entry.split in ("train", "unlabelled") for entry in entries])
    counts = [  # image by image: counting takes eight times the memory of what is counted
        sum(greys.counts(images[i, ..., channel]) for i in train)
        for channel in range(images.shape[-1])
    ]
    moments = [greys.moments_of_counts(of_channel) for of_channel in counts]
    return [mean for mean, _ in moments], [std for _, std in moments]
