"""Which code a trial is made by: a hash of the sources, found without importing them.

The hash is of the syntax trees: comments, docstrings and formatting are left out. A method's is of
its file and of the modules of its own package that it imports; the tool's of what makes numbers.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import benchmark
from benchmark.entry_points import METHODS, offers

_ROOT = Path(benchmark.__file__).parent
_MAKES_NUMBERS = ("toolkit", "data", "training", "randomness.py")


class Code(NamedTuple):
    """Hashes of the sources; "" where they cannot be found."""

    method: str
    tool: str


def code_of(method: str) -> Code:
    """The code that trials of this method are made by now.

    Asked for once in a process, where the method is loaded: what is edited later counts for later
    processes, as it does for Python.
    """
    return Code(method_code(method), tool_code())


@cache
def tool_code() -> str:
    """Of the tool's own part that makes numbers."""
    files: list[Path] = []
    for name in _MAKES_NUMBERS:
        place = _ROOT / name
        files += [place] if place.is_file() else sorted(place.rglob("*.py"))
    return fingerprint(files)


@cache
def method_code(method: str) -> str:
    """Of the method alone; "" where its sources cannot be found."""
    module = f"methods.{method}"
    if _file_of(module) is None:
        offered = offers(METHODS).get(method, [])
        if not offered:
            return ""
        module = offered[0].entry.module
    try:
        return fingerprint(sorted(set(_with_imported(module, set()))))
    except (OSError, SyntaxError, ValueError):
        return ""  # it cannot be loaded either, which is said where it is


def _file_of(module: str) -> Path | None:
    """Where the module's source lies; nothing is imported for it."""
    package, *rest = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin in (None, "built-in", "frozen"):
        return None
    if not rest:
        return Path(spec.origin) if spec.origin.endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        place = Path(folder, *rest)
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.is_file():
                return file
    return None


def _with_imported(module: str, seen: set[str]) -> Iterator[Path]:
    """The module's file, and those of the modules of its package that it imports."""
    file = _file_of(module)
    if module in seen or file is None:
        return
    seen.add(module)
    yield file
    is_package = file.name == "__init__.py"
    for name in _imported(
        ast.parse(file.read_bytes()), module if is_package else module.rpartition(".")[0]
    ):
        if name.split(".")[0] == module.split(".")[0]:
            yield from _with_imported(name, seen)


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """Whole names of what the file imports: modules, and names that may be modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parents, *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def fingerprint(files: Iterable[Path]) -> str:
    """16 hexadecimal digits of the syntax trees of Python files, whatever Python reads them."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode())
        digest.update(repr(_written(ast.parse(file.read_bytes()))).encode())
    return digest.hexdigest()[:16]


def _written(node: Any) -> Any:
    """A tree without what changes no behaviour: places, strings that stand alone, empty fields.

    Newer Pythons add fields to nodes, which are empty for code that an older one can read.
    """
    if isinstance(node, ast.AST):
        fields = ((name, _written(value)) for name, value in ast.iter_fields(node))
        return type(node).__name__, *((n, v) for n, v in fields if v not in (None, (), ""))
    if isinstance(node, list):
        return tuple(_written(one) for one in node if not _is_text(one))
    return repr(node) if node is not None else None


def _is_text(node: Any) -> bool:
    """A docstring, of whatever it is."""
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return False
    return isinstance(node.value.value, str)
