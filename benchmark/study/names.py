"""Names that can be typed: of methods and presets. Imports none of these, and nothing heavy.

A shell asks for them at every press of a key.
"""

import importlib.util
import pkgutil
from pathlib import Path

from benchmark.entry_points import METHODS, offers
from benchmark.study.settings import BASELINE

PRESETS = Path(__file__).parent / "conf"
"""The folder of the presets that come with the tool."""


def methods() -> list[str]:
    """Every method that can be asked for, also those that turn out broken; the baseline first."""
    found = {*own_methods(), *offers(METHODS)}
    return sorted(found, key=lambda name: (name != BASELINE, name))


def own_methods() -> list[str]:
    """Those that come with the tool."""
    folders = importlib.util.find_spec("methods").submodule_search_locations
    return [m.name for m in pkgutil.iter_modules(folders) if not m.name.startswith("_")]


def presets() -> list[str]:
    """Those that come with the tool."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))
