"""What the scripts share: synthetic trials, and times taken in turn."""

import statistics
import time
from collections.abc import Callable, Hashable, Mapping

import numpy as np
import torch

from benchmark.data.prepared import CaseEntry
from benchmark.data.split.budget import Budget
from benchmark.data.split.trial_data import Labelled, TrialData, Unlabelled
from benchmark.study import methods
from benchmark.study.settings import Conditions, TrainingSettings
from benchmark.study.trials import Trial

CODE = "from benchmark.cli.main import main; main()"
"""`bench`, of whichever checkout is on the path."""
SIDES = {2: (128, 128), 3: (112, 112, 80)}
"""The paper's images and patches."""


def synthetic(dims: int, labelled: int, unlabelled: int, test: int) -> TrialData:
    """Noise with masks of noise: what takes time does not look at the pictures."""
    rng = np.random.default_rng(0)
    n, sides = labelled + unlabelled + test, SIDES[dims]
    channels = 3 if dims == 2 else 1
    images = [rng.integers(0, 256, (*sides, channels), np.uint8) for _ in range(n)]
    masks = [rng.integers(0, 2, sides, np.uint8) for _ in range(n)]
    if dims == 2:
        images, masks = np.stack(images), np.stack(masks)
    parts = np.split(np.arange(n), [labelled, labelled + unlabelled])
    ids = [f"c{i}" for i in range(n)]
    return TrialData(
        labelled=Labelled(images, masks, parts[0], ids[:labelled]),
        unlabelled=Unlabelled(images, parts[1]),
        evaluation=Labelled(images, masks, parts[2], ids[labelled + unlabelled :]),
        mean=np.full((n, channels), 0.5),
        std=np.full((n, channels), 0.25),
        classes=2,
        cases=[CaseEntry(id=i, split="train", group="", foreground=0.5) for i in ids],
        symmetry="all",
    )


def trial_of(method: str, dims: int, precision: str, batch: int) -> Trial:
    """A trial of the shared UNet that trains as the paper's do."""
    facts = methods.facts(method)
    defaults = dict(facts.hyperparameters)
    if "pretrain" in defaults:
        defaults["pretrain"] = False
    return Trial(
        dataset="synthetic",
        data_hash="",
        budget=Budget.of_share(0.1),
        method=method,
        hyperparameters=defaults,
        seed=0,
        conditions=Conditions(patch=list(SIDES[3]) if dims == 3 else None, precision=precision),
        evaluate_every=1,
        training=TrainingSettings(batch_labelled=batch, batch_unlabelled=batch),
        pretraining=None,
    )


def in_turn(work: Mapping[Hashable, Callable[[], object]], repeats: int) -> dict[Hashable, float]:
    """Median seconds of each, taken in turn."""
    return {name: statistics.median(found) for name, found in times_in_turn(work, repeats).items()}


def times_in_turn(
    work: Mapping[Hashable, Callable[[], object]], repeats: int
) -> dict[Hashable, list[float]]:
    """Seconds of each, one after the other again and again: what slows one slows all."""
    for one in work.values():
        one()
    times: dict[Hashable, list[float]] = {name: [] for name in work}
    for _ in range(repeats):
        for name, one in work.items():
            start = time.perf_counter()
            one()
            times[name].append(time.perf_counter() - start)
    return times


def peak(dtype: torch.dtype, size: int = 1024) -> float:
    """GFLOP/s of one thread in matrix products of this type."""
    a, b = (torch.randn(size, size).to(dtype) for _ in range(2))
    seconds = in_turn({"": lambda: a @ b}, 5)[""]
    return 2 * size**3 / seconds / 1e9
