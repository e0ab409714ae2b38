"""Names of datasets: with a card, or prepared. Reads no card, and imports nothing heavy."""

from pathlib import Path

from benchmark import files
from benchmark.entry_points import CARDS, offers


def cards() -> list[str]:
    """Of the cards that come with the tool or that another installed package offers."""
    return sorted({*own_cards(), *offers(CARDS)})


def own_cards() -> list[str]:
    """Of those that come with the tool."""
    return [file.stem for file in files.packaged("datasets").glob("*.yaml")]


def prepared(data_root: Path) -> list[str]:
    """Datasets that lie prepared under the data root."""
    return sorted(file.parent.name for file in data_root.glob("[!.]*/manifest.json"))
