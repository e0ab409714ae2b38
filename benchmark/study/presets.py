"""Preset + overrides → a frozen `Study`. The only file that imports Hydra.

Hydra composes a preset (YAML in `conf/`) with `key=value` overrides against the dataclass `Study`,
so that a wrong type fails at once. Its advice on unknown keys (`+key=…`) would add settings that
nothing reads; such keys are refused here with the nearest known name instead.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmark import resources
from benchmark.errors import UserError, unknown
from benchmark.study import Optimisation, Pretraining, Study, Training, check

# Parts of the grid: the command line has flags for them.
_BY_FLAG = {
    "methods": "--methods",
    "datasets": "--datasets",
    "ratios": "--ratios",
    "seeds": "--seeds",
    "name": "--study",
    "preset": "--preset",
}
_PER_METHOD = ("training_of", "hyperparameters")
_FOR_VOLUMES = {"training_3d": Training, "pretraining_3d": Pretraining}
_OPEN = (*_PER_METHOD, *_FOR_VOLUMES)  # dictionaries: a key in them may be new


def presets() -> dict[str, str]:
    """Name → first comment line of each preset."""
    files = sorted(resources.folder("conf").glob("*.yaml"))
    return {f.stem: f.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for f in files}


def load(
    preset: str,
    overrides: Sequence[str] = (),
    *,
    known_methods: Iterable[str] = (),
    **grid: Any,
) -> Study:
    """The study that the preset, the overrides (`key=value`) and the grid (by name) describe.

    grid: any of methods, datasets, ratios, seeds, name, evaluate_on; None leaves the preset's.
    Raises `UserError` for an unknown preset or key and for a value of the wrong type.
    """
    if preset not in presets():
        raise unknown("preset", preset, presets(), "bench list presets")
    checked = [_checked(override, list(known_methods)) for override in overrides]
    study = _compose(preset, checked)
    given = {name: value for name, value in grid.items() if value is not None}
    study = dataclasses.replace(study, preset=preset, **given)
    if not study.name:
        name = preset if study.evaluate_on == "test" else f"{preset}-{study.evaluate_on}"
        study = dataclasses.replace(study, name=name)
    if not re.fullmatch(r"[\w.-]+", study.name) or study.name in (".", "..", "published"):
        raise UserError(
            f'a study name is made of letters, digits, ".", "-" and "_", and is not "published" '
            f"(it becomes a folder of results), got {study.name!r}"
        )
    check(study)
    return study


def _compose(preset: str, overrides: list[str]) -> Study:
    ConfigStore.instance().store(name="study_schema", node=_unlocked(Study))
    try:
        with initialize_config_dir(str(resources.folder("conf")), version_base="1.3"):
            config = compose(preset, overrides)
        study = OmegaConf.to_object(config)
        per_method = {
            name: _fields(Training, f"training_of.{name}", fields)
            for name, fields in study.training_of.items()
        }
        for_volumes = {
            name: _fields(schema, name, getattr(study, name))
            for name, schema in _FOR_VOLUMES.items()
        }
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"wrong setting: {_explain(error)}") from error
    return dataclasses.replace(study, training_of=per_method, **for_volumes)


def _fields(schema: type[Optimisation], where: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The given fields of the schema, with their types checked and converted."""
    for name in fields:
        if name not in schema.__dataclass_fields__:
            raise unknown(f"setting {where}", name, schema.__dataclass_fields__)
    merged = OmegaConf.to_object(OmegaConf.merge(_unlocked(schema), fields))
    return {name: getattr(merged, name) for name in fields}


def _unlocked(schema: type) -> DictConfig:
    """The dataclass as a config that may be composed: a frozen one is read-only otherwise."""
    config = OmegaConf.structured(schema)
    OmegaConf.set_readonly(config, None)
    for name, field in schema.__dataclass_fields__.items():
        if dataclasses.is_dataclass(field.type):
            OmegaConf.set_readonly(config[name], None)
    return config


def _checked(override: str, known_methods: list[str]) -> str:
    """The override in a form that Hydra takes; raises for keys that no setting has."""
    key, equals, _ = override.partition("=")
    if not equals or not re.fullmatch(r"[\w.]+", key):
        raise UserError(
            f"a setting is written key=value, such as training.epochs=20, got {override!r}"
        )
    if key in _BY_FLAG:
        raise UserError(f'"{key}" is set with {_BY_FLAG[key]}, not as {override!r}')
    group, _, rest = key.partition(".")
    if group in _PER_METHOD:
        method, _, field = rest.partition(".")
        if not field:
            raise UserError(f"{group} is written {group}.METHOD.NAME=value, got {override!r}")
        if method not in known_methods:
            raise unknown("method", method, known_methods, "bench list methods")
        return f"++{override}"  # checked later
    if group in _FOR_VOLUMES and rest:
        return f"++{override}"
    if key not in keys():
        raise unknown("setting", key, keys(), "bench run --help")
    return override


def keys(schema: type = Study, prefix: str = "") -> list[str]:
    """Every setting that an override may name, dotted."""
    found = []
    for name, field in schema.__dataclass_fields__.items():
        if dataclasses.is_dataclass(field.type):
            found += keys(field.type, f"{prefix}{name}.")
        elif prefix + name not in (*_BY_FLAG, *_OPEN):
            found.append(prefix + name)
    return found


def _explain(error: Exception) -> str:
    """The cause in one line, without the library's own advice."""
    cause = error.__cause__ or error
    lines = str(cause).splitlines()
    where = next((line.split(":", 1)[1].strip() for line in lines if "full_key:" in line), "")
    return f"{where}: {lines[0]}" if where else lines[0]
