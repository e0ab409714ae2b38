import math

import pytest
import torch

from benchmark.toolkit.losses import cross_entropy, cross_supervision
from methods.cps import CPS


def pixel(*logits: float) -> torch.Tensor:
    """Logits of one pixel of one image."""
    return torch.tensor(logits, dtype=torch.float32).reshape(1, -1, 1, 1)


def test_two_networks_that_contradict_each_other():
    """z₁ = (0, ln 3) says class 1 with 3/4; z₂ = (ln 3, 0) says class 0 with 3/4.

    Each gives 1/4 to the class that the other chooses: twice -ln 1/4.
    """
    value = cross_supervision(pixel(0, math.log(3)), pixel(math.log(3), 0), cross_entropy)
    assert value.item() == pytest.approx(2 * math.log(4), abs=1e-6)


def test_unequal_confidence():
    """CE((2, 0), 1) = ln(1 + e²) = 2.1269280; CE((0, 1), 0) = ln(1 + e) = 1.3132617."""
    value = cross_supervision(pixel(2, 0), pixel(0, 1), cross_entropy)
    assert value.item() == pytest.approx(3.4401897, abs=1e-6)


@pytest.mark.parametrize(("logits", "expected"), [((0, 0), 1.3862944), ((2, 0), 0.2538560)])
def test_two_equal_networks(logits, expected):
    value = cross_supervision(pixel(*logits), pixel(*logits), cross_entropy)
    assert value.item() == pytest.approx(expected, abs=1e-6)


def test_a_pseudo_label_carries_no_gradient():
    z1, z2 = pixel(2, 0).requires_grad_(), pixel(0, 1).requires_grad_()
    cross_entropy(z1, z2.argmax(1)).backward()
    assert z2.grad is None
    assert z1.grad is not None


def terms(method, batch, progress: float) -> dict[str, float]:
    torch.manual_seed(0)
    return {k: v.item() for part in method.loss(batch, progress) for k, v in part.items()}


def test_the_weight_rises_linearly_to_its_maximum(build, batch):
    """weight · progress: 5 · 1/200 = 0.025 in the first of 200 epochs, 5 at the end."""
    at = {p: terms(CPS(build()), batch(), p)["cross"] for p in (1 / 200, 0.25, 1.0)}
    assert at[1.0] / at[1 / 200] == pytest.approx(200, rel=1e-5)
    assert at[0.25] / at[1 / 200] == pytest.approx(50, rel=1e-5)
    single = terms(CPS(build(), weight=1.0), batch(), 1.0)["cross"]
    assert at[1.0] / single == pytest.approx(5, rel=1e-5)


def test_without_weight_each_network_is_trained_like_the_baseline(build, batch):
    from methods.supervised import Supervised

    baseline, cps = Supervised(build()), CPS(build(), weight=0.0)
    data = batch()
    torch.manual_seed(0)
    baseline.loss(data, 0.5)["supervised"].backward()
    torch.manual_seed(0)
    for part in cps.loss(data, 0.5):
        sum(part.values()).backward()
    expected = dict(baseline.network.named_parameters())
    for name, parameter in cps.f1.named_parameters():
        assert torch.allclose(parameter.grad, expected[name].grad, atol=1e-7), name


def test_labelled_images_take_part_in_the_cross_term_if_asked(build, batch):
    """Two of x and three of u: one mean over all five, as of one joined batch. Both networks say
    class 1 with 3/4 everywhere: each direction costs -ln 3/4, times weight · progress = 1.
    """
    assert "cross_labelled" not in terms(CPS(build()), batch(), 0.5)
    method = CPS(build(), consistency_on="both", weight=2.0)
    for network in (method.f1, method.f2):
        torch.nn.init.zeros_(network.output.weight)
        network.output.bias.data = torch.tensor([0.0, math.log(3)])
    found = terms(method, batch(), 0.5)
    assert found["cross_labelled"] == pytest.approx(2 / 5 * 2 * math.log(4 / 3), rel=1e-5)
    assert found["cross"] == pytest.approx(3 / 5 * 2 * math.log(4 / 3), rel=1e-5)
    with pytest.raises(ValueError, match="labelled"):
        CPS(build(), consistency_on="labelled")


def test_the_two_networks_start_from_different_weights(build):
    method = CPS(build())
    assert not torch.equal(method.f1.blocks[0][0].weight, method.f2.blocks[0][0].weight)


def test_the_first_network_is_tested(build, batch):
    method = CPS(build()).eval()
    assert torch.equal(method(batch().x), method.f1(batch().x))
