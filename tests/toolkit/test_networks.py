import pytest
import torch
from torch import nn

from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.builder import NetworkBuilder
from benchmark.toolkit.networks import TimeEmbedding, _Pointwise3d


def parameters(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_default_network_has_the_parameters_of_the_baselines_unet():
    """1,813,762: SSL4MIS's UNet with a single convolution as head, 3 channels, 2 classes."""
    assert parameters(NetworkBuilder(in_channels=3, classes=2)()) == 1_813_762


@pytest.mark.parametrize(("dims", "side"), [(2, 32), (3, 16)])
def test_maps_go_from_coarse_to_fine_and_logits_have_the_images_size(build, dims, side):
    network = build(dims)()
    x = torch.zeros(2, 1, *[side] * dims)
    features = network.encode(x)
    maps = network.decode(features)
    assert [f.shape[-1] for f in features] == [side, side // 2, side // 4]
    assert [(m.shape[1], m.shape[-1]) for m in maps] == [(8, side // 2), (4, side)]
    assert network(x).shape == (2, 2, *[side] * dims)


def test_the_ith_network_of_a_trial_depends_on_the_seed_and_i_alone(build):
    torch.manual_seed(1)
    a = build(seed=5)
    first, second = a(), a()
    torch.manual_seed(2)
    torch.rand(3)
    again = build(seed=5)()
    other = build(seed=6)()
    weight = "blocks.0.0.weight"
    assert torch.equal(first.state_dict()[weight], again.state_dict()[weight])
    assert not torch.equal(first.state_dict()[weight], second.state_dict()[weight])
    assert not torch.equal(first.state_dict()[weight], other.state_dict()[weight])


def test_building_a_network_leaves_the_global_random_state(build):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build()()
    assert torch.equal(torch.rand(1), expected)


def test_sinusoids_of_time_0_and_1():
    """t = 0: sines 0, cosines 1. t = 1, d = 64: sin 1, sin 10000^(-1/31), …, sin 10000^-1."""
    found = TimeEmbedding(64).sinusoids(torch.tensor([0, 1]))
    assert found[0].tolist() == [0.0] * 32 + [1.0] * 32
    assert found[1, 0].item() == pytest.approx(0.841471, abs=1e-6)
    assert found[1, 1].item() == pytest.approx(0.676474, abs=1e-6)
    assert found[1, 31].item() == pytest.approx(1e-4, abs=1e-8)
    assert parameters(TimeEmbedding(64)) == 33_088


def told_the_time(width: int):
    """A network of two levels with this first width."""
    network = Architecture(widths=[width, 8], dropout=[0.0, 0.0])
    return NetworkBuilder(in_channels=1, classes=2, network=network)(time_embedding=True)


@pytest.mark.parametrize("width", [2, 5])
def test_a_first_width_that_the_time_cannot_be_told_with_is_refused(width):
    """Odd: no pairs of sine and cosine. 2: one pair, whose rates would be a division by 0."""
    with pytest.raises(ValueError, match=rf"network\.widths\), got {width}$"):
        told_the_time(width)


@pytest.mark.parametrize("width", [4, 6])
def test_the_least_first_widths_give_finite_logits(width):
    z = told_the_time(width)(torch.ones(2, 1, 16, 16), torch.tensor([0, 999]))
    assert z.shape == (2, 2, 16, 16)
    assert torch.isfinite(z).all()


def test_the_time_step_changes_the_logits_and_is_required_if_built_so(build):
    network = build()(time_embedding=True).eval()
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(network(x, torch.tensor([1])), network(x, torch.tensor([500])))
    with pytest.raises(ValueError, match="time_embedding=True"):
        network(x)


def test_a_new_decoder_and_a_new_head_give_logits_of_their_own(build):
    network = build()()
    features = network.encode(torch.zeros(1, 1, 16, 16) + 1)
    decoder = network.new_decoder()
    assert decoder(features).shape == (1, 2, 16, 16)
    assert parameters(decoder) == parameters(network.decoder) + parameters(network.output)
    assert network.new_head(1, 5)(network.decode(features)[0]).shape == (1, 5, 8, 8)


@pytest.mark.parametrize(
    ("dims", "channels", "alone", "with_both"),
    [(2, 3, 1_813_762, 3_210_342), (3, 1, 5_344_066, 9_265_958)],
)
def test_decoders_with_other_upsamplings_have_their_parameters(dims, channels, alone, with_both):
    """In 2D nearest adds 633,010, as much as the network's own decoder and head have.

    Of these 43,760 are pointwise (256 · 128 + 128 · 64 + 64 · 32 + 32 · 16, and 240 biases); the
    transposed have 2 × 2 times the weights, 174,320: 763,570 in all.
    """
    network = NetworkBuilder(in_channels=channels, classes=2, spatial_dims=dims)()
    more = [network.new_decoder(up="transposed"), network.new_decoder(up="nearest")]
    assert parameters(network) == alone
    assert alone + sum(map(parameters, more)) == with_both


@pytest.mark.parametrize(("dims", "side"), [(2, 16), (3, 8)])
@pytest.mark.parametrize("up", ["linear", "nearest", "transposed"])
def test_every_upsampling_gives_logits_of_the_images_size(build, dims, side, up):
    network = build(dims)()
    features = network.encode(torch.randn(2, 1, *[side] * dims))
    decoder = network.new_decoder(up=up)
    assert decoder(features).shape == (2, 2, *[side] * dims)
    decoder(features).sum().backward()
    assert all(parameter.grad is not None for parameter in decoder.parameters())


def test_the_upsamplings_differ_in_nothing_else(build):
    """The same weights, nearest and linear: equal on constant maps, which both leave constant."""
    network = build()().eval()
    linear, nearest = (network.new_decoder(up=up).eval() for up in ("linear", "nearest"))
    nearest.load_state_dict(linear.state_dict())
    features = [torch.full((1, w, s, s), 0.5) for w, s in ((4, 16), (8, 8), (8, 4))]
    maps = [decoder.decoder.up(features[-1]) for decoder in (linear, nearest)]
    assert torch.allclose(*maps, atol=1e-6)
    varied = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert nearest.decoder.up(varied)[0, 0, 0].tolist() == [0, 0, 1, 1]
    assert linear.decoder.up(varied)[0, 0, 0].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])


def test_a_new_decoder_by_default_is_as_the_network_s_own_and_draws_as_before(build):
    network = build()()
    torch.manual_seed(0)
    first = network.new_decoder()
    torch.manual_seed(0)
    second = network.new_decoder(up=network.upsampling)
    assert network.upsampling == "linear"
    assert all(
        torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)
    )


def test_another_upsampling_is_refused(build):
    with pytest.raises(ValueError, match="up is linear, nearest or transposed, got cubic"):
        build()().new_decoder(up="cubic")


def test_sides_that_cannot_be_halved_are_refused_with_their_size(build):
    with pytest.raises(ValueError, match=r"divide by 4, got \(18, 16\)"):
        build()()(torch.zeros(1, 1, 18, 16))


def test_a_pointwise_convolution_is_the_matrix_product():
    torch.manual_seed(0)
    layer, x = _Pointwise3d(6, 3), torch.randn(2, 6, 4, 5, 3)
    expected = nn.functional.conv3d(x, layer.weight, layer.bias)
    assert torch.allclose(layer(x), expected, atol=1e-6)
    assert layer.state_dict().keys() == nn.Conv3d(6, 3, 1).state_dict().keys()
    last = x.contiguous(memory_format=torch.channels_last_3d)
    assert layer(last).is_contiguous(memory_format=torch.channels_last_3d)
