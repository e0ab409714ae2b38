"""What may be typed after `bench data prepare`: the name of a card, a path to one, WORD:NAME."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmark.data import cards, names, prepared
from benchmark.data.card import Card
from benchmark.data.collections import medsegbench, nnunet
from benchmark.data.source import Source
from benchmark.errors import ExitCode, UserError, unknown


class Collection(NamedTuple):
    """title: of the datasets, for people; typed: how one is named, and which files it takes."""

    title: str
    typed: str
    card: Callable[[str, Source], Card]
    """Name of a dataset, as typed, and its files → its card."""
    datasets: Callable[[], list[str]] = list
    """A line for each, if their names are known."""


COLLECTIONS: dict[str, Collection] = {
    "medsegbench": Collection(
        "35 sets of MedSegBench",
        "medsegbench:NAME --from NAME_SIZE.npz",
        medsegbench.card,
        medsegbench.listing,
    ),
    "nnunet": Collection(
        "datasets with a dataset.json, of nnU-Net or the Medical Segmentation Decathlon",
        "nnunet:NAME --from FOLDER (NAME is yours)",
        nnunet.card,
    ),
}


def resolve(typed: str, path: Path) -> tuple[Card, Source]:
    """The card, and its files, opened.

    Raises `UserError`: exit code 2 for an unknown name, 3 for what is wrong with card or files.
    """
    word, colon, name = typed.partition(":")
    if not colon or typed.endswith((".yaml", ".yml")):
        card = cards.find(typed)
        _refuse_reserved(card, typed)
        return card, Source(path)
    if word not in COLLECTIONS:
        raise unknown("collection of datasets", word, COLLECTIONS)
    source = Source(path)
    card = COLLECTIONS[word].card(name, source)
    if word != "medsegbench":
        _refuse_reserved(card, typed)
    if card.name in names.cards():
        raise UserError(
            f"{typed}: {card.name} is the name of a card that comes with the tool: take another "
            "name",
            ExitCode.DATA,
        )
    return card, source


def not_prepared(data_root: Path, name: str) -> UserError | None:
    """The error for a dataset that is not there, if a collection knows it by name."""
    member = medsegbench.of_card(name.replace(":", "_").replace("-", "_").lower())
    if member is None:
        return None
    facts = member.facts
    return prepared.not_prepared(
        data_root,
        member.card_name,
        f" from {facts.homepage} (terms: {facts.licence})",
        f"medsegbench:{member.name}",
    )


def _refuse_reserved(card: Card, typed: str) -> None:
    """Reports compare datasets with published results by their names."""
    if medsegbench.of_card(card.name):
        raise UserError(
            f"{typed}: {card.name} is the name of a set of MedSegBench: take another name",
            ExitCode.DATA,
        )
