"""The settings of a study, each declared once, and what they may be.

A new setting of whatever trials and pretrainings have in common is a new field of `Conditions`:
with that it has a name on the command line, and stands in records and in keys (`benchmark.keys`).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmark.data.split.budget import Budget, part_of_unlabelled, require_distinct
from benchmark.data.split.roles import Roles
from benchmark.errors import UserError, require_choice
from benchmark.keys import aside, later
from benchmark.study.loggers import LOGGERS
from benchmark.toolkit.architecture import Architecture

BASELINE = "supervised"
"""The method that the others are compared with, and the only one that can run at 100 % labels."""


@dataclass(frozen=True)
class Conditions:
    """What all trials and pretrainings of a study have in common."""

    study_seed: int = 0
    evaluate_on: str = "test"
    """test, or dev, for tuning: the data's validation set, else a fixed part of the train pool. Of
    `bench tune` also folds of the labelled images, of a trial one of them: "fold 2/5"."""
    val_as: str = later("dev", before="dev")
    """What a validation set is that came with the data: dev, train (a part of the train pool) or
    ignore. dev where there is none."""
    unlabelled: str = later("all", before="all")
    """How much of the images that may be unlabelled is used: all, "50%" or "200cases"."""
    size: list[int] | None = None
    """Of images and slices, height and width; None: as prepared (and of volumes)."""
    patch: list[int] | None = field(default_factory=lambda: [112, 112, 80])
    """Of volumes; None of images and slices."""
    slices: bool | None = later(None, before=False)
    """Are volumes trained on slice by slice, as images, and evaluated as volumes? None: as the card
    of each dataset says (dims)."""
    threads_per_trial: int = 1
    precision: str = "float32"
    """float32; bfloat16: mixed precision; tf32: float32 with shorter products, of GPUs alone."""
    network: Architecture = field(default_factory=Architecture)
    checkpoint_seconds: float = aside(30.0)
    """Between two checkpoints."""

    def for_data(self, data: "DataFacts") -> "Conditions":
        """Without what such data do not have, and without what the network does not use."""
        are_slices = data.is_volume and (data.dims == 2 if self.slices is None else self.slices)
        is_3d = data.is_volume and not are_slices
        own: dict[str, Any] = {
            "slices": are_slices,
            **({"size": None} if is_3d else {"patch": None}),
        }
        if are_slices:  # volumes have sizes of their own
            own["size"] = self.size or data.size
        if not data.has_val:
            own["val_as"] = "dev"
        return dataclasses.replace(self, network=self.network.used(), **own)

    @property
    def is_3d(self) -> bool:
        """Of one dataset (`for_data`): are volumes seen, in patches?"""
        return self.patch is not None

    @property
    def before(self) -> "Conditions":
        """Of the pretraining that a trial starts from. All folds share that of a run: it sees no
        mask, and one for each fold would cost five times as much.
        """
        within = self.roles.is_within_labelled
        return dataclasses.replace(self, evaluate_on="test") if within else self

    @property
    def roles(self) -> Roles:
        """What becomes of a dataset's splits."""
        return Roles(self.evaluate_on, self.val_as, self.unlabelled, bool(self.slices))


@dataclass(frozen=True)
class DataFacts:
    """What the settings of a trial depend on in a prepared dataset."""

    hash: str
    is_volume: bool = False
    dims: int | None = None
    """Of volumes, 2: trained on slice by slice, unless the run says otherwise."""
    size: list[int] | None = None
    """The card's, of images and slices."""
    has_val: bool = False
    """Did a validation set come with it?"""
    has_without_masks: bool = False
    """Are there images that no budget labels?"""
    lists: Mapping[str, Budget] = field(default_factory=dict)
    """Label budgets that are lists, by their text, with the cases that they have here."""


@dataclass(frozen=True)
class Optimisation:
    """How long and with what a stage steps."""

    epochs: int = 10
    steps_per_epoch: int | str = 25
    """Or a word that the stage knows."""
    optimiser: str = "adam"
    """adam, adamw (its weight decay is none of the gradient's) or sgd."""
    learning_rate: float = 3e-3
    betas: list[float] = field(default_factory=lambda: [0.9, 0.99])
    """Of adam and adamw."""
    momentum: float = 0.9
    """Of sgd."""
    weight_decay: float = 5e-5
    gradient_clip: float = later(0.0, before=0.0)
    """Longest gradient, as a norm over all parameters; 0: any."""
    schedule: str = "constant"
    """constant, cosine, poly or step."""
    poly_power: float = later(0.9, before=0.9)
    """Of poly."""
    warmup_epochs: int = 0
    """Of step: linear warm-up."""
    decay_every_epochs: int = 50
    """Of step."""
    decay_factor: float = 0.1
    """Of step."""
    short_batches: bool = later(False, before=False)
    """Of steps that are counted by a word: an epoch goes through the images once (or so many times)
    and its last batch holds what is left of them; else a batch is filled with the next ones."""
    augmentation: str = later("symmetries", before="symmetries")
    """How images are changed in training: none; symmetries, those that the card allows; ssl4mis:
    turns and a flip, or a rotation by up to 20 degrees; nnunet: the symmetries, then nnU-Net's
    rotation, scaling, noise, blur, brightness, contrast, low resolution and gamma."""


