"""Finds a method by name: `methods/<name>.py`, else the entry points of installed packages.

Only the module of the method that is asked for is imported, so a broken one breaks only itself.
"""

import contextlib
import dataclasses
import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.entry_points import METHODS, Offer, offers, only, shadowed
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.study import sources
from benchmark.study.names import methods as names
from benchmark.study.names import own_methods
from benchmark.study.settings import BASELINE
from benchmark.study.trials import MethodFacts, Trial, restored
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Method

NO_FAMILY = "other"


def by_family() -> dict[str, list[str]]:
    """Family → its methods, the baseline's first; of no family are those that name none or are
    broken.
    """
    found: dict[str, list[str]] = {}
    for name in names():
        found.setdefault(_family(name), []).append(name)
    return {family: found[family] for family in sorted(found, key=lambda f: _rank(f, found[f]))}


def _rank(family: str, members: list[str]) -> tuple[bool, bool, str]:
    return (BASELINE not in members, family == NO_FAMILY, family)


def _family(name: str) -> str:
    try:
        return find(name).FAMILY or NO_FAMILY
    except UserError:
        return NO_FAMILY


def find(name: str) -> type[Method]:
    """The method's class; `UserError` (exit code 5) if it cannot be had, with the reason."""
    if name not in names():
        raise unknown("method", name, names(), "bench list methods")
    offer = offered(name)
    where = f'"{offer.entry.value}" of package {offer}' if offer else f"methods/{name}.py"
    if offer and not is_name(name):
        raise _broken(name, where, _NAMED)
    try:
        loaded = offer.entry.load() if offer else importlib.import_module(f"methods.{name}")
    except (Exception, SystemExit) as error:
        raise _broken(name, where, f"{type(error).__name__}: {error}") from error
    sources.code_of(name)  # as it is loaded, whatever becomes of its file
    hint = ' (an entry point may name the class, "module:Class")' if offer else ""
    return _only_class(name, where, loaded, hint)


def from_file(file: Path) -> type[Method]:
    """The method's class, of a file that need not be installed; its name is the file's.

    `UserError`: exit code 2 for a file that is not there, 5 if it cannot be had, as of `find`.
    """
    if not file.is_file():
        raise UserError(f"no such file: {file}")
    name, where = file.stem, str(file)
    if not is_name(name):
        raise _broken(name, where, _NAMED)
    inside = [name, *_packages_above(file)]
    module = ".".join(reversed(inside))
    folder = str(file.resolve().parents[len(inside) - 1])
    if folder not in sys.path:
        sys.path.append(folder)  # last: what is installed is not hidden by what lies there
    importlib.invalidate_caches()
    try:
        loaded = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        raise _broken(name, where, f"{type(error).__name__}: {error}") from error
    origin = getattr(loaded, "__file__", None)
    if origin is None or not file.samefile(origin):
        raise _broken(
            name, where, f"Python finds another module {module}, in {origin}: rename the file"
        )
    return _only_class(name, where, loaded)


def _packages_above(file: Path) -> Iterator[str]:
    """The packages that the file lies in, the innermost first."""
    for folder in file.resolve().parents:
        if not (folder / "__init__.py").is_file():
            return
        yield folder.name


def is_name(name: str) -> bool:
    """Can a method be called so, and typed?"""
    return name != "all" and bool(re.fullmatch(r"[a-z][a-z0-9_]*", name))


_NAMED = 'a name is lower-case letters, digits and "_", and not "all"'


def _only_class(name: str, where: str, loaded: Any, hint: str = "") -> type[Method]:
    found = _classes(loaded)
    if len(found) != 1:
        raise _broken(name, where, f"it must define exactly one Method, found {len(found)}{hint}")
    return found[0]


def _classes(loaded: Any) -> list[type[Method]]:
    """The class itself, or those that the module defines (not those that it imports)."""
    if not inspect.ismodule(loaded):
        candidates = [loaded]
    else:
        candidates = [
            value
            for value in vars(loaded).values()
            if getattr(value, "__module__", None) == loaded.__name__
        ]
    return [c for c in candidates if inspect.isclass(c) and issubclass(c, Method)]


