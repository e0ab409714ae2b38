"""A study's grid as a list of trials, and the key of each. Pure: settings in, trials out.

Names, folders, devices and code versions are in no key; the last are in the record.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import Any, NamedTuple

from benchmark import keys
from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Fold
from benchmark.errors import UserError, unknown
from benchmark.keys import aside, fingerprint, later
from benchmark.study.settings import (
    BASELINE,
    Conditions,
    DataFacts,
    PretrainingSettings,
    Study,
    TrainingSettings,
    pretraining_of,
    training_of,
)
from benchmark.study.syntax import SEEDS, Variant, seed_name, trial_name, typed, varied

"""Settings of a trial that its repetitions alone differ in."""


@dataclass(frozen=True)
class Pretraining:
    """What trials start from that learn from images alone beforehand; made once for all of them."""

    dataset: str
    data_hash: str
    method: str
    hyperparameters: dict[str, Any]
    """Those of the method's `PRETRAIN_PARAMETERS` alone."""
    seed: int
    conditions: Conditions
    settings: PretrainingSettings
    variant: str = aside("")
    """A name: the method with those of them that are not its defaults."""
    before: dict[str, Any] = aside(dict)
    """As of `MethodFacts`."""

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of everything that could change the artefact."""
        hashed = keys.hashed(self)
        return fingerprint(
            hashed | {"hyperparameters": keys.without(self.hyperparameters, self.before)}
        )

    @property
    def label(self) -> str:
        """For people."""
        return f"pretraining of {self.variant}/{self.dataset}/seed {self.seed}"


@dataclass(frozen=True)
class Trial:
    """dataset × label budget × variant × seed under resolved settings."""

    dataset: str
    data_hash: str
    budget: Budget
    method: str
    hyperparameters: dict[str, Any]
    seed: int
    """Of weights, order and noise, and of the labelled subset unless that has one of its own."""
    conditions: Conditions
    evaluate_every: int
    training: TrainingSettings
    pretraining: Pretraining | None
    """Of a variant that starts from one."""
    variant: str = aside("")
    """A name: follows from method and hyper-parameters."""
    subset_seed: int | None = later(None, before=None)
    """Of the labelled subset, where it is another."""
    tuned: str = aside("")
    """How a tuning study chose the variant, for records; "" where none did."""
    save: list[str] = aside(list)
    nsd: list[float] = aside(list)
    before: dict[str, Any] = aside(dict)
    """As of `MethodFacts`."""

    def settings(self) -> dict[str, Any]:
        """What could change the numbers, as plain values, with the names as typed.

        But for settings that came later and are as they were before: what is recorded of a trial
        does not depend on when it ran either.
        """
        values = keys.hashed(self)
        values |= {**values.pop("conditions"), "budget": self.budget.text}
        if self.budget.ids:
            values["labelled"] = sorted(self.budget.ids)
        values["hyperparameters"] = keys.without(self.hyperparameters, self.before)
        del values["pretraining"]
        if self.pretraining is not None:
            values["pretraining"] = keys.hashed(self.pretraining.settings)
        return values

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of `settings`."""
        return fingerprint(self.settings())

    @cached_property
    def configuration(self) -> str:
        """The key of all trials that differ from this one by their seeds alone."""
        return fingerprint({k: v for k, v in self.settings().items() if k not in SEEDS})

    @property
    def subset(self) -> int:
        """The seed of its labelled subset."""
        return self.seed if self.subset_seed is None else self.subset_seed

    @property
    def label(self) -> str:
        """For people: cps/glas/5 %/seed 3."""
        seed = seed_name(self.seed, self.subset_seed)
        fold = self.conditions.roles.fold
        return trial_name(self.variant, self.dataset, self.budget.text, seed, fold)


class MethodFacts(NamedTuple):
    """What trials need to know of a method."""

    hyperparameters: Mapping[str, Any]
    """Name → default."""
    bundles: Mapping[str, Mapping[str, Any]] = {}
    """Word → the hyper-parameters that it sets together."""
    pretrain_parameters: tuple[str, ...] | None = None
    """Hyper-parameters that change its pretraining; None: it has none."""
    before: Mapping[str, Any] = {}
    """Hyper-parameters that came later → the value at which they are left out of keys."""

    def does_pretrain(self, hyperparameters: Mapping[str, Any]) -> bool:
        """Does a variant start from a pretraining?"""
        return self.pretrain_parameters is not None and hyperparameters.get("pretrain", True)


