"""What the network that is tested must give. A check yields what is wrong, in words."""

import torch
from torch import Tensor

from benchmark.contract.learning import Found
from benchmark.contract.subject import CLASSES, Form, Subject, batch
from benchmark.study import methods
from benchmark.study.settings import BASELINE
from benchmark.toolkit.method import Method
from benchmark.wording import shortened

OTHER_NETWORK = {
    "methods.ours": "its network takes a noisy mask as further input, and has a time embedding"
}
"""Module → why its tested network is another than the baseline's."""


def logits(subject: Subject, form: Form) -> Found:
    """Of each class and pixel, before the softmax."""
    x = batch(form.dims).x
    z = subject.built(form).eval()(x)
    wanted = (len(x), CLASSES, *x.shape[2:])
    if not isinstance(z, Tensor) or tuple(z.shape) != wanted:
        got = tuple(z.shape) if isinstance(z, Tensor) else f"a {type(z).__name__}"
        yield f"forward must give (b, k, *s), here {wanted}, got {got}"
    elif torch.allclose(z.sum(1), torch.ones(1)):
        yield "forward must give logits, got probabilities (they sum to 1): leave the softmax out"


def same_start(subject: Subject, form: Form) -> Found:
    """No method is ahead before training."""
    x = batch(form.dims).x
    if not torch.equal(subject.built(form).eval()(x), _baseline().built(form).eval()(x)):
        yield (
            f"before training it must predict as {BASELINE} does: test the first network that "
            "build() makes, as it is made"
        )


def repeatable(subject: Subject, form: Form) -> Found:
    """Evaluated twice, it gives the same, and stays what it is."""
    method, x = subject.built(form).eval(), batch(form.dims).x
    before = {name: value.clone() for name, value in method.state_dict().items()}
    if not torch.equal(method(x.clone()), method(x.clone())):
        yield "in evaluation forward differs from call to call: it must not draw random numbers"
    changed = [n for n, v in method.state_dict().items() if not torch.equal(before[n], v)]
    if changed:
        yield f"in evaluation forward must change nothing, and it changes {shortened(changed)}"


def same_size(subject: Subject, form: Form) -> Found:
    """A larger network would be better without any method."""
    x = batch(form.dims).x
    own, wanted = (parameters_in_forward(s.built(form), x) for s in (subject, _baseline()))
    if own != wanted:
        yield (
            f"forward uses {own:,} parameters, and {BASELINE} {wanted:,}: all methods test one "
            "network, or a better score may be its size"
        )


def _baseline() -> Subject:
    return Subject(BASELINE, methods.find(BASELINE), methods.hyperparameters(BASELINE))


def parameters_in_forward(method: Method, x: Tensor) -> int:
    """Parameters of the modules that take part in `forward`."""
    used = set()
    for module in method.modules():
        module.register_forward_hook(lambda m, *_: used.update(m.parameters(recurse=False)))
    method.eval()(x)
    return sum(p.numel() for p in used)
