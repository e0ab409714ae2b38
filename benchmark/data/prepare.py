"""`bench data prepare`: reads everything once, checks it, writes arrays and a manifest.

The prepared folder `<data root>/<name>/` appears whole or not at all.
"""

import contextlib
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import Timeout
from jaxtyping import UInt, UInt8
from numpy import ndarray

from benchmark import scratch
from benchmark.data import faults, prepared
from benchmark.data.card import Card
from benchmark.data.decoding import greys
from benchmark.data.decoding.case import Decoded, decode
from benchmark.data.decoding.shelf import Shelf, stacked
from benchmark.data.layouts import Case, Layout, read
from benchmark.data.layouts.groups import cut_groups, like_groups
from benchmark.data.source import Source
from benchmark.data.split.draw import whole_groups
from benchmark.errors import ExitCode, UserError
from benchmark.files import checksum, locked, replacing, settle, write_atomically
from benchmark.wording import counted, shortened

_FORMER = ".old"
_FILES = ("images.npy", "masks.npy", "manifest.json", "tests")
_SHOWN = 20  # problems listed before "and n more"
_NUMBERS = re.compile(r"-?\d[\d.,×e+-]*(?:, -?\d[\d.,×e+-]*)*(?: …)?")  # one, or a list of them


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
    data_root.mkdir(parents=True, exist_ok=True)
    with locked(_lock(card.name, data_root)):
        for left in _of_killed(card.name, data_root):
            _clear_away(left, data_root / card.name)
        if not layout.problems:
            _require_nameable(layout.cases)
            layout.lacking += _require_named(card, layout.cases, allow_partial)
        is_drawn = any(not case.split for case in layout.cases)
        cases = _with_split(layout.cases, card)
        if is_drawn:
            cases = _without_tested_groups(cases, card, layout.notes)
        layout.notes += [*cut_groups(cases), *like_groups(cases)]
        # Problems first: a missing mask is better named than counted.
        partial = (
            "" if layout.problems else _partial(cases, card, source, layout.lacking, allow_partial)
        )
        done = None if again else _up_to_date(card, source, data_root)
        if done is not None:
            return Preparation(done, data_root / card.name, True, layout.stray)
        decoded, problems = _decode_all(source, card, progress(cases), len(cases))
        whole = layout.problems
        if not (problems or whole):
            masked = [one for one, case in zip(decoded, cases, strict=True) if case.masks]
            whole = [*filter(None, [faults.refusal(card, masked)])]
        _refuse([*whole, *_grouped(problems)], len(whole) + len(problems), source.path)
        made = _assemble(card, source, layout, cases, decoded, partial)
        _write(made, data_root)
    return Preparation(made[""].manifest, data_root / card.name, False, layout.stray)


def checked(found: prepared.Prepared) -> prepared.Manifest:
    """The manifest of a prepared dataset with what is wrong with it, found anew in its arrays.

    What only the files told (such as a class lost in resizing) stays as it was noted.
    """
    manifest = found.manifest
    entries = [
        case.model_copy(
            update={
                "image": _checksum(image),
                "mask": _checksum(mask) if case.has_mask else "",
                "classes": _shares(mask, manifest.card) if case.has_mask else [],
            }
        )
        for case, image, mask in zip(manifest.cases, found.images, found.masks, strict=True)
    ]
    anew = faults.of_dataset(manifest.card, entries)
    both = list(dict.fromkeys([*anew, *manifest.faults]))
    return manifest.model_copy(update={"cases": entries, "faults": both})


def left_overs(data_root: Path) -> list[Path]:
    """What killed preparations left of their work."""
    found = []
    for lock in sorted(data_root.glob(".*.lock")):
        name = lock.name.removeprefix(".").removesuffix(".lock")
        if not re.fullmatch(r"[a-z0-9_]+", name) or not _of_killed(name, data_root):
            continue
        with contextlib.suppress(Timeout, OSError), locked(lock, 0.0):
            found += _of_killed(name, data_root)
    return found


def remove_left_overs(data_root: Path) -> None:
    """Delete them; a dataset that was about to be replaced stays."""
    for path in left_overs(data_root):
        name = path.name.split(".")[1]
        with contextlib.suppress(Timeout, OSError), locked(_lock(name, data_root), 0.0):
            _clear_away(path, data_root / name)


