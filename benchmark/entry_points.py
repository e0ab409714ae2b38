"""Entry points: which installed package offers which method or card. Imports none of them."""

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from benchmark.errors import ExitCode, UserError

METHODS, CARDS = "benchmark.methods", "benchmark.cards"


class Offer(NamedTuple):
    """An entry point, and the package that declares it."""

    entry: EntryPoint
    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}".rstrip()


def offers(group: str) -> Mapping[str, list[Offer]]:
    """Name → who offers it; more than one is a clash."""
    return _scan(group, tuple(sys.path))


@cache
def _scan(group: str, path: tuple[str, ...]) -> Mapping[str, list[Offer]]:
    """Reading the metadata of every installed package takes long enough to do it once."""
    found: dict[str, list[Offer]] = {}
    for entry in entry_points(group=group):
        package, version = (entry.dist.name, entry.dist.version) if entry.dist else ("", "")
        offer = Offer(entry, package or entry.module, version or "")
        found.setdefault(entry.name, []).append(offer)
    return found


def only(kind: str, name: str, found: list[Offer]) -> Offer:
    """The one offer of that name; `UserError` (exit code 5) names the packages that clash."""
    if len(found) > 1:
        packages = " and ".join(str(offer) for offer in found)
        raise UserError(
            f'{len(found)} installed packages offer a {kind} "{name}": {packages}; '
            "uninstall all but one",
            ExitCode.PLUGIN,
        )
    return found[0]


def shadowed(kind: str, group: str, own: Iterable[str]) -> list[str]:
    """A note for each offer that is not used because the tool has that name itself."""
    own = set(own)
    return [
        f'note: {kind} "{name}" of package {offer} is not used: the tool has its own of that name'
        for name, found in sorted(offers(group).items())
        if name in own
        for offer in found
    ]
