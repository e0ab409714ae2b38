"""What label budgets come to on prepared data: too few images, equal ones, none with an object."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from benchmark.data import lists
from benchmark.data.prepared import Manifest, short_hash
from benchmark.data.split import folds
from benchmark.data.split.budget import Budget
from benchmark.data.split.labelled import labelled_ids, trained_ids, unlabelled_ids, with_ids
from benchmark.data.split.parts import groups_of, parts
from benchmark.data.split.roles import Roles
from benchmark.errors import UserError
from benchmark.study.settings import DataFacts, Study
from benchmark.study.syntax import varied
from benchmark.wording import counted, shortened


def check(found: Iterable["Subset"]) -> None:
    """Refuse a budget below 100 % that leaves no image unlabelled: only the baseline could run."""
    for subset in found:
        if not subset.budget.is_whole_pool and subset.n_unlabelled == 0:
            raise UserError(
                f"{subset.budget.text} of the {counted(subset.n_pool, 'image')} in the train pool "
                f"of {subset.dataset} are all of them: nothing is left unlabelled. Use a smaller "
                "budget, or 100"
            )


def counts(found: Iterable["Subset"]) -> list[str]:
    """For each dataset, such as "glas: 5 % = 5/85 images labelled; 80 unlabelled; 60 evaluated"."""
    by_budget: dict[str, dict[str, list[Subset]]] = {}
    for subset in found:
        by_budget.setdefault(subset.dataset, {}).setdefault(subset.budget.text, []).append(subset)
    return [
        f"{name}: {', '.join(_count(text, own) for text, own in budgets.items())} "
        f"{'slices' if _first(budgets).are_slices else 'images'} labelled; "
        + "; ".join(_others(budgets))
        for name, budgets in by_budget.items()
    ]


def _count(text: str, found: list["Subset"]) -> str:
    first = found[0]
    is_patients_said = first.budget.patients is not None or not first.n_patients
    patients = _span(s.n_patients for s in found)
    whose = "" if is_patients_said else f" ({patients} patient{'s' * (patients != '1')})"
    of = whose if first.are_slices or first.budget.listed else ""
    return f"{text} = {_span(subset.n_labelled for subset in found)}/{first.n_pool}{of}"


def _first(budgets: dict[str, list["Subset"]]) -> "Subset":
    return next(iter(budgets.values()))[0]


def _others(budgets: dict[str, list["Subset"]]) -> Iterator[str]:
    """What else a dataset's images are, at the budgets in their order."""
    spans = [_span(subset.n_unlabelled for subset in own) for own in budgets.values()]
    first, volumes = _first(budgets), " volumes" if _first(budgets).are_slices else ""
    without = f" ({first.n_without} of them without masks)" if first.n_without else ""
    yield f"{', '.join(spans)} unlabelled{without}"
    if first.n_val:
        yield f"{first.n_val}{volumes} for validation"
    if not first.n_folds:
        yield f"{first.n_evaluated}{volumes} evaluated"
        return
    spans = [_span(subset.n_folds for subset in own) for own in budgets.values()]
    yield f"the labelled{volumes or ' ones'} evaluated in {', '.join(spans)} folds"


class Subset(NamedTuple):
    """What a trial learns from, whichever its method."""

    dataset: str
    budget: Budget
    seed: int
    n_labelled: int
    n_pool: int
    has_foreground: bool
    """Does any labelled image show a foreground class?"""
    n_groups: int = 0
    """Of the train pool, such as its patients."""
    n_cut: int = 0
    """Groups that have both labelled and unlabelled images."""
    n_unlabelled: int = 0
    """Images that a trial sees without a mask."""
    n_seen: int = 0
    """Images that a pretraining sees."""
    n_without: int = 0
    """Images without masks."""
    n_val: int = 0
    n_evaluated: int = 0
    n_patients: int = 0
    """Groups that are labelled, whole or in part, where every case has one."""
    subset_hash: str = ""
    """Of the labelled ids: equal subsets have equal ones."""
    n_folds: int = 0
    """Of the labelled images, where these are what is evaluated."""
    are_slices: bool = False
    """Of volumes; what is evaluated are volumes then."""


def subsets(study: Study, manifests: Mapping[str, Manifest]) -> Iterator[Subset]:
    """Those of a study."""
    pairs = varied(study.seeds, study.vary)
    seeds = dict.fromkeys(seed if subset is None else subset for seed, subset in pairs)
    for manifest in manifests.values():
        roles = study.conditions.for_data(facts_of(manifest)).roles
        for budget, seed in product(study.budgets, seeds):
            yield subset_of(manifest, roles, budget, seed)


def facts_of(manifest: Manifest, budgets: Iterable[Budget] = ()) -> DataFacts:
    """What trials need to know of a dataset; budgets: of a study, which may be lists."""
    has_val, without = (bool(manifest.ids(name)) for name in ("val", "unlabelled"))
    card = manifest.card
    listed = {budget.text: with_ids(budget, manifest) for budget in budgets if budget.listed}
    return DataFacts(
        manifest.data_hash, card.is_volume, card.dims, card.size, has_val, without, listed
    )


