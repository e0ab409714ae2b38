"""The one training loop, for every method and both stages.

What a step sees depends on (study seed, trial seed, step) alone, so the loop can stop after any
epoch and go on from a checkpoint to the very same weights.
"""

import contextlib
import io
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmark.randomness import reseed_torch
from benchmark.store import checkpoints
from benchmark.study.settings import Conditions, Optimisation
from benchmark.study.sources import Code
from benchmark.toolkit import schedules
from benchmark.toolkit.method import Batch, Method, Terms
from benchmark.training.evaluate import Diverged
from benchmark.training.layout import in_precision

Log = Callable[[str], None]
Evaluate = Callable[[Method], dict[str, float]]


@dataclass
class State:
    """Where a stage stands between two epochs: what a checkpoint holds beside weights."""

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
    seed: int
    """Of the trial."""
    conditions: Conditions
    code: Code
    """What makes it; a checkpoint of other code is not continued."""
    evaluate_every: int = 0

    @property
    def steps(self) -> int:
        return self.steps_per_epoch * self.optimisation.epochs


def train(stage: Stage, method: Method, checkpoint: Path, *, evaluate: Evaluate, log: Log) -> State:
    """Train the method to its last step, going on from the checkpoint if there is one.

    evaluate: scores of the method on the evaluation set, asked for every `evaluate_every` epochs
    and after the last one. They go into the history and influence nothing.
    Raises `Diverged` if a term of the loss becomes NaN or infinite.
    """
    optimiser = build_optimiser(method, stage.optimisation)
    epochs = stage.optimisation.epochs
    state = State()
    reseed_torch(stage.conditions.study_seed, stage.seed, stage.name)
    stored = _stored(checkpoint, stage, log)
    if stored is not None:
        state = _restore(stored, method, optimiser)
        log(f"resumed after epoch {state.epoch} of {epochs}")
    saved = time.monotonic()
    while state.epoch < epochs:
        started = time.perf_counter()
        row = _train_epoch(stage, method, optimiser, state)
        state.seconds += time.perf_counter() - started
        state.epoch += 1
        is_last = state.epoch == epochs
        if is_last or (stage.evaluate_every and state.epoch % stage.evaluate_every == 0):
            row |= evaluate(method)
        state.history.append(row)
        log(_line(row, epochs, state.seconds))
        if is_last or time.monotonic() - saved >= stage.conditions.checkpoint_seconds:
            _save(checkpoint, stage, state, method, optimiser)
            saved = time.monotonic()
    return state


def _train_epoch(
    stage: Stage, method: Method, optimiser: torch.optim.Optimizer, state: State
) -> dict[str, Any]:
    """The history row of one epoch of training: means of the loss terms and diagnostics."""
    per_epoch = stage.steps_per_epoch
    device = next(method.parameters()).device
    method.train()
    sums: dict[str, float] = {}
    for step in range(state.epoch * per_epoch, (state.epoch + 1) * per_epoch):
        rate = learning_rate(stage.optimisation, step, per_epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = stage.draw(step, device)
        progress = (step + 1) / stage.steps
        with _counting_flops(state) if step == 0 else contextlib.nullcontext():
            losses = backward(method, batch, progress, stage.conditions.precision)
        _check_finite(losses, step, rate)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        method.after_step(progress)
        for name, value in {**losses, **method.diagnostics}.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    means = {name: total / per_epoch for name, total in sums.items()}
    return {"epoch": state.epoch + 1, "step": step + 1, "learning_rate": rate, **means}


def backward(method: Method, batch: Batch, progress: float, precision: str) -> dict[str, float]:
    """Add the gradients of the method's loss, part by part; returns the value of each term.

    A part's graph is freed before the next part is computed.
    """
    losses: dict[str, float] = {}
    parts = _parts(method, batch, progress)
    while True:
        with in_precision(precision, batch.x.device):
            terms = next(parts, None)
        if terms is None:
            return losses
        sum(terms.values()).backward()
        for name, value in terms.items():
            losses[f"loss_{name}"] = losses.get(f"loss_{name}", 0.0) + value.item()


def _parts(method: Method, batch: Batch, progress: float) -> Iterator[Terms]:
    loss = method.loss(batch, progress)
    if isinstance(loss, dict):
        yield loss
    else:
        yield from loss


def _check_finite(losses: dict[str, float], step: int, rate: float) -> None:
    if not all(map(math.isfinite, losses.values())):
        terms = ", ".join(f"{name.removeprefix('loss_')} {v:.4g}" for name, v in losses.items())
        raise Diverged(f"the loss is not finite at step {step} (learning rate {rate:.3g}): {terms}")


@contextlib.contextmanager
def _counting_flops(state: State) -> Iterator[None]:
    """Floating-point operations of the forward and backward passes of the first step."""
    with FlopCounterMode(display=False) as counter:
        yield
    state.flops_per_step = counter.get_total_flops()


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


def _save(
    checkpoint: Path,
    stage: Stage,
    state: State,
    method: Method,
    optimiser: torch.optim.Optimizer,
) -> None:
    stored = {
        "state": asdict(state),
        "method": method.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": torch.get_rng_state(),
        "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    content = io.BytesIO()
    torch.save(stored, content)
    checkpoints.write(checkpoint, content.getbuffer(), stage.code)


def _stored(checkpoint: Path, stage: Stage, log: Log) -> dict[str, Any] | None:
    """What the checkpoint holds; None, and why, if there is none to go on from."""
    if not checkpoint.exists():
        return None
    try:
        content = checkpoints.read(checkpoint, stage.code)
    except checkpoints.Unusable as error:
        log(f"{error}; starting over")
        return None
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _restore(stored: dict[str, Any], method: Method, optimiser: torch.optim.Optimizer) -> State:
    """Put back everything; tensors move to where the method is."""
    method.load_state_dict(stored["method"])
    optimiser.load_state_dict(stored["optimiser"])
    torch.set_rng_state(stored["random"])
    if stored["random_cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(stored["random_cuda"])
    return State(**stored["state"])


def _line(row: dict[str, Any], epochs: int, seconds: float) -> str:
    shown = (f"{k} {v:.4f}" for k, v in row.items() if k.startswith(("loss_", "dc_", "ji_")))
    return f"epoch {row['epoch']}/{epochs} {seconds:.1f} s  " + "  ".join(shown)