@dataclass(frozen=True)
class TrainingSettings(Optimisation):
    """How a method is trained; `Study.training_of` changes single fields for one method.

    steps_per_epoch: or "labelled", once through the labelled images.
    """

    criterion: str = "ce_dice"
    """ce, dice or ce_dice."""
    batch_labelled: int = 4
    batch_unlabelled: int = 4
    labelled_passes: int = 1
    """Of "labelled": how often an epoch goes through them."""
    cut_unlabelled: bool = later(False, before=False)
    """No more unlabelled images in a step than labelled ones."""
    ramp: str = later("linear", before="linear")
    """How the weight of what is learnt without labels grows: linear, sigmoid, or none. A method
    that has a ramp of its own keeps it."""
    ramp_share: float = later(1.0, before=1.0)
    """Of the steps, after which it has grown."""


@dataclass(frozen=True)
class PretrainingSettings(Optimisation):
    """How a method that learns from images alone beforehand does so, on the whole train pool.

    steps_per_epoch: or "images", once through the pool.
    """

    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    batch: int = 4
    passes: int = later(1, before=1)
    """Of "images": how often an epoch goes through them."""
    seeds: str = "each"
    """each: one for every seed; shared: one (seed 0) for all."""


@dataclass(frozen=True)
class Study:
    """The resolved settings of a study; a preset and overrides make one (`presets.load`)."""

    name: str = ""
    preset: str = ""
    methods: list[str] = field(default_factory=lambda: ["all"])
    datasets: list[str] = field(default_factory=lambda: ["all"])
    labels: list[str] = field(default_factory=lambda: ["1 %", "2 %", "5 %", "10 %", "20 %"])
    """How much is labelled, as `Budget.parse` reads it."""
    seeds: list[int] = field(default_factory=lambda: list(range(10)))
    vary: str = "all"
    """What a seed moves: all; subset, the labelled images alone; weights, these and the order
    alone; cross, every subset with every seed of weights."""
    conditions: Conditions = field(default_factory=Conditions)
    evaluate_every: int = 1
    """Epochs between evaluations on the way; 0: only the final one."""
    training: TrainingSettings = field(default_factory=TrainingSettings)
    training_3d: dict[str, Any] = field(default_factory=dict)
    """Fields of `training`, for volumes."""
    training_of: dict[str, Any] = field(default_factory=dict)
    """Method, or method with one of its bundles ("ours[authors]") → fields of `training`."""
    pretraining: PretrainingSettings = field(default_factory=PretrainingSettings)
    pretraining_3d: dict[str, Any] = field(default_factory=dict)
    """Fields of `pretraining`, for volumes."""
    hyperparameters: dict[str, Any] = field(default_factory=dict)
    """Method → its hyper-parameters."""
    hyperparameters_3d: dict[str, Any] = field(default_factory=dict)
    """The same, for volumes."""
    save: list[str] = aside(list)
    """Of `SAVED`: files beside the record."""
    log: list[str] = aside(list)
    """Of `study.loggers`: programs that show curves and pictures as well."""
    also_test: list[str] = aside(list)
    """Prepared datasets whose test sets trials are evaluated on as well, when they are done."""
    nsd: list[float] = aside(list)
    """Tolerances of surface Dice, in mm where voxel sizes are known, else in voxels; [] for the
    card's. In no key: they are measured when a trial runs."""

    @property
    def budgets(self) -> list[Budget]:
        """The label budgets, each once."""
        found = list(dict.fromkeys(map(Budget.parse, self.labels)))
        require_distinct(found)
        return found


SAVED = ("predictions", "predictions:unlabelled", "weights")
OPTIMISERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "poly", "step")
STRONG = "nnunet"
"""The augmentation that a method without unlabelled images should be trained with as well."""
AUGMENTATIONS = ("none", "symmetries", "ssl4mis", STRONG)
CHOICES = {
    "conditions.evaluate_on": ("test", "dev"),
    "vary": ("all", "subset", "weights", "cross"),
    "conditions.val_as": ("dev", "train", "ignore"),
    "conditions.precision": ("float32", "bfloat16", "tf32"),
    "training.criterion": ("ce", "dice", "ce_dice"),
    "training.optimiser": OPTIMISERS,
    "training.schedule": SCHEDULES,
    "training.augmentation": AUGMENTATIONS,
    "training.ramp": ("linear", "sigmoid", "none"),
    "pretraining.optimiser": OPTIMISERS,
    "pretraining.schedule": SCHEDULES,
    "pretraining.augmentation": AUGMENTATIONS,
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
    "pretraining.passes",
    "conditions.threads_per_trial",
)


