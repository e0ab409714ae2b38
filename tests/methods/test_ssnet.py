import copy
import math

import pytest
import torch
import torch.nn.functional as F

from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.training.loop import backward
from methods.ssnet import (
    Separation,
    SSNet,
    adversarial,
    attraction,
    dice_distance,
    joint_distance,
    scaled,
)


def pixels(*foreground: float) -> torch.Tensor:
    """One image of pixels with these probabilities of class 0."""
    p = torch.tensor(foreground, dtype=torch.float64)
    return torch.stack([p, 1 - p]).reshape(1, 2, 1, -1)


@pytest.mark.parametrize(
    ("p", "q", "dice", "joint"),
    [
        ([0.6], [0.6], 0.0, 0.48),
        ([0.5], [0.5], 0.0, 0.5),
        ([0.9], [0.9], 0.0, 0.18),
        ([0.8], [0.6], 0.12, 0.44),
        ([0.8, 0.3], [0.6, 0.1], 0.0630303, 0.39),
    ],
)
def test_the_two_distances(p, q, dice, joint):
    """(.8, .2), (.6, .4): .96 / 1 and .16 / .2; joint 1.12 / 2."""
    assert dice_distance(pixels(*p), pixels(*q)).item() == pytest.approx(dice, abs=1e-7)
    assert joint_distance(pixels(*p), pixels(*q)).item() == pytest.approx(joint, abs=1e-7)


def test_the_joint_distance_is_less_where_masks_are_sure():
    assert joint_distance(pixels(1.0), pixels(0.6)).item() == pytest.approx(0.4)


def test_a_class_that_is_nowhere_costs_nothing():
    nowhere = torch.tensor([1.0, 0.0]).reshape(1, 2, 1, 1).requires_grad_()
    found = dice_distance(nowhere, nowhere.detach())
    found.backward()
    assert found.item() == 0 and torch.isfinite(nowhere.grad).all()


H = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.6, 0.8]])


@pytest.mark.parametrize(
    ("scores", "memory", "expected"),
    [
        ([0.5, 0.5, 0.5], [[1.0, 0.0]], 0.4666667),
        ([0.9, 0.1, 0.5], [[1.0, 0.0]], 0.2),
        ([0.5, 0.5, 0.5], [[1.0, 0.0], [0.0, 2.0]], 0.4333333),
        ([0.9, 0.1, 0.5], [[1.0, 0.0], [0.0, 2.0]], 0.4333333),
    ],
)
def test_the_attraction_is_a_weighted_mean_over_pairs(scores, memory, expected):
    """1 - cos is 0, 1, .4 for the first memory; the scores .9, .1, .5 weigh 1.8, .2, 1."""
    found = attraction(H, torch.tensor(memory), torch.tensor(scores))
    assert found.item() == pytest.approx(expected, abs=1e-6)


def linear(images: torch.Tensor) -> torch.Tensor:
    """Logits (w · v, 0) of an image of two values, w = (1, 2)."""
    z = (images * torch.tensor([1.0, 2.0])).sum((1, 2, 3))
    return torch.stack([z, torch.zeros_like(z)], 1).reshape(-1, 2, 1, 1)


def test_the_noise_follows_the_gradient_and_has_its_size():
    """f = 0 at v: q = (½, ½), and D grows either way along w / |w| = (.4472136, .8944272).

    A length of ½ in two values is a root mean square of .5 / √2; then p = (.7536, .2464).
    """
    v = torch.tensor([[[[0.5, -0.25]]]])

    def apart(noise):
        return dice_distance(linear(v + noise).softmax(1), torch.full((1, 2, 1, 1), 0.5))

    noise = adversarial(apart, v, size=0.5 / math.sqrt(2), probe=0.1 / math.sqrt(2))
    assert noise.flatten().abs().tolist() == pytest.approx([0.2236068, 0.4472136], abs=1e-6)
    assert noise.flatten().prod() > 0
    assert apart(noise).item() == pytest.approx(0.1428367, abs=1e-6)


def test_each_image_gets_noise_of_the_same_size_however_small_its_gradient():
    noise = torch.tensor([[3.0, 4.0], [3e-30, -4e-30], [0.0, 0.0]]).reshape(3, 1, 1, 2)
    expected = [[0.8485281, 1.1313708], [0.8485281, -1.1313708], [0.0, 0.0]]  # ± √2 · (.6, .8)
    for found, values in zip(scaled(noise, 1.0), expected, strict=True):
        assert found.flatten().tolist() == pytest.approx(values, abs=1e-6)


