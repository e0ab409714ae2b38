"""The harness: everything that is the same for every method.

`import benchmark as sb` also has what `bench` does, for Python and notebooks: docs/python.md.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmark.cli.python import (
        Study,
        Trial,
        UserError,
        datasets,
        load_model,
        load_study,
        methods,
        run,
    )

__version__ = "0.2.0"
__all__ = [
    "Study", "Trial", "UserError", "datasets", "load_model", "load_study", "methods", "run",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What is asked for of `benchmark.cli.python`, loaded now: `bench --help` must not wait."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from benchmark.cli import python

    return getattr(python, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