def _lock(name: str, data_root: Path) -> Path:
    return data_root / f".{name}.lock"


def _of_killed(name: str, data_root: Path) -> list[Path]:
    """Folders beside the dataset; only its preparation, which holds its lock, has such."""
    ours = re.compile(rf"\.{name}\.[a-z0-9_]{{8}}({re.escape(_FORMER)})?")
    return sorted(
        path
        for path in data_root.glob(f".{name}.*")
        if ours.fullmatch(path.name)
        and path.is_dir()
        and not path.is_symlink()
        and all(file.name in _FILES or file.suffix == ".tmp" for file in path.iterdir())
    )


def _clear_away(path: Path, target: Path) -> None:
    """Delete the folder; the former dataset comes back if nothing has taken its place."""
    if path.suffix == _FORMER and not target.exists():
        path.rename(target)
    else:
        scratch.remove(path)


def _up_to_date(card: Card, source: Source, data_root: Path) -> prepared.Manifest | None:
    try:
        manifest = prepared.read_manifest(data_root, card.name)
    except UserError:
        return None
    same = manifest.card == card and manifest.source_fingerprint == source.fingerprint
    return manifest if same and manifest.reading == prepared.READING else None


def _with_split(cases: list[Case], card: Card) -> list[Case]:
    """Cases sorted by id, each in a split: the files' own, the card's, or drawn by hash.

    Those of further test sets come last; their names are apart from the others'.
    """
    groups = _groups(cases, card)
    cases = [case._replace(group=groups[case.id]) for case in cases]
    further = [case for case in cases if case.further]
    cases = [case for case in cases if not case.further]
    validated = set(card.val_ids)
    if any(not case.split for case in cases):
        drawn = [case for case in cases if not case.split and case.id not in validated]
        ids = [case.id for case in drawn]
        kept = [case.group if card.keeps_groups else "" for case in drawn]
        test = set(card.test_ids) or whole_groups(ids, kept, card.test_share, card.name, "split")
        cases = [c._replace(split="test") if not c.split and c.id in test else c for c in cases]
    cases = [c._replace(split="val") if c.id in validated else c for c in cases]
    cases = [case if case.split else case._replace(split="train") for case in cases]
    cases.sort(key=lambda case: (prepared.SPLITS.index(case.split), case.id))
    return cases + sorted(further, key=lambda case: (case.split, case.id))


def _without_tested_groups(cases: list[Case], card: Card, notes: list[str]) -> list[Case]:
    """Without images that have no mask and are of a patient in the test set, if that was drawn.

    Whoever laid the files into folders decided it; a split that is drawn lets no patient in twice.
    """
    tested = {case.group for case in cases if case.split in ("val", "test")} - {""}
    out = [case for case in cases if case.split == "unlabelled" and case.group in tested]
    if not out or not card.keeps_groups:
        return cases
    notes.append(
        f"{counted(len(out), 'image')} without masks left out, as others of the same group "
        f"(patient, subject) are in the test set ({shortened([case.id for case in out])})"
    )
    return [case for case in cases if case not in out]


def _require_nameable(cases: list[Case]) -> None:
    """`UserError` where the name of a file is no text, of which no split can be drawn."""
    for case in cases:
        if not prepared.is_text(case.id):
            raise UserError(
                f"the name of {case.id!r} is not in UTF-8: rename the file", ExitCode.DATA
            )