def test_what_changes_nothing_gets_no_noise():
    v = torch.ones(2, 1, 4, 4)
    assert not adversarial(lambda noise: (0.0 * noise).sum(), v, size=0.5, probe=0.1).any()


def test_asking_for_the_direction_leaves_gradients_and_statistics_alone(build, batch):
    method, data = SSNet(build()), batch()
    z = method.network(data.x)
    z.sum().backward()
    gradients = {n: p.grad.clone() for n, p in method.named_parameters() if p.grad is not None}
    state = copy.deepcopy(method.state_dict())
    method._smoothness(data.x, z)
    assert len(gradients) > 20
    for name, parameter in method.named_parameters():
        if name in gradients:
            assert torch.equal(parameter.grad, gradients[name])
        else:
            assert parameter.grad is None
    assert all(torch.equal(state[n], v) for n, v in method.state_dict().items())


def test_without_noise_and_dropout_an_image_is_as_it_is(batch):
    still = Architecture(widths=[4, 8, 8], dropout=[0.0] * 3)
    method = SSNet(NetworkBuilder(in_channels=1, classes=2, network=still), size=0.0)
    data = batch()
    assert method._smoothness(data.u, method.network(data.u)).item() == pytest.approx(0, abs=1e-6)
    method.size = 0.5
    assert method._smoothness(data.u, method.network(data.u)).item() > 1e-4


def test_noise_along_the_gradient_does_more_than_any_noise(batch):
    still = Architecture(widths=[4, 8, 8], dropout=[0.0] * 3)
    method = SSNet(NetworkBuilder(in_channels=1, classes=2, network=still), size=0.05)
    u = batch().u
    z = method.network(u)
    torch.manual_seed(0)
    noise = scaled(torch.randn_like(u), 0.05)
    random = dice_distance(method.network(u + noise).softmax(1), z.softmax(1)).item()
    assert method._smoothness(u, z).item() > 2 * random


def separation(rank: str = "highest", kept: int = 2) -> Separation:
    """Of three classes, its projector in the test's hands: the features as they are."""
    torch.manual_seed(0)
    module = Separation(32, 3, kept, rank)
    module.projector = module.predictor = torch.nn.Identity()
    return module


def rows(*lengths: float) -> torch.Tensor:
    """Features along the first axis."""
    return (
        F.one_hot(torch.zeros(len(lengths), dtype=torch.long), 32) * torch.tensor(lengths)[:, None]
    )


class First(torch.nn.Module):
    """A selector whose score is the length."""

    def forward(self, features):
        return features[:, :1]


@pytest.mark.parametrize(("rank", "stored"), [("highest", [5.0, 3.0]), ("lowest", [1.0, 2.0])])
def test_of_too_many_pixels_those_are_stored_that_the_selector_names(rank, stored):
    module = separation(rank)
    module.selectors[1] = First()
    module.remember(rows(3.0, 5.0, 9.0, 1.0, 2.0), torch.tensor([2, 2, 0, 2, 2]))
    assert module.stored.tolist() == [0, 2]  # none of class 1, and never of the background
    assert module.memory[1, :, 0].tolist() == stored
    assert not module.memory[0].any()


def test_a_class_is_replaced_only_by_pixels_of_its_own():
    module = separation()
    module.remember(rows(3.0, 5.0), torch.tensor([1, 1]))
    module.remember(rows(7.0, 8.0), torch.tensor([0, 2]))
    assert module.stored.tolist() == [2, 1]
    assert module.memory[0, :, 0].tolist() == [3.0, 5.0]
    assert module.memory[1, :1, 0].tolist() == [8.0]


def test_the_term_is_a_mean_over_all_classes_of_those_that_have_a_memory():
    """Of three classes the first of the foreground alone: cosines 1, -1, equal scores, 1 / 3."""
    module = separation()
    for selector in module.selectors:
        torch.nn.init.zeros_(selector[3].weight)
        torch.nn.init.zeros_(selector[3].bias)
    features, classes = rows(2.0, -1.0, 4.0, 4.0), torch.tensor([1, 1, 0, 2])
    assert module(features, classes).item() == 0  # nothing is remembered
    module.remember(rows(1.0, 1.0, 1.0), torch.tensor([1, 1, 2]))
    assert module(features, classes).item() == pytest.approx(1 / 3, abs=1e-6)
    one_pixel = torch.tensor([1, 0, 0, 2])
    assert module(features, one_pixel).item() == 0  # too few to compare


