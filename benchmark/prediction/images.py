"""The images of a folder: which files make up one, how its mask is called, what is odd about it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded, Seen
from benchmark.data.layouts import READERS, Case
from benchmark.data.layouts.names import channel
from benchmark.data.layouts.pairs import PICTURES, VOLUMES, stem_of
from benchmark.data.prepared import is_text
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError
from benchmark.store.weights import About
from benchmark.wording import shortened

_FEW_BITS = 13  # of 16
_OTHER_SIZE = 2.0
"""Times that a side, or a voxel, may be beyond those of training before it is remarked upon."""


class Images(NamedTuple):
    """The images below a folder, each as a case without masks."""

    source: Source
    cases: list[Case]
    left_out: list[str]
    """Files of other kinds, and masks of the images."""
    problems: dict[str, str]
    """Name of an image → why it cannot be read, as far as names tell."""


def find(path: Path, card: Card) -> Images:
    """The pictures, or volumes, in a folder and those below it, in an archive, or of one file.

    A case's id is the path without its ending, or without what names the channel. `UserError` (exit
    code 3) if there are none.
    """
    endings = VOLUMES if card.is_volume else PICTURES
    is_one = path.is_file() and stem_of(path.name, endings) is not None
    source = Source(path.parent if is_one else path)
    files = [path.name] if is_one else source.files
    grouped: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    left_out, masks = [], set() if is_one else _masks(source, card)
    for file in files:
        stem = stem_of(file, endings) if file not in masks else None
        found = channel(stem, card.modalities) if stem is not None else None
        if found is None:
            left_out.append(file)
            continue
        folder = file.rpartition("/")[0]
        grouped["/".join(filter(None, (folder, found[0])))][found[1]].append(file)
    if not grouped:
        raise UserError(_none(path, card, endings, files), ExitCode.DATA)
    wanted = card.modalities or [""]
    problems = {id: why for id, of in grouped.items() if (why := _objection(of, wanted))}
    cases = [
        Case(id, "", "", tuple(of[one][0] for one in wanted), ())
        for id, of in sorted(grouped.items())
        if id not in problems
    ]
    return Images(source, cases, left_out, problems)


def _masks(source: Source, card: Card) -> set[str]:
    """Files that are masks of others, if these lie in a layout of the network's dataset."""
    for name in card.readers:
        try:
            layout = READERS[name].read(source, card)
        except (UserError, ValueError):  # much like it: whatever is wrong, images stay images
            continue
        if layout is not None:
            images = {file for case in layout.cases for file in case.images}
            return {file for case in layout.cases for file in case.masks} - images
    return set()


def _none(path: Path, card: Card, endings: Sequence[str], files: Sequence[str]) -> str:
    kind = "volume" if card.is_volume else "picture"
    named = f", named …{' and …'.join(card.modalities)}" if card.modalities else ""
    found = shortened(files) if files else "no files"
    return f"no {kind} ({', '.join(endings)}{named}) in {path}: found {found}"


def _objection(channels: dict[str, list[str]], wanted: Sequence[str]) -> str:
    for files in channels.values():
        if not all(map(is_text, files)):
            return f"the name {files[0]!r} is not in UTF-8: rename the file"
        if len(files) > 1:
            return f"{' and '.join(files)} have equal names but for their endings: rename one"
    if lacking := [one for one in wanted if one not in channels]:
        return f"there is no file for its channel {', '.join(lacking)}"
    return ""


def oddities(about: About, one: Decoded) -> Iterator[str]:
    """In what an image is unlike those that the network learnt from, as the end of a sentence."""
    if Seen.WAS_COLOUR in one.seen:
        yield "in colour, and the network learnt from grey images"
    if (
        about.channels == 3
        and not about.card.is_volume
        and _is_grey(one)
        and not _learnt_grey(about)
    ):
        yield "grey, and the network learnt from images in colour"
    if Seen.CONSTANT in one.seen:
        yield "of one grey value everywhere"
    if _is_dark_of_its_range(about, one):
        yield f"of 16 bits, of which they use less than {_FEW_BITS}: nearly black to the network"
    if Seen.CRUSHED in one.seen:
        yield "left with few of their grey levels"
    if _are_beyond(_sides(one), about.came_as):
        yield f"of another size than those it learnt from ({_ranges(about.came_as)})"
    if one.spacing and _are_beyond(one.spacing, about.spacing):
        yield f"of other voxels than those it learnt from ({_ranges(about.spacing)} mm)"


def _is_dark_of_its_range(about: About, one: Decoded) -> bool:
    """As of a camera of 12 bits; unless the card says what is black and white."""
    card = about.card
    is_as_it_is = not (card.is_volume or card.window or card.clip)
    return is_as_it_is and one.image.dtype == np.uint16 and int(one.image.max()) < 2**_FEW_BITS


def _sides(one: Decoded) -> tuple[int, ...]:
    """As of `About.came_as`."""
    return one.mask.shape if one.mask.ndim == 3 else one.source_shape


def _is_grey(one: Decoded) -> bool:
    return bool((one.image == one.image[..., :1]).all())


def _learnt_grey(about: About) -> bool:
    """Were its colours all grey? Then the channels have the same mean and standard deviation."""
    return len(set(about.mean)) == 1 and len(set(about.std)) == 1


def _are_beyond(sides: Sequence[int | float], ranges: Sequence[Sequence[int | float]]) -> bool:
    if not ranges:
        return False
    have, least, most = np.array(sides), *np.array(ranges)
    return bool(((have * _OTHER_SIZE < least) | (have > _OTHER_SIZE * most)).any())


def _ranges(ranges: Sequence[Sequence[int | float]]) -> str:
    pairs = zip(*ranges, strict=True)
    return " × ".join(f"{a:g}" if a == b else f"{a:g}–{b:g}" for a, b in pairs)
