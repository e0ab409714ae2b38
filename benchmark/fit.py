"""The one training loop, for every method.

What a step sees depends on (study seed, trial seed, step) alone, so the loop can stop after any
epoch and go on from a checkpoint to the very same weights.
"""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, UInt8
from numpy import ndarray
from torch.utils.flop_counter import FlopCounterMode

from benchmark import schedules
from benchmark.data.augment import random_symmetry
from benchmark.data.patches import random_patch
from benchmark.data.pool import Arrays, TrialData
from benchmark.evaluate import Diverged, images_to
from benchmark.folders import replacing
from benchmark.method import Batch, Method, Terms
from benchmark.provenance import code_version
from benchmark.randomness import generator, reseed_torch
from benchmark.study import Training
from benchmark.trials import Trial

Log = Callable[[str], None]
Read = Callable[[Method], dict[str, float]]


@dataclass
class Run:
    """Where a training run stands between two epochs: what a checkpoint holds beside weights."""

    epoch: int = 0
    seconds: float = 0.0
    flops_per_step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)


def fit(
    trial: Trial, method: Method, data: TrialData, checkpoint: Path, *, read: Read, log: Log
) -> Run:
    """Train the method to its last step, going on from the checkpoint if there is one.

    read: figures of the method on the evaluation set, asked for every `evaluate_every` epochs and
    after the last one. They go into the history and influence nothing.
    Raises `Diverged` if a term of the loss becomes NaN or infinite.
    """
    optimiser = build_optimiser(method, trial.training)
    run = Run()
    reseed_torch(trial.study_seed, trial.seed, "train")
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state["code_version"] == code_version():
            run = _restore(state, method, optimiser)
            log(f"resumed after epoch {run.epoch} of {trial.training.epochs}")
        else:  # half a run of each would be a run of neither
            log(f"the checkpoint is of version {state['code_version']}: starting over")
    saved = time.monotonic()
    while run.epoch < trial.training.epochs:
        started = time.perf_counter()
        row = _train_epoch(trial, method, optimiser, data, run)
        run.seconds += time.perf_counter() - started
        run.epoch += 1
        is_last = run.epoch == trial.training.epochs
        if is_last or (trial.evaluate_every and run.epoch % trial.evaluate_every == 0):
            row |= read(method)
        run.history.append(row)
        log(_line(row, trial.training.epochs, run.seconds))
        if is_last or time.monotonic() - saved >= trial.checkpoint_seconds:
            _save(checkpoint, run, method, optimiser)
            saved = time.monotonic()
    return run


