"""Names that can be typed: of methods and presets. Imports none of these, and nothing heavy.

A shell asks for them at every press of a key.
"""

import importlib
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
    found = pkgutil.iter_modules(importlib.import_module("methods").__path__)
    return [module.name for module in found if not module.name.startswith("_")]


def presets() -> list[str]:
    """Those that come with the tool."""
    return sorted(file.stem for file in PRESETS.glob("*.yaml"))
