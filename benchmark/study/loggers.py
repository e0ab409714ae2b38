"""Which loggers there are, and what each needs installed. Imports none of them."""

import importlib.util
import sys
from collections.abc import Iterable
from typing import NamedTuple

from benchmark.errors import ExitCode, UserError


class Needed(NamedTuple):
    """By a logger."""

    module: str
    """What it imports."""
    requirement: str
    """What pip installs; the extra of the logger's name in `pyproject.toml` holds the same."""


LOGGERS = {
    "tensorboard": Needed("tensorboard", "tensorboard>=2.15"),
    "wandb": Needed("wandb", "wandb>=0.20"),
    "mlflow": Needed("mlflow", "mlflow>=2.15"),
}


def require_installed(names: Iterable[str]) -> None:
    """Raise `UserError` (exit code 4) with pip's line, before anything starts."""
    missing = [name for name in names if not _is_installed(LOGGERS[name].module)]
    if missing:
        line = " ".join(f'"{LOGGERS[name].requirement}"' for name in missing)
        raise UserError(
            f"--log {','.join(missing)} needs what is not installed: pip install {line}",
            ExitCode.RESOURCES,
        )


def _is_installed(module: str) -> bool:
    """Is there code of that name? A folder is none: wandb leaves one where it runs."""
    if module in sys.modules:
        return True
    spec = importlib.util.find_spec(module)
    return spec is not None and spec.origin is not None
