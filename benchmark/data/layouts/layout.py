"""What a reader finds, and what readers share."""

import csv
import io
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmark.data.card import Card
from benchmark.data.source import Source
from benchmark.data.text import decoded
from benchmark.wording import shortened


class Case(NamedTuple):
    """One image with its mask.

    split: one of `prepared.SPLITS`, test_NAME of a further test set, or "" if the files have none.

    images: one file, or one for each of the card's modalities. masks: one file, or several whose
    foregrounds belong to one mask; none where the split is "unlabelled".
    """

    id: str
    split: str
    group: str
    images: tuple[str, ...]
    masks: tuple[str, ...]
    axes: str = "xyz"
    """Of arrays without a header: zyx as SimpleITK gives them, to the left and to the back."""
    is_standardised: bool = False
    """Do the files hold z-scores, such as those of a scan before it was cropped?"""

    @property
    def further(self) -> str:
        """Name of the further test set that it is of; "" for the dataset itself."""
        return self.split.removeprefix("test_") if self.split.startswith("test_") else ""


@dataclass
class Layout:
    """What a reader found."""

    cases: list[Case]
    without_mask: list[Case] = field(default_factory=list)
    """Images that no mask was found for, outside folders that say unlabelled."""
    stray: list[str] = field(default_factory=list)
    """Files that belong to no case: tolerated, and named."""
    problems: list[str] = field(default_factory=list)
    """What must be mended first."""
    notes: list[str] = field(default_factory=list)
    lacking: list[str] = field(default_factory=list)
    """What of the whole dataset is not there: a part is refused, unless it is allowed."""
    faults: list[str] = field(default_factory=list)
    """As of `data.preparation.faults`, where only the reader can tell."""


class Reader(NamedTuple):
    """description: the layout, for messages; read returns None if the files are not in it."""

    description: str
    read: Callable[[Source, Card], Layout | None]


def paired(images: dict[str, str], masks: dict[str, str], stray: list[str]) -> Layout:
    """Cases of files by the id of their case, none of them in a split."""
    cases = [
        Case(case, "", "", (images[case],), (masks[case],))
        for case in sorted(images.keys() & masks.keys())
    ]
    lone = [
        Case(case, "", "", (images[case],), ()) for case in sorted(images.keys() - masks.keys())
    ]
    without_image = [masks[case] for case in sorted(masks.keys() - images.keys())]
    return Layout(cases, lone, stray, lone_masks(without_image, len(masks)))


def settle_lone_images(layout: Layout, card: Card) -> None:
    """Make the images without masks unlabelled ones, if the card says so, else a problem.

    What is evaluated needs its masks in any case.
    """
    lone, layout.without_mask = layout.without_mask, []
    n = len(layout.cases) + len(lone)
    evaluated = [case for case in lone if case.split.startswith(("val", "test"))]
    trained = [case for case in lone if case not in evaluated]
    advice = plain = "give each a mask, or move them away"
    if card.unlabelled == "missing":
        layout.cases += [case._replace(split="unlabelled") for case in trained]
        trained = []
    else:
        advice = (
            "give each a mask; or move them into a folder unlabelled/, or add --allow-unlabelled "
            "(unlabelled: missing in the card), and they are unlabelled images"
        )
    for cases, what, to_do in (
        (trained, "", advice),
        (evaluated, ", to be evaluated", f"{plain} (what is evaluated cannot be unlabelled)"),
    ):
        files = [file for case in cases for file in case.images]
        layout.problems[:0] = _lone("mask", files, f"{len(cases)} of {n} images{what}", to_do)


def lone_masks(files: Collection[str], of: int) -> list[str]:
    """The problem with masks that have no image."""
    return _lone(
        "image", files, f"{len(files)} of {of} masks",
        "masks are named as their images, but for an ending such as _mask; rename them, or move "
        "them away",
    )  # fmt: skip


def _lone(lacking: str, files: Collection[str], count: str, advice: str) -> list[str]:
    return [f"no {lacking} for {shortened(list(files))} ({count}): {advice}"] if files else []


def column(source: Source, table: str, key: str, value: str, layout: Layout) -> dict[str, str]:
    """Two columns of a CSV table as a dictionary; what is wrong with it becomes a problem.

    Line ends may be CR alone, blanks may follow commas (the released Grade.csv has both), and
    semicolons may stand for commas.
    """
    try:
        text = decoded(source.read(table), table)
        lines = [line.strip() for line in io.StringIO(text, newline=None) if line.strip()]
        if lines and lines[0].lower().startswith("sep="):  # as spreadsheets mark what separates
            del lines[0]
        comma = max(",;\t", key=lines[0].count) if lines else ","
        rows = csv.DictReader(lines, skipinitialspace=True, delimiter=comma)
        rows.fieldnames = [name.strip() for name in rows.fieldnames or []]
        if lacking := [name for name in (key, value) if name not in rows.fieldnames]:
            names = shortened([name or '""' for name in rows.fieldnames], 6)
            layout.problems.append(f'{table} has no column "{lacking[0]}", but {names}')
            return {}
        pairs = sorted({(row[key].strip(), row[value].strip()) for row in rows})
    except (OSError, ValueError, KeyError, AttributeError, csv.Error) as error:
        layout.problems.append(
            f'{table} is no table with the columns "{key}" and "{value}" in every line '
            f"({type(error).__name__}: {error})"
        )
        return {}
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        layout.problems.append(f'{table} gives more than one "{value}" for {shortened(twice)}')
    return found
