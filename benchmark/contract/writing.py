"""What a method's file must say, and may import. A check yields what is wrong, in words."""

import ast
import importlib.util
import inspect
import re
from pathlib import Path

from benchmark.contract.learning import Found
from benchmark.contract.subject import Form, Subject
from benchmark.study import methods

PARTS = ("Paper:", "Code:", "Differs:", "Options:", "Cost:")
_HARNESS = ("benchmark", "methods", "reports")
_MATHEMATICS = {
    "collections.abc", "copy", "dataclasses", "functools", "math", "re", "typing", "jaxtyping",
    "torch", "torch.nn", "torch.nn.functional",
}  # fmt: skip
"""What the tool's own methods import beside the toolkit."""


def header(subject: Subject, form: Form) -> Found:
    """A sentence, a formula, and five parts."""
    text = methods.header_of(subject.method)
    sentence, _, rest = text.partition("\n")
    if not sentence.endswith("."):
        yield f"the first line of the file's docstring must be a sentence, got {sentence!r}"
    if "L = " not in rest:
        yield 'the header must have the formula of the loss, "L = …"'
    if lacking := [part for part in PARTS if not re.search(rf"^{part}\s+\S", rest, re.M)]:
        yield f"the header must have {', '.join(PARTS)}; lacking: {', '.join(lacking)}"


def stored(subject: Subject, form: Form) -> Found:
    """Under their own names, or in `options`."""
    method = subject.built(form)
    place, holder = ("self", method) if method.Options is None else ("options", method.options)
    for name, value in subject.hyperparameters.items():
        if not hasattr(holder, name):
            yield f"hyper-parameter {name} must be kept as {place}.{name}"
        elif getattr(holder, name) != value:
            yield f"{place}.{name} must stay {value!r}, got {getattr(holder, name)!r}"


def explained(subject: Subject, form: Form) -> Found:
    """A line for each under `Options:`, or its meaning in the class's `Options`."""
    names = list(subject.hyperparameters)
    if subject.method.Options is None:
        listed = listed_options(methods.header_of(subject.method))
        if lacking := [name for name in names if name not in listed]:
            yield (
                "under Options: of the header stands a line NAME: MEANING for each "
                f"hyper-parameter; lacking: {', '.join(lacking)}"
            )
        if left := [name for name in listed if name not in names]:
            yield f"Options: of the header explains what is no hyper-parameter: {', '.join(left)}"
        return
    documented = methods.documented_options_of(subject.method)
    if lacking := [name for name in names if not documented[name].strip()]:
        yield f"each field of Options is an option with a meaning; without: {', '.join(lacking)}"


def listed_options(text: str) -> list[str]:
    """What stands under `Options:` in a header: the names of its lines; none for "none"."""
    part = re.search(r"^Options:(.*?)(?=^\S|\Z)", text, re.M | re.S)
    if part is None or part[1].strip() == "none":
        return []
    return re.findall(r"^\s*(\w+): \S", part[1], re.M)


def imports(subject: Subject, form: Form) -> Found:
    """Of this project the toolkit, and private modules of its own.

    A method from elsewhere may import what it likes, but not the harness's plumbing.
    """
    module = inspect.getmodule(subject.method)
    file, is_own = Path(module.__file__), module.__name__.startswith("methods.")
    found = imported(file, module.__package__ or "")
    own = f"methods._{file.stem}"
    foreign = {
        name
        for name in found - _MATHEMATICS
        if (is_own or name.split(".")[0] in _HARNESS)
        and not f"{name}.".startswith("benchmark.toolkit.")
        and not (is_own and name.startswith(own))
    }
    if foreign:
        yield (
            f"it may import no {', '.join(sorted(foreign))}: of this project benchmark.toolkit "
            "alone"
            + (f", and {own}*.py; of others {', '.join(sorted(_MATHEMATICS))}" if is_own else "")
        )


def imported(file: Path, package: str) -> set[str]:
    """Modules that a method's file and the private ones beside it (`_NAME*`) import."""
    found = set()
    for source in (file, *file.parent.glob(f"_{file.stem}*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                relative = "." * node.level + (node.module or "")
                found.add(importlib.util.resolve_name(relative, package))
    return found
