"""Preset + overrides → a frozen `Study`. The only file that imports Hydra.

Hydra composes a preset (YAML in `conf/`) with `key=value` overrides against the dataclass `Study`,
so that a wrong type fails at once. On the command line and in presets the fields of
`Study.conditions` stand beside the study's own: `precision=bfloat16`. Hydra's advice on unknown
keys (`+key=…`) would add settings that nothing reads; such keys are refused here with the nearest
known name instead.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Roles
from benchmark.errors import UserError, unknown
from benchmark.study.settings import (
    Conditions,
    Optimisation,
    PretrainingSettings,
    Study,
    TrainingSettings,
    check,
)

_FOLDER = Path(__file__).parent / "conf"
# Parts of the grid: the command line has flags for them.
_BY_FLAG = {
    "methods": "--methods",
    "datasets": "--datasets",
    "labels": "--labels",
    "ratios": "--labels",
    "seeds": "--seeds",
    "vary": "--vary",
    "also_test": "--also-test",
    "name": "--study",
    "preset": "--preset",
}
_PER_METHOD = ("training_of", "hyperparameters", "hyperparameters_3d")
_FOR_VOLUMES = {"training_3d": TrainingSettings, "pretraining_3d": PretrainingSettings}
_OPEN = (*_PER_METHOD, *_FOR_VOLUMES)  # dictionaries: a key in them may be new


def texts() -> dict[str, str]:
    """Name → text of each preset; its first line, a comment, says what it is."""
    files = sorted(_FOLDER.glob("*.yaml"))
    return {file.stem: file.read_text(encoding="utf-8") for file in files}


def load(
    preset: str,
    overrides: Sequence[str] = (),
    *,
    known_methods: Iterable[str] = (),
    **grid: Any,
) -> Study:
    """The study that the preset, the overrides (`key=value`) and the grid (by name) describe.

    grid: any of methods, datasets, labels, seeds, vary, name, and of the roles of splits
    (evaluate_on, val_as, unlabelled, slices); None leaves the preset's.
    Raises `UserError` for an unknown preset or key and for a value of the wrong type.
    """
    if preset not in (known := texts()):
        raise unknown("preset", preset, known, "bench list presets")
    checked = [_checked(override, list(known_methods)) for override in overrides]
    study = _compose(preset, checked)
    given = {name: value for name, value in grid.items() if value is not None}
    roles = {name: given.pop(name) for name in Roles._fields if name in given}
    roles.setdefault("unlabelled", study.conditions.unlabelled)
    if roles["unlabelled"] != "all":  # 50% is 50 %
        roles["unlabelled"] = Budget.parse(roles["unlabelled"]).text
    conditions = dataclasses.replace(study.conditions, **roles)
    study = dataclasses.replace(study, preset=preset, conditions=conditions, **given)
    if not study.name:
        evaluate_on = study.conditions.evaluate_on
        name = preset if evaluate_on == "test" else f"{preset}-{evaluate_on}"
        study = dataclasses.replace(study, name=name)
    if not re.fullmatch(r"\w[\w.-]{,99}", study.name) or study.name == "published":
        raise UserError(
            'a study name is made of letters, digits, ".", "-" and "_", up to 100, no "-" or '
            '"." first, and is not "published" (it becomes a folder of results), got '
            f"{study.name[:120]!r}"
        )
    check(study)
    return study


def _compose(preset: str, overrides: list[str]) -> Study:
    ConfigStore.instance().store(name="study_schema", node=_unlocked(_flat_schema()))
    try:
        with initialize_config_dir(str(_FOLDER), version_base="1.3"):
            config = compose(preset, overrides)
        study = _nested(OmegaConf.to_object(config))
        per_method = {
            name: _fields(TrainingSettings, f"training_of.{name}", fields)
            for name, fields in study.training_of.items()
        }
        for_volumes = {
            name: _fields(schema, name, getattr(study, name))
            for name, schema in _FOR_VOLUMES.items()
        }
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(f"wrong setting: {_explain(error)}") from error
    return dataclasses.replace(study, training_of=per_method, **for_volumes)


def _flat_schema() -> type:
    """`Study` with the fields of its conditions in the place of these."""
    fields = []
    for field in dataclasses.fields(Study):
        fields += dataclasses.fields(Conditions) if field.name == "conditions" else [field]
    return dataclasses.make_dataclass(
        "Settings", [(f.name, f.type, _copied(f)) for f in fields], frozen=True
    )


def _copied(field: dataclasses.Field) -> dataclasses.Field:
    if field.default_factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=field.default_factory)
    return dataclasses.field(default=field.default)


def flat(study: Study) -> dict[str, Any]:
    """The settings as a preset has them, and as they are typed."""
    values = dataclasses.asdict(study)
    return values | values.pop("conditions")


def _nested(flat: Any) -> Study:
    """The study of the flat settings."""
    values = {field.name: getattr(flat, field.name) for field in dataclasses.fields(flat)}
    conditions = {field.name: values.pop(field.name) for field in dataclasses.fields(Conditions)}
    return Study(**values, conditions=Conditions(**conditions))


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


def is_hashed(override: str) -> bool:
    """Could the setting change a number? Such overrides are named beside the preset."""
    fields = {f.name: f for f in (*dataclasses.fields(Study), *dataclasses.fields(Conditions))}
    field = fields.get(override.partition("=")[0])
    return field is None or "aside" not in field.metadata


def keys(schema: type | None = None, prefix: str = "") -> list[str]:
    """Every setting that an override may name, dotted."""
    found = []
    for name, field in (schema or _flat_schema()).__dataclass_fields__.items():
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
