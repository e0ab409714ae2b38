"""What a shell offers at the press of a key: names, found without importing what they name."""

from collections.abc import Iterable
from glob import glob
from pathlib import Path

import typer


def methods(incomplete: str) -> list[str]:
    """Names of methods; after a comma the next one."""
    from benchmark.study import names

    return _next_of([*names.methods(), "all"], incomplete)


def one_method(incomplete: str) -> list[str]:
    """Names of methods, and files that may hold one."""
    from benchmark.study import names

    return [*_of(names.methods(), incomplete), *_files(incomplete, ".py")]


def datasets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of cards, and of what is prepared under the data root; after a comma the next one."""
    from benchmark.data import names

    return _next_of([*sorted({*names.cards(), *_prepared(ctx)}), "all"], incomplete)


def one_prepared(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of what is prepared under the data root."""
    return _of(_prepared(ctx), incomplete)


def cards(incomplete: str) -> list[str]:
    """Names of cards, and files of them."""
    from benchmark.data import names

    return [*_of(names.cards(), incomplete), *_files(incomplete, ".yaml")]


def presets(incomplete: str) -> list[str]:
    """Names of presets, and files of them."""
    from benchmark.study import names

    return [*_of(names.presets(), incomplete), *_files(incomplete, ".yaml")]


def _prepared(ctx: typer.Context) -> list[str]:
    from benchmark.cli.options import DATA
    from benchmark.data import names

    return names.prepared(Path(ctx.params.get("data_root") or DATA))


def _next_of(names: Iterable[str], incomplete: str) -> list[str]:
    """Those that go on with what follows the last comma, each with all that stands before it."""
    before, comma, last = incomplete.rpartition(",")
    return [before + comma + name for name in _of(names, last)]


def _of(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _files(incomplete: str, ending: str) -> list[str]:
    """Files with this ending, and folders on the way to some."""
    found = sorted(glob(f"{incomplete}*"))
    folders = [f"{name}/" for name in found if Path(name).is_dir()]
    return [name for name in found if name.endswith(ending)] + (folders if incomplete else [])
