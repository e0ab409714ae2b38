"""`bench data prepare`: reads everything once, checks it, writes arrays and a manifest.

The prepared folder `<data root>/<name>/` appears whole or not at all.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmark.data import prepared
from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded, decode
from benchmark.data.decoding.shelf import Shelf
from benchmark.data.layouts import Case, read
from benchmark.data.preparation import assembling, data_folder, faults, problems
from benchmark.data.preparation.cases import chosen
from benchmark.data.source import Source
from benchmark.errors import UserError


@dataclass(frozen=True)
class Preparation:
    """What `prepare` did."""

    manifest: prepared.Manifest
    folder: Path
    was_up_to_date: bool
    stray: list[str]


def prepare(
    card: Card,
    path: Path | Source,
    data_root: Path,
    *,
    allow_partial: bool = False,
    again: bool = False,
    progress: Callable[[list[Case]], Iterable[Case]] = iter,
) -> Preparation:
    """Prepare the dataset of the card from a folder, zip or tar; nothing, if that was done before.

    again: do it all the same, for files that were rewritten with equal sizes and times.
    Raises `UserError` (exit code 3) naming every file that is missing, unreadable, of another size
    or with other mask values than the card says, and for a part of a dataset unless allowed.
    progress: wraps the cases while they are read, to show how far it is.
    """
    source = path if isinstance(path, Source) else Source(path)
    layout = read(source, card)
    with data_folder.claimed(card.name, data_root):
        cases, partial = chosen(layout, card, source, allow_partial)
        done = None if again else _up_to_date(card, source, data_root)
        if done is not None:
            return Preparation(done, data_root / card.name, True, layout.stray)
        decoded, unread = _decode_all(source, card, progress(cases), len(cases))
        whole = layout.problems
        if not (unread or whole):
            masked = [one for one, case in zip(decoded, cases, strict=True) if case.masks]
            whole = [*filter(None, [faults.refusal(card, masked)])]
        problems.refuse(whole, unread, source.path)
        made = assembling.assemble(card, source, layout, cases, decoded, partial)
        data_folder.write(made, data_root)
    return Preparation(made[""].manifest, data_root / card.name, False, layout.stray)


def checked(found: prepared.Prepared) -> prepared.Manifest:
    """The manifest of a prepared dataset with what is wrong with it, found anew in its arrays.

    What only the files told (such as a class lost in resizing) stays as it was noted.
    """
    manifest = found.manifest
    entries = [
        case.model_copy(
            update={
                "image": assembling.short_checksum(image),
                "mask": assembling.short_checksum(mask) if case.has_mask else "",
                "classes": assembling.shares(mask, manifest.card) if case.has_mask else [],
            }
        )
        for case, image, mask in zip(manifest.cases, found.images, found.masks, strict=True)
    ]
    anew = faults.of_dataset(manifest.card, entries)
    both = list(dict.fromkeys([*anew, *manifest.faults]))
    return manifest.model_copy(update={"cases": entries, "faults": both})


def _up_to_date(card: Card, source: Source, data_root: Path) -> prepared.Manifest | None:
    try:
        manifest = prepared.read_manifest(data_root, card.name)
    except UserError:
        return None
    same = manifest.card == card and manifest.source_fingerprint == source.fingerprint
    return manifest if same and manifest.reading == prepared.READING else None


def _decode_all(
    source: Source, card: Card, cases: Iterable[Case], number: int
) -> tuple[list[Decoded], dict[Case, str]]:
    """The cases that can be read, and what is wrong with the others; number: of all cases."""
    decoded, unread = [], {}
    shelf = None if card.is_volume else Shelf(number, card)
    for case in cases:
        if why := prepared.objection(case.id):
            unread[case] = f"the name of a case cannot hold {why}: rename it"
            continue
        if card.modalities and len(case.images) < len(card.modalities):
            continue  # which the reader has said
        try:
            one = decode(source, card, case)
        except (OSError, ValueError) as error:
            unread[case] = str(error)
            continue
        decoded.append(shelf.laid(one) if shelf else one)
    source.arrays.forget()
    return decoded, unread
