"""What a step of training must do and leave alone. A check yields what is wrong, in words."""

import math
from collections.abc import Iterable, Iterator

import torch

from benchmark.contract.subject import Form, Step, Subject, batch, digests, first_step, stepped
from benchmark.toolkit.method import Batch, Method
from benchmark.training.loop import backward
from benchmark.wording import shortened

Found = Iterator[str]
_STEPS, _RATE, _LOOK_EVERY = 60, 1e-2, 10
_ENOUGH = 0.97  # of the pixels of two images


def terms(subject: Subject, form: Form) -> Found:
    """Named, finite, and the labelled one called so."""
    found = subject.step(form).terms
    names = [name.removeprefix("loss_") for name in found]
    if not found:
        yield "loss gives no terms: it must give a dictionary of named ones, or yield several"
    elif not any("supervised" in name for name in names):
        yield (
            'one term of the loss must have "supervised" in its name, that of the labelled images; '
            f"got {', '.join(names)}"
        )
    for name, value in zip(names, found.values(), strict=True):
        if not math.isfinite(value):
            yield f"the terms of the loss must be finite, and {name} is {value}"


def gradients(subject: Subject, form: Form) -> Found:
    """Every trainable parameter learns, and no frozen one."""
    step = subject.step(form)
    reached = set(step.gradients)
    trainable = {name for name, is_so in step.is_trainable.items() if is_so}
    if lone := sorted(trainable - reached):
        yield (
            f"no gradient reaches {shortened(lone)}: use them in the loss, or freeze them "
            "(requires_grad_(False))"
        )
    if frozen := sorted(reached - trainable):
        yield f"a gradient reaches frozen parameters: {shortened(frozen)}"


def unlabelled(subject: Subject, form: Form) -> Found:
    """They teach something, but to the baseline."""
    data = batch(form.dims)._replace(u=batch(form.dims, seed=1).u)
    other = first_step(subject.built(form), data)
    differ = subject.step(form).gradients != other.gradients
    if differ and subject.is_baseline:
        yield "the baseline learns from labelled images alone, and other unlabelled ones change it"
    if not differ and not subject.is_baseline:
        yield "with other unlabelled images the gradients are the same: the loss must use batch.u"


def same_seed(subject: Subject, form: Form) -> Found:
    """The same step twice: the same bits."""
    again = first_step(subject.built(form), batch(form.dims))
    if differing := _differing(subject.step(form), again):
        yield (
            f"two runs from one seed give other gradients of {shortened(differing)}: draw random "
            "numbers from torch's global generator alone"
        )
    if _generator_after(subject, form, 1) == _generator_after(subject, form, 2):
        yield "the loss seeds torch's global generator: leave that to the harness"


def _generator_after(subject: Subject, form: Form, seed: int) -> bytes:
    """Where torch's global generator stands when a loss has been made from this seed."""
    stepped(subject.built(form), batch(form.dims), seed=seed)
    return torch.get_rng_state().numpy().tobytes()


def _differing(step: Step, other: Step) -> list[str]:
    names = sorted(step.gradients.keys() | other.gradients.keys())
    return [name for name in names if step.gradients.get(name) != other.gradients.get(name)]


def inputs(subject: Subject, form: Form) -> Found:
    """Neither training nor evaluation writes into what it is given."""
    method, given, kept = subject.built(form), batch(form.dims), batch(form.dims)
    stepped(method, given)
    names = [name for name, now, then in zip(Batch._fields, given, kept, strict=True)
             if not torch.equal(now, then)]  # fmt: skip
    if names:
        written = ", ".join(f"batch.{name}" for name in names)
        yield f"the loss writes into {written}: work on a copy (no add_, mul_, x[…] = … on it)"
    x = kept.x.clone()
    method.eval()(x)
    if not torch.equal(x, kept.x):
        yield "forward writes into its images: work on a copy (no add_, mul_, x[…] = … on them)"


def state(subject: Subject, form: Form) -> Found:
    """A checkpoint continues to the very same weights."""
    source, target = subject.built(form, seed=1), subject.built(form, seed=2)
    stepped(source, batch(form.dims))
    source.after_step(0.5)
    target.load_state_dict(source.state_dict())
    advice = "what changes in training must be a parameter or a buffer (register_buffer)"
    if not torch.equal(source.eval()(batch(form.dims).x), target.eval()(batch(form.dims).x)):
        yield f"with the state_dict of another a method predicts otherwise than it: {advice}"
    for method in (source.train(), target.train()):
        stepped(method, batch(form.dims))
    if digests(source) != digests(target):
        yield f"with the state_dict of another a method learns otherwise than it: {advice}"


def diagnostics(subject: Subject, form: Form) -> Found:
    """Numbers, no graphs."""
    if attached := subject.step(form).attached:
        yield f"diagnostics must be detached, and {', '.join(attached)} hold a graph"


def one_batch(subject: Subject, form: Form) -> Found:
    """What cannot fit two images learns nothing."""
    data, method = batch(form.dims), subject.built(form)
    best = max(_agreements(method, data), default=0.0)
    if best <= _ENOUGH:
        yield (
            f"after {_STEPS} steps on one batch {100 * best:.1f} % of the pixels of its two "
            f"labelled images are right, and more than {100 * _ENOUGH:g} % must be: is the loss "
            "that of the mask, with the right sign?"
        )


def _agreements(method: Method, data: Batch) -> Iterable[float]:
    """Every few steps the share of labelled pixels that are right, until it is enough."""
    trained = [p for p in method.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(trained, _RATE)
    torch.manual_seed(0)
    for step in range(1, _STEPS + 1):
        backward(method, data, step / (10 * _STEPS), "float32")
        optimiser.step()
        optimiser.zero_grad()
        method.after_step(step / (10 * _STEPS))
        if step % _LOOK_EVERY == 0:
            share = float((method.eval()(data.x).argmax(1) == data.y).float().mean())
            yield share
            if share > _ENOUGH:
                return
            method.train()
