"""A study: the settings of a named grid of trials (`trials.py` makes the grid of them)."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from benchmark.errors import UserError, require_choice

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
class Optimisation:
    """How long and with what a stage steps."""

    epochs: int = 10
    steps_per_epoch: int | str = 25  # or a word that the stage knows
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
class Training(Optimisation):
    """How a method is trained; `Study.training_of` changes single fields for one method.

    steps_per_epoch: or "labelled", once through the labelled images.
    """

    criterion: str = "ce_dice"  # ce | dice | ce_dice
    batch_labelled: int = 4
    batch_unlabelled: int = 4
    labelled_passes: int = 1  # "labelled": how often an epoch goes through them


@dataclass(frozen=True)
class Pretraining(Optimisation):
    """How a method that learns from images alone beforehand does so, on the whole train pool.

    steps_per_epoch: or "images", once through the pool.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch: int = 4
    seeds: str = "each"  # each: one for every seed; shared: one (seed 0) for all


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
    pretraining: Pretraining = field(default_factory=Pretraining)
    pretraining_3d: dict[str, Any] = field(default_factory=dict)  # fields of Pretraining
    hyperparameters: dict[str, Any] = field(default_factory=dict)  # method → its hyper-parameters
    save: list[str] = field(default_factory=list)  # predictions, weights: files beside the record
    checkpoint_seconds: float = 30.0


_CHOICES = {
    "evaluate_on": ("test", "dev"),
    "precision": ("float32", "bfloat16"),
    "training.criterion": ("ce", "dice", "ce_dice"),
    "training.optimiser": ("adam", "sgd"),
    "training.schedule": ("constant", "cosine", "step"),
    "pretraining.optimiser": ("adam", "sgd"),
    "pretraining.schedule": ("constant", "cosine", "step"),
    "pretraining.seeds": ("each", "shared"),
}
_POSITIVE = (
    "training.batch_labelled",
    "training.batch_unlabelled",
    "training.epochs",
    "training.labelled_passes",
    "training.learning_rate",
    "training.decay_every_epochs",
    "pretraining.batch",
    "pretraining.epochs",
    "pretraining.learning_rate",
    "pretraining.decay_every_epochs",
    "threads_per_trial",
)


def check(study: Study) -> None:
    """Refuse values that no run could have; the names of settings are known to be right.

    Names of networks are looked up by `plan.make`: the library that knows them loads slowly.
    """
    for path, choices in _CHOICES.items():
        require_choice(path, _at(study, path), choices)
    for path in _POSITIVE:
        if not (value := _at(study, path)) > 0:
            raise UserError(f"{path} must be above 0, got {value}")
    for stage, word in (("training", "labelled"), ("pretraining", "images")):
        steps = getattr(study, stage).steps_per_epoch
        if steps != word and not (isinstance(steps, int) and steps > 0):
            raise UserError(f'{stage}.steps_per_epoch is "{word}" or above 0, got {steps!r}')
    if unknown_files := set(study.save) - {"predictions", "weights"}:
        raise UserError(f"save takes predictions and weights, got {', '.join(unknown_files)}")
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


def training_of(study: Study, method: str, *, is_volume: bool = False) -> Training:
    """The training settings of one method on images or volumes; the most specific ones win."""
    changes = (study.training_3d if is_volume else {}) | study.training_of.get(method, {})
    training = dataclasses.replace(study.training, **changes)
    check(dataclasses.replace(study, training=training))
    return training


def pretraining_of(study: Study, *, is_volume: bool) -> Pretraining:
    """The settings of the pretraining on images or volumes."""
    changes = study.pretraining_3d if is_volume else {}
    pretraining = dataclasses.replace(study.pretraining, **changes)
    check(dataclasses.replace(study, pretraining=pretraining))
    return pretraining


def label(variant: str, dataset: str, ratio: float, seed: int | str) -> str:
    """A trial's name for people: cps/glas/5 %/seed 3."""
    return f"{variant}/{dataset}/{percent(ratio)}/seed {seed}"


def percent(ratio: float) -> str:
    """0.05 → "5 %"."""
    return f"{100 * ratio:.10g} %"