class Resolved(NamedTuple):
    """A variant under its shortest name, with all of its hyper-parameters."""

    variant: Variant
    hyperparameters: dict[str, Any]


def trials(
    study: Study,
    variants: Iterable[Variant],
    methods: Mapping[str, MethodFacts],
    data: Mapping[str, DataFacts],
) -> list[Trial]:
    """The grid, seed by seed, so that an unfinished table is a whole one of fewer seeds.

    methods: facts of each known method. data: facts of each prepared dataset; `study.datasets`
    must name these (no "all"). Variants of equal settings appear once.
    """
    variants = list(variants)

    @cache
    def resolved(is_3d: bool) -> dict[str, Resolved]:
        every = (resolve(variant, study, methods, is_3d=is_3d) for variant in variants)
        return {found.variant.name: found for found in every}

    training = cache(partial(training_of, study))
    pretraining = cache(lambda is_3d: pretraining_of(study, is_3d=is_3d))
    made = []
    for (seed, subset_seed), dataset, budget in product(
        varied(study.seeds, study.vary), dict.fromkeys(study.datasets), study.budgets
    ):
        if budget.is_one_subset and subset_seed is not None and study.vary != "weights":
            continue  # it would be the trial of the first seed once more
        facts = data[dataset]
        conditions = study.conditions.for_data(facts)
        allowed = _allowed(resolved(conditions.is_3d), study, methods, budget, facts)
        for variant, hyperparameters in allowed:
            method = methods[variant.method]
            trial = Trial(
                dataset=dataset,
                data_hash=facts.hash,
                budget=facts.lists.get(budget.text, budget),
                method=variant.method,
                hyperparameters=hyperparameters,
                seed=seed,
                subset_seed=subset_seed,
                conditions=conditions,
                evaluate_every=study.evaluate_every,
                training=training(variant.method, variant.bundles, is_3d=conditions.is_3d),
                pretraining=None,
                variant=variant.name,
                save=study.save,
                nsd=study.nsd,
                before=dict(method.before),
            )
            made.append(_with_start(trial, method, pretraining(conditions.is_3d)))
    return made


def in_folds(trials: Iterable[Trial], folds: Mapping[tuple[str, str, int], int]) -> list[Trial]:
    """Each trial once for every fold of its labelled subset.

    folds: (dataset, text of the budget, seed of the subset) → how many.
    """
    return [
        replace(trial, conditions=replace(trial.conditions, evaluate_on=str(Fold(i + 1, n))))
        for trial in trials
        for n in [folds[trial.dataset, trial.budget.text, trial.subset]]
        for i in range(n)
    ]


def _with_start(trial: Trial, method: MethodFacts, settings: PretrainingSettings) -> Trial:
    """The trial with the pretraining that it starts from, if its variant has one."""
    if not method.does_pretrain(trial.hyperparameters):
        return trial
    hyperparameters = {name: trial.hyperparameters[name] for name in method.pretrain_parameters}
    changes = {n: v for n, v in hyperparameters.items() if v != method.hyperparameters[n]}
    start = Pretraining(
        dataset=trial.dataset,
        data_hash=trial.data_hash,
        method=trial.method,
        hyperparameters=hyperparameters,
        seed=0 if settings.seeds == "shared" else trial.seed,
        conditions=trial.conditions.before,
        settings=settings,
        variant=Variant(trial.method, (), changes).name,
        before=trial.before,
    )
    return replace(trial, pretraining=start)


