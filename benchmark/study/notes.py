"""What a user should know before a study runs, beside what `labels` says of its budgets."""

from collections.abc import Iterable, Iterator, Mapping

from benchmark.data.prepared import Manifest
from benchmark.study import presets
from benchmark.study.settings import BASELINE, STRONG, Study
from benchmark.study.syntax import Variant
from benchmark.study.trials import Trial
from benchmark.wording import shortened


def on_the_strong_row(
    study: Study, grid: Iterable[Trial], manifests: Mapping[str, Manifest]
) -> Iterator[str]:
    """Where methods are compared, but not with the baseline under strong augmentation.

    Nobody is told in the demo and in tuning, nor of synthetic images or where the baseline runs
    alone.
    """
    if study.preset == "demo" or study.conditions.evaluate_on != "test":
        return
    by_dataset: dict[str, list[Trial]] = {}
    for trial in grid:
        by_dataset.setdefault(trial.dataset, []).append(trial)
    without = [
        name
        for name, trials in by_dataset.items()
        if manifests[name].card.phantom is None and _lacks_strong_row(trials)
    ]
    if without:
        yield (
            f"no row of {BASELINE} with strong augmentation on {shortened(without)}, which every "
            f"table should have: add training.augmentation={STRONG} for all methods; or, for that "
            f"row alone, training.augmentation={STRONG} --methods {BASELINE} --study "
            f"{study.name}-{STRONG}"
        )


def on_whole_pools(grid: Iterable[Trial], asked: Iterable[Variant]) -> Iterator[str]:
    """Where nothing is left unlabelled, and methods that need such images were asked for.

    asked: variants by name, not those of "all".
    """
    others = {variant.method for variant in asked} - {BASELINE}
    if not others:
        return
    where: dict[tuple[str, str], set[str]] = {}
    for trial in grid:
        if trial.budget.is_whole_pool:
            where.setdefault((trial.dataset, trial.budget.text), set()).add(trial.method)
    alone = [f"{name} at {text}" for (name, text), own in where.items() if own == {BASELINE}]
    if alone:
        yield (
            f"{shortened(alone)}: no image is left unlabelled, so {BASELINE} alone runs there, and "
            f"none of {', '.join(sorted(others))}"
        )


def on_idle_settings(overrides: Iterable[str], grid: Iterable[Trial]) -> Iterator[str]:
    """Of settings that were typed for a method that the run has not."""
    methods = {trial.method for trial in grid}
    idle = [typed for typed in overrides if presets.method_of(typed) not in {None, *methods}]
    if idle:
        yield f"{', '.join(idle)} changes nothing: no trial is of that method"


def _lacks_strong_row(trials: list[Trial]) -> bool:
    """Are there other methods, and is the baseline not so strong?

    Where it is not in the grid it has run before, or will, and is taken to be as the others are.
    """
    baseline = [trial for trial in trials if trial.method == BASELINE]
    is_strong = any(trial.training.augmentation == STRONG for trial in baseline or trials)
    return len(baseline) < len(trials) and not is_strong
