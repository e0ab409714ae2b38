"""`bench data prepare`: reads everything once, checks it, writes arrays and a manifest.

The prepared folder `<data root>/<name>/` appears whole or not at all.
"""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from benchmark.data import pool, splits
from benchmark.data.cards import Card
from benchmark.data.readers import READERS, Case, Layout
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError

_SHOWN = 20  # problems listed before "and n more"


@dataclass(frozen=True)
class Outcome:
    """What `prepare` did."""

    manifest: pool.Manifest
    folder: Path
    was_up_to_date: bool
    stray: list[str]


def prepare(
    card: Card,
    path: Path,
    data_root: Path,
    *,
    allow_partial: bool = False,
    progress: Callable[[list[Case]], Iterable[Case]] = iter,
) -> Outcome:
    """Prepare the dataset of the card from a folder or zip; does nothing if that was done before.

    Raises `UserError` (exit code 3) naming every file that is missing, unreadable, of another size
    or with other mask values than the card says, and for a part of a dataset unless allowed.
    progress: wraps the cases while they are read, to show how far it is.
    """
    source = Source(path)
    layout = _layout(source, card)
    require_writable(data_root)
    with FileLock(data_root / f".{card.name}.lock"):
        done = _up_to_date(card, source, data_root, allow_partial)
        if done is not None:
            return Outcome(done, data_root / card.name, True, layout.stray)
        cases = _with_split(layout.cases, card)
        partial = _partial(cases, card, layout.problems, allow_partial)
        images, masks, problems = _decode(source, card, progress(cases))
        _refuse(layout.problems + problems, path)
        manifest = _manifest(card, source, layout, cases, (images, masks), partial)
        _write(manifest, images, masks, data_root)
    return Outcome(manifest, data_root / card.name, False, layout.stray)


def _layout(source: Source, card: Card) -> Layout:
    for name in card.readers:
        layout = READERS[name].read(source) if name in READERS else None
        if layout is not None:
            return layout
    missing = [name for name in card.readers if name not in READERS]
    if missing:
        raise UserError(f"card {card.name} names an unknown reader: {', '.join(missing)}")
    wanted = "\n".join(f"  {name}: {READERS[name].description}" for name in card.readers)
    found = ", ".join(source.files[:5]) or "no files"
    raise UserError(
        f"{source.path} is not in a layout of {card.name}. Expected one of\n{wanted}\n"
        f"found {len(source.files)} files: {found}{' …' if len(source.files) > 5 else ''}",
        ExitCode.DATA,
    )


def require_writable(data_root: Path) -> None:
    """Make the data root; `UserError` (exit code 4) if it cannot be written to."""
    try:
        data_root.mkdir(parents=True, exist_ok=True)
        (data_root / ".writable").touch()
        (data_root / ".writable").unlink(missing_ok=True)
    except OSError as error:
        raise UserError(
            f"cannot write to {data_root}: {error.strerror}", ExitCode.RESOURCES
        ) from error


def _up_to_date(
    card: Card, source: Source, data_root: Path, allow_partial: bool
) -> pool.Manifest | None:
    try:
        manifest = pool.read_manifest(data_root, card.name)
    except UserError:
        return None
    same = manifest.card == card and manifest.source_fingerprint == source.fingerprint
    return manifest if same and (allow_partial or not manifest.partial) else None


def _with_split(cases: list[Case], card: Card) -> list[Case]:
    """Cases sorted by id, each in a split; files without split get the card's share by hash."""
    if any(not case.split for case in cases):
        ids, groups = [c.id for c in cases], [c.group for c in cases]
        test = splits.held_out(ids, groups, card.test_share, card.name, "split")
        cases = [c._replace(split="test" if c.id in test else "train") for c in cases]
    return sorted(cases, key=lambda case: (case.split != "train", case.id))


def _partial(cases: list[Case], card: Card, problems: list[str], allow_partial: bool) -> str:
    found = {split: sum(c.split == split for c in cases) for split in ("train", "test")}
    if not all(found.values()) and not problems:
        raise UserError(
            f"{card.name} needs training and test cases, found {found['train']} and "
            f"{found['test']}",
            ExitCode.DATA,
        )
    differing = [
        f"{found[split]} of {expected} {split} cases"
        for split, expected in card.expected.items()
        if found[split] != expected
    ]
    partial = ", ".join(differing)
    if partial and not allow_partial:
        raise UserError(
            f"this is not the whole of {card.name}: {partial}. Numbers from a part cannot be "
            "compared with published ones; if a part is what you have, add --allow-partial",
            ExitCode.DATA,
        )
    return partial


