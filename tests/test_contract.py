"""What every method must keep (`benchmark.contract`): in 2D, in 3D, around an encoder.

A failing message says what to change. Methods of other installed packages are tested too:
`pytest tests/test_contract.py -k name`. What the checks find is tested on methods that break them.
"""

from collections.abc import Iterator
from functools import cache

import pytest
import torch

from benchmark.contract import checks, cost, subject
from benchmark.contract.checks import CHECKS, Check
from benchmark.contract.subject import Form, Subject
from benchmark.study import methods

METHODS = methods.names()


@cache
def subject_of(name: str) -> Subject:
    return subject.of_text(name)


def asked() -> Iterator[object]:
    """Every method, every check, every form."""
    for name in METHODS:
        for check in CHECKS:
            for form in check.forms:
                marks = [pytest.mark.slow] if check.is_slow else []
                words = f"{name}-{check.find.__name__}-{form}"
                yield pytest.param(name, check, form, id=words, marks=marks)


def test_the_methods_are_found():
    assert METHODS[0] == "supervised"
    assert {"supervised", "cps"} <= set(METHODS)


@pytest.mark.parametrize(("name", "check", "form"), [*asked()])
def test_a_method_keeps_the_contract(name: str, check: Check, form: Form):
    if reason := check.left_out(subject_of(name)):
        pytest.skip(reason)
    found = checks.findings(check, subject_of(name), form)
    assert not found, "\n".join(f"{name}: {check.rule}: {one.text}\n{one.trace}" for one in found)


ALONE = {"urpc": {"supervise_auxiliary": False}, "dtc": {"distance_weight": 0.0},
         "cct": {"supervise_auxiliary": False}, "fixmatch": {"ramp": "run"},
         "unimatch": {"ramp": "run"}}  # fmt: skip


@pytest.mark.parametrize("name", ["em", "mean_teacher", "uamt", "cct", "urpc", "cps", "dtc",
                                  "fixmatch", "unimatch", "admt", "ssnet"])  # fmt: skip
def test_without_its_unsupervised_term_a_method_trains_as_the_baseline(name, build, batch):
    """Progress 0: each parameter of the tested network gets the gradient that `supervised` has."""

    def learnt(method) -> dict[str, torch.Tensor]:
        subject.stepped(method, batch(), progress=0.0)
        found = {n: p.grad for n, p in method.named_parameters() if p.grad is not None}
        own = ("network.", "student.", "f1.")
        return {n.partition(".")[2]: g for n, g in found.items() if n.startswith(own)}

    baseline = learnt(methods.build("supervised", build(), {}))
    found = learnt(methods.build(name, build(), ALONE.get(name, {})))
    assert len(baseline) > 20 and baseline.keys() == found.keys()
    for parameter, gradient in baseline.items():
        assert torch.allclose(gradient, found[parameter], atol=1e-7), parameter


@pytest.mark.parametrize(
    ("stated", "encoder", "decoder"),
    [
        ("1 network in training (1 pass of x), 1 at test", (1, 0, 0), (1, 0, 0)),
        ("2 networks (1 pass of x, 2 of u: student, teacher), 1 at test", (1, 2, 0), (1, 2, 0)),
        ("1 network (1 pass of x, 3\n of u; decoders: 1 of x, 4 of u)", (1, 3, 0), (1, 4, 0)),
        ("2 networks (1 pass of u, 2 of mixed), 1 at test", (0, 1, 2), (0, 1, 2)),
    ],
)
def test_what_stands_under_cost_is_read(stated, encoder, decoder):
    expected = {"encoder": encoder, "decoder": decoder}
    assert {p: tuple(n.values()) for p, n in cost.stated_passes(stated).items()} == expected
