"""The run's ramp weighs what every method learns without labels, and nothing else.

Methods whose sources have none follow it where they are told to.
"""

import pytest
import torch

from benchmark.study import methods
from benchmark.training.loop import backward

RAMPED = {"fixmatch": {"ramp": "run"}, "unimatch": {"ramp": "run"}, "bcp": {"ramp": "run"}}


def terms(name: str, build, batch, ramp) -> dict[str, float]:
    """The first step in the middle of a run, under this ramp."""
    builder = build(2, seed=0)
    builder.ramp = ramp
    torch.manual_seed(0)
    method = methods.build(name, builder, RAMPED.get(name, {}))
    torch.manual_seed(0)
    return {n: float(v) for n, v in backward(method, batch(2), 0.5, "float32").items()}


@pytest.mark.parametrize("name", [n for n in methods.names() if n != "supervised"])
def test_twice_the_ramp_is_twice_the_term(name, build, batch):
    none, half, whole = (
        terms(name, build, batch, lambda progress, factor=factor: factor)
        for factor in (0.0, 0.5, 1.0)
    )
    ramped = [term for term in whole if whole[term] != half[term]]
    assert ramped, whole
    for term in ramped:
        # A term may hold more than what is ramped: it grows evenly all the same.
        assert whole[term] - half[term] == pytest.approx(half[term] - none[term], rel=1e-4)


def test_the_default_is_the_progress_itself(build, batch):
    builder = build(2, seed=0)
    assert [builder.ramp(p) for p in (0.005, 0.5, 1.0)] == [0.005, 0.5, 1.0]
