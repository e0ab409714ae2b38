"""What a step sees: which images, which part of them, turned how, standardised.

All of it is a function of (study seed, trial seed, step) alone.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt, UInt8
from numpy import ndarray
from numpy.random import Generator
from torch import Tensor

from benchmark.data.prepared import Arrays
from benchmark.data.split.trial_data import Images, Labelled, TrialData, Unlabelled
from benchmark.randomness import generator
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Batch
from benchmark.training.augmentation import augmented
from benchmark.training.layout import arranged, sent

_RESIDENT = 2**31  # bytes of a train pool that may lie on a GPU


class Order(NamedTuple):
    """How a stage goes through its images."""

    batch: int
    passes: int = 0
    """If above 0, an epoch goes through them so many times, and its last batch may be short."""


class Presentation(NamedTuple):
    """What a stage sees of an image: a patch of a volume, changed in which way."""

    patch: list[int] | None = None
    augmentation: str = "symmetries"


def draw_batch(trial: Trial, data: TrialData, step: int, device: torch.device) -> Batch:
    """The batch of a step: equal for all methods of one (dataset, budget, seed)."""
    seeds, patch = (trial.conditions.study_seed, trial.seed), trial.conditions.patch
    labelled, training = data.labelled, trial.training
    passes = training.labelled_passes if training.short_batches else 0
    order = Order(training.batch_labelled, passes)
    chosen = positions(len(labelled), order, step, *seeds, "order labelled")
    rng = generator(*seeds, "symmetry labelled", step)
    rows = labelled.indices[chosen]
    images, masks = _cut(labelled.images, labelled.masks, rows, patch, rng, device)
    x, y = _changed(images, masks.long(), data, rows, training.augmentation, rng)
    x = arranged(x)
    if len(data.unlabelled) == 0:
        return Batch(x, y, None)
    most = len(x) if training.cut_unlabelled else training.batch_unlabelled
    order = Order(min(most, training.batch_unlabelled))
    shown = Presentation(patch, training.augmentation)
    u = draw_images(data, order, step, device, shown, *seeds, purpose="unlabelled")
    return Batch(x, y, u)


def draw_images(
    data: TrialData | Images,
    order: Order,
    step: int,
    device: torch.device,
    shown: Presentation,
    *seeds: int,
    purpose: str,
) -> Float[Tensor, "m c *s"]:
    """Unlabelled images of a step, each changed at random."""
    unlabelled = data.unlabelled
    chosen = positions(len(unlabelled), order, step, *seeds, f"order {purpose}")
    rng = generator(*seeds, f"symmetry {purpose}", step)
    rows = unlabelled.indices[chosen]
    images, _ = _cut(unlabelled.images, None, rows, shown.patch, rng, device)
    return arranged(_changed(images, None, data, rows, shown.augmentation, rng)[0])


def _changed(
    images: Tensor,
    masks: Tensor | None,
    data: TrialData | Images,
    rows: Int[ndarray, " b"],
    augmentation: str,
    rng: Generator,
) -> tuple[Tensor, Tensor | None]:
    """Standardised and augmented; what a rotation of ssl4mis brings in from outside is black."""
    x = standardised(images, data, rows)
    black = torch.tensor(-data.mean[rows] / data.std[rows], dtype=torch.float32)
    return augmented(x, masks, augmentation, data.symmetry, rng, black)


def resident(
    data: TrialData | Images, device: torch.device, patch: list[int] | None
) -> TrialData | Images:
    """The data with a train pool that lies on the GPU, where it fits: no step waits for a copy.

    Volumes are mirrored to the patch beforehand, as `random_patch` would.
    """
    if device.type != "cuda" or _bytes_moved(data.unlabelled.images, patch) > _RESIDENT:
        return data
    return moved(data, device, patch)


def _bytes_moved(images: Arrays, patch: list[int] | None) -> int:
    """Of images with their masks, as `moved` has them."""

    def size(image: ndarray) -> int:
        sides = image.shape[:-1] if patch is None else map(max, image.shape, patch)
        wide = 4 if image.dtype == np.uint16 else 1
        return math.prod(sides) * (wide * image.shape[-1] + 1)

    return sum(map(size, images))


def moved(
    data: TrialData | Images, device: torch.device, patch: list[int] | None
) -> TrialData | Images:
    """The data with a train pool of tensors on the device; what is evaluated stays an array."""

    def move(arrays: Arrays) -> Tensor | list[Tensor]:
        if patch is None:
            return _tensor(arrays).to(device)
        return [_tensor(mirrored(volume, patch)[0]).to(device) for volume in arrays]

    images = move(data.unlabelled.images)
    data = data._replace(unlabelled=Unlabelled(images, data.unlabelled.indices))
    if isinstance(data, Images):
        return data
    _, masks, indices, ids = data.labelled
    return data._replace(labelled=Labelled(images, move(masks), indices, ids))


def _tensor(array: UInt[ndarray, "*s"]) -> Tensor:
    """Of 16 bits as 32: PyTorch can do little with those."""
    wide = array.astype(np.int32) if array.dtype == np.uint16 else array
    # Arrays from an object store are read-only, and torch refuses to wrap them: such are copied.
    return torch.from_numpy(np.require(wide, requirements="W"))


def _cut(
    images: Arrays | Tensor | list[Tensor],
    masks: Arrays | Tensor | list[Tensor] | None,
    rows: Int[ndarray, " b"],
    patch: list[int] | None,
    rng: Generator,
    device: torch.device,
) -> tuple[Tensor, Tensor | None]:
    """The images (and masks) of these rows on the device: whole, or a random patch of each."""
    if patch is None:
        return _rows(images, rows, device), None if masks is None else _rows(masks, rows, device)
    parts = [random_patch(images[r], None if masks is None else masks[r], patch, rng) for r in rows]
    cut_images = _stacked([image for image, _ in parts], device)
    return cut_images, None if masks is None else _stacked([mask for _, mask in parts], device)


def _rows(arrays: ndarray | Tensor, rows: Int[ndarray, " b"], device: torch.device) -> Tensor:
    if isinstance(arrays, Tensor):
        return arrays[sent(torch.from_numpy(rows), device)]
    return sent(_tensor(arrays[rows]), device)


def _stacked(parts: list[ndarray] | list[Tensor], device: torch.device) -> Tensor:
    if isinstance(parts[0], Tensor):
        return torch.stack(parts)
    return sent(_tensor(np.stack(parts)), device)


def positions(n: int, order: Order, step: int, *purpose: int | str) -> Int[ndarray, " b"]:
    """Places `step * batch` … of an endless row of shuffled 0 … n - 1, each shuffle drawn anew.

    Every case is seen equally often, and no batch is short: with fewer cases than `batch` a case
    appears several times in it (each time flipped and turned differently). With `order.passes` the
    row is cut into epochs of so many copies of each, shuffled together, and the last batch of each
    holds what is left.
    """
    batch, passes = order
    if passes:
        epoch, place = divmod(step, math.ceil(passes * n / batch))
        row = generator(*purpose, "epoch", epoch).permutation(passes * n) % n
        return row[place * batch : (place + 1) * batch]
    places = np.arange(step * batch, (step + 1) * batch)
    rounds = {r: generator(*purpose, int(r)).permutation(n) for r in np.unique(places // n)}
    return np.array([rounds[place // n][place % n] for place in places])


def random_patch(
    image: UInt[ndarray, "x y z c"] | Int[Tensor, "x y z c"] | UInt8[Tensor, "x y z c"],
    mask: UInt8[ndarray, "x y z"] | UInt8[Tensor, "x y z"] | None,
    size: Sequence[int],
    rng: Generator,
) -> tuple[ndarray | Tensor, ndarray | Tensor | None]:
    """Image and mask at a place drawn uniformly; a volume that is too small is mirrored."""
    image, _ = mirrored(image, size)
    starts = [
        int(rng.integers(0, have - side + 1)) for side, have in zip(size, image.shape, strict=False)
    ]
    box = tuple(slice(start, start + side) for start, side in zip(starts, size, strict=True))
    return image[box], None if mask is None else mirrored(mask, size)[0][box]


def mirrored(
    volume: UInt[ndarray, "*s"] | Int[Tensor, "*s"] | UInt8[Tensor, "*s"], size: Sequence[int]
) -> tuple[ndarray | Tensor, tuple[slice, ...]]:
    """The volume, mirrored at its ends until it is no smaller than `size`; where in that it lies.

    What a network is trained on and what it is tested on are padded alike.
    """
    sides = volume.shape[: len(size)]
    short = [max(0, side - have) for side, have in zip(size, sides, strict=True)]
    place = tuple(slice(s // 2, s // 2 + have) for s, have in zip(short, sides, strict=True))
    if not any(short):
        return volume, place
    around = [(s // 2, s - s // 2) for s in short]
    around += [(0, 0)] * (volume.ndim - len(size))
    return np.pad(volume, around, mode="symmetric"), place


def standardised(
    images: Int[Tensor, "b *s c"] | UInt8[Tensor, "b *s c"],
    data: TrialData | Images,
    rows: Int[ndarray, " b"],
) -> Float[Tensor, "b c *s"]:
    """Grey levels of these rows as stored → standardised floats, channels first."""
    most = 255 if images.dtype == torch.uint8 else 65535
    x = images.movedim(-1, 1).float() / most
    shape = (*data.mean[rows].shape, *[1] * (x.ndim - 2))
    mean, std = (
        sent(torch.tensor(values[rows], dtype=torch.float32), x.device).reshape(shape)
        for values in (data.mean, data.std)
    )
    return (x - mean) / std


def standardised_arrays(
    images: list[UInt[ndarray, "*s c"]],
    data: TrialData,
    rows: Int[ndarray, " b"],
    device: torch.device,
) -> Float[Tensor, "b c *s"]:
    """The same, of images of one size as they are stored, on the device."""
    return standardised(_stacked(images, device), data, rows)
