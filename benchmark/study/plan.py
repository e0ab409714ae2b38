"""A study against prepared data: which trials there are, which of them are left to run."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.data import card as cards
from benchmark.data import elsewhere, phantoms, prepared
from benchmark.data import names as known_data
from benchmark.data.collections import known
from benchmark.data.prepared import Manifest
from benchmark.data.split.budget import Budget
from benchmark.data.split.parts import parts
from benchmark.data.split.roles import FOLDS
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.study import labels, least_batches, loggers, methods, notes, presets
from benchmark.study.labels import Subset
from benchmark.study.settings import BASELINE, Study
from benchmark.study.syntax import WHOLE, Shard, Variant, split_outside_brackets
from benchmark.study.trials import (
    DataFacts,
    MethodFacts,
    Trial,
    budget_of,
    in_folds,
    resolve,
    trials,
)
from benchmark.toolkit import encoders
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Method
from benchmark.wording import counted, shortened, times

ALL = "all"
_NARROW = 8


@dataclass(frozen=True)
class Plan:
    """A study against the prepared data and the trials that are done."""

    study: Study
    trials: list[Trial]
    manifests: dict[str, Manifest]
    folder: Path
    subsets: list[Subset] = field(default_factory=list)
    """What is labelled, of each dataset, budget and seed."""
    notes: list[str] = field(default_factory=list)
    """What a user should know before it runs: methods that "all" leaves out, odd budgets."""
    shard: Shard = WHOLE
    overrides: list[str] = field(default_factory=list)
    """Command-line overrides of the preset's settings, as typed."""
    done: frozenset[str] = frozenset()
    """Keys of trials that need not run again."""
    older: Mapping[str, int] = field(default_factory=dict)
    """Method → how many of its trials were done by other code of it, and are kept."""
    other_data: list[str] = field(default_factory=list)
    """In what the data differ from those of other trials in the study's folder."""
    by_other_tool: int = 0
    """How many trials were done by other code of the tool, and are kept."""
    left_out: list[str] = field(default_factory=list)
    """What lies in the study's folder and counts for nothing, such as damaged records."""
    rerun: tuple[str, ...] = ()
    """Methods whose trials are run again where other code of the method made them."""

    @property
    def own(self) -> list[Trial]:
        """The shard's part of the grid, whatever is done of it."""
        return self.shard.of(self.trials)

    @property
    def missing(self) -> list[Trial]:
        """Trials to run: those without a record, and those that failed."""
        return [trial for trial in self.own if trial.key not in self.done]

    def labelled_counts(self) -> list[str]:
        """For each dataset and budget, such as "glas: 5 % = 5/85 images labelled"."""
        further = [
            f"{name}: also evaluated on {', '.join(f'{test} ({n})' for test, n in sets.items())}"
            for name, manifest in self.manifests.items()
            if self.study.conditions.evaluate_on == "test"
            and (sets := manifest.test_sets | dict.fromkeys(self.study.also_test, "its test set"))
        ]
        return labels.counts(self.subsets) + further


class Wanted(NamedTuple):
    """The variants of a study."""

    typed: list[Variant]
    others: list[Variant]
    """Those of "all", which goes on without the ones that cannot run."""
    facts: dict[str, MethodFacts]
    notes: list[str]


def make(study: Study, data_root: Path, results_root: Path) -> Plan:
    """The plan of a study, nothing done; phantoms that it names are made if they are not there yet.

    Raises `UserError` for unknown names, for a network that cannot take the images, (exit code 3)
    for data that are not prepared, and (4) for loggers that are not installed.
    """
    loggers.require_installed(study.log)
    wanted = _wanted(study.methods)
    study = replace(study, datasets=_datasets(study, data_root))
    manifests = {name: _manifest(name, data_root) for name in study.datasets}
    study = _with_weights(study, manifests, data_root)
    _check_sizes(study, manifests)
    _check_network(study, manifests)
    subsets = list(labels.subsets(study, manifests))
    labels.check(subsets)
    data = {name: labels.facts_of(manifest, study.budgets) for name, manifest in manifests.items()}
    grid = trials(study, [*wanted.others, *wanted.typed], wanted.facts, data)
    built = _built(grid)
    typed = _typed_names(study, wanted)
    grid, refused = _accepted(grid, typed, built)
    if study.conditions.evaluate_on == FOLDS:
        grid = in_folds(grid, {(s.dataset, s.budget.text, s.seed): s.n_folds for s in subsets})
    of_values = least_batches.of_values(grid, manifests)
    of_images = least_batches.of_images(grid, built, subsets)
    grid, too_small = _with_enough(grid, typed, [*of_values, *of_images])
    told = [
        *wanted.notes,
        *refused,
        *too_small,
        *labels.notes(subsets),
        *labels.notes_on_lists(study.budgets, manifests),
        *_notes_on_one_subset(study),
        *_notes_on_further_sets(study),
        *_notes_on_sizes(study, manifests, data_root),
        *notes.on_the_strong_row(study, grid, manifests),
        *notes.on_whole_pools(grid, wanted.typed),
    ]
    return Plan(study, grid, manifests, results_root / study.name, subsets, told)


