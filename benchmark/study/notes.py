"""What a user should know before a study runs, beside what `labels` says of its budgets."""

from collections.abc import Iterable, Iterator, Mapping

from benchmark.data.prepared import Manifest
from benchmark.study import presets
from benchmark.study.settings import BASELINE, STRONG, Study
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
            f"no {BASELINE} with strong augmentation on {shortened(without)}, a row that every "
            f"table should have: training.augmentation={STRONG}; for that row alone add --methods "
            f"{BASELINE} --study {study.name}-{STRONG}"
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
