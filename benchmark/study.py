"""A study is a named grid of trials. Pure: settings in, trials and their keys out.

The key of a trial is a hash of exactly what could change its numbers: the settings below, the
hyper-parameters, the seeds, and the content of the prepared data. Names, folders, devices and code
versions are not in it; the last are in the record.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from benchmark.errors import UserError, unknown
from benchmark.selectors import parse_variant

REFERENCE_METHOD = "supervised"  # the only method that can run at 100 % labels
ENCODER_DEPTH = 5  # how often the encoders of segmentation-models-pytorch halve an image


@dataclass(frozen=True)
class Network:
    """The shared network: the UNet, or one around a named encoder of segmentation-models-pytorch.

    An encoder has its own widths, and of the dropout rates only the last, at the bottleneck.
    """

    name: str = "unet"
    widths: list[int] = field(default_factory=lambda: [16, 32, 64, 128, 256])
    dropout: list[float] = field(default_factory=lambda: [0.05, 0.1, 0.2, 0.3, 0.5])
    weights: str | None = None  # published weights of the encoder, such as imagenet

    @property
    def is_encoder(self) -> bool:
        return self.name != "unet"

    @property
    def halvings(self) -> int:
        """How often it halves the image: the sides must divide by 2 to the power of this."""
        return ENCODER_DEPTH if self.is_encoder else len(self.widths) - 1


@dataclass(frozen=True)
class Training:
    """How a method is trained; `Study.training_of` changes single fields for one method."""

    criterion: str = "ce_dice"  # ce | dice | ce_dice
    batch_labelled: int = 4
    batch_unlabelled: int = 4
    epochs: int = 10
    steps_per_epoch: int | str = 25  # or "labelled": once through the labelled images
    labelled_passes: int = 1  # "labelled": how often an epoch goes through them
    optimiser: str = "adam"  # adam | sgd
    learning_rate: float = 3e-3
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])  # adam
    momentum: float = 0.9  # sgd
    weight_decay: float = 5e-5
    schedule: str = "constant"  # constant | cosine | step
    warmup_epochs: int = 0  # step: linear warm-up
    decay_every_epochs: int = 50  # step
    decay_factor: float = 0.1  # step


@dataclass(frozen=True)
class Study:
    """The resolved settings of a study; a preset and overrides make one (`config.load`)."""

    name: str = ""
    preset: str = ""
    methods: list[str] = field(default_factory=lambda: ["all"])
    datasets: list[str] = field(default_factory=lambda: ["all"])
    ratios: list[float] = field(default_factory=lambda: [0.01, 0.02, 0.05, 0.1, 0.2])
    seeds: list[int] = field(default_factory=lambda: list(range(10)))
    study_seed: int = 0
    evaluate_on: str = "test"  # test | dev
    evaluate_every: int = 1  # epochs between readings along the way; 0: only the final one
    size: list[int] | None = None  # of images; None: as prepared
    patch: list[int] = field(default_factory=lambda: [112, 112, 80])  # of volumes
    threads_per_trial: int = 1
    precision: str = "float32"  # float32 | bfloat16
    network: Network = field(default_factory=Network)
    training: Training = field(default_factory=Training)
    training_3d: dict[str, Any] = field(default_factory=dict)  # fields of Training, for volumes
    training_of: dict[str, Any] = field(default_factory=dict)  # method → fields of Training
    hyperparameters: dict[str, Any] = field(default_factory=dict)  # method → its hyper-parameters
    checkpoint_seconds: float = 30.0


_CHOICES = {
    "evaluate_on": ("test", "dev"),
    "precision": ("float32", "bfloat16"),
    "training.criterion": ("ce", "dice", "ce_dice"),
    "training.optimiser": ("adam", "sgd"),
    "training.schedule": ("constant", "cosine", "step"),
}
_POSITIVE = (
    "training.batch_labelled",
    "training.batch_unlabelled",
    "training.epochs",
    "training.labelled_passes",
    "training.learning_rate",
    "training.decay_every_epochs",
    "threads_per_trial",
)


@dataclass(frozen=True)
class Trial:
    """dataset × ratio × variant × seed under resolved settings."""

    dataset: str
    data_hash: str
    ratio: float
    method: str
    hyperparameters: dict[str, Any]
    seed: int
    study_seed: int
    evaluate_on: str
    evaluate_every: int
    size: list[int] | None  # of images
    patch: list[int] | None  # of volumes
    threads_per_trial: int
    precision: str
    network: Network
    training: Training
    variant: str = field(compare=False)  # a label: follows from method and hyper-parameters
    checkpoint_seconds: float = field(compare=False, default=30.0)

    def settings(self) -> dict[str, Any]:
        """Everything that could change the numbers, as plain values."""
        values = dataclasses.asdict(self)
        return {f.name: values[f.name] for f in dataclasses.fields(self) if f.compare}

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits: a hash of `settings`."""
        return fingerprint(self.settings())

    @property
    def cell(self) -> str:
        """The key of all trials that differ from this one by the seed alone."""
        return fingerprint({k: v for k, v in self.settings().items() if k != "seed"})

    @property
    def label(self) -> str:
        """For people: cps/glas/5 %/seed 3."""
        return f"{self.variant}/{self.dataset}/{percent(self.ratio)}/seed {self.seed}"


