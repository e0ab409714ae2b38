"""A tuning study: its plan, and its end.

A try is a trial like any other but for what it evaluates, so that all that runs, resumes, reports
and verifies trials does so for tries.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.data.prepared import Manifest
from benchmark.data.split.budget import Budget
from benchmark.data.split.labelled import labelled_ids, trained_ids
from benchmark.data.split.parts import parts
from benchmark.store import record_file, tuning
from benchmark.store.record import Record
from benchmark.store.tuning import Choice, Cost, Masks, Try, Tuning
from benchmark.study import labels, methods, plan, presets
from benchmark.study.plan import Plan
from benchmark.study.settings import Study
from benchmark.study.syntax import Variant
from benchmark.study.trials import Trial, resolve
from benchmark.study.tuning import METRIC, Search, best, lead, notes, scored, tries_of

_FREE = (
    "name", "preset", "methods", "datasets", "labels", "seeds", "vary", "evaluate_on",
    "evaluate_every", "threads_per_trial", "checkpoint_seconds", "save", "log", "also_test", "nsd",
)  # fmt: skip
"""Settings in which a run may differ from the study that tuned it, or that are compared apart."""


def planned(search: Search, study: Study, data_root: Path, results_root: Path) -> Plan:
    """The trials of all tries. study: its methods are those of the search."""
    known = {base.method: methods.hyperparameters(base.method) for base in search.methods}
    lines = notes(search, known)
    wanted = [t.name for b in search.methods for t in tries_of(b, search, known[b.method])]
    made = plan.make(replace(study, methods=wanted), data_root, results_root)
    return replace(made, notes=[*lines, *made.notes])


def comparable(study: Study) -> dict[str, Any]:
    """The settings that a choice is made under."""
    flat = presets.flat(study)
    return {name: value for name, value in flat.items() if name not in _FREE}


def conclude(search: Search, made: Plan) -> Tuning | None:
    """Choose, and write it down; None while trials have no record yet.

    made: as of `planned`. A try of which a trial failed is not chosen.
    """
    found = {r.key: r for r in record_file.survey(made.folder).records}
    if any(trial.key not in found for trial in made.trials):
        return None
    cells = _Cells(search, made, found)
    study = made.study
    concluded = Tuning(
        name=study.name,
        preset=study.preset,
        overrides=" ".join(made.overrides),
        evaluate_on=study.conditions.evaluate_on,
        over=search.over,
        tries=search.tries,
        draw=search.draw,
        seeds=study.seeds,
        settings=comparable(study),
        data={name: manifest.data_hash for name, manifest in made.manifests.items()},
        choices=cells.choices(),
        cost=_cost([found[trial.key] for trial in made.trials]),
    )
    tuning.write(made.folder, concluded)
    return concluded


class _Cells(NamedTuple):
    """The tries of each dataset and budget."""

    search: Search
    made: Plan
    found: Mapping[str, Record]

    def choices(self) -> list[Choice]:
        groups: dict[tuple[str, str], list[Trial]] = {}
        for trial in self.made.trials:
            groups.setdefault((trial.dataset, trial.budget.text), []).append(trial)
        return [
            self._choice(base, names, trials)
            for trials in groups.values()
            for base in self.search.methods
            if (names := self._names(base, trials))
        ]

    def _choice(self, base: Variant, names: list[str], trials: list[Trial]) -> Choice:
        first = trials[0]
        tries = [self._try(name, trials) for name in names]
        scores = {t.variant: scored(self._scores(t.variant, trials)) for t in tries if not t.failed}
        ahead = lead(scores)
        return Choice(
            dataset=first.dataset,
            budget=first.budget.text,
            method=base.name,
            variant=best(scores) or "",
            tries=tries,
            further_tries=len(self._tried(base, first) - set(names)),
            lead=None if ahead is None else _known(ahead.mean),
            lead_standard_deviation=None if ahead is None else _known(ahead.standard_deviation),
            masks=_masks(self.made, self.made.manifests[first.dataset], first.budget),
        )

    def _names(self, base: Variant, trials: list[Trial]) -> list[str]:
        """Of its tries, as trials have them; none at 100 %, where the baseline alone runs."""
        tries = tries_of(base, self.search, methods.hyperparameters(base.method))
        is_3d, there = trials[0].conditions.is_3d, {trial.variant for trial in trials}
        names = (resolved_name(one, self.made.study, is_3d=is_3d) for one in tries)
        return [name for name in dict.fromkeys(names) if name in there]

    def _tried(self, base: Variant, like: Trial) -> set[str]:
        """Every variant of the method that the study ever scored there: a choice has seen them."""
        where = like.dataset, like.budget.text, base.method
        found = self.found.values()
        return {r.variant for r in found if (r.dataset, r.budget, r.method) == where and r.is_done}

    def _try(self, name: str, trials: list[Trial]) -> Try:
        own = [self.found[trial.key] for trial in trials if trial.variant == name]
        if failed := [one for one in own if not one.is_done]:
            return Try(variant=name, failed=f"{failed[0].label}: {failed[0].error}")
        score = scored(self._scores(name, trials))
        return Try(
            variant=name,
            units=score.units,
            mean=_known(score.mean),
            standard_deviation=_known(score.standard_deviation),
            failed="" if score.units else "nothing to find in what was evaluated",
        )

    def _scores(self, name: str, trials: list[Trial]) -> Iterable[tuple[int, str, float]]:
        for trial in trials:
            if trial.variant == name:
                score = self.found[trial.key].metrics[METRIC]
                known = math.nan if score is None else float(score)
                yield trial.seed, trial.conditions.evaluate_on, known


def resolved_name(variant: Variant, study: Study, *, is_3d: bool) -> str:
    """The variant's shortest name in a study, which is what trials are called by."""
    facts = {variant.method: methods.facts(variant.method)}
    return resolve(variant, study, facts, is_3d=is_3d).variant.name


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _masks(made: Plan, manifest: Manifest, budget: Budget) -> Masks:
    roles = made.study.conditions.for_data(labels.facts_of(manifest)).roles
    subsets = [set(labelled_ids(manifest, roles, budget, seed)) for seed in made.study.seeds]
    return Masks(
        labelled=max(map(len, subsets)),
        of_seeds=len(set().union(*subsets)),
        development=len(trained_ids(manifest, roles, parts(manifest, roles).evaluation)),
    )


def _cost(records: list[Record]) -> Cost:
    before = {one.pretrain_key: one for one in records if one.pretrain_key}.values()
    return Cost(
        trials=len(records),
        steps=sum(one.steps or 0 for one in records) + sum(b.pretrain_steps or 0 for b in before),
        seconds=round(
            sum(one.seconds_total or 0 for one in records)
            + sum(b.seconds_pretrain or 0 for b in before),
            3,
        ),
    )
