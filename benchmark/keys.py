"""Which of a dataclass's fields make up a key, and the key.

A key is a hash of what could change the numbers of a trial or of a pretraining. What a field is to
it stands beside the field:

* `field(...)`, or nothing: it is in the key.
* `aside(...)`: it is not; it changes no number.
* `later(..., before=V)`: it was added when trials had been recorded already. V reproduces what was
  computed before the field existed, and at V it is left out of the key, so that those trials keep
  theirs. V never changes; the default may, and is then in the key.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeVar


def aside(default: Any) -> Any:
    """A field that is in no key. default: the value, or a function that makes it."""
    return _field(default, {"aside": True})


def later(default: Any, *, before: Any) -> Any:
    """A field that is in the key but for the value `before`, which never changes."""
    return _field(default, {"before": before})


def _field(default: Any, metadata: dict[str, Any]) -> Any:
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def hashed(instance: Any) -> dict[str, Any]:
    """The fields of a dataclass that are in the key, nested ones too, as plain values."""

    def value_of(value: Any) -> Any:
        return hashed(value) if dataclasses.is_dataclass(value) else value

    pairs = ((f, getattr(instance, f.name)) for f in dataclasses.fields(instance))
    return {f.name: value_of(value) for f, value in pairs if _is_hashed(f, value)}


def _is_hashed(field: dataclasses.Field, value: Any) -> bool:
    if "aside" in field.metadata:
        return False
    return "before" not in field.metadata or plain(value) != plain(field.metadata["before"])


_T = TypeVar("_T")


def restored(kind: type[_T], values: Mapping[str, Any]) -> _T:
    """The instance that `hashed` took these values from; other values among them are left alone.

    What is in no key is at its default, what came later and is not there as it was before. Raises
    ValueError for a field without a value.
    """
    found = {}
    for f in dataclasses.fields(kind):
        if "aside" in f.metadata:
            continue
        if f.name in values:
            inner = f.default_factory() if callable(f.default_factory) else f.default
            is_nested = dataclasses.is_dataclass(inner)
            value = values[f.name]
            found[f.name] = restored(type(inner), value) if is_nested else value
        elif "before" in f.metadata:
            found[f.name] = f.metadata["before"]
        else:
            raise ValueError(f"the setting {f.name} is missing")
    return kind(**found)


def without(values: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    """What `hashed` does, for named values: without those that are as they were before."""
    return {
        name: value
        for name, value in values.items()
        if name not in before or plain(value) != plain(before[name])
    }


def fingerprint(values: Mapping[str, Any]) -> str:
    """16 hexadecimal digits: 5 and 5.0 are the same setting, the order of names does not count."""
    return digest(plain(values))


def digest(values: Mapping[str, Any]) -> str:
    """The fingerprint of values that are `plain` already."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_AS_THEY_ARE = {str, float, bool, type(None)}


def plain(value: Any) -> Any:
    """Nested values as JSON has them, all numbers as floats."""
    if type(value) in _AS_THEY_ARE:  # most are, and a study has tens of thousands of records
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
