import pytest
import torch

from methods.em import EntropyMinimisation, normalised_entropy


def pixel(*probabilities: float) -> torch.Tensor:
    return torch.tensor(probabilities, dtype=torch.float64).log().float().reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ((0.5, 0.5), 1.0),
        ((1 / 3, 1 / 3, 1 / 3), 1.0),
        ((0.9, 0.1), 0.4689956),
        ((0.8, 0.2), 0.7219281),
        ((0.99, 0.01), 0.0807931),
    ],
)
def test_entropy_of_a_pixel(probabilities, expected):
    """-(.9 ln .9 + .1 ln .1) / ln 2 = .4689956, and so on: bits, for two classes."""
    assert normalised_entropy(pixel(*probabilities)).item() == pytest.approx(expected, abs=1e-6)


def test_the_gradient_raises_the_winner():
    """z = (1, 0): H = .8399415, dH/dz = (-.2836511, +.2836511); descending raises z₀."""
    z = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    value = normalised_entropy(z)
    value.backward()
    assert value.item() == pytest.approx(0.8399415, abs=1e-6)
    assert z.grad.flatten().tolist() == pytest.approx([-0.2836511, 0.2836511], abs=1e-6)


def test_certainty_costs_nothing_and_stays_finite():
    z = torch.tensor([200.0, -200.0]).reshape(1, 2, 1, 1).requires_grad_()
    value = normalised_entropy(z)
    value.backward()
    assert value.item() == 0
    assert torch.isfinite(z.grad).all()


def test_the_weight_rises_linearly(build, batch):
    """Head at zero: uniform logits, entropy 1, so the term is weight · progress."""
    method = EntropyMinimisation(build(), weight=5.0)
    torch.nn.init.zeros_(method.network.output.weight)
    for progress in (1 / 200, 0.5, 1.0):
        *_, part = method.loss(batch(), progress)
        assert part["entropy"].item() == pytest.approx(5 * progress, rel=1e-5)
