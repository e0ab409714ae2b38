"""Finds a method by name: `methods/<name>.py`, else the entry points of installed packages.

Only the module of the method that is asked for is imported, so a broken one breaks only itself.
"""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Mapping
from typing import Any

import methods
from benchmark.entry_points import METHODS, Offer, offers, only, shadowed
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.study import sources
from benchmark.study.settings import BASELINE
from benchmark.study.trials import MethodFacts, Trial, restored
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Method

NO_FAMILY = "other"


def names() -> list[str]:
    """Every method that can be asked for, also those that turn out broken; the baseline first."""
    found = {*_own(), *offers(METHODS)}
    return sorted(found, key=lambda name: (name != BASELINE, name))


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


def _own() -> list[str]:
    found = [m.name for m in pkgutil.iter_modules(methods.__path__)]
    return [name for name in found if not name.startswith("_")]


def find(name: str) -> type[Method]:
    """The method's class; `UserError` (exit code 5) if it cannot be had, with the reason."""
    if name not in names():
        raise unknown("method", name, names(), "bench list methods")
    offer = offered(name)
    where = f'"{offer.entry.value}" of package {offer}' if offer else f"methods/{name}.py"
    if offer and (name == "all" or not re.fullmatch(r"[a-z][a-z0-9_]*", name)):
        raise _broken(name, where, 'a name is lower-case letters, digits and "_", and not "all"')
    try:
        loaded = offer.entry.load() if offer else importlib.import_module(f"methods.{name}")
    except (Exception, SystemExit) as error:
        raise _broken(name, where, f"{type(error).__name__}: {error}") from error
    sources.code_of(name)  # as it is loaded, whatever becomes of its file
    found = _classes(loaded)
    if len(found) != 1:
        hint = ' (an entry point may name the class, "module:Class")' if offer else ""
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
    found = [] if name in _own() else offers(METHODS).get(name, [])
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
    return shadowed("method", METHODS, _own())


def header(name: str) -> str:
    """The docstring of the method's file; its parts: docs/own-method.md."""
    return inspect.cleandoc(inspect.getmodule(find(name)).__doc__ or "")


def documented_options(name: str) -> dict[str, str]:
    """Hyper-parameter → meaning, of a method with `Options`; others have theirs in the header."""
    options = find(name).Options
    fields = dataclasses.fields(options) if options is not None else ()
    return {field.name: field.metadata.get("meaning", "") for field in fields}


def facts(name: str) -> MethodFacts:
    """What the grid of trials needs to know of the method."""
    method = find(name)
    return MethodFacts(
        hyperparameters(name),
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
    method = find(name)
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
    method = find(name)
    if method.Options is not None:
        return method(builder, method.Options(**hyperparameters))
    return method(builder, **hyperparameters)