def _require_named(card: Card, cases: list[Case], allow_partial: bool) -> list[str]:
    """What the card names and is not there, of a part of a dataset.

    `UserError` where that is not allowed, or the test set is another. Of a dataset whose size is
    known, `_partial` says it better.
    """
    lacking = []
    ids = {case.id for case in cases}
    fields = {
        "test_ids": card.test_ids,
        "val_ids": card.val_ids,
        "together": [*chain(*card.together)],
        **{f"list {name}": named for name, named in card.lists.items()},
    }
    for field, named in fields.items():
        unknown = [id for id in named if id not in ids]
        is_none_there = field != "together" and len(unknown) == len(named)
        if unknown and (is_none_there or not (allow_partial or card.expected)):
            raise UserError(
                f"the card's {field} name {counted(len(unknown), 'case')} that {_are(unknown)} not "
                f"there: {shortened(unknown)} (cases are called {shortened(sorted(ids))}). If a "
                "part of the dataset is what you have, add --allow-partial",
                ExitCode.DATA,
            )
        if unknown and not card.expected:
            lacking.append(
                f"{len(named) - len(unknown)} of {len(named)} cases that the card's {field} name"
            )
    has_mask = {case.id for case in cases if case.split != "unlabelled"}
    tested = {*card.test_ids, *(case.id for case in cases if case.split == "test")}
    if both := sorted(tested & set(card.val_ids)):
        raise UserError(
            f"the card's val_ids name {counted(len(both), 'case')} of the test set: "
            f"{shortened(both)}",
            ExitCode.DATA,
        )
    for field, named in (("test_ids", card.test_ids), ("val_ids", card.val_ids)):
        if without := [id for id in named if id in ids - has_mask]:
            raise UserError(
                f"the card's {field} name {counted(len(without), 'image')} without a mask: "
                f"{shortened(without)}",
                ExitCode.DATA,
            )
    test = {case.id for case in cases if case.split == "test"}
    if card.test_ids and all(case.split for case in cases) and test != set(card.test_ids) & ids:
        raise UserError(
            f"the files come with a test set of {counted(len(test), 'case')}, and the card's "
            f"test_ids name another ({len(set(card.test_ids) & ids)} of these): take one away",
            ExitCode.DATA,
        )
    return lacking


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _groups(cases: list[Case], card: Card) -> dict[str, str]:
    """Case → its group; what the card's `together` joins is one, with the groups of its members."""
    of = {case.id: case.group for case in cases}
    joined = [set(named) for named in card.together]
    for number, members in enumerate(joined):
        groups = {of[id] for id in members if of.get(id)}
        members |= {id for id, group in of.items() if group in groups}
        of |= dict.fromkeys(members & of.keys(), f"together {number}")
    return of


def _partial(
    cases: list[Case], card: Card, source: Source, lacking: list[str], allow_partial: bool
) -> str:
    """How the data differ from the dataset as published; `UserError` for a part, if not allowed."""
    found = {split: sum(c.split == split for c in cases) for split in prepared.SPLITS}
    if not (found["train"] and found["test"]):
        groups = {case.group for case in cases}
        why = (
            f" (all are of one group, {cases[0].group})"
            if groups - {""} and len(groups) == 1
            else ""
        )
        raise UserError(
            f"{card.name} needs training and test cases, found {found['train']} and "
            f"{found['test']}{why}",
            ExitCode.DATA,
        )
    differing = [
        f"{found[split]} of {expected} {split} cases"
        for split, expected in card.expected.items()
        if found[split] != expected
    ] + lacking
    if differing and not allow_partial:
        raise UserError(
            f"this is not the whole of {card.name}: {', '.join(differing)}. Numbers from a "
            "part cannot be compared with published ones; if a part is what you have, add "
            "--allow-partial",
            ExitCode.DATA,
        )
    synthetic = ["synthetic images, no ranking"] if source.is_synthetic and not card.phantom else []
    if card.expected and found["unlabelled"]:
        differing.append(f"{counted(found['unlabelled'], 'image')} without masks beside them")
    cropped = ["volumes cropped around their labels, which tells where to look"]
    return ", ".join(synthetic + differing + (cropped if card.crop == "label_box" else []))


def _decode_all(
    source: Source, card: Card, cases: Iterable[Case], number: int
) -> tuple[list[Decoded], dict[Case, str]]:
    """The cases that can be read, and what is wrong with the others; number: of all cases."""
    decoded, problems = [], {}
    shelf = None if card.is_volume else Shelf(number, card)
    for case in cases:
        if why := prepared.objection(case.id):
            problems[case] = f"the name of a case cannot hold {why}: rename it"
            continue
        if card.modalities and len(case.images) < len(card.modalities):
            continue  # which the reader has said
        try:
            one = decode(source, card, case)
        except (OSError, ValueError) as error:
            problems[case] = str(error)
            continue
        decoded.append(shelf.laid(one) if shelf else one)
    source.arrays.forget()
    return decoded, problems


