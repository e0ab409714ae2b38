"""A study's grid as a list of trials, and the key of each. Pure: settings in, trials out.

The key of a trial is a hash of exactly what could change its numbers: its settings,
hyper-parameters and seeds, and the content of the prepared data. Names, folders, devices and code
versions are not in it; the last are in the record.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import product
from typing import Any, NamedTuple

from benchmark.errors import UserError, unknown
from benchmark.selectors import parse_variant
from benchmark.study import (
    REFERENCE_METHOD,
    Network,
    Pretraining,
    Study,
    Training,
    label,
    pretraining_of,
    training_of,
)


@dataclass(frozen=True)
class Trial:
    """dataset × ratio × variant × seed under resolved settings."""

    dataset: str
    data_hash: str
    ratio: float
    method: str
    hyperparameters: dict[str, Any]
    seed: int
    study_seed: int
    evaluate_on: str
    evaluate_every: int
    size: list[int] | None  # of images
    patch: list[int] | None  # of volumes
    threads_per_trial: int
    precision: str
    network: Network
    training: Training
    pretraining: Pretraining | None  # of a variant that starts from one
    variant: str = field(compare=False)  # a label: follows from method and hyper-parameters
    save: list[str] = field(compare=False, default_factory=list)
    checkpoint_seconds: float = field(compare=False, default=30.0)

    def settings(self) -> dict[str, Any]:
        """Everything that could change the numbers, as plain values."""
        values = dataclasses.asdict(self)
        named = {f.name: values[f.name] for f in dataclasses.fields(self) if f.compare}
        if self.pretraining is None:
            del named["pretraining"]
        return named

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of `settings`."""
        return fingerprint(self.settings())

    @property
    def cell(self) -> str:
        """The key of all trials that differ from this one by the seed alone."""
        return fingerprint({k: v for k, v in self.settings().items() if k != "seed"})

    @property
    def label(self) -> str:
        """For people: cps/glas/5 %/seed 3."""
        return label(self.variant, self.dataset, self.ratio, self.seed)


def fingerprint(settings: Mapping[str, Any]) -> str:
    """A hash of plain values; 5 and 5.0 are the same setting, the order of names does not count."""
    text = json.dumps(_plain(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


class MethodFacts(NamedTuple):
    """What trials need to know of a method."""

    hyperparameters: Mapping[str, Any]
    """Name → default, from the signature."""
    bundles: Mapping[str, Mapping[str, Any]] = {}
    """Word → the hyper-parameters that it sets together."""
    pretrains: bool = False

    def does_pretrain(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Does a variant start from a pretraining?"""
        return self.pretrains and hyperparameters.get("pretrain", True)


class DataFacts(NamedTuple):
    """What trials need to know of a prepared dataset."""

    hash: str
    is_volume: bool = False


def trials(
    study: Study,
    methods: Mapping[str, MethodFacts],
    data: Mapping[str, DataFacts],
) -> list[Trial]:
    """The grid, seed by seed, so that an unfinished table is a whole one of fewer seeds.

    methods: facts of each known method. data: facts of each prepared dataset; `study.datasets`
    must name these (no "all").
    """
    variants = _variants(study, methods)
    pretraining = cache(lambda is_volume: pretraining_of(study, is_volume=is_volume))
    training = cache(lambda method, is_volume: training_of(study, method, is_volume=is_volume))
    return [
        Trial(
            dataset=dataset,
            data_hash=data[dataset].hash,
            ratio=ratio,
            method=method,
            variant=variant,
            hyperparameters=hyperparameters,
            seed=seed,
            study_seed=study.study_seed,
            evaluate_on=study.evaluate_on,
            evaluate_every=study.evaluate_every,
            size=None if data[dataset].is_volume else study.size,
            patch=study.patch if data[dataset].is_volume else None,
            threads_per_trial=study.threads_per_trial,
            precision=study.precision,
            network=study.network,
            training=training(method, data[dataset].is_volume),
            pretraining=(
                pretraining(data[dataset].is_volume)
                if methods[method].does_pretrain(hyperparameters)
                else None
            ),
            save=study.save,
            checkpoint_seconds=study.checkpoint_seconds,
        )
        for seed, dataset, ratio in product(
            *map(dict.fromkeys, (study.seeds, study.datasets, study.ratios))
        )
        for variant, (method, hyperparameters) in _allowed(variants, study, methods, ratio)
    ]


def _allowed(variants, study, methods, ratio):
    """At 100 % nothing is unlabelled: the reference alone runs there, asked for or not."""
    if ratio < 1:
        return variants.items()
    reference = {k: v for k, v in variants.items() if v[0] == REFERENCE_METHOD}
    if reference or REFERENCE_METHOD not in methods:
        return reference.items()
    base = _base(study, methods, REFERENCE_METHOD)
    return {REFERENCE_METHOD: (REFERENCE_METHOD, base)}.items()


def _variants(study, methods) -> dict[str, tuple[str, dict[str, Any]]]:
    """Label → (method, resolved hyper-parameters); equal settings appear once."""
    typed = [v for v in study.methods if v != "all"]
    if "all" in study.methods:
        typed = [*methods, *typed]
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for text in typed:
        method, words, changes = parse_variant(text)
        base = _base(study, methods, method)
        bundles = methods[method].bundles
        resolved = base
        for word in words:
            if word in base:
                raise UserError(f"a variant is written {method}[name=value,…], got {text!r}")
            if word not in bundles:
                raise unknown(f"bundle of {method}", word, bundles, "bench list methods -v")
            resolved = _merge(method, resolved, bundles[word])
        resolved = _merge(method, resolved, changes)
        starts = {"": base} | {w: _merge(method, base, bundle) for w, bundle in bundles.items()}
        found[_variant(method, starts, resolved)] = (method, resolved)
    return found


def _base(study, methods, method: str) -> dict[str, Any]:
    """The method's hyper-parameters as this study has them where a variant says nothing."""
    if method not in methods:
        raise unknown("method", method, methods, "bench list methods")
    defaults = dict(methods[method].hyperparameters)
    return _merge(method, defaults, study.hyperparameters.get(method, {}))


def _merge(method: str, base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        if name not in base:
            raise unknown(f"hyper-parameter of {method}", name, base)
        merged[name] = _like(base[name], value, f"{method}[{name}=…]")
    return merged


def _like(default: Any, value: Any, where: str) -> Any:
    """The value as the type of the default; a bool is no number."""
    if default is None or value is None:
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, float) and value == "inf":
        return math.inf
    if type(value) is not type(default):
        raise UserError(
            f"{where} takes a {type(default).__name__} such as {default!r}, got {value!r}"
        )
    return value


def _variant(
    method: str, starts: Mapping[str, Mapping[str, Any]], resolved: Mapping[str, Any]
) -> str:
    """The shortest name of these settings: changes to what the plain name or a bundle stands for.

    starts: word → hyper-parameters; the plain name's word is "".
    """
    changes = {
        word: [f"{k}={_show(v)}" for k, v in sorted(resolved.items()) if v != start[k]]
        for word, start in starts.items()
    }
    word = min(changes, key=lambda w: len(changes[w]) + bool(w))
    inside = ",".join([word] * bool(word) + changes[word])
    return f"{method}[{inside}]" if inside else method


def _show(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"