def restored(settings: Mapping[str, Any], method: MethodFacts, name: str) -> Trial:
    """The trial whose `Trial.settings` these are.

    method: facts of the trial's method as it is now. name: the variant.
    Raises ValueError where today's code has no such trial.
    """
    before = dict(method.before)
    hyperparameters = {**before, **settings["hyperparameters"]}
    if set(hyperparameters) != set(method.hyperparameters):
        odd = sorted(set(hyperparameters) ^ set(method.hyperparameters))
        raise ValueError(f"the method had other hyper-parameters: {', '.join(odd)}")
    trial = Trial(
        dataset=settings["dataset"],
        data_hash=settings["data_hash"],
        budget=budget_of(settings["budget"], settings),
        method=settings["method"],
        hyperparameters=hyperparameters,
        seed=settings["seed"],
        subset_seed=settings.get("subset_seed"),
        conditions=keys.restored(Conditions, settings),
        evaluate_every=settings["evaluate_every"],
        training=keys.restored(TrainingSettings, settings["training"]),
        pretraining=None,
        variant=name,
        before=before,
    )
    if "pretraining" in settings:
        start = keys.restored(PretrainingSettings, settings["pretraining"])
        trial = _with_start(trial, method, start)
    if trial.key != fingerprint(settings):
        raise ValueError("today's settings of it are others")
    return trial


def budget_of(text: str, settings: Mapping[str, Any]) -> Budget:
    """The label budget of a trial, by its text, with the cases of a list from its settings."""
    return replace(Budget.recorded(text), ids=tuple(settings.get("labelled", ())))


def _allowed(
    resolved: Mapping[str, Resolved],
    study: Study,
    methods: Mapping[str, MethodFacts],
    budget: Budget,
    data: DataFacts,
) -> list[Resolved]:
    """At 100 % nothing is unlabelled: the baseline alone runs there, asked for or not.

    Unless there are images without masks.
    """
    if not budget.is_whole_pool or data.has_without_masks:
        return list(resolved.values())
    baseline = [found for found in resolved.values() if found.variant.method == BASELINE]
    if baseline or BASELINE not in methods:
        return baseline
    is_3d = study.conditions.for_data(data).is_3d
    return [resolve(Variant(BASELINE), study, methods, is_3d=is_3d)]


def resolve(
    typed: Variant, study: Study, methods: Mapping[str, MethodFacts], *, is_3d: bool = False
) -> Resolved:
    """The hyper-parameters that a typed variant stands for, and its shortest name.

    They, and so the name, may be others on volumes. Raises `UserError` for names and values that do
    not exist.
    """
    method = typed.method
    base = _base(study, methods, method, is_3d)
    bundles = methods[method].bundles
    resolved = base
    for word in typed.bundles:
        if word in base:
            raise UserError(f"a variant is written {method}[name=value,…], got {typed.name!r}")
        if word not in bundles:
            raise unknown(f"bundle of {method}", word, bundles, "bench list methods -v")
        resolved = _merge(method, resolved, bundles[word])
    resolved = _merge(method, resolved, typed.changes)
    starts = {"": base} | {w: _merge(method, base, bundle) for w, bundle in bundles.items()}
    return Resolved(_shortest(method, starts, resolved), resolved)


def _base(
    study: Study, methods: Mapping[str, MethodFacts], method: str, is_3d: bool
) -> dict[str, Any]:
    """The method's hyper-parameters as this study has them where a variant says nothing."""
    if method not in methods:
        raise unknown("method", method, methods, "bench list methods")
    defaults = dict(methods[method].hyperparameters)
    base = _merge(method, defaults, study.hyperparameters.get(method, {}))
    return _merge(method, base, study.hyperparameters_3d.get(method, {})) if is_3d else base


def _merge(method: str, base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        if name not in base:
            raise unknown(f"hyper-parameter of {method}", name, base)
        merged[name] = _like(base[name], value, f"{method}[{name}=…]")
    return merged


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def _like(default: Any, value: Any, where: str) -> Any:
    """The value as the type of the default; a bool is no number."""
    if default is None:
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, float) and value == "inf":
        return math.inf
    if type(value) is not type(default):
        kind = _KINDS.get(type(default), f"a {type(default).__name__}")
        raise UserError(f"{where} takes {kind}, such as {typed(default)}, got {typed(value)}")
    return value


def _shortest(
    method: str, starts: Mapping[str, Mapping[str, Any]], resolved: Mapping[str, Any]
) -> Variant:
    """The shortest name of these settings: changes to what the plain name or a bundle stands for.

    starts: word → hyper-parameters; the plain name's word is "".
    """
    changes = {
        word: {k: v for k, v in sorted(resolved.items()) if v != start[k]}
        for word, start in starts.items()
    }
    word = min(changes, key=lambda w: len(changes[w]) + bool(w))
    return Variant(method, (word,) if word else (), changes[word])
