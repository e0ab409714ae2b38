"""Which images a step sees: a function of (study seed, trial seed, step) alone."""

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from benchmark.data.augment import random_symmetry
from benchmark.data.patches import random_patch
from benchmark.data.pool import Arrays, Images, TrialData
from benchmark.evaluate import images_to
from benchmark.method import Batch
from benchmark.randomness import generator
from benchmark.trials import Trial


def draw_batch(trial: Trial, data: TrialData, step: int, device: torch.device) -> Batch:
    """The batch of a step: equal for all methods of one (dataset, ratio, seed)."""
    seeds = (trial.study_seed, trial.seed)
    labelled, training = data.labelled, trial.training
    chosen = positions(len(labelled), training.batch_labelled, step, *seeds, "order labelled")
    rng = generator(*seeds, "symmetry labelled", step)
    rows = labelled.indices[chosen]
    images, masks = _cut(labelled.images, labelled.masks, rows, trial.patch, rng)
    y = torch.from_numpy(masks).to(device).long()
    x, y = random_symmetry(images_to(device, images, data, rows), y, rng)
    if len(data.unlabelled) == 0:
        return Batch(x, y, None)
    u = draw_images(
        data, training.batch_unlabelled, step, device, trial.patch, *seeds, purpose="unlabelled"
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
    return random_symmetry(images_to(device, images, data, rows), None, rng)[0]


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
