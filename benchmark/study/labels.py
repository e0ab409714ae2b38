"""What label budgets come to on prepared data: too few images, equal ones, none with an object."""

from collections.abc import Iterator, Mapping

from benchmark.data import split
from benchmark.data.prepared import Manifest
from benchmark.errors import UserError
from benchmark.study.settings import Study
from benchmark.wording import counted, shortened


def check(study: Study, manifests: Mapping[str, Manifest]) -> None:
    """Refuse a budget below 100 % that leaves no image unlabelled: only the baseline could run."""
    for name, manifest in manifests.items():
        n = len(_pool(study, manifest))
        for budget in study.budgets:
            if not budget.is_everything and split.count(n, budget.share) >= n:
                raise UserError(
                    f"{budget.text} of the {counted(n, 'image')} in the train pool of {name} are "
                    "all of them: nothing is left unlabelled. Use a smaller ratio, or 100"
                )


def notes(study: Study, manifests: Mapping[str, Manifest]) -> list[str]:
    """What a user should know before it runs."""
    return [
        line
        for name, manifest in manifests.items()
        for line in (
            *_rounded_up(study, name, manifest),
            *_equal(study, name, manifest),
            *_without_foreground(study, name, manifest),
        )
    ]


def _pool(study: Study, manifest: Manifest) -> list[str]:
    return split.split_ids(manifest, study.conditions.evaluate_on)[0]


def _rounded_up(study: Study, name: str, manifest: Manifest) -> Iterator[str]:
    n = len(_pool(study, manifest))
    for budget in study.budgets:
        if n * budget.share < 0.5:
            yield (
                f"{budget.text} of the {counted(n, 'image')} of {name} is less than half an image: "
                f"one is labelled ({100 * budget.share:g} is read as percent)"
            )


def _equal(study: Study, name: str, manifest: Manifest) -> Iterator[str]:
    n = len(_pool(study, manifest))
    by_count: dict[int, list[str]] = {}
    for budget in study.budgets:
        by_count.setdefault(split.count(n, budget.share), []).append(budget.text)
    for number, texts in by_count.items():
        if len(texts) > 1:
            yield f"{', '.join(texts)} label the same {counted(number, 'image')} of {name}"


def _without_foreground(study: Study, name: str, manifest: Manifest) -> Iterator[str]:
    """Of images and seeds: a supervised loss then teaches that there is nothing."""
    pool = _pool(study, manifest)
    has_object = {case.id: case.foreground > 0 for case in manifest.cases}
    for budget in study.budgets:
        seeds = [
            str(seed)
            for seed in study.seeds
            if not any(
                has_object[case]
                for case in split.labelled_subset(pool, manifest.name, seed, budget.share)
            )
        ]
        if seeds:
            yield (
                f"{name} at {budget.text}: no labelled image has foreground with "
                f"{counted(len(seeds), 'seed')} ({shortened(seeds)})"
            )
