"""A study against prepared data: which trials there are, which of them are left to run."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from benchmark.data import cards, elsewhere, phantoms, prepared
from benchmark.data import names as known_data
from benchmark.data.collections import known
from benchmark.data.prepared import Manifest
from benchmark.data.split.roles import FOLDS
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.study import fits, labels, least_batches, loggers, methods, notes
from benchmark.study.labels import Subset
from benchmark.study.settings import BASELINE, Study
from benchmark.study.syntax import ALL, WHOLE, Shard, Variant, split_outside_brackets
from benchmark.study.trials import (
    MethodFacts,
    Trial,
    in_folds,
    resolve,
    trials,
)
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.method import Method

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
    fits.check_sizes(study, manifests)
    fits.check_network(study, manifests)
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
        *fits.notes_on_lost_objects(study, manifests, data_root),
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
    card = cards.find(name) if name in known_data.cards() else None
    if card is not None and card.phantom is not None:
        return phantoms.ensure_prepared(card, data_root)
    if name in names:
        return prepared.read_manifest(data_root, name)
    if card is None:
        if (of_collection := known.not_prepared(data_root, name)) is not None:
            raise of_collection
        raise unknown("dataset", name, {*known_data.cards(), *names}, "bench list datasets")
    raise prepared.not_prepared(data_root, name, f" from {card.homepage} (terms: {card.terms})")