def _with_weights(study: Study, manifests: dict[str, Manifest], data_root: Path) -> Study:
    """The study; it saves weights where trials are to be evaluated on further test sets.

    `UserError` for a test set that is not prepared, or that the networks cannot see.
    """
    for name in study.also_test:
        further = prepared.read_manifest(data_root, name)
        for manifest in manifests.values():
            elsewhere.require_testable(name, further.card, manifest.card)
    is_tested = study.conditions.evaluate_on == "test"
    has_further = study.also_test or any(m.test_sets for m in manifests.values())
    if not (is_tested and has_further) or "weights" in study.save:
        return study
    return replace(study, save=[*study.save, "weights"])


def _wanted(texts: Sequence[str]) -> Wanted:
    names = [name for text in texts for name in split_outside_brackets(text)]
    typed = [Variant.parse(name) for name in names if name != ALL]
    needed = {variant.method for variant in typed} | {BASELINE}
    facts, left_out = {}, []
    for name in methods.names() if ALL in names else sorted(needed):
        try:
            facts[name] = methods.facts(name)
        except UserError as error:
            if name in needed:
                raise
            left_out.append(f"left out of all methods: {error}")
    others = [Variant(name) for name in facts] if ALL in names else []
    return Wanted(typed, others, facts, left_out)


def _check_network(study: Study, manifests: dict[str, Manifest]) -> None:
    network = study.conditions.network
    if network.is_encoder:
        for card in (manifest.card for manifest in manifests.values()):
            encoders.check(
                network,
                in_channels=card.channels,
                classes=len(card.classes),
                sides=study.conditions.size or card.size,
            )
    elif network.weights is not None:
        raise UserError(
            f'the network "{network.name}" has no published weights, got "{network.weights}"; only '
            "encoders have, such as --network resnet34 (bench list networks -v)"
        )


