"""Preset + overrides → a frozen `Study`. The only file that imports Hydra.

Hydra composes a preset (YAML in `conf/`) with `key=value` overrides against the dataclass `Study`,
so that a wrong type fails at once. On the command line and in presets the fields of
`Study.conditions` stand beside the study's own: `precision=bfloat16`. Hydra's advice on unknown
keys (`+key=…`) would add settings that nothing reads; such keys are refused here with the nearest
known name instead. A preset of one's own is a shipped one whose settings are replaced by a file's,
before those that are typed.
"""

import dataclasses
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from benchmark.data.split.budget import part_of_unlabelled
from benchmark.data.split.roles import Roles
from benchmark.errors import UserError, unknown
from benchmark.study import hints, preset_files
from benchmark.study.names import PRESETS
from benchmark.study.preset_files import SIDES, Own, as_typed, dotted, listed
from benchmark.study.settings import (
    Conditions,
    Optimisation,
    PretrainingSettings,
    Study,
    TrainingSettings,
    check,
)
from benchmark.study.syntax import Variant

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
_OWN_FILE = "preset_of_ones_own"


def load(
    preset: str,
    overrides: Sequence[str] = (),
    *,
    known_methods: Iterable[str] = (),
    **grid: Any,
) -> Study:
    """The study that the preset, the overrides (`key=value`) and the grid (by name) describe.

    preset: a name, or a file of one's own. grid: any of methods, datasets, labels, seeds, vary,
    name, and of the roles of splits (evaluate_on, val_as, unlabelled, slices); None leaves the
    preset's.
    Raises `UserError` for an unknown preset or key and for a value of the wrong type.
    """
    own = _read(preset, list(known_methods))
    chosen = [Variant.parse(text).method for text in grid.get("methods") or []]
    known = _Known(list(known_methods), chosen)
    study = _compose(own, [_checked(override, known) for override in overrides])
    in_file = {key for key, _ in dotted(own.settings)}
    typed = {override.partition("=")[0] for override in overrides}
    study = _in_its_place(_in_its_place(study, in_file, in_file | typed), typed, typed)
    given = {name: value for name, value in grid.items() if value is not None}
    roles = {name: given.pop(name) for name in Roles._fields if name in given}
    roles.setdefault("unlabelled", study.conditions.unlabelled)
    if roles["unlabelled"] != "all":  # 50% is 50 %
        roles["unlabelled"] = part_of_unlabelled(roles["unlabelled"]).text
    conditions = dataclasses.replace(study.conditions, **roles)
    study = dataclasses.replace(study, preset=own.base, conditions=conditions, **given)
    if not study.name:
        study = dataclasses.replace(study, name=_named(own, study.conditions.evaluate_on))
    if not re.fullmatch(r"\w[\w.-]{,99}", study.name) or study.name == "published":
        raise UserError(
            'a study name is made of letters, digits, ".", "-" and "_", up to 100, no "-" or '
            '"." first, and is not "published" (it becomes a folder of results), got '
            f"{study.name[:120]!r}"
        )
    check(study)
    return study


def _named(own: Own, evaluate_on: str) -> str:
    """The study's name, where none is typed: one for what is not evaluated on the test set."""
    ending = "" if evaluate_on == "test" else f"-{evaluate_on}"
    return own.name if own.name.endswith(ending) else f"{own.name}{ending}"


def told(preset: str, overrides: Sequence[str]) -> list[str]:
    """The overrides that could change a number, those of a preset of one's own first, as typed.

    Of a setting that is typed twice the last, which counts.
    """
    own = _read(preset)
    base = dict(dotted(flat(load(own.base))))
    changed = [
        f"{key}={as_typed(value)}"
        for key, value in dotted(own.settings)
        if key not in _BY_FLAG and base.get(key, _OWN_FILE) != value
    ]
    last = {override.partition("=")[0]: override for override in (*changed, *overrides)}
    return [override for override in last.values() if is_hashed(override)]


def method_of(override: str) -> str | None:
    """Of which method alone it is a setting; None of one for all."""
    group, _, rest = override.partition("=")[0].partition(".")
    return rest.partition(".")[0] if group in _PER_METHOD else None


def _read(preset: str, known_methods: Sequence[str] | None = None) -> Own:
    """The preset, with settings that there are, and sides and grids as lists."""
    own = preset_files.read(preset)
    for key, value in dotted(own.settings):
        _require_in_file(preset, key, value, known_methods)
    settings = {name: listed(name, value) for name, value in own.settings.items()}
    return own._replace(settings=settings)


