"""What a step sees: which images, which part of them, turned how, standardised.

All of it is a function of (study seed, trial seed, step) alone.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from benchmark.data.prepared import Arrays
from benchmark.data.split import Images, TrialData
from benchmark.randomness import generator
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Batch


def draw_batch(trial: Trial, data: TrialData, step: int, device: torch.device) -> Batch:
    """The batch of a step: equal for all methods of one (dataset, budget, seed)."""
    seeds, patch = (trial.conditions.study_seed, trial.seed), trial.conditions.patch
    labelled, training = data.labelled, trial.training
    chosen = positions(len(labelled), training.batch_labelled, step, *seeds, "order labelled")
    rng = generator(*seeds, "symmetry labelled", step)
    rows = labelled.indices[chosen]
    images, masks = _cut(labelled.images, labelled.masks, rows, patch, rng)
    y = torch.from_numpy(masks).to(device).long()
    x, y = random_symmetry(standardised(images, data, rows, device), y, rng)
    if len(data.unlabelled) == 0:
        return Batch(x, y, None)
    u = draw_images(
        data, training.batch_unlabelled, step, device, patch, *seeds, purpose="unlabelled"
    )
    return Batch(x, y, u)


def draw_images(
    data: TrialData | Images,
    batch: int,
    step: int,
    device: torch.device,
    patch: list[int] | None,
    *seeds: int,
    purpose: str,
) -> Float[Tensor, "m c *s"]:
    """Unlabelled images of a step, each turned and flipped at random."""
    unlabelled = data.unlabelled
    chosen = positions(len(unlabelled), batch, step, *seeds, f"order {purpose}")
    rng = generator(*seeds, f"symmetry {purpose}", step)
    rows = unlabelled.indices[chosen]
    images, _ = _cut(unlabelled.images, None, rows, patch, rng)
    return random_symmetry(standardised(images, data, rows, device), None, rng)[0]


def _cut(
    images: Arrays,
    masks: Arrays | None,
    rows: Int[ndarray, " b"],
    patch: list[int] | None,
    rng: np.random.Generator,
) -> tuple[UInt8[ndarray, "b *s c"], UInt8[ndarray, " b *s"] | None]:
    """The images (and masks) of these rows: whole, or a random patch of each volume."""
    if patch is None:
        return images[rows], None if masks is None else masks[rows]
    parts = [random_patch(images[r], None if masks is None else masks[r], patch, rng) for r in rows]
    cut_images = np.stack([image for image, _ in parts])
    return cut_images, None if masks is None else np.stack([mask for _, mask in parts])


def positions(n: int, batch: int, step: int, *purpose: int | str) -> Int[ndarray, " batch"]:
    """Places `step * batch` … of an endless row of shuffled 0 … n - 1, each shuffle drawn anew.

    Every case is seen equally often, and no batch is short: with fewer cases than `batch` a case
    appears several times in it (each time flipped and turned differently).
    """
    places = np.arange(step * batch, (step + 1) * batch)
    rounds = {r: generator(*purpose, int(r)).permutation(n) for r in np.unique(places // n)}
    return np.array([rounds[place // n][place % n] for place in places])


def random_symmetry(
    x: Float[Tensor, "b c *s"], y: Int[Tensor, " b *s"] | None, rng: np.random.Generator
) -> tuple[Tensor, Tensor | None]:
    """Flip each axis of each image, and swap each two axes that are equally long, at even odds.

    A random element of the dihedral group, as in ciampluca/hebbian-bootstraping@e18ce3f
    data/online_aug.py; nothing is interpolated.
    In 2D on squares these are the eight symmetries, each with probability 1/8; in 3D, where
    patches are longer in two directions than in the third, flips and quarter turns about it.
    """
    axes = range(2 - x.ndim, 0)
    for axis in axes:
        x, y = _where(rng, x, y, lambda v, axis=axis: v.flip(axis))
    for one, two in combinations(axes, 2):
        if x.shape[one] == x.shape[two]:
            x, y = _where(rng, x, y, lambda v, one=one, two=two: v.transpose(one, two))
    return x, y


def _where(rng, x, y, change):
    chosen = torch.from_numpy(rng.random(len(x)) < 0.5).to(x.device)

    def apply(v):
        return torch.where(chosen.reshape(-1, *[1] * (v.ndim - 1)), change(v), v)

    return apply(x), None if y is None else apply(y)


def random_patch(
    image: UInt8[ndarray, "x y z c"],
    mask: UInt8[ndarray, "x y z"] | None,
    size: Sequence[int],
    rng: np.random.Generator,
) -> tuple[ndarray, ndarray | None]:
    """Image and mask at a place drawn uniformly; a volume that is too small is mirrored."""
    short = [max(0, side - have) for side, have in zip(size, image.shape, strict=False)]
    if any(short):
        around = [(s // 2, s - s // 2) for s in short]
        image = np.pad(image, [*around, (0, 0)], mode="symmetric")
        mask = None if mask is None else np.pad(mask, around, mode="symmetric")
    starts = [
        int(rng.integers(0, have - side + 1)) for side, have in zip(size, image.shape, strict=False)
    ]
    box = tuple(slice(start, start + side) for start, side in zip(starts, size, strict=True))
    return image[box], None if mask is None else mask[box]


def standardised(
    images: UInt8[ndarray, "b *s c"],
    data: TrialData | Images,
    rows: Int[ndarray, " b"],
    device: torch.device,
) -> Float[Tensor, "b c *s"]:
    """Bytes of these rows, channels last → standardised floats on the device, channels first."""
    # Arrays from an object store are read-only, and torch refuses to wrap them: such are copied.
    writable = torch.from_numpy(np.require(images, requirements="W"))
    x = writable.to(device).movedim(-1, 1).float() / 255
    shape = (*data.mean[rows].shape, *[1] * (x.ndim - 2))
    mean = torch.tensor(data.mean[rows], dtype=torch.float32, device=device).reshape(shape)
    std = torch.tensor(data.std[rows], dtype=torch.float32, device=device).reshape(shape)
    return ((x - mean) / std).contiguous()