def _check_sizes(study: Study, manifests: dict[str, Manifest]) -> None:
    """Refuse to enlarge: what was prepared small has lost its detail, and nobody would see it.

    And images as prepared that the network cannot halve; sizes that are typed are known to be good.
    """
    size, network = study.conditions.size, study.conditions.network
    least = 2**network.halvings
    for manifest in manifests.values():
        made = manifest.card.size
        if prepared.is_enlarged(manifest.card, size):
            raise UserError(
                f"{manifest.name} was prepared at {times(made)}, and this run asks for "
                f"{times(size)}: enlarging brings no detail back. Prepare it with "
                f"size: {size} in its card, or add size=[{made[0]},{made[1]}] to the run",
                ExitCode.DATA,
            )
        is_3d = study.conditions.for_data(labels.facts_of(manifest)).is_3d
        if size is None and not is_3d and any(side % least for side in made):
            above = [math.ceil(side / least) * least for side in made]
            below = [side // least * least for side in made]
            smaller = f", or add size=[{below[0]},{below[1]}] to the run" if all(below) else ""
            raise UserError(
                f"{manifest.name} was prepared at {times(made)}, and the network {network.name} "
                f"halves images {network.halvings} times: their sides must divide by {least}. "
                f"Prepare it with size: {above} in its card{smaller}",
                ExitCode.DATA,
            )


def _notes_on_one_subset(study: Study) -> Iterator[str]:
    """Of budgets that `vary` cannot vary, beside others that it can."""
    same = [budget.text for budget in study.budgets if budget.is_one_subset]
    if same and study.vary in ("subset", "cross") and len(study.seeds) > 1:
        yield (
            f"vary={study.vary}: {', '.join(same)} is one subset whatever the seed; no trial of it "
            "is repeated under a further one"
        )


def _notes_on_further_sets(study: Study) -> Iterator[str]:
    """Which may be named in a file of settings that other runs use too."""
    if study.also_test and study.conditions.evaluate_on != "test":
        yield (
            f"evaluated on {study.conditions.evaluate_on}, and so not on "
            f"{', '.join(study.also_test)}, which goes with the test set"
        )


def _notes_on_sizes(study: Study, manifests: dict[str, Manifest], data_root: Path) -> Iterator[str]:
    """What becomes of small objects at the run's size; `UserError` if no test mask keeps any."""
    size = study.conditions.size
    for manifest in manifests.values():
        lost = prepared.lost_in_resizing(data_root, manifest, size)
        if not lost:
            continue
        where = f"{manifest.name} at {times(size)}, prepared at {times(manifest.card.size)}"
        evaluation = parts(manifest, study.conditions.roles).evaluation
        has_any = {case.id for case in manifest.cases if case.foreground > 0}
        tested = has_any & set(evaluation)
        if len(manifest.card.classes) == 2 and tested and tested <= set(lost):
            raise UserError(
                f"{where}: every mask that is evaluated loses its foreground, and all methods "
                "would score 100. Use a larger size",
                ExitCode.DATA,
            )
        yield (
            f"{where}: {counted(len(lost), 'mask')} lose a class to resizing ({shortened(lost)})"
        )


def _typed_names(study: Study, wanted: Wanted) -> set[str]:
    """Variants that were typed, as trials have them: an error of theirs is one of the run."""
    return {
        resolve(variant, study, wanted.facts, is_3d=is_3d).variant.name
        for variant in wanted.typed
        for is_3d in (False, True)
    }


def _accepted(
    grid: list[Trial], typed: set[str], built: Mapping[str, Method | ValueError | None]
) -> tuple[list[Trial], list[str]]:
    """The trials whose values their methods accept: refused before hours are spent.

    A method refuses a value by ValueError; what was typed raises `UserError`, what is among "all"
    is left out, with a note.
    """
    refused = {}
    for variant, objection in built.items():
        if isinstance(objection, ValueError):
            if variant in typed:
                raise UserError(f"{variant}: {objection}")
            refused[variant] = f"left out of all methods: {variant}: {objection}"
    return [trial for trial in grid if trial.variant not in refused], list(refused.values())


def _with_enough(
    grid: list[Trial], typed: set[str], objections: Sequence[least_batches.Objection]
) -> tuple[list[Trial], list[str]]:
    """The trials whose batches are large enough for their methods, and notes on the others.

    Where one of "all" cannot run, on a dataset at a budget, the others do; what was typed, and a
    grid of which nothing is left, raises `UserError`.
    """

    def cell(trial: Trial) -> tuple[str, str, str]:
        return trial.variant, trial.dataset, trial.budget.text

    budgets: dict[str, dict[str, None]] = {}
    for trial, why in objections:
        if trial.variant in typed:
            raise UserError(why)
        budgets.setdefault(why, {})[trial.budget.text] = None
    refused = {cell(trial) for trial, _ in objections}
    left = [trial for trial in grid if cell(trial) not in refused]
    if objections and not left:
        raise UserError(objections[0][1])
    return left, [
        f"left out of all methods at {', '.join(at)}: {why}" for why, at in budgets.items()
    ]


def _built(grid: list[Trial]) -> dict[str, Method | ValueError | None]:
    """Each variant's method, built once around a small UNet, or what it says against its values.

    None: something else went wrong, which is a trial's, whose record keeps it.
    """
    return {name: _around_a_small_network(t) for name, t in {t.variant: t for t in grid}.items()}


def _around_a_small_network(trial: Trial) -> Method | ValueError | None:
    network = trial.conditions.network
    widths = Architecture().widths if network.is_encoder else network.widths
    # As many levels, and the first as it is; the others narrow, or building would take its time.
    small = [widths[0], *(min(width, _NARROW) for width in widths[1:])]
    builder = NetworkBuilder(
        in_channels=1, classes=2, network=Architecture(widths=small, dropout=[0.0] * len(small))
    )
    try:
        return methods.build(trial.method, builder, trial.hyperparameters)
    except ValueError as error:
        return error
    except Exception:
        return None


def ablated(texts: Sequence[str], factors: Sequence[str]) -> list[str]:
    """The variants, and for each factor every value that a method of theirs compares, as typed.

    texts: empty for those of all methods that have the factors, and none beside them; with "all",
    those beside all methods.
    """
    bases = [Variant.parse(text) for text in texts if text != ALL]
    if ALL in texts or not texts:
        bases += [Variant(name) for name in methods.names() if methods.ablations(name)]
    made, known = list(texts), set()
    for base in bases:
        methods.find(base.method)
        values = methods.ablations(base.method)
        known |= set(values)
        for factor in factors:
            made += [base.with_change(factor, value).name for value in values.get(factor, ())]
    for factor in factors:
        if factor not in known:
            raise _no_ablation(factor, bases, known)
    return list(dict.fromkeys(made))


def _no_ablation(factor: str, bases: Sequence[Variant], known: set[str]) -> UserError:
    """The error for a hyper-parameter that none of these compares, with those that do."""
    of = ", ".join(base.name for base in bases)
    owners = [name for name in methods.names() if factor in methods.ablations(name)]
    if not owners:
        return unknown(f"ablation of {of}", factor, known, "bench list methods -v")
    return UserError(
        f'no ablation of {of} "{factor}"; {", ".join(owners)} can be ablated so (--methods '
        f"{owners[0]} --ablation {factor}; bench list methods -v)"
    )


def _datasets(study: Study, data_root: Path) -> list[str]:
    """The names; "all" is every prepared dataset but the phantoms."""
    named = [name for name in study.datasets if name != ALL]
    if ALL in study.datasets:
        names = known_data.prepared(data_root)
        manifests = {name: prepared.read_manifest(data_root, name) for name in names}
        real = [name for name, found in manifests.items() if found.card.phantom is None]
        if not (real or named):
            raise UserError(
                f"no dataset is prepared under {data_root}. Get one (bench list datasets says "
                "where and under which terms), then:\n"
                "  bench data prepare NAME --from /path/to/what/you/downloaded\n"
                "or try the tool on synthetic images: bench run --preset demo",
                ExitCode.DATA,
            )
        named += real
    return list(dict.fromkeys(named))


def _manifest(name: str, data_root: Path) -> Manifest:
    names = known_data.prepared(data_root)
    card = cards.find(name) if name in cards.names() else None
    if card is not None and card.phantom is not None:
        return phantoms.ensure_prepared(card, data_root)
    if name in names:
        return prepared.read_manifest(data_root, name)
    if card is None:
        if (of_collection := known.not_prepared(data_root, name)) is not None:
            raise of_collection
        raise unknown("dataset", name, {*cards.names(), *names}, "bench list datasets")
    raise prepared.not_prepared(data_root, name, f" from {card.homepage} (terms: {card.terms})")


def expected_settings(preset: str, trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a preset alone would make of a trial: to tell whether its settings were typed over.

    trial: a row of `store.tables.trials`, its budget a text. None if preset or method is not here.
    """
    try:
        settings = trial["settings"]
        budget = budget_of(trial["budget"], settings)
        study = replace(
            _alone(preset),
            datasets=[trial["dataset"]],
            labels=[budget.text],
            seeds=[int(trial["seed"])],
        )
        facts = {trial["method"]: methods.facts(trial["method"])}
        lists = {budget.text: budget}
        data = _facts_of(settings, trial["data_hash"], lists)
        variants = [Variant.parse(trial["variant"])]
        (made,) = trials(study, variants, facts, {trial["dataset"]: data})
    except UserError:
        return None
    return made.settings()


def _facts_of(
    settings: Mapping[str, Any], data_hash: str, lists: Mapping[str, Budget]
) -> DataFacts:
    """What a trial's settings say of its data; of a slice's size only that it was the one used."""
    are_slices, is_3d = settings.get("slices", False), settings.get("patch") is not None
    dims, size = (2 if are_slices else None), settings.get("size")
    return DataFacts(
        data_hash, is_3d or are_slices, dims, size, has_without_masks=True, lists=lists
    )  # as the trial was made at all, it could be


@cache
def _alone(preset: str) -> Study:
    return presets.load(preset)
