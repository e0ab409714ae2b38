import math

import pytest
import torch

from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from methods.urpc import URPC, pyramid_terms


def logits(*foreground: float) -> list[torch.Tensor]:
    """One pixel per scale with these probabilities of class 1."""
    return [torch.tensor([1 - p, p], dtype=torch.float64).log().reshape(1, 2, 1, 1)
            for p in foreground]  # fmt: skip


def loss(z: list[torch.Tensor], kl: str) -> float:
    agree, differ, _ = pyramid_terms(z, kl)
    return (agree + differ).item()


@pytest.mark.parametrize("kl", ["ps_pc", "pc_ps"])
def test_equal_scales_cost_nothing(kl):
    assert loss(logits(0.3, 0.3, 0.3, 0.3), kl) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(("kl", "expected"), [("ps_pc", 0.1133034), ("pc_ps", 0.1114884)])
def test_one_scale_differs(kl, expected):
    """(.9, .1) three times and (.5, .5): squares .01 and .09, divergences .0366900, .2231436."""
    assert loss(logits(0.1, 0.1, 0.1, 0.5), kl) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("kl", "divergences"),
    [("ps_pc", [0.0366900] * 3 + [0.2231436]), ("pc_ps", [0.0444030] * 3 + [0.1927448])],
)
def test_the_divergence_of_each_scale(kl, divergences):
    _, differ, certainty = pyramid_terms(logits(0.1, 0.1, 0.1, 0.5), kl)
    assert differ.item() == pytest.approx(sum(divergences) / 4, abs=1e-7)
    weights = [math.exp(-d) for d in divergences]
    assert certainty.item() == pytest.approx(sum(weights) / 4, abs=1e-7)


@pytest.mark.parametrize(("kl", "expected"), [("ps_pc", 0.2827448), ("pc_ps", 0.3131436)])
def test_two_scales(kl, expected):
    assert loss(logits(0.2, 0.8), kl) == pytest.approx(expected, abs=1e-7)


def test_pixels_where_the_scales_differ_count_less():
    """Two pixels, two scales. Pixel 0 as above: square .09, D .1927448; pixel 1 equal, weight 1.

    Of one scale: .09 e^-.1927448 / (e^-.1927448 + 1) = .0406767; of the mean of D: .0963724.
    """
    z = [torch.cat([a, b], 3) for a, b in zip(logits(0.2, 0.8), logits(0.7, 0.7), strict=True)]
    agree, differ, certainty = pyramid_terms(z, "ps_pc")
    assert agree.item() == pytest.approx(0.0406767, abs=1e-6)
    assert differ.item() == pytest.approx(0.0963724, abs=1e-7)
    assert certainty.item() == pytest.approx((0.8246923 + 1) / 2, abs=1e-6)


@pytest.mark.parametrize("kl", ["ps_pc", "pc_ps"])
@pytest.mark.parametrize("gap", [110.0, 200.0, -200.0])
def test_extreme_logits_stay_finite_also_backwards(kl, gap):
    z = [torch.zeros(1, 2, 4, 4) for _ in range(4)]
    z[0][:, 0] = gap
    z[1][:, 0] = -gap
    z = [zs.requires_grad_() for zs in z]
    agree, differ, _ = pyramid_terms(z, kl)
    (agree + differ).backward()
    assert torch.isfinite(agree + differ)
    assert all(torch.isfinite(zs.grad).all() for zs in z)


def test_the_mean_and_the_weights_learn_too():
    """A scale with the smallest own error still gets a gradient through the mean of all."""
    z = [zs.requires_grad_() for zs in logits(0.1, 0.9, 0.5)]
    pyramid_terms(z, "ps_pc")[0].backward()
    assert all(zs.grad.abs().sum() > 0 for zs in z[:2])


def test_there_is_a_head_at_each_scale_enlarged_to_the_image(batch):
    for dims in (2, 3):
        wide = Architecture(widths=[2, 2, 4, 4, 4], dropout=[0.0] * 5)
        method = URPC(NetworkBuilder(in_channels=1, classes=2, spatial_dims=dims, network=wide))
        x = batch(dims).x
        z = method._pyramid(x)
        assert len(z) == 4
        assert all(zs.shape == (len(x), 2, *x.shape[2:]) for zs in z)
        if dims == 2:  # nearest: constant within blocks of 2, 4 and 8 pixels
            for scale, zs in enumerate(z[1:], 1):
                side = 2**scale
                assert torch.equal(zs, zs[..., ::side, ::side].repeat_interleave(side, 2)
                                   .repeat_interleave(side, 3))  # fmt: skip
        parameters = [tuple(h.weight.shape[:2]) for h in method.heads]
        assert parameters == [(2, 2), (2, 4), (2, 4)]


def test_perturbations_before_the_coarse_heads_are_an_option(build, batch):
    for perturb in (False, True):
        method = URPC(build(), pyramid_perturb=perturb).train()
        for m in method.modules():
            if isinstance(m, torch.nn.Dropout):
                m.p = 0.0
        first, second = method._pyramid(batch().u), method._pyramid(batch().u)
        assert torch.equal(first[0], second[0])
        assert torch.equal(first[1], second[1]) == (not perturb)


def test_the_labels_reach_the_coarse_heads_unless_told_otherwise(build, batch):
    for supervised in (True, False):
        method = URPC(build(), supervise_auxiliary=supervised)
        sum(next(method.loss(batch(), 1.0)).values()).backward()
        assert all((h.weight.grad is not None) == supervised for h in method.heads)


def test_only_the_finest_scale_is_tested(build, batch):
    method, x = URPC(build()).eval(), batch().x
    assert torch.equal(method(x), method.network(x))


def test_what_cannot_be_is_refused(build):
    with pytest.raises(ValueError, match="ps_pc or pc_ps"):
        URPC(build(), kl="symmetric")
    flat = Architecture(widths=[4, 8], dropout=[0.0, 0.0])
    with pytest.raises(ValueError, match="at least three levels"):
        URPC(NetworkBuilder(in_channels=1, classes=2, network=flat))
