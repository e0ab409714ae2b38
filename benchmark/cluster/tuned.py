"""The plan of a run that uses what a tuning study chose: each method as the variant that it is."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark.cluster.tune import comparable, resolved_name
from benchmark.errors import ExitCode, UserError
from benchmark.store import layout, record_file, tuning
from benchmark.store.tuning import Choice, Tuning
from benchmark.study import plan
from benchmark.study.plan import Plan
from benchmark.study.settings import Study
from benchmark.study.syntax import ALL, Variant, split_outside_brackets
from benchmark.study.trials import Trial
from benchmark.study.tuning import differing
from benchmark.wording import counted, shortened


def planned(study: Study, name: str, data_root: Path, results_root: Path) -> Plan:
    """The plan of a study whose methods are as the tuning study of this name chose them.

    Methods that it did not tune run as they are. `UserError` for choices of other settings, data
    or label budgets: what is best there says nothing of here.
    """
    found = tuning.read(results_root / layout.chosen_study(results_root, name))
    _require_settings(found, study)
    own = _Tuned(found, study)
    made = plan.make(replace(study, methods=[*study.methods, *own.added]), data_root, results_root)
    _require_data(found, made)
    _require_cells(found, made)
    trials = [trial for one in made.trials if (trial := own.as_chosen(one)) is not None]
    notes = [*made.notes, *own.notes(trials), *_done_before(made.folder, trials)]
    return replace(made, trials=trials, notes=notes)


@dataclass
class _Tuned:
    """Which trials of a grid run, and which of them were chosen."""

    found: Tuning
    study: Study
    choices: list[Choice] = field(init=False)
    """Of the methods that this run names."""
    added: list[str] = field(init=False)
    """The chosen variants, of whichever dataset and budget."""

    def __post_init__(self):
        typed = self._typed()
        whole = [c for c in self.found.choices if "[" not in c.method and ALL in typed]
        self.choices = [c for c in self.found.choices if c.method in typed or c in whole]
        self.added = list(dict.fromkeys(c.variant for c in self.choices if c.variant))

    def _typed(self) -> list[str]:
        texts = (name for text in self.study.methods for name in split_outside_brackets(text))
        return [Variant.parse(text).name for text in texts]

    def as_chosen(self, trial: Trial) -> Trial | None:
        """The trial, with how it was chosen if it was; None of a variant that another replaces."""
        here = self._here(trial)
        chosen = {choice.variant: choice for choice in here if choice.variant}
        if trial.variant in chosen:
            return replace(trial, tuned=self.found.told(chosen[trial.variant]))
        return None if trial.variant in self._replaced(trial, here) else trial

    def _replaced(self, trial: Trial, here: list[Choice]) -> set[str]:
        """Variants of its method that do not run where it does: what was chosen elsewhere, too."""
        tuned = {choice.method for choice in here if choice.variant}
        asked = {*self._typed(), *(choice.method for choice in self.choices)} - tuned

        def named(texts: Iterable[str]) -> set[str]:
            own = [v for v in map(Variant.parse, texts) if v.method == trial.method]
            return {resolved_name(v, self.study, is_3d=trial.conditions.is_3d) for v in own}

        return (named(tuned) | named(self.added)) - named(asked)

    def _here(self, trial: Trial) -> list[Choice]:
        where = trial.dataset, trial.budget.text
        return [choice for choice in self.choices if (choice.dataset, choice.budget) == where]

    def notes(self, trials: list[Trial]) -> list[str]:
        """What runs as it was chosen, and what as it is."""
        chosen = {
            f"{t.variant} on {t.dataset} at {t.budget.text}: as chosen by {t.tuned}": None
            for t in trials
            if t.tuned
        }
        plain = list(dict.fromkeys(trial.variant for trial in trials if not trial.tuned))
        lines = [*chosen]
        if plain:
            lines.append(f"not as chosen by {self.found.name}: {shortened(plain, 9)}")
        if self.found.evaluate_on == self.study.conditions.evaluate_on:
            lines.append(
                f"{self.found.name} chose on the development set, which this run evaluates: its "
                "scores are those that the choice was made by"
            )
        return lines


def _done_before(folder: Path, trials: list[Trial]) -> Iterable[str]:
    """Records are not written twice, so what ran before as typed does not say who chose it."""
    chosen = {trial.key for trial in trials if trial.tuned}
    found = record_file.survey(folder).records
    if n := sum(one.key in chosen and one.is_done and not one.tuned for one in found):
        yield (
            f"{counted(n, 'chosen trial')} of this study ran before as typed, not as chosen: "
            "footers do not name the choice there. In another study (--study) they will"
        )


def _require_settings(found: Tuning, study: Study) -> None:
    others = differing(found.settings, comparable(study))
    if found.preset != study.preset:
        others = [f"preset was {found.preset} and is {study.preset}", *others]
    if others:
        raise UserError(
            f"--tuned {found.name}: its choices were made under other settings "
            f"({shortened(others)}). Tune again under those of this run (bench tune), or type what "
            f"you take from it: {_typed_out(found)}"
        )


def _require_data(found: Tuning, made: Plan) -> None:
    for name, manifest in made.manifests.items():
        if found.data.get(name, manifest.data_hash) != manifest.data_hash:
            raise UserError(
                f"--tuned {found.name}: {name} was prepared otherwise when it was tuned on: the "
                "same bench tune again tunes on it as it is now",
                ExitCode.DATA,
            )


def _require_cells(found: Tuning, made: Plan) -> None:
    """At 100 % the baseline runs as it is, tuned or not."""
    tuned = {(choice.dataset, choice.budget) for choice in found.choices}
    wanted = {(t.dataset, t.budget.text): None for t in made.trials if not t.budget.is_whole_pool}
    if missing := [cell for cell in wanted if cell not in tuned]:
        raise UserError(
            f"--tuned {found.name}: it chose for {_cells(tuned)}, and this run also has "
            f"{_cells(missing)}. Tune there too (bench tune --study {found.name}), leave it out, "
            f"or type the settings that you take over: {_typed_out(found)}"
        )


def _cells(cells: Iterable[tuple[str, str]]) -> str:
    return shortened([f"{dataset} at {budget}" for dataset, budget in sorted(cells)])


def _typed_out(found: Tuning) -> str:
    variants = dict.fromkeys(choice.variant for choice in found.choices if choice.variant)
    return f'--methods "{",".join(variants)}"'
