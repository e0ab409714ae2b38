"""In what two preparations of one dataset differ, and by how much: words for people."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmark.data.prepared import CaseEntry, Manifest
from benchmark.wording import counted

_NAMED = 3  # cases


def differences(old: Manifest, new: Manifest) -> list[str]:
    """What is otherwise in the new one: cases, images, masks, split, normalisation, card.

    Manifests from before checksums of cases were kept tell of a mask its share of foreground, and
    of an image nothing.
    """
    before = {case.id: case for case in old.cases}
    after = {case.id: case for case in new.cases}
    both = [(before[i], after[i]) for i in after if i in before]
    found = [
        *_cases("more", [i for i in after if i not in before]),
        *_cases("fewer", [i for i in before if i not in after]),
        *_other("image", both, lambda case: case.image),
        *_masks(both),
        *_other("size", both, lambda case: case.shape),
        *_other("split", both, lambda case: (case.split,)),
        *_other("group", both, lambda case: (case.group,)),
        *_normalisation(old, new, both),
        *_card(old, new),
    ]
    return found or ["nothing that their manifests tell"]


def _cases(word: str, ids: list[str]) -> Iterator[str]:
    if ids:
        yield f"{counted(len(ids), 'case')} {word} ({_listed(ids)})"


def _listed(ids: list[str]) -> str:
    return ", ".join(ids[:_NAMED]) + (" …" if len(ids) > _NAMED else "")


_Pairs = list[tuple[CaseEntry, CaseEntry]]


def _other(what: str, both: _Pairs, of: Callable[[CaseEntry], Any]) -> Iterator[str]:
    """Cases of which something is another; what one of the two does not tell is left out."""
    ids = [b.id for a, b in both if of(a) and of(b) and of(a) != of(b)]
    if ids:
        yield f"another {what} of {len(ids)} of {counted(len(both), 'case')} ({_listed(ids)})"


def _masks(both: _Pairs) -> Iterator[str]:
    others = [
        (a, b)
        for a, b in both
        if (a.mask != b.mask if a.mask and b.mask else a.foreground != b.foreground)
    ]
    if others:
        largest = max(abs(a.foreground - b.foreground) for a, b in others)
        yield (
            f"another mask of {len(others)} of {counted(len(both), 'case')} "
            f"({_listed([b.id for _, b in others])}), foreground by up to {100 * largest:.2g} % of "
            "the image"
        )


def _normalisation(old: Manifest, new: Manifest, both: _Pairs) -> Iterator[str]:
    """Constants of the whole train pool (images) or of each case (volumes), on greys in [0, 1]."""
    if len(old.mean) != len(new.mean):
        yield f"{len(new.mean)} channels, before {len(old.mean)}"
        return
    for name in ("mean", "std"):
        pairs = list(zip(getattr(old, name), getattr(new, name), strict=False))
        pairs += [(getattr(a, name), getattr(b, name)) for a, b in both]
        by = max((float(np.abs(np.subtract(a, b)).max()) for a, b in pairs if a and b), default=0.0)
        if by:
            yield f"{name} of the normalisation by up to {by:.2g}"


def _card(old: Manifest, new: Manifest) -> Iterator[str]:
    """Fields of the card that can change a number; not its words about the dataset."""
    words = {"title", "homepage", "terms", "citation", "expected"}
    before, after = (one.card.model_dump(exclude=words) for one in (old, new))
    for name, value in after.items():
        if before[name] != value:
            yield f"card: {name} {value}, before {before[name]}"
