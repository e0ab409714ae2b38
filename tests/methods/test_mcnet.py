import pytest
import torch

from benchmark.toolkit.builder import NetworkBuilder
from methods.mcnet import MCNet, disagreement, sharpened, sharpened_together


def logits(*p: float) -> torch.Tensor:
    """One pixel with these probabilities."""
    return torch.tensor(p, dtype=torch.float64).log().reshape(1, -1, 1, 1)


def probabilities(*p: float) -> torch.Tensor:
    return torch.tensor(p, dtype=torch.float64).reshape(1, -1, 1, 1)


def value(*foreground: float) -> float:
    """The disagreement of decoders with (p, 1 - p) at the one pixel there is."""
    zs = [logits(p, 1 - p) for p in foreground]
    return disagreement([z.softmax(1) for z in zs], [sharpened(z, 0.1) for z in zs]).item()


@pytest.mark.parametrize(
    ("p", "sharp", "slope"),
    [
        (0.5, 0.5, 10.0),
        (0.55, 0.8814995, 4.2205315),
        (0.6, 0.9829541, 0.6981402),
        (0.7, 0.9997910, 0.0099502),
    ],
)
def test_a_sharp_probability_and_its_slope(p, sharp, slope):
    """p¹⁰ / (p¹⁰ + (1 - p)¹⁰); the slope at 1/2 is 1/T = 10."""
    q = torch.tensor(p, dtype=torch.float64, requires_grad=True)
    z = torch.stack([q, 1 - q]).log().reshape(1, 2, 1, 1)
    found = sharpened(z, 0.1)[0, 0, 0, 0]
    assert found.item() == pytest.approx(sharp, abs=1e-7)
    assert torch.autograd.grad(found, q)[0].item() == pytest.approx(slope, abs=1e-6)


def test_the_other_class_is_sharpened_the_other_way():
    assert sharpened(logits(0.51, 0.49), 0.1)[0, 0].item() == pytest.approx(0.5987005, abs=1e-7)
    assert sharpened(logits(0.4, 0.6), 0.1)[0, 0].item() == pytest.approx(0.0170459, abs=1e-7)


def test_three_classes_are_sharpened_each_for_itself_or_together():
    """.4¹⁰ beside .6¹⁰, .3¹⁰ beside .7¹⁰; together beside .4¹⁰ + 2 · .3¹⁰."""
    z = logits(0.4, 0.3, 0.3)
    alone = [0.0170459, 0.0002090, 0.0002090]
    assert sharpened(z, 0.1).flatten().tolist() == pytest.approx(alone, abs=1e-7)
    together = [0.8987738, 0.0506131, 0.0506131]
    assert sharpened_together(z, 0.1).flatten().tolist() == pytest.approx(together, abs=1e-7)


def test_two_classes_are_sharpened_alike_by_both():
    z = logits(0.55, 0.45)
    assert sharpened_together(z, 0.1)[0, 0].item() == pytest.approx(0.8814995, abs=1e-7)


@pytest.mark.parametrize(
    ("foreground", "expected"),
    [
        ((0.6, 0.3), 0.8261755),
        ((0.6, 0.3, 0.9), 2.2926807),
        ((0.6, 0.6), 0.2933076),  # equal, but not sure
        ((0.6, 0.6, 0.6), 0.8799229),
        ((0.5, 0.5, 0.5), 0.0),
    ],
)
def test_the_disagreement_is_summed_over_ordered_pairs(foreground, expected):
    """Of (.6, .4) and (.3, .7): (.6 - .0002090)² + (.3 - .9829541)², in both classes alike."""
    assert value(*foreground) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("detached", "first", "second"),
    [(False, 0.5167626, 0.2893473), (True, 0.2878997, 0.2868407)],
)
def test_the_target_has_a_gradient_unless_detached(detached, first, second):
    zs = [logits(0.6, 0.4).requires_grad_(), logits(0.3, 0.7).requires_grad_()]
    targets = [sharpened(z, 0.1) for z in zs]
    if detached:
        targets = [target.detach() for target in targets]
    disagreement([z.softmax(1) for z in zs], targets).backward()
    assert zs[0].grad.flatten().tolist() == pytest.approx([first, -first], abs=1e-6)
    assert zs[1].grad.flatten().tolist() == pytest.approx([-second, second], abs=1e-6)