def _refuse(lines: list[str], number: int, path: Path) -> None:
    """number: of problems, some of which share a line."""
    if not lines:
        return
    shown = "\n".join(f"  {line}" for line in lines[:_SHOWN])
    more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    count = counted(number, "problem")
    raise UserError(f"{count} in {path}; nothing was written:\n{shown}{more}", ExitCode.DATA)


def _grouped(problems: Mapping[Case, str]) -> list[str]:
    """Problems of many cases in one line, with the first of them; single ones as they are."""
    alike: dict[str, list[Case]] = {}
    for case, problem in problems.items():
        kind = _NUMBERS.sub("n", _of_any(case, problem))
        alike.setdefault(kind, []).append(case)
    return [_line(cases, problems) for cases in alike.values()]


def _line(cases: list[Case], problems: Mapping[Case, str]) -> str:
    first = cases[0]
    if len(cases) == 1:
        return f"{_shown(first)}: {problems[first]}"
    texts = {_of_any(case, problems[case]) for case in cases}
    names = shortened([_shown(case) for case in cases])
    if len(texts) == 1:
        return f"{names}: {texts.pop()} ({len(cases)} cases)"
    return f"{names} ({len(cases)} cases), such as {_shown(first)}: {problems[first]}"


def _of_any(case: Case, problem: str) -> str:
    """The problem without the names of this case's files."""
    for word, paths in (("the image", case.images), ("the mask", case.masks)):
        for path in sorted(paths, key=len, reverse=True):
            problem = problem.replace(path, word)
    return problem


def _shown(case: Case) -> str:
    return case.id if case.id.isprintable() else repr(case.images[0])


class _Made(NamedTuple):
    """A manifest, and images and masks as they are stored."""

    manifest: prepared.Manifest
    images: ndarray
    masks: ndarray


def _assemble(
    card: Card, source: Source, layout: Layout, cases: list[Case], decoded: list[Decoded], partial
) -> dict[str, _Made]:
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
) -> _Made:
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
    return _Made(manifest, images, masks)


def _entry(card: Card, case: Case, one: Decoded) -> prepared.CaseEntry:
    return prepared.CaseEntry(
        id=case.id,
        split=case.split,
        group=case.group,
        foreground=float((one.mask > 0).mean()) if case.masks else 0.0,
        shape=list(one.mask.shape) if card.is_volume else [],
        mean=one.mean,
        std=one.std,
        image=_checksum(one.image),
        mask=_checksum(one.mask) if case.masks else "",
        spacing=list(one.spacing),
        source_shape=list(one.source_shape),
        affine=[] if one.affine is None else one.affine.tolist(),
        start=list(one.start),
        levels=one.levels,
        classes=_shares(one.mask, card) if case.masks else [],
    )


def _shares(mask: UInt8[ndarray, "*s"], card: Card) -> list[float]:
    """Of each class, in the pixels of a mask."""
    return (np.bincount(mask.ravel(), minlength=len(card.classes)) / mask.size).tolist()


def _checksum(array: ndarray) -> str:
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


def _write(made: Mapping[str, _Made], data_root: Path) -> None:
    """Write beside the target, then rename: a killed prepare leaves no half dataset."""
    name = made[""].manifest.name
    target = data_root / name
    new = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=data_root))
    try:
        for further, (manifest, images, masks) in made.items():
            folder = new / prepared.test_set(".", further) if further else new
            folder.mkdir(parents=True, exist_ok=True)
            for file, array in (("images.npy", images), ("masks.npy", masks)):
                with replacing(folder / file) as stream:
                    np.save(stream, array)
            write_atomically(folder / "manifest.json", manifest.model_dump_json(indent=1))
        _share(new, data_root)
        former = new.with_name(f"{new.name}{_FORMER}")
        if target.exists():
            target.rename(former)
        new.rename(target)
        settle(target)
        scratch.remove(former)
    finally:
        scratch.remove(new)


def _share(folder: Path, data_root: Path) -> None:
    """Who may use the data root may use the dataset, whatever the umask of who prepared it."""
    everybody = data_root.stat().st_mode
    for path in (*folder.rglob("*"), folder):
        path.chmod(path.stat().st_mode | everybody & (0o777 if path.is_dir() else 0o666))