def fingerprint(settings: Mapping[str, Any]) -> str:
    """A hash of plain values; 5 and 5.0 are the same setting, the order of names does not count."""
    text = json.dumps(_plain(settings), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value


def percent(ratio: float) -> str:
    """0.05 → "5 %"."""
    return f"{100 * ratio:.10g} %"


def check(study: Study) -> None:
    """Refuse values that no run could have; the names of settings are known to be right.

    Names of networks are looked up by `plan.make`: the library that knows them loads slowly.
    """
    for path, choices in _CHOICES.items():
        if (value := _at(study, path)) not in choices:
            raise UserError(f"{path} is one of {', '.join(choices)}, got {value!r}")
    for path in _POSITIVE:
        if not (value := _at(study, path)) > 0:
            raise UserError(f"{path} must be above 0, got {value}")
    steps = study.training.steps_per_epoch
    if steps != "labelled" and not (isinstance(steps, int) and steps > 0):
        raise UserError(f'training.steps_per_epoch is "labelled" or above 0, got {steps!r}')
    _check_grid(study)
    _check_size(study)
    _check_network(study.network)


def _check_network(network: Network) -> None:
    if len(network.widths) != len(network.dropout):
        raise UserError(
            f"network.dropout has one rate per width, got {len(network.dropout)} rates for "
            f"{len(network.widths)} widths"
        )
    if not network.widths or min(network.widths) < 1:
        raise UserError(f"network.widths are channels of each level, got {network.widths}")
    if not all(0 <= rate < 1 for rate in network.dropout):
        raise UserError(f"rates in network.dropout lie in [0, 1), got {network.dropout}")


def _at(study: Study, path: str) -> Any:
    """The value of a dotted setting."""
    for name in path.split("."):
        study = getattr(study, name)
    return study


def _check_grid(study: Study) -> None:
    if not (study.ratios and study.seeds and study.methods and study.datasets):
        raise UserError("a study needs at least one method, dataset, ratio and seed")
    for ratio in study.ratios:
        if not 0 < ratio <= 1:
            raise UserError(
                f"ratio {percent(ratio)} is outside (0, 100]; a ratio is the percentage of the "
                "train pool whose masks are given, such as 1,2,5,10,20,100"
            )


def _check_size(study: Study) -> None:
    halvings = study.network.halvings
    checked = [("size", study.size, 2)]
    if not study.network.is_encoder:  # encoders are for images alone
        checked.append(("patch", study.patch, 3))
    for name, sides, dims in checked:
        if sides is None:
            continue
        if len(sides) != dims:
            raise UserError(f"{name} has {dims} sides, got {sides}")
        if any(side <= 0 or side % 2**halvings for side in sides):
            raise UserError(
                f"the sides of {name} must divide by {2**halvings} (the network "
                f"{study.network.name} halves them {halvings} times), got {sides}"
            )


class DataFacts(NamedTuple):
    """What trials need to know of a prepared dataset."""

    hash: str
    is_volume: bool = False


def trials(
    study: Study,
    defaults: Mapping[str, Mapping[str, Any]],
    data: Mapping[str, DataFacts],
) -> list[Trial]:
    """The grid, seed by seed, so that an unfinished table is a whole one of fewer seeds.

    defaults: hyper-parameters of each known method, from its signature. data: facts of each
    prepared dataset; `study.datasets` must name these (no "all").
    """
    variants = _variants(study, defaults)
    grid = []
    for seed in dict.fromkeys(study.seeds):
        for dataset in dict.fromkeys(study.datasets):
            for ratio in dict.fromkeys(study.ratios):
                for label, (method, hyperparameters) in _allowed(variants, study, defaults, ratio):
                    grid.append(
                        Trial(
                            dataset=dataset,
                            data_hash=data[dataset].hash,
                            ratio=ratio,
                            method=method,
                            variant=label,
                            hyperparameters=hyperparameters,
                            seed=seed,
                            study_seed=study.study_seed,
                            evaluate_on=study.evaluate_on,
                            evaluate_every=study.evaluate_every,
                            size=None if data[dataset].is_volume else study.size,
                            patch=study.patch if data[dataset].is_volume else None,
                            threads_per_trial=study.threads_per_trial,
                            precision=study.precision,
                            network=study.network,
                            training=training_of(study, method, is_volume=data[dataset].is_volume),
                            checkpoint_seconds=study.checkpoint_seconds,
                        )
                    )
    return grid


def _allowed(variants, study, defaults, ratio):
    """At 100 % nothing is unlabelled: the reference alone runs there, asked for or not."""
    if ratio < 1:
        return variants.items()
    reference = {k: v for k, v in variants.items() if v[0] == REFERENCE_METHOD}
    if reference or REFERENCE_METHOD not in defaults:
        return reference.items()
    return {
        REFERENCE_METHOD: (REFERENCE_METHOD, _resolve(study, defaults, REFERENCE_METHOD))
    }.items()


def training_of(study: Study, method: str, *, is_volume: bool = False) -> Training:
    """The training settings of one method on images or volumes; the most specific ones win."""
    changes = (study.training_3d if is_volume else {}) | study.training_of.get(method, {})
    training = dataclasses.replace(study.training, **changes)
    check(dataclasses.replace(study, training=training))
    return training


def _variants(study, defaults) -> dict[str, tuple[str, dict[str, Any]]]:
    """Label → (method, resolved hyper-parameters); equal settings appear once."""
    typed = [v for v in study.methods if v != "all"]
    if "all" in study.methods:
        typed = [*defaults, *typed]
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for text in typed:
        method, changes = parse_variant(text)
        base = _resolve(study, defaults, method)
        resolved = _merge(method, base, changes)
        label = _label(method, base, resolved)
        found[label] = (method, resolved)
    return found


def _resolve(study, defaults, method: str) -> dict[str, Any]:
    if method not in defaults:
        raise unknown("method", method, defaults, "bench list methods")
    return _merge(method, dict(defaults[method]), study.hyperparameters.get(method, {}))


def _merge(method: str, base: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        if name not in base:
            raise unknown(f"hyper-parameter of {method}", name, base)
        merged[name] = _like(base[name], value, f"{method}[{name}=…]")
    return merged


def _like(default: Any, value: Any, where: str) -> Any:
    """The value as the type of the default; a bool is no number."""
    if default is None or value is None:
        return value
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not type(default):
        raise UserError(
            f"{where} takes a {type(default).__name__} such as {default!r}, got {value!r}"
        )
    return value


def _label(method: str, base: Mapping[str, Any], resolved: Mapping[str, Any]) -> str:
    changed = [f"{k}={_show(v)}" for k, v in sorted(resolved.items()) if v != base[k]]
    return f"{method}[{','.join(changed)}]" if changed else method


def _show(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value}"