def check(study: Study) -> None:
    """Refuse values that no run could have; the names of settings are known to be right.

    Names of networks are looked up by `plan.make`: the library that knows them loads slowly.
    """
    is_typed = not study.conditions.roles.is_within_labelled
    for path, choices in CHOICES.items():
        if path == "conditions.evaluate_on" and not is_typed:
            continue  # as `bench tune` has it
        require_choice(_typed(path), _at(study, path), choices)
    for path in _POSITIVE:
        if not (value := _at(study, path)) > 0:
            raise UserError(f"{_typed(path)} must be above 0, got {value}")
    _check_stage("training", study.training, "labelled")
    _check_stage("pretraining", study.pretraining, "images")
    if not 0 < (share := study.training.ramp_share) <= 1:
        raise UserError(f"training.ramp_share is a part of the steps, in (0, 1], got {share}")
    _check_asides(study)
    _check_grid(study)
    _check_size(study.conditions)
    _check_network(study.conditions.network)


def _check_asides(study: Study) -> None:
    """What is in no key."""
    if unknown_files := set(study.save) - set(SAVED):
        raise UserError(f"save takes {', '.join(SAVED)}, got {', '.join(unknown_files)}")
    if unknown_loggers := set(study.log) - set(LOGGERS):
        raise UserError(f"log takes {', '.join(LOGGERS)}, got {', '.join(unknown_loggers)}")
    if any(tolerance <= 0 for tolerance in study.nsd):
        raise UserError(f"nsd takes tolerances above 0, such as 2, got {study.nsd}")


def _check_stage(name: str, stage: Optimisation, word: str) -> None:
    """word: that counts its steps by images."""
    steps = stage.steps_per_epoch
    if steps != word and not (isinstance(steps, int) and steps > 0):
        raise UserError(f'{name}.steps_per_epoch must be "{word}" or above 0, got {steps!r}')
    if stage.short_batches and steps != word:
        raise UserError(
            f"{name}.short_batches needs {name}.steps_per_epoch={word}: an epoch of {steps} steps "
            "has no last images"
        )
    if stage.gradient_clip < 0:
        raise UserError(
            f"{name}.gradient_clip is above 0, or 0 for none, got {stage.gradient_clip}"
        )


def _typed(path: str) -> str:
    """The setting as it is typed."""
    return path.removeprefix("conditions.")


def _at(study: Study, path: str) -> Any:
    """The value of a dotted setting."""
    for name in path.split("."):
        study = getattr(study, name)
    return study


def _check_network(network: Architecture) -> None:
    if len(network.widths) != len(network.dropout):
        raise UserError(
            f"network.dropout has one rate per width, got {len(network.dropout)} rates for "
            f"{len(network.widths)} widths"
        )
    if not network.widths or min(network.widths) < 1:
        raise UserError(f"network.widths are channels of each level, got {network.widths}")
    if not all(0 <= rate < 1 for rate in network.dropout):
        raise UserError(f"rates in network.dropout lie in [0, 1), got {network.dropout}")


def _check_grid(study: Study) -> None:
    if not (study.labels and study.seeds and study.methods and study.datasets):
        raise UserError("a study needs at least one method, dataset, label budget and seed")
    _ = study.budgets  # each is refused that cannot be
    if study.conditions.unlabelled != "all":
        _ = part_of_unlabelled(study.conditions.unlabelled)


def _check_size(conditions: Conditions) -> None:
    network = conditions.network
    if conditions.patch is None:
        raise UserError("patch has 3 sides, got null")
    checked = [("size", conditions.size, 2)]
    if not network.is_encoder:  # encoders are for images alone
        checked.append(("patch", conditions.patch, 3))
    for name, sides, dims in checked:
        if sides is None:
            continue
        if len(sides) != dims:
            raise UserError(f"{name} has {dims} sides, got {sides}")
        if any(side <= 0 or side % 2**network.halvings for side in sides):
            raise UserError(
                f"the sides of {name} must divide by {2**network.halvings} (the network "
                f"{network.name} halves them {network.halvings} times), got {sides}"
            )


def training_of(
    study: Study, method: str, bundles: tuple[str, ...] = (), *, is_3d: bool = False
) -> TrainingSettings:
    """The training settings of a method on images or volumes; the most specific ones win.

    bundles: of the variant.
    """
    changes = dict(study.training_3d) if is_3d else {}
    for name in (method, *(f"{method}[{word}]" for word in bundles)):
        changes |= study.training_of.get(name, {})
    training = dataclasses.replace(study.training, **changes)
    check(dataclasses.replace(study, training=training))
    return training


def pretraining_of(study: Study, *, is_3d: bool) -> PretrainingSettings:
    """The settings of the pretraining on images or volumes."""
    changes = study.pretraining_3d if is_3d else {}
    pretraining = dataclasses.replace(study.pretraining, **changes)
    check(dataclasses.replace(study, pretraining=pretraining))
    return pretraining