@pytest.mark.parametrize("gap", [110.0, 200.0, -200.0])
def test_saturated_logits_stay_finite_also_backwards(gap):
    zs = [torch.tensor([gap, 0.0, 0.0]).reshape(1, 3, 1, 1) for _ in range(2)]
    zs[1] = -zs[1]
    zs = [z.requires_grad_() for z in zs]
    found = disagreement([z.softmax(1) for z in zs], [sharpened(z, 0.1) for z in zs])
    found.backward()
    assert torch.isfinite(found) and all(torch.isfinite(z.grad).all() for z in zs)


def test_the_decoders_enlarge_their_maps_in_three_ways(build):
    kinds = {
        network: [d.decoder for d in MCNet(build(network=network)).others]
        for network in ("unet", "mobilenet_v2")
    }
    assert [d.up.mode for d in kinds["unet"][1:]] == ["nearest"]  # its own: linear
    assert isinstance(kinds["unet"][0].reduce[0], torch.nn.ConvTranspose2d)
    assert isinstance(kinds["mobilenet_v2"][0].enlarge[0], torch.nn.ConvTranspose2d)
    modes = [block.interpolation_mode for block in kinds["mobilenet_v2"][1].blocks]
    assert modes == ["bilinear"] * 5  # its own: nearest


@pytest.mark.parametrize(("dims", "expected"), [(2, 3_210_342), (3, 9_265_958)])
def test_its_size_with_the_shared_network(dims, expected):
    """Of the UNet 1,813,762 (3 channels) in 2D, 5,344,066 (1 channel) in 3D, decoders aside."""
    method = MCNet(NetworkBuilder(in_channels={2: 3, 3: 1}[dims], classes=2, spatial_dims=dims))
    assert sum(p.numel() for p in method.parameters()) == expected


def test_both_streams_are_one_mean(build, batch):
    """Two labelled and three unlabelled images with uniform logits but for one decoder's.

    Every pixel: (.6, .4), uniform, uniform. Σ over i ≠ j of one class: twice (.6 - .5)², twice
    (.5 - .9829541)², twice 0: .4864893. Weighted 0.9 / 3 · 2/5 and · 3/5.
    """
    method = MCNet(build(), weight=0.9)
    for module in (method.network, *method.others):
        torch.nn.init.zeros_(module.output.weight)
    method.network.output.bias.data = torch.tensor([0.6, 0.4]).log()
    labelled, unlabelled = method.loss(batch(), 1.0)
    assert labelled["agreement_labelled"].item() == pytest.approx(0.0583787, abs=1e-6)
    assert unlabelled["agreement"].item() == pytest.approx(0.0875681, abs=1e-6)
    # 100 of 1024 pixels are foreground: -ln .4 there, -ln .6 elsewhere, and ln 2 twice.
    assert labelled["supervised"].item() == pytest.approx(0.6455720, abs=1e-6)


def test_the_unlabelled_images_alone_agree_if_asked_for(build, batch):
    method = MCNet(build(), weight=0.9, consistency_on="unlabelled")
    for module in (method.network, *method.others):
        torch.nn.init.zeros_(module.output.weight)
    method.network.output.bias.data = torch.tensor([0.6, 0.4]).log()
    labelled, unlabelled = method.loss(batch(), 1.0)
    assert labelled.keys() == {"supervised"}
    assert unlabelled["agreement"].item() == pytest.approx(0.1459468, abs=1e-6)


def test_the_weight_grows_by_the_run_or_as_in_the_paper(build):
    assert MCNet(build()).ramp(0.5) == 0.5
    assert MCNet(build(), **MCNet.BUNDLES["paper"]).ramp(0.5) == pytest.approx(0.2865048)
    method = MCNet(build(3), **MCNet.BUNDLES["paper_3d"])
    assert [method.ramp(p) for p in (0.1, 0.4)] == pytest.approx([0.0600547, 1.0])


def test_what_cannot_be_is_refused(build):
    for wrong in ({"decoders": 4}, {"temperature": 0.0}, {"sharpen": "sum"}, {"ramp_share": 1.5},
                  {"consistency_on": "labelled"}):  # fmt: skip
        with pytest.raises(ValueError, match=next(iter(wrong))):
            MCNet(build(), **wrong)
