"""Finding and reading cards: in `datasets/<name>.yaml`, in another package, in a file."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pydantic
import yaml

from benchmark import files
from benchmark.data import names
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.text import decoded
from benchmark.entry_points import CARDS, Offer, offers, only, shadowed
from benchmark.errors import ExitCode, UserError, unknown

_SHOWN = 6  # faults of a card


def notes() -> list[str]:
    """A line for each card of another package that ours of the same name hides."""
    return shadowed("card", CARDS, names.own_cards())


def find(name_or_path: str) -> Card:
    """The card of that name, or the card in that file (a path that ends in .yaml).

    Raises `UserError`: exit code 2 for an unknown name, 3 for a wrong card, 5 for a card of another
    package that cannot be had.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return _own_name(read(Path(name_or_path)), name_or_path)
    if name_or_path in names.own_cards():
        return _own(name_or_path)
    found = offers(CARDS).get(name_or_path)
    if not found:
        raise unknown(
            "dataset card",
            name_or_path,
            names.cards(),
            "bench list datasets, or give a path to a card",
        )
    return _offered(name_or_path, only("card", name_or_path, found))


def _own_name(card: Card, path: str) -> Card:
    """The card; refused if it is another than the shipped one whose name it has.

    Reports compare datasets with published results by their names.
    """
    if card.name in names.own_cards() and card != _own(card.name):
        raise UserError(
            f"card {path}: {card.name} is the name of a card that comes with the tool, and this is "
            "another: give it a name of its own",
            ExitCode.DATA,
        )
    return card


def _own(name: str) -> Card:
    return read(files.packaged("datasets") / f"{name}.yaml")


def _offered(name: str, offer: Offer) -> Card:
    """The card `<name>.yaml` that lies in the package, or beside the module, of an entry point."""
    try:
        places = [folder / f"{name}.yaml" for folder in _folders(offer.entry.module)]
        card = read(next((file for file in places if file.is_file()), places[0]))
        if card.name != name:
            raise ValueError(f"its name is {card.name}, the entry point's is {name}")
    except (Exception, SystemExit) as error:  # finding a.b imports a, which may do anything
        raise UserError(
            f"card {name} of package {offer} cannot be loaded: {error}", ExitCode.PLUGIN
        ) from error
    return card


def _folders(module: str) -> list[Path]:
    """Where the package or module lies; it is not imported (but its parents are)."""
    spec = importlib.util.find_spec(module)
    if spec is None:
        raise ModuleNotFoundError(f"there is no module {module}")
    places = list(spec.submodule_search_locations or [])
    return [Path(place) for place in places] or [Path(spec.origin).parent]


def read(file: Path) -> Card:
    """The card in a file; `UserError` names each wrong field."""
    if not file.is_file():
        raise UserError(f"no card at {file}", ExitCode.DATA)
    try:
        written = decoded(file.read_bytes(), f"card {file}")
    except ValueError as error:
        raise UserError(str(error), ExitCode.DATA) from error
    try:
        return Card.model_validate(yaml.load(written, _OnceEach))
    except (yaml.YAMLError, RecursionError) as error:
        raise UserError(
            f"card {file} is not YAML: {error}. What begins with > or # needs quotes (mask: "
            "\"> 127\"), and a pattern with a backslash single ones (group: '^(p\\d+)_')",
            ExitCode.DATA,
        ) from error
    except ValueError as error:
        if not isinstance(error, pydantic.ValidationError):  # a date such as 2020-13-45
            raise UserError(f"card {file} is not YAML: {error}", ExitCode.DATA) from error
        wrong = [_wrong(one) for one in error.errors()]
        more = f"; and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise UserError(f"card {file}: {'; '.join(wrong[:_SHOWN])}{more}", ExitCode.DATA) from error


def _wrong(error: Mapping[str, Any]) -> str:
    """What pydantic found, as a sentence."""
    where = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = PhantomOptions if where.startswith("phantom.") else Card
        return str(unknown("field of a card", str(error["loc"][-1]), known.model_fields))
    if not where and error["type"] == "model_type":
        return "a card is fields with values, such as name: mine"
    said = _INSTEAD.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{where or 'card'}: {said}"


_INSTEAD = {
    "string_type": "this is read as no text: put it in quotes",
    "string_pattern_mismatch": "a name has lower-case letters, digits and _ alone",
}


_MERGED = "tag:yaml.org,2002:merge"  # <<: *other


class _OnceEach(yaml.SafeLoader):
    """YAML in which a field that stands there twice is an error, and not its last value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        written = [key for key, _ in node.value if key.tag != _MERGED]
        keys = [self.construct_object(key, deep=deep) for key in written]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.YAMLError(f'"{twice[0]}" stands there twice')
        return super().construct_mapping(node, deep)


def as_typed(card: Card, crop: str | None, *, allow_unlabelled: bool) -> Card:
    """The card with what was typed beside it: another crop, images without masks."""
    if allow_unlabelled:
        card = card.model_copy(update={"unlabelled": "missing"})
    return _with_crop(card, crop)


def _with_crop(card: Card, crop: str | None) -> Card:
    """The card with another crop; None keeps its own."""
    if crop is None:
        return card
    if crop not in ("none", "label_box") or not card.is_volume:
        raise UserError(f"--crop is none or label_box, for volumes; got {crop} for {card.name}")
    return card.model_copy(update={"crop": crop})
