"""Finds the files that are neither code nor results: cards, presets, published numbers."""

from pathlib import Path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder "datasets", "results/published" or "conf": the wheel's, else the checkout's."""
    if name == "conf":
        return _PACKAGE / "conf"
    packaged = _PACKAGE / "_resources" / name
    return packaged if packaged.is_dir() else _PACKAGE.parent / name