def _require_in_file(
    preset: str, key: str, value: Any, known_methods: Sequence[str] | None
) -> None:
    group, _, rest = key.partition(".")
    where = f"setting (in {preset})"
    if isinstance(value, str) and "${" in value:
        raise UserError(f"{preset}: {key} is a text with ${{…}}, which is not replaced: {value!r}")
    if group in _PER_METHOD:
        method = rest.partition(".")[0].partition("[")[0]
        if known_methods is not None and method and method not in known_methods:
            raise unknown(f"method (in {preset})", method, known_methods, "bench list methods")
    elif key == "ratios":
        raise UserError(f"{preset}: ratios are called labels")
    elif group not in _OPEN and key not in (*_BY_FLAG, *keys()):
        raise hints.of_setting(key, [*keys(), *_BY_FLAG], where)


def _compose(own: Own, overrides: list[str]) -> Study:
    store = ConfigStore.instance()
    store.store(name="study_schema", node=_unlocked(_flat_schema()))
    store.store(name=_OWN_FILE, node={"defaults": [own.base, "_self_"], **own.settings})
    try:
        with initialize_config_dir(str(PRESETS), version_base="1.3"):
            config = compose(_OWN_FILE if own.settings else own.base, overrides)
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


def _in_its_place(study: Study, said: AbstractSet[str], kept: AbstractSet[str]) -> Study:
    """Without what is set for volumes, or for a method, of settings that were said for all.

    Else the more specific one of a preset would win over what is typed. said: keys such as
    training.epochs; kept: keys that were said as well, or later, such as training_3d.epochs.
    """

    def left(fields: dict[str, Any], of_all: str, specific: str) -> dict[str, Any]:
        return {
            name: value
            for name, value in fields.items()
            if f"{of_all}.{name}" not in said or f"{specific}.{name}" in kept
        }

    return dataclasses.replace(
        study,
        training_3d=left(study.training_3d, "training", "training_3d"),
        pretraining_3d=left(study.pretraining_3d, "pretraining", "pretraining_3d"),
        training_of={
            name: left(fields, "training", f"training_of.{name}")
            for name, fields in study.training_of.items()
        },
        hyperparameters_3d={
            name: left(fields, f"hyperparameters.{name}", f"hyperparameters_3d.{name}")
            for name, fields in study.hyperparameters_3d.items()
        },
    )


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
            raise hints.of_setting(name, [*schema.__dataclass_fields__], f"setting {where}")
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


@dataclasses.dataclass(frozen=True)
class _Known:
    """The methods that there are, and those of the run."""

    methods: list[str]
    chosen: list[str]


def _checked(override: str, known: _Known) -> str:
    """The override in a form that Hydra takes; raises for keys that no setting has."""
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[\w.]+", key):
        raise UserError(
            f"a setting is written key=value, such as training.epochs=20, got {override!r}"
        )
    if key in _BY_FLAG:
        raise UserError(f'"{key}" is set with {_BY_FLAG[key]}, not as {override!r}')
    group, _, rest = key.partition(".")
    if group in _PER_METHOD:
        _require_method(override, group, rest, known)
    if group in _PER_METHOD or (group in _FOR_VOLUMES and rest):
        return f"++{override}"  # checked later
    if key not in keys():
        raise _no_setting(key, value, known)
    is_side = key in SIDES and value.strip().isdigit()
    return f"{key}=[{','.join([value.strip()] * SIDES[key])}]" if is_side else override


def _require_method(override: str, group: str, rest: str, known: _Known) -> None:
    method, _, field = rest.partition(".")
    if not field:
        raise UserError(f"{group} is written {group}.METHOD.NAME=value, got {override!r}")
    if method not in known.methods:
        raise unknown("method", method, known.methods, "bench list methods")


def _no_setting(key: str, value: str, known: _Known) -> UserError:
    from benchmark.study import methods  # PyTorch, for which nobody waits who types what there is

    method, _, name = key.rpartition(".")
    if not method or method in known.methods:
        chosen = [method] if method else known.chosen
        found = hints.of_hyperparameter(name, value, chosen, methods.defaults())
        if found is not None:
            return found
    return hints.of_setting(key, keys())


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
    lines = [line for line in str(cause).splitlines() if not line.startswith("In '")]
    where = next((line.split(":", 1)[1].strip() for line in lines if "full_key:" in line), "")
    if where and "is not a ListConfig" in lines[0]:
        sides = ",".join(["64"] * SIDES[where]) if where in SIDES else "…,…"
        return f"{where} takes a list in square brackets, such as {where}=[{sides}]"
    return f"{where}: {lines[0]}" if where else lines[0]
