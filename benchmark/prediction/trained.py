"""A trained network, from its file alone: an image in, its mask out, at the image's own size.

What is done to an image is what was done to those it was trained and tested on: read by the
dataset's card, resized, standardised, seen whole, slice by slice or window by window.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray

from benchmark.data.card import Card
from benchmark.data.decoding.case import Decoded, decode_array
from benchmark.data.decoding.images import resize_image
from benchmark.data.slices import Slices, cut_images, starts
from benchmark.data.split.trial_data import Labelled, TrialData, Unlabelled
from benchmark.errors import ExitCode, UserError
from benchmark.prediction.native import to_native
from benchmark.store import weights
from benchmark.store.weights import About
from benchmark.study import methods, sources
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Method
from benchmark.toolkit.views import Scale
from benchmark.training import inference
from benchmark.training.inference import View
from benchmark.training.layout import arrange
from benchmark.training.saved import load_tested
from benchmark.training.trial import Sight, build_method_for


@dataclass(frozen=True)
class Trained:
    """A trained network and what its file says of it."""

    about: About
    method: Method = field(repr=False)
    device: torch.device

    def predict(
        self,
        image: Shaped[ndarray, "..."],
        affine: Float[ndarray, "4 4"] | None = None,
        *,
        smooth: bool = False,
    ) -> UInt8[ndarray, "*s"]:
        """The class of each pixel or voxel, at the size of the image; as of `probabilities`."""
        found = self.probabilities(image, affine, smooth=smooth)
        return found.argmax(0).astype(np.uint8)

    def probabilities(
        self,
        image: Shaped[ndarray, "..."],
        affine: Float[ndarray, "4 4"] | None = None,
        *,
        smooth: bool = False,
    ) -> Float[ndarray, " k *s"]:
        """The probability of each class, at the size of the image.

        image: raw grey values as its file holds them, (h, w) or (h, w, channel), of volumes
        (x, y, z) or (x, y, z, channel). affine: of volumes, voxel → mm in the patient (RAS), as
        nibabel gives it; without it the axes are taken as those of the volumes it was trained on.
        smooth: of images, bilinear between the pixels that the network sees; else the nearest.
        Raises ValueError for what the network cannot see, such as colours if it learnt from grey.
        """
        return self.of_decoded(decode_array(image, self.card, affine), smooth=smooth)

    @property
    def card(self) -> Card:
        """How images are read: as the dataset's, but voxels may be of any size."""
        return self.about.card.model_copy(update={"spacing": []})

    def of_decoded(self, one: Decoded, *, smooth: bool = False) -> Float[ndarray, " k *s"]:
        """As `probabilities`, of an image that was read by `card`."""
        view = View(
            self._as_evaluated(one),
            self.device,
            self.about.settings["patch"],
            self.about.settings["precision"],
        )
        with inference.as_tested(self.method, view.precision, self.device):
            (seen,) = inference.logits(self.method, view)
            found = seen.logits[0].softmax(0).cpu().numpy()
        return to_native(found, one, smooth=smooth)

    def _as_evaluated(self, one: Decoded) -> TrialData:
        """The image as the only one of an evaluation set; its mask is never looked at."""
        about, image, slices = self.about, one.image, None
        mean, std = (np.atleast_2d(values) for values in _constants(about, one))
        if about.seen_as == "images" and list(image.shape[:2]) != about.sides:
            image = resize_image(image, about.sides)
        if about.seen_as == "slices":
            depth = image.shape[2]
            cut = cut_images([image], about.sides)
            slices = Slices(cut, np.zeros(cut.shape[:3], np.uint8), starts([depth]))
            mean, std = (np.tile(values, (depth, 1)) for values in (mean, std))
        nothing = np.array([], np.int64)
        mask = np.zeros(image.shape[:-1], np.uint8)
        return TrialData(
            labelled=Labelled([], [], nothing, []),
            unlabelled=Unlabelled([], nothing),
            evaluation=Labelled([image], [mask], np.array([0]), [""]),
            mean=mean,
            std=std,
            classes=len(about.classes),
            cases=[],
            symmetry=about.card.symmetry,
            class_names=tuple(about.classes),
            slices=slices,
        )


def _constants(about: About, one: Decoded) -> tuple[ndarray, ndarray]:
    """Mean and standard deviation of each channel."""
    if about.standardised_by == "each volume":
        return np.array(one.mean, float), np.array(one.std, float)
    return np.array(about.mean, float), np.array(about.std, float)


def load(file: Path | str, device: torch.device | None = None) -> Trained:
    """The network of a file that `--save weights` wrote; device: a GPU where there is one.

    `UserError` for a file that is missing, damaged, or does not say what it holds (exit code 3),
    and for a method that this version or installation does not have.
    """
    file = Path(file)
    about, tensors = weights.read(file)
    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dims = 3 if about.seen_as == "volumes" else 2
    trial = _trial(file, about)
    least = [2**trial.conditions.network.halvings] * dims
    with torch.random.fork_rng(devices=[]):  # building draws weights, and the caller's are its own
        method = build_method_for(
            trial, Sight(about.channels, len(about.classes), dims, _of(about))
        )
    load_tested(method, tensors, file, about.channels, least)
    return Trained(about, arrange(method.to(device).eval(), dims), device)


def _trial(file: Path, about: About) -> Trial:
    """The trial that it is of; no published weights are fetched, for its own are there."""
    try:
        trial = methods.trial_of(about.settings, about.method, about.variant, about.code_version)
    except UserError as error:
        raise UserError(f"{file}: {error}", error.exit_code) from error
    network = dataclasses.replace(trial.conditions.network, weights=None)
    return dataclasses.replace(
        trial, conditions=dataclasses.replace(trial.conditions, network=network)
    )


def _of(about: About) -> Scale | None:
    """As of `Sight.scale`."""
    if about.seen_as != "images":
        return None
    return Scale(tuple(about.mean), tuple(about.std))


def doubts(about: About) -> Iterator[str]:
    """What speaks against using the network, a sentence each."""
    if not about.score.dice > about.score.floor:
        yield "it is no better than predicting one class everywhere"
    if about.card.crop == "label_box":
        yield "it was trained on volumes cropped around their labels, and sees whole ones here"
    if about.card.phantom:
        yield f"it learnt from synthetic images ({about.card.name})"
    elif about.data_partial:
        yield f"its dataset was not {about.card.name} as published: {about.data_partial}"
    if about.method_code != sources.method_code(about.method):
        yield (
            f"the code of {about.method} is another than it was trained by ({about.code_version})"
        )


_READING = ("is_volume", "size", "window", "clip", "modalities")
"""Fields of a card by which an image is read."""


def require_alike(networks: list[Trained]) -> None:
    """`UserError` for networks whose predictions cannot be averaged."""
    first, *others = (one.about for one in networks)
    for other in others:
        for what in ("dataset", "classes", "channels"):
            mine, theirs = (_named(about, what) for about in (first, other))
            if mine != theirs:
                raise UserError(
                    f"an ensemble is of networks of one dataset: the {what} of {first.label} "
                    f"{'are' if what != 'dataset' else 'is'} {mine}, of {other.label} {theirs}",
                    ExitCode.DATA,
                )
        for what in _READING:
            mine, theirs = (getattr(about.card, what) for about in (first, other))
            if mine != theirs:
                raise UserError(
                    f"an ensemble sees each image in one way: the {what} of the card of "
                    f"{first.label} is {mine}, of {other.label} {theirs}",
                    ExitCode.DATA,
                )


def _named(about: About, what: str) -> object:
    return about.card.name if what == "dataset" else getattr(about, what)
