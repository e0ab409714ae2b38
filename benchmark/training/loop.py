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
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmark import schedules
from benchmark.batches import draw_batch
from benchmark.data.pool import TrialData
from benchmark.evaluate import Diverged
from benchmark.folders import replacing
from benchmark.method import Batch, Method, Terms
from benchmark.provenance import code_version
from benchmark.randomness import reseed_torch
from benchmark.study import Optimisation, Training
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


class Stage(NamedTuple):
    """What the loop needs to know of a trial's training, or of a pretraining."""

    name: str
    optimisation: Optimisation
    steps_per_epoch: int
    draw: Callable[[int, torch.device], Batch]
    """The batch of a step."""
    seeds: tuple[int, int]
    """Of the study and of the trial."""
    precision: str
    checkpoint_seconds: float
    evaluate_every: int = 0


def fit(
    trial: Trial, method: Method, data: TrialData, checkpoint: Path, *, read: Read, log: Log
) -> Run:
    """Train the method to its last step, going on from the checkpoint if there is one.

    read: figures of the method on the evaluation set, asked for every `evaluate_every` epochs and
    after the last one. They go into the history and influence nothing.
    Raises `Diverged` if a term of the loss becomes NaN or infinite.
    """
    stage = Stage(
        name="train",
        optimisation=trial.training,
        steps_per_epoch=steps_per_epoch(trial.training, len(data.labelled)),
        draw=lambda step, device: draw_batch(trial, data, step, device),
        seeds=(trial.study_seed, trial.seed),
        precision=trial.precision,
        checkpoint_seconds=trial.checkpoint_seconds,
        evaluate_every=trial.evaluate_every,
    )
    return run_stage(stage, method, checkpoint, read=read, log=log)


def run_stage(stage: Stage, method: Method, checkpoint: Path, *, read: Read, log: Log) -> Run:
    """Step a method through a stage, as `fit` does."""
    optimiser = build_optimiser(method, stage.optimisation)
    epochs = stage.optimisation.epochs
    run = Run()
    reseed_torch(*stage.seeds, stage.name)
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state["code_version"] == code_version():
            run = _restore(state, method, optimiser)
            log(f"resumed after epoch {run.epoch} of {epochs}")
        else:  # half a run of each would be a run of neither
            log(f"the checkpoint is of version {state['code_version']}: starting over")
    saved = time.monotonic()
    while run.epoch < epochs:
        started = time.perf_counter()
        row = _train_epoch(stage, method, optimiser, run)
        run.seconds += time.perf_counter() - started
        run.epoch += 1
        is_last = run.epoch == epochs
        if is_last or (stage.evaluate_every and run.epoch % stage.evaluate_every == 0):
            row |= read(method)
        run.history.append(row)
        log(_line(row, epochs, run.seconds))
        if is_last or time.monotonic() - saved >= stage.checkpoint_seconds:
            _save(checkpoint, run, method, optimiser)
            saved = time.monotonic()
    return run


def _train_epoch(
    stage: Stage, method: Method, optimiser: torch.optim.Optimizer, run: Run
) -> dict[str, Any]:
    """The history row of one epoch of training: means of the loss terms and diagnostics."""
    per_epoch = stage.steps_per_epoch
    steps = per_epoch * stage.optimisation.epochs
    device = next(method.parameters()).device
    method.train()
    sums: dict[str, float] = {}
    for step in range(run.epoch * per_epoch, (run.epoch + 1) * per_epoch):
        rate = learning_rate(stage.optimisation, step, per_epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = stage.draw(step, device)
        progress = (step + 1) / steps
        with _counting_flops(run) if step == 0 else contextlib.nullcontext():
            figures = backward(method, batch, progress, stage.precision)
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


def steps_per_epoch(training: Training, n_labelled: int) -> int:
    """Fixed, or ("labelled") as many as it takes to see the labelled images so many times."""
    if training.steps_per_epoch == "labelled":
        return math.ceil(training.labelled_passes * n_labelled / training.batch_labelled)
    return int(training.steps_per_epoch)


def learning_rate(training: Optimisation, step: int, per_epoch: int) -> float:
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


def build_optimiser(method: Method, training: Optimisation) -> torch.optim.Optimizer:
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
