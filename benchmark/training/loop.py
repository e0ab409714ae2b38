"""The one training loop, for every method and both stages.

What a step sees depends on (study seed, trial seed, step) alone, so the loop can stop after any
epoch and go on from a checkpoint to the very same weights.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
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
Follow = Callable[[Sequence[dict[str, Any]]], None]
"""Is shown the history as training begins, or goes on, and after each epoch."""
_LOOK_EVERY = 50  # steps on a GPU between looks at whether all losses were finite


@dataclass
class State:
    """Where a stage stands between two epochs: what a checkpoint holds beside weights."""

    epoch: int = 0
    seconds: float = 0.0
    """Of training steps."""
    seconds_evaluate: float = 0.0
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

    @property
    def half_way(self) -> int:
        """The step whose cost is taken for all: a method may begin with a part of its loss."""
        return self.steps // 2


def train(
    stage: Stage,
    method: Method,
    checkpoint: Path,
    *,
    evaluate: Evaluate,
    log: Log,
    follow: Follow = lambda history: None,
) -> State:
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
    follow(state.history)
    saved = time.monotonic()
    while state.epoch < epochs:
        started = time.perf_counter()
        row = _train_epoch(stage, method, optimiser, state)
        state.seconds += time.perf_counter() - started
        state.epoch += 1
        is_last = state.epoch == epochs
        if is_last or (stage.evaluate_every and state.epoch % stage.evaluate_every == 0):
            started = time.perf_counter()
            row |= evaluate(method)
            state.seconds_evaluate += time.perf_counter() - started
        state.history.append(row)
        log(_line(row, epochs, state.seconds))
        follow(state.history)
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
    watch = _Watch(stage, every=1 if device.type == "cpu" else _LOOK_EVERY)
    sums: Terms = {}  # on the device: to read a value is to wait for it
    for step in range(state.epoch * per_epoch, (state.epoch + 1) * per_epoch):
        rate = learning_rate(stage.optimisation, step, per_epoch)
        for group in optimiser.param_groups:
            group["lr"] = rate
        with _counting_into(state) if step == stage.half_way else contextlib.nullcontext():
            losses = gradients(stage, method, step, device)
        watch.see(step, losses)
        advance(stage, method, optimiser, step)
        for name, value in {**losses, **method.diagnostics}.items():
            sums[name] = sums.get(name, 0.0) + _number(value)
    watch.look()
    means = {name: float(total) / per_epoch for name, total in sums.items()}
    return {"epoch": state.epoch + 1, "step": step + 1, "learning_rate": rate, **means}


def gradients(stage: Stage, method: Method, step: int, device: torch.device) -> Terms:
    """Draw the step's batch and add the gradients of its loss; the terms."""
    batch = stage.draw(step, device)
    return backward(method, batch, (step + 1) / stage.steps, stage.conditions.precision)


def advance(stage: Stage, method: Method, optimiser: torch.optim.Optimizer, step: int) -> None:
    """Let the optimiser move the weights, and the method what follows them."""
    if (longest := stage.optimisation.gradient_clip) > 0:
        torch.nn.utils.clip_grad_norm_(method.parameters(), longest)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    method.after_step((step + 1) / stage.steps)


def backward(method: Method, batch: Batch, progress: float, precision: str) -> Terms:
    """Add the gradients of the method's loss, part by part; returns the value of each term.

    A part's graph is freed before the next part is computed.
    """
    losses: Terms = {}
    parts = _parts(method, batch, progress)
    while True:
        with in_precision(precision, batch.x.device):
            terms = next(parts, None)
        if terms is None:
            return losses
        sum(terms.values()).backward()
        for name, value in terms.items():
            losses[f"loss_{name}"] = losses.get(f"loss_{name}", 0.0) + _number(value)


def _number(value: Tensor | float) -> Tensor:
    """What a sum is made of, where it is."""
    return torch.as_tensor(value).detach().double().reshape(())


def _parts(method: Method, batch: Batch, progress: float) -> Iterator[Terms]:
    loss = method.loss(batch, progress)
    if isinstance(loss, dict):
        yield loss
    else:
        yield from loss


class _Watch:
    """Notices the first step whose loss is not finite, where it is computed.

    A GPU is asked every so many steps: each answer costs the time in which it could work on.
    """

    def __init__(self, stage: Stage, every: int):
        self._stage, self._every = stage, every
        self._seen = 0
        self._names: list[str] = []
        self._step: Tensor | None = None  # -1: none so far
        self._values: Tensor | None = None

    def see(self, step: int, losses: Terms) -> None:
        """Remember the step if it is the first bad one; raise `Diverged` if it is time to look."""
        values = torch.stack(list(losses.values()))
        if self._names != list(losses):  # another term, as a method may have from some step on
            self.look()
            self._names, self._values = list(losses), values
            self._step = torch.full((), -1, device=values.device)
        is_first = ~values.isfinite().all() & (self._step < 0)
        self._step = torch.where(is_first, step, self._step)
        self._values = torch.where(is_first, values, self._values)
        self._seen += 1
        if self._seen % self._every == 0:
            self.look()

    def look(self) -> None:
        """Raise `Diverged` if a step was bad."""
        if self._step is None or (step := int(self._step)) < 0:
            return
        named = zip(self._names, self._values.tolist(), strict=True)
        terms = ", ".join(f"{name.removeprefix('loss_')} {value:.4g}" for name, value in named)
        rate = learning_rate(self._stage.optimisation, step, self._stage.steps_per_epoch)
        raise Diverged(f"the loss is not finite at step {step} (learning rate {rate:.3g}): {terms}")


def counting_flops() -> FlopCounterMode:
    """Counts the floating-point operations of forward and backward passes within it."""
    return FlopCounterMode(display=False)


@contextlib.contextmanager
def _counting_into(state: State) -> Iterator[None]:
    with counting_flops() as counter:
        yield
    state.flops_per_step = counter.get_total_flops()


def learning_rate(training: Optimisation, step: int, per_epoch: int) -> float:
    """Of a step: `cosine` and `poly` move with each step, `step` with each epoch."""
    if training.schedule == "step":
        factor = schedules.step(
            step // per_epoch,
            every=training.decay_every_epochs,
            factor=training.decay_factor,
            warmup=training.warmup_epochs,
        )
    elif training.schedule == "cosine":
        factor = schedules.cosine(step / (per_epoch * training.epochs))
    elif training.schedule == "poly":
        factor = schedules.poly(step / (per_epoch * training.epochs), training.poly_power)
    else:
        factor = 1.0
    return training.learning_rate * factor


def build_optimiser(method: Method, training: Optimisation) -> torch.optim.Optimizer:
    """One optimiser over all trainable parameters."""
    parameters = [p for p in method.parameters() if p.requires_grad]
    fused = True if parameters[0].device.type == "cuda" else None  # one kernel for all of them
    if training.optimiser == "sgd":
        return torch.optim.SGD(
            parameters,
            training.learning_rate,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
            fused=fused,
        )
    kind = torch.optim.AdamW if training.optimiser == "adamw" else torch.optim.Adam
    return kind(
        parameters,
        training.learning_rate,
        betas=tuple(training.betas),
        weight_decay=training.weight_decay,
        fused=fused,
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
