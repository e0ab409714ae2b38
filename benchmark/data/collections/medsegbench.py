"""MedSegBench: 35 sets of images, one .npz each and size; their facts, and a card of each.

Facts: datasets/collections/medsegbench.csv, of medsegbench/info.py in zekikus/MedSegBench@54fde02,
where five MD5 sums end in a blank that no file's can.
"""

import csv
from functools import cache
from typing import NamedTuple

from benchmark import files
from benchmark.data.card import Card
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.wording import shortened

READER = "medsegbench"
SPLITS = ("train", "val", "test")
SIZES = (128, 256, 512)
_PREFIX = "medsegbench_"
_SHARED_IMAGES = ("idrib",)
"""Sets whose categories have labels of their own, and the images in common."""


class Facts(NamedTuple):
    """A set as published. counts: images of each split, of all categories together."""

    name: str
    classes: int
    channels: int
    counts: dict[str, int]
    categories: tuple[str, ...]
    licence: str
    reference: str
    md5: dict[int, str]
    record: str

    @property
    def homepage(self) -> str:
        """Where its files are."""
        return f"https://zenodo.org/records/{self.record}"


class Member(NamedTuple):
    """What a card is of: a set, or one category of it ("" if it has none)."""

    facts: Facts
    category: str = ""

    @property
    def name(self) -> str:
        """As typed after medsegbench: such as idrib_C1."""
        return "_".join(filter(None, (self.facts.name, self.category)))

    @property
    def card_name(self) -> str:
        """Of the prepared dataset."""
        return _PREFIX + _key(self.name)

    def arrays(self, split: str) -> tuple[str, str]:
        """The files of a split's images and masks."""
        suffix = f"_{self.category}" if self.category else ""
        has_own = self.facts.name not in _SHARED_IMAGES
        return f"{split}_images{suffix if has_own else ''}.npy", f"{split}_label{suffix}.npy"

    @property
    def has_known_counts(self) -> bool:
        """Of a category with images of its own nobody says how many it has."""
        return not self.category or self.facts.name in _SHARED_IMAGES


@cache
def sets() -> tuple[Facts, ...]:
    """All that were published, in that order."""
    table = files.packaged("datasets") / "collections" / "medsegbench.csv"
    with table.open(encoding="utf-8", newline="") as stream:
        return tuple(map(_facts, csv.DictReader(stream)))


def _facts(row: dict[str, str]) -> Facts:
    return Facts(
        name=row["name"],
        classes=int(row["classes"]),
        channels=int(row["channels"]),
        counts={split: int(row[split]) for split in SPLITS},
        categories=tuple(filter(None, row["categories"].split(";"))),
        licence=row["licence"],
        reference=row["reference"],
        md5={size: row[f"md5_{size}"] for size in SIZES},
        record=row["zenodo_record"],
    )


def listing() -> list[str]:
    """A line for each set: name, numbers of images, classes, categories, licence."""
    lines = []
    for facts in sets():
        counts = ", ".join(f"{n} {split}" for split, n in facts.counts.items())
        kind = "grey" if facts.channels == 1 else "colour"
        classes = f", {facts.classes} classes" if facts.classes > 2 else ""
        in_parts = f"; as {facts.name}_{', _'.join(facts.categories)}" * bool(facts.categories)
        lines.append(f"{facts.name:20}{counts}, {kind}{classes}{in_parts}; {facts.licence}")
    return lines


def members() -> list[Member]:
    """All that a card can be made of."""
    return [Member(facts, category) for facts in sets() for category in (facts.categories or ("",))]


def of_card(name: str) -> Member | None:
    """What the card of that name is of."""
    return next((member for member in members() if member.card_name == name), None)


def find(name: str) -> Member:
    """By its name, in either case and spelling of hyphens; `UserError` if there is none."""
    found = next((member for member in members() if _key(member.name) == _key(name)), None)
    if found is not None:
        return found
    whole = next((facts for facts in sets() if _key(facts.name) == _key(name)), None)
    if whole is not None:
        named = [f"medsegbench:{whole.name}_{category}" for category in whole.categories]
        raise UserError(
            f"{whole.name} has {len(named)} categories, which are datasets of their own: name one "
            f"of {', '.join(named)}"
        )
    raise unknown(
        "dataset of MedSegBench", name, [member.name for member in members()],
        "bench list datasets -v",
    )  # fmt: skip


def _key(name: str) -> str:
    return name.lower().replace("-", "_")


def card(name: str, source: Source) -> Card:
    """The card of a set, at the size that its images have in the file."""
    member = find(name)
    facts = member.facts
    is_binary = facts.classes == 2
    return Card(
        name=member.card_name,
        title=f"{member.name} of MedSegBench",
        readers=[READER],
        channels=facts.channels,
        size=_size(member, source),
        classes=["background", "foreground"]
        if is_binary
        else ["background", *(f"class_{number}" for number in range(1, facts.classes))],
        mask="binary" if is_binary else "labels",
        expected=facts.counts if member.has_known_counts else {},
        homepage=facts.homepage,
        terms=facts.licence,
        citation=facts.reference,
    )


def _size(member: Member, source: Source) -> list[int]:
    """Height and width of the training images."""
    name, _ = member.arrays("train")
    if name not in source.files:
        raise UserError(_without(name, member, source), ExitCode.DATA)
    try:
        shape = source.arrays.head(name).shape
    except (OSError, ValueError) as error:
        raise UserError(f"{source.path}: {error}", ExitCode.DATA) from error
    if len(shape) not in (3, 4) or max(shape[1:3]) > 8192:
        raise UserError(
            f"{source.path}: {name} has the shape {shape}, and images are (number, height, width) "
            "or (number, height, width, 3)",
            ExitCode.DATA,
        )
    return list(shape[1:3])


def _without(name: str, member: Member, source: Source) -> str:
    """Why this cannot be the file of the set."""
    inside = [file for file in source.files if file.lower().endswith(".npz")]
    if inside:
        ours = [file for file in inside if file.rpartition("/")[2].startswith(member.facts.name)]
        return (
            f"{source.path} holds {shortened(inside)}: give the file itself, such as "
            f"--from {source.path / (ours or inside)[0]}"
        )
    arrays = [file for file in source.files if file.endswith(".npy")]
    found = f"it has no {name}, but {shortened(arrays, 6)}" if arrays else "it holds no arrays"
    return (
        f"{source.path} is not {member.name} of MedSegBench: {found}. Its file is "
        f"{member.facts.name}_128.npz, _256 or _512 of {member.facts.homepage}"
    )
