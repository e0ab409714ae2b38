import pytest
import torch

import methods.cct
from methods.cct import CCT, mean_consistency


def gradients(method, terms) -> set[str]:
    """Names of the parameters that a sum of terms reaches with a gradient other than zero."""
    method.zero_grad(set_to_none=True)
    sum(terms.values()).backward()
    return {n for n, p in method.named_parameters() if p.grad is not None and p.grad.any()}


def logits(p: float) -> torch.Tensor:
    return torch.tensor([p, 1 - p]).log().reshape(1, 2, 1, 1)


def test_the_consistency_is_a_mean_over_classes_and_decoders():
    """(.9, .1) against (.5, .5): .4² in both classes."""
    assert mean_consistency(logits(0.9), [logits(0.5)]).item() == pytest.approx(0.16)
    assert mean_consistency(logits(0.9), [logits(0.5), logits(0.9)]).item() == pytest.approx(0.08)


def test_three_decoders_of_their_own_see_three_perturbations(build, batch, monkeypatch):
    method, data = CCT(build()), batch()
    weights = [d.output.weight for d in method.auxiliary]
    assert len(weights) == 3 and not torch.equal(weights[0], weights[1])
    seen = []
    for i in range(3):
        method.auxiliary[i].register_forward_hook(lambda m, inputs, z: seen.append(inputs[0]))
    features = method.network.encode(data.u)
    method._perturbed(features)
    for perturbed in seen:  # every map is perturbed, skips included
        assert len(perturbed) == len(features)
        assert not any(torch.equal(a, b) for a, b in zip(perturbed, features, strict=True))


def test_each_map_is_perturbed_by_its_own_draw(build, batch, monkeypatch):
    shares = []
    monkeypatch.setattr(methods.cct, "PERTURBATIONS", (lambda f: shares.append(f.shape) or f,) * 3)
    method = CCT(build())
    method._perturbed(method.network.encode(batch().u))
    assert len(shares) == 3 * len(method.network.widths)


def test_without_perturbation_and_with_shared_weights_all_agree(build, batch, monkeypatch):
    monkeypatch.setattr(methods.cct, "PERTURBATIONS", (lambda f: f,) * 3)
    method = CCT(build(), aux_share_weights=True)
    assert len(method.auxiliary) == 0
    _, part = method.loss(batch(), 1.0)
    assert part["consistency"].item() == 0


def test_the_target_is_detached_if_asked_for(build, batch):
    for detached in (False, True):
        method = CCT(build(), detach_target=detached)
        parts = method.loss(batch(), 1.0)
        next(parts)
        reached = gradients(method, next(parts))
        main = {n for n in reached if n.startswith(("network.decoder", "network.output"))}
        assert bool(main) == (not detached)
        assert any(n.startswith("network.blocks") for n in reached)  # the encoder always learns
        assert any(n.startswith("auxiliary.2") for n in reached)


def test_the_labels_reach_the_auxiliary_decoders_unless_told_otherwise(build, batch):
    for supervised in (True, False):
        method = CCT(build(), supervise_auxiliary=supervised)
        reached = gradients(method, next(method.loss(batch(), 1.0)))
        assert any(n.startswith("auxiliary") for n in reached) == supervised


def test_the_labelled_loss_is_the_mean_of_four_decoders(build, batch, monkeypatch):
    monkeypatch.setattr(methods.cct, "PERTURBATIONS", (lambda f: f,) * 3)
    method, data = CCT(build(), aux_share_weights=True), batch()
    torch.manual_seed(0)
    four = next(method.loss(data, 1.0))["supervised"]
    torch.manual_seed(0)
    one = method.criterion(method.network(data.x), data.y)
    assert four.item() == pytest.approx(one.item())


def test_without_weight_and_auxiliary_labels_it_is_the_supervised_baseline(build, batch):
    method, data = CCT(build(), weight=0.0, supervise_auxiliary=False), batch()
    torch.manual_seed(0)
    for part in method.loss(data, 1.0):
        sum(part.values()).backward()
    found = [p.grad.clone() for p in method.network.parameters()]
    method.zero_grad()
    torch.manual_seed(0)
    method.criterion(method.network(data.x), data.y).backward()
    assert all(
        torch.equal(a, b.grad) for a, b in zip(found, method.network.parameters(), strict=True)
    )


def test_only_the_main_decoder_is_tested_and_nothing_is_perturbed(build, batch):
    method, x = CCT(build()).eval(), batch().x
    assert torch.equal(method(x), method.network(x))