def test_only_rightly_classified_foreground_is_remembered(build, batch):
    method, data = SSNet(build()), batch()
    torch.nn.init.zeros_(method.network.output.weight)
    for chosen, stored in ((0, 0), (1, 32)):
        method.network.output.bias.data = F.one_hot(torch.tensor(chosen), 2).float()
        next(method.loss(data, 0.5))
        assert method.separation.stored.tolist() == [stored]


def test_the_network_learns_from_the_features_and_the_memory_does_not(build, batch):
    method, data = SSNet(build(), weight=1.0), batch()
    torch.nn.init.zeros_(method.network.output.weight)
    method.network.output.bias.data = torch.tensor([0.0, 1.0])
    terms = next(method.loss(data, 1.0))
    assert terms["contrast_labelled"].item() > 0
    terms["contrast_labelled"].backward()
    assert method.network.blocks[0][0].weight.grad.any()
    assert all(p.grad.any() for p in method.separation.selectors[0][3].parameters())
    assert not method.separation.memory.requires_grad


def test_a_run_goes_on_from_its_memory(build, batch):
    """Weights and buffers alone decide the next step."""
    ours, theirs = SSNet(build(seed=1)), SSNet(build(seed=2))
    torch.nn.init.constant_(ours.network.output.bias, 0.0)
    backward(ours, batch(), 0.5, "float32")
    assert ours.separation.stored.item() > 0
    theirs.load_state_dict(ours.state_dict())
    found = []
    for method in (ours, theirs):
        torch.manual_seed(3)
        method.zero_grad(set_to_none=True)
        found.append(backward(method, batch(seed=1), 0.6, "float32"))
    assert found[0] == found[1]
    assert torch.equal(ours.separation.memory, theirs.separation.memory)


def test_so_many_pixels_are_looked_at(build, batch):
    method, data = SSNet(build(), pixels=100), batch()
    finest, z = method._pass(data.x)
    features, true, chosen = method._pixels(finest, data.y, z.argmax(1))
    assert features.shape == (100, 4) and true.shape == chosen.shape == (100,)
    method.pixels = 0
    features, true = method._pixels(finest, data.y)
    assert len(features) == 2048
    assert torch.equal(true, data.y.flatten())
    assert torch.equal(features[37], finest[0, :, 1, 5])  # 37 = 1 · 32 + 5


def test_both_streams_are_one_mean(build, batch):
    """Of two labelled and three unlabelled images."""
    method = SSNet(build(), weight=1.0)
    method._smoothness = lambda images, z: torch.tensor(1.0)
    _, labelled, _, unlabelled = method.loss(batch(), 1.0)
    assert labelled["smooth_labelled"].item() == pytest.approx(0.4)
    assert unlabelled["smooth"].item() == pytest.approx(0.6)
    method.smooth_on = "unlabelled"
    _, _, unlabelled = method.loss(batch(), 1.0)
    assert unlabelled["smooth"].item() == 1


@pytest.mark.parametrize(
    ("module", "expected"), [("projector", 1664), ("predictor", 2176), ("selectors", 1153)]
)
def test_the_sizes_of_its_perceptrons(module, expected):
    """16 features; 16·32 + 32 + 64 + 32·32 + 32, 32·32 + 32 + 64 + 32·32 + 32, … + 32 + 1."""
    method = SSNet(NetworkBuilder(in_channels=1, classes=2))
    found = getattr(method.separation, module)
    assert sum(p.numel() for p in found.parameters()) == expected


def test_the_weight_grows_by_the_run_or_as_in_the_paper(build):
    assert SSNet(build()).ramp(0.5) == 0.5
    assert SSNet(build(), **SSNet.BUNDLES["paper"]).ramp(0.5) == pytest.approx(0.2865048)
    method = SSNet(build(3), **SSNet.BUNDLES["paper_3d"])
    assert [method.ramp(p) for p in (0.1, 0.4)] == pytest.approx([0.0600547, 1.0])


def test_what_cannot_be_is_refused(build):
    for wrong in ({"size": -1.0}, {"probe": 0.0}, {"ramp_share": 1.5}, {"distance": "l2"},
                  {"smooth_on": "labelled"}, {"kept": 1}, {"rank": "best"}):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            SSNet(build(), **wrong)
