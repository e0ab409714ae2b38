"""The layout of MedSegBench: arrays of images and of masks for each split, in one .npz."""

import hashlib

from benchmark.data.arrays import Head, row_name
from benchmark.data.card import Card
from benchmark.data.collections.medsegbench import SPLITS, Facts, Member, of_card, sets
from benchmark.data.layouts.layout import Case, Layout
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError
from benchmark.wording import counted

_NO_PATIENTS = (
    "MedSegBench says of no image whose it is: slices of one volume, or images of one patient, may "
    "lie in train and test, and be labelled and unlabelled"
)


def read_medsegbench(source: Source, card: Card) -> Layout | None:
    """train_images.npy with train_label.npy, and so on; case train_0017 is row 17 of train_images.

    `UserError` for the file of another set, and for arrays that do not belong together.
    """
    member = of_card(card.name)
    if member is None:
        raise UserError(
            f"card {card.name}: the reader medsegbench is for cards that are made from a name: "
            "bench data prepare medsegbench:NAME",
            ExitCode.DATA,
        )
    files = {split: member.arrays(split) for split in SPLITS}
    used = [name for both in files.values() for name in both]
    if missing := [name for name in used if name not in source.files]:
        raise _refusal(source, f"{', '.join(missing)} {_is(missing)} missing")
    heads = _heads(source, used)
    if problems := _not_images(files, heads):
        raise _refusal(source, "; ".join(problems))
    found = {split: heads[images].shape[0] for split, (images, _) in files.items()}
    _require_set(source, member, found, _channels(heads[files["train"][0]]))
    layout = Layout(_cases(files, found), stray=_stray(source, member, used))
    layout.notes.append(_NO_PATIENTS)
    _compare_file(source, member.facts, layout)
    if not member.has_known_counts:
        layout.notes.append(
            f"how many images are of the category {member.category} is not published, and was not "
            "compared"
        )
    elif found != member.facts.counts and (other := _with_counts(found, without=member.facts.name)):
        layout.lacking.append(f"these are the numbers of {other}")
    return layout


def _refusal(source: Source, why: str) -> UserError:
    return UserError(f"{source.path} is no file of MedSegBench: {why}", ExitCode.DATA)


def _is(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _heads(source: Source, names: list[str]) -> dict[str, Head]:
    try:
        return {name: source.arrays.head(name) for name in names}
    except (OSError, ValueError) as error:
        raise _refusal(source, str(error)) from error


def _channels(head: Head) -> int:
    return head.shape[3] if len(head.shape) == 4 else 1


def _not_images(files: dict[str, tuple[str, str]], heads: dict[str, Head]) -> list[str]:
    """What is wrong with shapes and types, of which the values need not be known."""
    first = heads[files["train"][0]].shape
    problems = []
    for images, labels in files.values():
        image, label = heads[images], heads[labels]
        if image.dtype.name != "uint8":
            problems.append(f"{images} holds {image.dtype}, and images are bytes (uint8)")
        if label.dtype.kind not in "biuf":
            problems.append(f"{labels} holds {label.dtype}, no classes")
        if image.shape[1:] != first[1:]:
            problems.append(f"{images} is {_by(image)}, and the training images {_by_shape(first)}")
        if label.shape[:3] != image.shape[:3] or label.shape[3:] not in ((), (1,)):
            problems.append(f"{labels} is {_by(label)}, and {images} {_by(image)}")
    return problems


def _by(head: Head) -> str:
    return _by_shape(head.shape)


def _by_shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _require_set(source: Source, member: Member, found: dict[str, int], channels: int) -> None:
    """`UserError` for more images than the set has, or of other channels: that is another set."""
    facts = member.facts
    more = any(found[split] > facts.counts[split] for split in SPLITS)
    if not more and channels == facts.channels:
        return
    other = _with_counts(found, without=facts.name)
    raise UserError(
        f"{source.path} is not {member.name} of MedSegBench: it holds {_told(found, channels)}, "
        f"and {member.name} {'has' if member.has_known_counts else 'has at most'} "
        f"{_told(facts.counts, facts.channels)}"
        + (f". These are the numbers of {other}" * bool(other)),
        ExitCode.DATA,
    )


def _told(counts: dict[str, int], channels: int) -> str:
    kind = {1: "grey", 3: "coloured"}.get(channels, f"{channels}-channel")
    return f"{', '.join(f'{n} {split}' for split, n in counts.items())} {kind} images"


def _with_counts(found: dict[str, int], without: str) -> str:
    """Which other set has as many images."""
    return " or ".join(f.name for f in sets() if f.counts == found and f.name != without)


def _cases(files: dict[str, tuple[str, str]], found: dict[str, int]) -> list[Case]:
    """Named by their rows, with as many digits as the longest split needs."""
    digits = max(4, len(str(max(found.values()) - 1)))
    return [
        Case(
            f"{split}_{row:0{digits}}",
            split,
            "",
            (row_name(images, row),),
            (row_name(labels, row),),
        )
        for split, (images, labels) in files.items()
        for row in range(found[split])
    ]


def _stray(source: Source, member: Member, used: list[str]) -> list[str]:
    """What is in the file besides: not the arrays of its other categories."""
    of_others = {
        name
        for category in member.facts.categories
        for split in SPLITS
        for name in Member(member.facts, category).arrays(split)
    }
    return [name for name in source.files if name not in {*used, *of_others}]


def _compare_file(source: Source, facts: Facts, layout: Layout) -> None:
    """Whether it is the published file, of which size: a note, or a warning that it is none."""
    if not source.path.is_file():
        layout.notes.append("not a .npz as published, but its arrays: no MD5 compared")
        return
    with source.path.open("rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    same = [size for size, published in facts.md5.items() if published == found]
    if same:
        layout.notes.append(f"the file is {facts.name}_{same[0]}.npz as published (MD5 {found})")
        return
    layout.faults.append(
        f"the file is none of the {counted(len(facts.md5), 'file')} published of {facts.name} (its "
        f"MD5 is {found}): another version, or changed images"
    )