def _decode(source: Source, card: Card, cases: Iterable[Case]):
    images, masks, problems = [], [], []
    for case in cases:
        try:
            image = _image(_open(source, case.image), card)
            mask = _mask(_open(source, case.mask), card)
        except (OSError, ValueError) as error:
            problems.append(f"{case.id}: {error}")
            continue
        if image.shape[:2] != mask.shape:
            problems.append(
                f"{case.id}: the mask has another size than the image: {_by(mask)} in {case.mask}, "
                f"{_by(image)} in {case.image}"
            )
            continue
        images.append(pool.resize_image(image, card.size))
        masks.append(pool.resize_mask(mask, card.size))
    return images, masks, problems


def _by(array: ndarray) -> str:
    return f"{array.shape[1]}×{array.shape[0]}"


def _open(source: Source, name: str) -> Image.Image:
    content = source.read(name)
    try:
        image = Image.open(io.BytesIO(content))
        image.load()
    except UnidentifiedImageError:
        raise ValueError(f"{name} is not an image ({len(content):,} bytes)") from None
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{name} cannot be read: {error}") from error
    return image


def _image(image: Image.Image, card: Card) -> UInt8[ndarray, "h w c"]:
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"the image has more than 8 bits per channel (mode {image.mode})")
    array = np.asarray(image.convert("RGB" if card.channels == 3 else "L"))
    return array.reshape(*array.shape[:2], card.channels)


def _mask(image: Image.Image, card: Card) -> UInt8[ndarray, "h w"]:
    """Classes 0 … k-1 by the card's rule; ValueError for values that the rule does not expect."""
    values = _grey(image, card.mask_channel)
    present = np.unique(values)
    listed = ", ".join(map(str, present[:6])) + (" …" if len(present) > 6 else "")
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
    above = 0 if card.mask in ("binary", "nonzero") else int(card.mask.removeprefix(">"))
    return (values > above).astype(np.uint8)


def _grey(image: Image.Image, channel: int | None) -> ndarray:
    """The one channel that holds the classes; bits are 0 and 255."""
    if channel is not None:
        return np.asarray(image.convert("RGB"))[..., channel]
    values = np.asarray(image.convert("L") if image.mode == "1" else image)
    if values.ndim == 3:
        values = values[..., :3] if values.shape[-1] > 2 else values[..., :1]
        if (values != values[..., :1]).any():
            raise ValueError("a colour mask; name its channel with mask_channel in the card")
        values = values[..., 0]
    return values


def _refuse(problems: list[str], path: Path) -> None:
    if not problems:
        return
    shown = "\n".join(f"  {problem}" for problem in problems[:_SHOWN])
    more = f"\n  and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    raise UserError(f"{count} in {path}; nothing was written:\n{shown}{more}", ExitCode.DATA)


def _manifest(card, source, layout, cases, arrays, partial) -> pool.Manifest:
    images, masks = (np.stack(array) for array in arrays)
    entries = [
        pool.CaseEntry(
            id=case.id, split=case.split, group=case.group, foreground=float((mask > 0).mean())
        )
        for case, mask in zip(cases, masks, strict=True)
    ]
    train = images[[entry.split == "train" for entry in entries]]
    axes = tuple(range(train.ndim - 1))
    return pool.Manifest(
        format=pool.FORMAT,
        card=card,
        source=source.path.name,
        source_fingerprint=source.fingerprint,
        data_hash=pool.data_hash(entries, images, masks),
        mean=[float(m) for m in (train / 255).mean(axes)],
        std=[max(float(s), 1e-6) for s in (train / 255).std(axes)],
        cases=entries,
        partial=partial,
        notes=layout.notes,
    )


def _write(manifest, images, masks, data_root: Path) -> None:
    """Write beside the target, then rename: a killed prepare leaves no half dataset."""
    target = data_root / manifest.name
    scratch = Path(tempfile.mkdtemp(prefix=f".{manifest.name}.", dir=data_root))
    try:
        np.save(scratch / "images.npy", np.stack(images))
        np.save(scratch / "masks.npy", np.stack(masks))
        (scratch / "manifest.json").write_text(manifest.model_dump_json(indent=1), encoding="utf-8")
        os.chmod(scratch, 0o755)
        old = scratch.with_suffix(".old")
        if target.exists():
            target.rename(old)
        scratch.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