def _broken(name: str, where: str, reason: str) -> UserError:
    return UserError(f"method {name} cannot be loaded from {where}: {reason}", ExitCode.PLUGIN)


def offered(name: str) -> Offer | None:
    """Who offers the method; None for one of our own, whose name wins."""
    found = [] if name in own_methods() else offers(METHODS).get(name, [])
    return only("method", name, found) if found else None


def package_of(name: str) -> dict[str, str]:
    """Package → version where the method is another package's; empty for our own."""
    try:
        offer = offered(name)
    except UserError:  # a clash: the record of the failed trial says so
        return {}
    return {offer.package: offer.version} if offer else {}


def notes() -> list[str]:
    """A line for each method of another package that ours of the same name hides."""
    return shadowed("method", METHODS, own_methods())


def header(name: str) -> str:
    """The docstring of the method's file; its parts: docs/own-method.md."""
    return header_of(find(name))


def header_of(method: type[Method]) -> str:
    """As `header`, of its class."""
    return inspect.cleandoc(inspect.getmodule(method).__doc__ or "")


def documented_options(name: str) -> dict[str, str]:
    """Hyper-parameter → meaning, of a method with `Options`; others have theirs in the header."""
    return documented_options_of(find(name))


def documented_options_of(method: type[Method]) -> dict[str, str]:
    """As `documented_options`, of its class."""
    fields = dataclasses.fields(method.Options) if method.Options is not None else ()
    return {field.name: field.metadata.get("meaning", "") for field in fields}


def facts(name: str) -> MethodFacts:
    """What the grid of trials needs to know of the method."""
    return facts_of(name, find(name))


def facts_of(name: str, method: type[Method]) -> MethodFacts:
    """As `facts`, of its class."""
    return MethodFacts(
        _hyperparameters(name, method),
        method.BUNDLES,
        method.PRETRAIN_PARAMETERS if method.PRETRAINED else None,
        method.BEFORE,
    )


def ablations(name: str) -> dict[str, tuple[Any, ...]]:
    """Hyper-parameter → values that `--ablation` compares; empty for a broken method."""
    try:
        return dict(find(name).ABLATIONS)
    except UserError:
        return {}


def hyperparameters(name: str) -> dict[str, Any]:
    """Name → default of each hyper-parameter; exit code 5 if one has none.

    They are the fields of the class's `Options`, if it has one, else the keywords of its signature.
    """
    return _hyperparameters(name, find(name))


def defaults() -> dict[str, dict[str, Any]]:
    """Of each method that can be loaded, its hyper-parameters."""
    found = {}
    for name in names():
        with contextlib.suppress(UserError):
            found[name] = hyperparameters(name)
    return found


def _hyperparameters(name: str, method: type[Method]) -> dict[str, Any]:
    if method.Options is not None:
        found = {f.name: _default(f) for f in dataclasses.fields(method.Options)}
    else:
        parameters = inspect.signature(method.__init__).parameters.values()
        found = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    missing = [key for key, default in found.items() if default is inspect.Parameter.empty]
    if missing:
        raise UserError(
            f"method {name}: every hyper-parameter needs a default, {', '.join(missing)} has none",
            ExitCode.PLUGIN,
        )
    return found


def trial_of(settings: Mapping[str, Any], method: str, variant: str, made_by: str) -> Trial:
    """The trial of these settings (`Trial.settings`); `UserError` where this version has none such.

    made_by: the code version that they were recorded by.
    """
    try:
        return restored(settings, facts(method), variant)
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"this version of the tool has no trial of its settings ({error}); it was made by "
            f"{made_by or 'an unknown version'}"
        ) from error


def _default(field: dataclasses.Field) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def build(name: str, builder: NetworkBuilder, hyperparameters: dict[str, Any]) -> Method:
    """The method with freshly initialised networks; ValueError for values that it refuses."""
    return built(find(name), builder, hyperparameters)


def built(method: type[Method], builder: NetworkBuilder, hyperparameters: dict[str, Any]) -> Method:
    """As `build`, of its class."""
    if method.Options is not None:
        return method(builder, method.Options(**hyperparameters))
    return method(builder, **hyperparameters)
