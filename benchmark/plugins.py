"""Finds a method by name: imports `methods/<name>.py` alone, so a broken one breaks only itself."""

import importlib
import inspect
import pkgutil
from typing import Any

import methods
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.method import Method


def names() -> list[str]:
    """Every method that can be asked for; the supervised reference first."""
    found = [m.name for m in pkgutil.iter_modules(methods.__path__) if not m.name.startswith("_")]
    return sorted(found, key=lambda name: (name != "supervised", name))


def find(name: str) -> type[Method]:
    """The one `Method` subclass that the method's module defines."""
    if name not in names():
        raise unknown("method", name, names(), "bench list methods")
    try:
        module = importlib.import_module(f"methods.{name}")
    except Exception as error:
        raise UserError(
            f"method {name} cannot be imported: {type(error).__name__}: {error}", ExitCode.PLUGIN
        ) from error
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value)
        and issubclass(value, Method)
        and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        raise UserError(
            f"methods/{name}.py must define exactly one Method, found {len(found)}", ExitCode.PLUGIN
        )
    return found[0]


def header(name: str) -> str:
    """The docstring of the method's file: sentence, formula, Paper, Code, Differs, Cost."""
    return inspect.cleandoc(inspect.getmodule(find(name)).__doc__ or "")


def hyperparameters(name: str) -> dict[str, Any]:
    """Name → default of each hyper-parameter, from the signature."""
    signature = inspect.signature(find(name).__init__)
    return {p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}