def _train_epoch(
    trial: Trial, method: Method, optimiser: torch.optim.Optimizer, data: TrialData, run: Run
) -> dict[str, Any]:
    """The history row of one epoch of training: means of the loss terms and diagnostics."""
    per_epoch = steps_per_epoch(trial.training, len(data.labelled))
    steps = per_epoch * trial.training.epochs
    device = next(method.parameters()).device
    method.train()
    sums: dict[str, float] = {}
    for step in range(run.epoch * per_epoch, (run.epoch + 1) * per_epoch):
        rate = learning_rate(trial.training, step, per_epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = draw_batch(trial, data, step, device)
        progress = (step + 1) / steps
        with _counting_flops(run) if step == 0 else contextlib.nullcontext():
            figures = backward(method, batch, progress, trial.precision)
        _check_finite(figures, step, rate)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        method.after_step(progress)
        for name, value in {**figures, **method.diagnostics}.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    means = {name: total / per_epoch for name, total in sums.items()}
    return {"epoch": run.epoch + 1, "step": step + 1, "learning_rate": rate, **means}


def backward(method: Method, batch: Batch, progress: float, precision: str) -> dict[str, float]:
    """Add the gradients of the method's loss, part by part; returns the value of each term.

    A part's graph is freed before the next part is computed.
    """
    figures: dict[str, float] = {}
    parts = _parts(method, batch, progress)
    while True:
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            terms = next(parts, None)
        if terms is None:
            return figures
        sum(terms.values()).backward()
        for name, value in terms.items():
            figures[f"loss_{name}"] = figures.get(f"loss_{name}", 0.0) + value.item()


def _parts(method: Method, batch: Batch, progress: float) -> Iterator[Terms]:
    loss = method.loss(batch, progress)
    if isinstance(loss, dict):
        yield loss
    else:
        yield from loss


def _check_finite(figures: dict[str, float], step: int, rate: float) -> None:
    if not all(map(math.isfinite, figures.values())):
        terms = ", ".join(f"{name.removeprefix('loss_')} {v:.4g}" for name, v in figures.items())
        raise Diverged(f"the loss is not finite at step {step} (learning rate {rate:.3g}): {terms}")


@contextlib.contextmanager
def _counting_flops(run: Run) -> Iterator[None]:
    """Floating-point operations of the forward and backward passes of the first step."""
    with FlopCounterMode(display=False) as counter:
        yield
    run.flops_per_step = counter.get_total_flops()


def draw_batch(trial: Trial, data: TrialData, step: int, device: torch.device) -> Batch:
    """The batch of a step: equal for all methods of one (dataset, ratio, seed)."""
    seeds = (trial.study_seed, trial.seed)
    labelled, unlabelled, training = data.labelled, data.unlabelled, trial.training
    chosen = positions(len(labelled), training.batch_labelled, step, *seeds, "order labelled")
    rng = generator(*seeds, "symmetry labelled", step)
    rows = labelled.indices[chosen]
    images, masks = _cut(labelled.images, labelled.masks, rows, trial.patch, rng)
    y = torch.from_numpy(masks).to(device).long()
    x, y = random_symmetry(images_to(device, images, data, rows), y, rng)
    if len(unlabelled) == 0:
        return Batch(x, y, None)
    chosen = positions(len(unlabelled), training.batch_unlabelled, step, *seeds, "order unlabelled")
    rng = generator(*seeds, "symmetry unlabelled", step)
    rows = unlabelled.indices[chosen]
    images, _ = _cut(unlabelled.images, None, rows, trial.patch, rng)
    u, _ = random_symmetry(images_to(device, images, data, rows), None, rng)
    return Batch(x, y, u)


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


def steps_per_epoch(training: Training, n_labelled: int) -> int:
    """Fixed, or ("labelled") as many as it takes to see the labelled images so many times."""
    if training.steps_per_epoch == "labelled":
        return math.ceil(training.labelled_passes * n_labelled / training.batch_labelled)
    return int(training.steps_per_epoch)


def learning_rate(training: Training, step: int, per_epoch: int) -> float:
    """Of a step: `cosine` moves with each step, `step` with each epoch."""
    if training.schedule == "step":
        factor = schedules.step(
            step // per_epoch,
            every=training.decay_every_epochs,
            factor=training.decay_factor,
            warmup=training.warmup_epochs,
        )
    elif training.schedule == "cosine":
        factor = schedules.cosine(step / (per_epoch * training.epochs))
    else:
        factor = 1.0
    return training.learning_rate * factor


def build_optimiser(method: Method, training: Training) -> torch.optim.Optimizer:
    """One optimiser over all trainable parameters."""
    parameters = [p for p in method.parameters() if p.requires_grad]
    if training.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            training.learning_rate,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
        )
    return torch.optim.Adam(
        parameters,
        training.learning_rate,
        betas=tuple(training.betas),
        weight_decay=training.weight_decay,
    )


def _save(checkpoint: Path, run: Run, method: Method, optimiser: torch.optim.Optimizer) -> None:
    """A killed worker leaves the previous checkpoint."""
    state = {
        "code_version": code_version(),
        "run": asdict(run),
        "method": method.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    with replacing(checkpoint) as file:
        torch.save(state, file)


def _restore(state: dict[str, Any], method: Method, optimiser: torch.optim.Optimizer) -> Run:
    """Put back everything; tensors move to where the method is."""
    method.load_state_dict(state["method"])
    optimiser.load_state_dict(state["optimiser"])
    torch.set_rng_state(state["random"])
    if state["random_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["random_cuda"])
    return Run(**state["run"])


def _line(row: dict[str, Any], epochs: int, seconds: float) -> str:
    figures = (f"{k} {v:.4f}" for k, v in row.items() if k.startswith(("loss_", "dc_", "ji_")))
    return f"epoch {row['epoch']}/{epochs} {seconds:.1f} s  " + "  ".join(figures)