def subset_of(manifest: Manifest, roles: Roles, budget: Budget, seed: int) -> Subset:
    """What every trial of this dataset, budget and seed learns from."""
    pool, without_masks, evaluation, val = parts(manifest, roles)
    chosen = set(labelled_ids(manifest, roles, budget, seed))
    unlabelled = set(unlabelled_ids(manifest, roles, chosen))
    images = {case.id: trained_ids(manifest, roles, [case.id]) for case in manifest.cases}
    shows_object = {
        image for case in manifest.cases if case.foreground > 0 for image in images[case.id]
    }
    group = groups_of(manifest)
    labelled, rest = (
        {group[case] for case in pool for i in images[case] if (i in chosen) is among} - {""}
        for among in (True, False)
    )
    has_no_mask = {image for case in without_masks for image in images[case]}
    return Subset(
        manifest.name,
        budget,
        seed,
        n_labelled=len(chosen),
        n_pool=sum(len(images[case]) for case in pool),
        has_foreground=not chosen.isdisjoint(shows_object),
        n_groups=len(labelled | rest),
        n_cut=len(labelled & rest),
        n_unlabelled=len(unlabelled),
        n_seen=len(unlabelled_ids(manifest, roles)),
        n_without=len(unlabelled & has_no_mask),
        n_val=len(val),
        n_evaluated=len(evaluation),
        n_patients=len(labelled) if all(group[case] for case in pool) else 0,
        subset_hash=short_hash(sorted(chosen)),
        n_folds=folds.number(manifest, roles, budget, seed) if roles.is_within_labelled else 0,
        are_slices=roles.slices,
    )


def notes(found: Iterable[Subset]) -> list[str]:
    """What a user should know before it runs, and a reader under its tables."""
    by_dataset: dict[str, list[Subset]] = {}
    for subset in found:
        by_dataset.setdefault(subset.dataset, []).append(subset)
    return [
        line
        for name, own in by_dataset.items()
        for line in (
            *_rounded_up(name, own),
            *_equal(name, own),
            *_without_foreground(name, own),
            *_cut_groups(name, own),
        )
    ]


def _rounded_up(name: str, found: list[Subset]) -> Iterator[str]:
    for budget, n, labelled in dict.fromkeys((s.budget, s.n_pool, s.n_labelled) for s in found):
        if budget.share is not None and n * budget.share < 0.5:
            yield (
                f"{budget.text} of the {counted(n, 'image')} of {name} is less than half an image: "
                f"{'one is' if labelled == 1 else f'{labelled} are'} labelled "
                f"({100 * budget.share:g} is read as percent)"
            )


def _equal(name: str, found: list[Subset]) -> Iterator[str]:
    """Budgets that come to the same images with every seed."""
    numbers: dict[str, dict[int, tuple[int, str]]] = {}
    for subset in found:
        same = (subset.n_labelled, subset.subset_hash)
        numbers.setdefault(subset.budget.text, {})[subset.seed] = same
    alike: dict[tuple[tuple[int, tuple[int, str]], ...], list[str]] = {}
    for text, of_seed in numbers.items():
        alike.setdefault(tuple(sorted(of_seed.items())), []).append(text)
    for of_seed, texts in alike.items():
        if len(texts) > 1:
            number = _span(n for _, (n, _) in of_seed)
            images = "image" if number == "1" else "images"
            yield f"{', '.join(texts)} label the same {number} {images} of {name}"


def _without_foreground(name: str, found: list[Subset]) -> Iterator[str]:
    """Of images and seeds: a supervised loss then teaches that there is nothing."""
    by_budget: dict[Budget, list[str]] = {}
    for budget, seed in dict.fromkeys((s.budget, s.seed) for s in found if not s.has_foreground):
        by_budget.setdefault(budget, []).append(str(seed))
    for budget, seeds in by_budget.items():
        yield (
            f"{name} at {budget.text}: no labelled image has foreground with "
            f"{counted(len(seeds), 'seed')} ({shortened(seeds)})"
        )


def _cut_groups(name: str, found: list[Subset]) -> Iterator[str]:
    by_budget: dict[Budget, list[Subset]] = {}
    for subset in found:
        by_budget.setdefault(subset.budget, []).append(subset)
    for budget, own in by_budget.items():
        if any(subset.n_cut for subset in own):
            yield (
                f"{name} at {budget.text}: {_span(subset.n_cut for subset in own)} of "
                f"{counted(own[0].n_groups, 'group')} (patients, subjects) labelled in part; "
                "--labels Npatients, or subset: groups in the card, draws whole ones"
            )


def notes_on_lists(budgets: Iterable[Budget], manifests: Mapping[str, Manifest]) -> Iterator[str]:
    """A list is one subset, whatever the seed; and what is known to be wrong with a published one.

    Beneath tables stands the first of it anyway.
    """
    for budget, manifest in product(budgets, manifests.values()):
        if not budget.listed:
            continue
        yield (
            f"{manifest.name} at {budget.text}: the same images with every seed, so that intervals "
            "over seeds say nothing of other labelled images"
        )
        found = lists.find(manifest.card.published_lists, budget.listed)
        if found is not None and not (budget.ids or budget.listed in manifest.card.lists):
            yield from (f"{budget.text} ({found.what}): {caveat}" for caveat in found.caveats)


def _span(numbers: Iterable[int]) -> str:
    """4, or 4-6."""
    found = sorted(set(numbers))
    return f"{found[0]}-{found[-1]}" if len(found) > 1 else str(found[0])
