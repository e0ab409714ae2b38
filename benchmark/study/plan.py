"""What a study would run here: which trials, which of them are done, on which data."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmark import encoders, plugins, results
from benchmark.data import cards, phantoms, pool, splits
from benchmark.errors import ExitCode, UserError, unknown
from benchmark.networks import NetworkBuilder
from benchmark.selectors import WHOLE, Shard, split_outside_brackets
from benchmark.study import REFERENCE_METHOD, Network, Study, percent
from benchmark.trials import DataFacts, MethodFacts, Trial, trials


@dataclass(frozen=True)
class Plan:
    """A study against the prepared data and the records that are there."""

    study: Study
    trials: list[Trial]
    done: set[str]
    manifests: dict[str, pool.Manifest]
    folder: Path
    notes: list[str] = field(default_factory=list)
    """Methods that "all" leaves out, with the reason."""
    shard: Shard = WHOLE
    changes: list[str] = field(default_factory=list)
    """Settings that were typed over those of the preset, as typed."""

    @property
    def own(self) -> list[Trial]:
        """The shard's part of the grid, whatever is done of it."""
        return self.shard.of(self.trials)

    @property
    def missing(self) -> list[Trial]:
        """Trials to run: those without a record, and those that failed."""
        return [trial for trial in self.own if trial.key not in self.done]

    def labelled_counts(self) -> list[str]:
        """For each dataset and ratio, such as "glas: 5 % = 5/85 images labelled"."""
        lines = []
        for name, manifest in self.manifests.items():
            n = len(pool.split_ids(manifest, self.study.evaluate_on)[0])
            counts = ", ".join(
                f"{percent(ratio)} = {splits.count(n, ratio)}/{n}" for ratio in self.study.ratios
            )
            lines.append(f"{name}: {counts} images labelled")
        return lines


def make(study: Study, data_root: Path, results_root: Path) -> Plan:
    """The plan of a study; phantoms that it names are invented if they are not there yet.

    Raises `UserError` for unknown names, for a network that cannot take the images, and (exit
    code 3) for data that are not prepared.
    """
    study = replace(study, methods=_typed(study.methods), datasets=_datasets(study, data_root))
    methods, notes = _methods(study.methods)
    manifests = {name: _manifest(name, data_root) for name in study.datasets}
    _check_network(study, manifests)
    facts = {n: DataFacts(m.data_hash, m.card.is_volume) for n, m in manifests.items()}
    grid, refused = _accepted(trials(study, methods, facts), study)
    folder = results_root / study.name
    return Plan(study, grid, results.done_keys(folder), manifests, folder, notes + refused)


def _check_network(study: Study, manifests: dict[str, pool.Manifest]) -> None:
    network = study.network
    if network.is_encoder:
        for card in (manifest.card for manifest in manifests.values()):
            encoders.check(
                network,
                in_channels=card.channels,
                classes=len(card.classes),
                sides=study.size or card.size,
            )
    elif network.weights is not None:
        raise UserError(
            f'the network "{network.name}" has no published weights, got "{network.weights}"; only '
            "encoders have, such as --network resnet34 (bench list networks -v)"
        )


def _accepted(grid: list[Trial], study: Study) -> tuple[list[Trial], list[str]]:
    """The trials whose values their methods accept: refused before hours are spent.

    Each variant is built once (around a small UNet where the run's network is an encoder). What is
    refused was typed, and raises `UserError`, or is among "all": then it is left out, with a note.
    Other errors are a trial's, whose record keeps them.
    """
    network, refused = study.network, {}
    for variant, trial in {trial.variant: trial for trial in grid}.items():
        build = NetworkBuilder(
            in_channels=1, classes=2, network=Network() if network.is_encoder else network
        )
        try:
            plugins.find(trial.method)(build, **trial.hyperparameters)
        except ValueError as error:
            if "all" not in study.methods or variant in study.methods:
                raise UserError(f"{variant}: {error}") from error
            refused[variant] = f"left out of all methods: {variant}: {error}"
        except Exception:
            continue
    return [trial for trial in grid if trial.variant not in refused], list(refused.values())


def _typed(methods: Sequence[str]) -> list[str]:
    return [variant for text in methods for variant in split_outside_brackets(text)]


def ablated(variants: list[str], factors: list[str]) -> list[str]:
    """The variants, and for each factor every value that a method of theirs compares.

    variants: empty for those of all methods that have the factors, and none beside them.
    """
    bases = variants or [name for name in plugins.names() if plugins.ablations(name)]
    made, known = list(variants), set()
    for base in bases:
        method, _, inside = base.removesuffix("]").partition("[")
        values = plugins.ablations(method)
        known |= set(values)
        for factor in factors:
            for value in values.get(factor, ()):
                parts = filter(None, (inside, f"{factor}={json.dumps(value)}"))
                made.append(f"{method}[{','.join(parts)}]")
    for factor in factors:
        if factor not in known:
            raise unknown(f"ablation of {', '.join(bases)}", factor, known, "bench list methods -v")
    return made


def _methods(variants: Sequence[str]) -> tuple[dict[str, MethodFacts], list[str]]:
    """Facts of the methods; "all" goes on without the broken ones, and notes them."""
    wanted = {text.split("[")[0] for text in variants}
    needed = wanted - {"all"} | {REFERENCE_METHOD}
    facts, notes = {}, []
    for name in plugins.names() if "all" in wanted else sorted(needed):
        try:
            facts[name] = plugins.facts(name)
        except UserError as error:
            if name in needed:
                raise
            notes.append(f"left out of all methods: {error}")
    return facts, notes


def _datasets(study: Study, data_root: Path) -> list[str]:
    """The names; "all" is every prepared dataset but the phantoms."""
    named = [name for name in study.datasets if name != "all"]
    if "all" in study.datasets:
        prepared = pool.prepared_names(data_root)
        real = [n for n in prepared if pool.read_manifest(data_root, n).card.phantom is None]
        if not (real or named):
            raise UserError(
                f"no dataset is prepared under {data_root}. Get one (bench list datasets says "
                "where and under which terms), then:\n"
                "  bench data prepare NAME --from /path/to/what/you/downloaded\n"
                "or try the tool on invented images: bench run --preset demo",
                ExitCode.DATA,
            )
        named += real
    return list(dict.fromkeys(named))


def _manifest(name: str, data_root: Path) -> pool.Manifest:
    prepared = pool.prepared_names(data_root)
    if name in prepared:
        return pool.read_manifest(data_root, name)
    if name not in cards.names():
        raise unknown("dataset", name, {*cards.names(), *prepared}, "bench list datasets")
    card = cards.find(name)
    if card.phantom is not None:
        return phantoms.ensure_prepared(card, data_root)
    raise pool.not_prepared(data_root, name, f" from {card.homepage} (terms: {card.terms})")
