import pytest
import torch
from safetensors.torch import save_file
from segmentation_models_pytorch import Unet

from benchmark.errors import ExitCode, UserError
from benchmark.toolkit import encoders
from benchmark.toolkit.architecture import Architecture
from benchmark.toolkit.encoders import EncoderUNet

NAMES = ["resnet34", "efficientnet-b0", "densenet121"]
every_encoder = pytest.mark.parametrize("name", NAMES)


def image(side: int = 64, channels: int = 1):
    return torch.randn(2, channels, side, side, generator=torch.Generator().manual_seed(0))


@every_encoder
def test_features_go_from_fine_to_coarse_and_maps_back_to_the_images_size(name, build):
    network, x = build(network=name)(), image()
    features = network.encode(x)
    assert [f.shape[-1] for f in features] == [32, 16, 8, 4, 2]
    assert [f.shape[1] for f in features] == list(network.channels)
    assert all(f.requires_grad for f in features), "the image itself is no feature"
    maps = network.decode(features)
    assert [m.shape[-1] for m in maps] == [4, 8, 16, 32, 64]
    assert [m.shape[1] for m in maps] == list(network.widths[-2::-1])
    assert network.head(maps[-1]).shape == (2, 2, 64, 64)


@every_encoder
def test_it_is_the_librarys_unet(name, build):
    """Same weights, same logits, beside the dropout; VGG's decoder has a part of its own."""
    network, theirs = build(network=name)().eval(), Unet(name, encoder_weights=None, in_channels=1)
    network.output = theirs.segmentation_head[0]
    theirs.encoder.load_state_dict(theirs.encoder.state_dict() | network.encoder.state_dict())
    theirs.decoder.blocks.load_state_dict(network.decoder.blocks.state_dict())
    assert torch.equal(network(image()), theirs.eval()(image()))


@every_encoder
def test_forward_is_the_head_on_the_finest_map(name, build):
    network, x = build(network=name)().eval(), image()
    assert torch.equal(network(x), network.head(network.decode(network.encode(x))[-1]))


@every_encoder
def test_a_new_decoder_and_new_heads_give_logits_of_their_own(name, build):
    network = build(network=name)().eval()
    features = network.encode(image())
    logits = network.new_decoder().eval()(features)
    assert logits.shape == (2, 2, 64, 64)
    assert not torch.equal(logits, network.head(network.decode(features)[-1]))
    for level, finer in enumerate(reversed(network.decode(features))):
        assert network.new_head(level, 5)(finer).shape == (2, 5, 64 // 2**level, 64 // 2**level)


@pytest.mark.parametrize("name", ["resnet34", "vgg11"])
def test_new_decoders_may_enlarge_their_maps_otherwise(name, build):
    network = build(network=name)()
    assert network.upsampling == "nearest"
    features = network.encode(image())
    found = [network.new_decoder(up=up) for up in ("nearest", "linear", "transposed")]
    assert all(decoder(features).shape == (2, 2, 64, 64) for decoder in found)
    found[2](features).sum().backward()
    assert all(parameter.grad is not None for parameter in found[2].parameters())
    sizes = [sum(p.numel() for p in decoder.parameters()) for decoder in found]
    # 2 × 2 from and to the 512, 256, 128, 64, 32 channels before each block, with biases.
    assert sizes[1] - sizes[0] == 0
    assert sizes[2] - sizes[0] == 4 * (512**2 + 256**2 + 128**2 + 64**2 + 32**2) + 992
    found[1].load_state_dict(found[0].state_dict())
    found = [decoder.eval()(features) for decoder in found[:2]]
    assert not torch.allclose(*found)
    with pytest.raises(ValueError, match="up is linear, nearest or transposed"):
        network.new_decoder(up="cubic")


@every_encoder
def test_the_time_step_changes_the_logits_and_every_feature(name, build):
    network, x = build(network=name)(time_embedding=True).eval(), image()
    early, late = torch.tensor([1, 1]), torch.tensor([500, 500])
    assert not torch.equal(network(x, early), network(x, late))
    pairs = zip(network.encode(x, early), network.encode(x, late), strict=True)
    assert all(not torch.equal(a, b) for a, b in pairs)
    with pytest.raises(ValueError, match="time_embedding=True"):
        network(x)


@every_encoder
def test_dropout_acts_on_the_bottleneck_in_training_alone(name, build):
    network = build(network=name)()
    network.encoder.eval()  # some encoders drop whole blocks themselves
    first, second = network.encode(image()), network.encode(image())
    assert all(torch.equal(a, b) for a, b in zip(first[:-1], second[:-1], strict=True))
    assert not torch.equal(first[-1], second[-1])
    network.eval()
    assert torch.equal(network(image()), network(image()))


@every_encoder
def test_the_weights_depend_on_the_seed_and_i_alone(name, build):
    first, second = (b := build(seed=5, network=name))(), b()
    torch.manual_seed(2)
    expected = torch.rand(3)
    torch.manual_seed(2)
    again, other = build(seed=5, network=name)(), build(seed=6, network=name)()
    assert torch.equal(torch.rand(3), expected), "the global random state is left alone"
    ours = first.state_dict()
    assert all(torch.equal(ours[k], v) for k, v in again.state_dict().items())
    assert not torch.equal(ours["output.weight"], second.state_dict()["output.weight"])
    assert not torch.equal(ours["output.weight"], other.state_dict()["output.weight"])


@every_encoder
def test_every_parameter_takes_part(name, build):
    network = build(network=name)(in_channels=3, time_embedding=True)
    network(image(channels=3), torch.tensor([1, 2])).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


def test_sides_that_cannot_be_halved_are_refused_with_their_size(build):
    with pytest.raises(ValueError, match=r"divide by 32, got \(48, 48\)"):
        build(network="resnet34")()(image(48))


def test_an_encoder_takes_no_volumes(build):
    with pytest.raises(UserError, match="takes images"):
        build(3, network="resnet34")()
    with pytest.raises(UserError, match="takes images"):
        check("resnet34", sides=[32, 32, 32])


def check(name: str, weights: str | None = None, sides=(64, 96)):
    network = Architecture(name=name, weights=weights)
    encoders.check(network, in_channels=3, classes=2, sides=sides)


@pytest.mark.parametrize("name", [*NAMES, "vgg11_bn", "xception", "mobilenet_v2", "inceptionv4"])
def test_encoders_of_every_build_are_accepted(name):
    check(name)


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet43", None, r'no network "resnet43"; did you mean "resnet34"\?'),
        ("tu-resnet34", None, r'no network "tu-resnet34"; did you mean "resnet34"\?'),
        ("mit_b0", None, r'"mit_b0" has no feature at half resolution \(0 channels\)'),
        ("resnet34", "imagnet", r'no weights of resnet34 "imagnet"; did you mean "imagenet"\?'),
    ],
)
def test_what_cannot_serve_is_refused_in_words(name, weights, message):
    with pytest.raises(UserError, match=message):
        check(name, weights)


def test_an_encoder_that_breaks_is_refused_with_its_own_words(monkeypatch):
    monkeypatch.setattr(encoders, "_UNUSED", (("conv1", "bn1"),))
    with pytest.raises(
        UserError, match=r'"resnet34" does not work on 3 channels of 64×96: .*conv1'
    ):
        check("resnet34")


def test_an_encoder_that_does_not_halve_the_image_is_refused(monkeypatch):
    def encode(self, x, t=None):
        return [feature[..., 1:] for feature in unchanged(self, x, t)]

    unchanged = EncoderUNet.encode
    monkeypatch.setattr(EncoderUNet, "encode", encode)
    monkeypatch.setattr(EncoderUNet, "decode", lambda self, features: [torch.empty(2, 16, 4, 4)])
    with pytest.raises(UserError, match="does not halve the image"):
        check("resnet34")


def test_a_listed_encoder_has_a_feature_at_every_level():
    known = encoders.usable()
    assert len(known) > 60
    assert set(NAMES) <= set(known)
    assert "mit_b0" not in known
    assert "imagenet" in known["resnet34"]


@pytest.fixture
def published(monkeypatch, tmp_path):
    """Weights that stand for the published ones of resnet18."""
    weights = EncoderUNet(3, 2, name="resnet18", dropout=0.5).encoder.state_dict()
    save_file(weights, tmp_path / "model.safetensors")
    monkeypatch.setattr(
        "segmentation_models_pytorch.encoders.hf_hub_download",
        lambda repo_id, filename, revision: str(tmp_path / filename),
    )
    return weights


def test_published_weights_are_those_of_every_network_but_its_decoder(published):
    first, second = (
        EncoderUNet(3, 2, name="resnet18", dropout=0.5, weights="imagenet") for _ in range(2)
    )
    for network in (first, second):
        assert all(torch.equal(published[k], v) for k, v in network.encoder.state_dict().items())
    assert not torch.equal(first.output.weight, second.output.weight)
    grey = EncoderUNet(1, 2, name="resnet18", dropout=0.5, weights="imagenet").encoder
    assert torch.equal(grey.conv1.weight, published["conv1.weight"].sum(1, keepdim=True))


def test_weights_that_cannot_be_fetched_are_named(monkeypatch):
    def offline(*_, **__):
        raise FileNotFoundError("cannot find the file") from ConnectionError("no connection")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", offline)
    encoders.fetch(Architecture(name="resnet34"))
    with pytest.raises(UserError, match=r'"imagenet" of resnet34 cannot be .*: no conn') as refusal:
        encoders.fetch(Architecture(name="resnet34", weights="imagenet"))
    assert refusal.value.exit_code == ExitCode.RESOURCES
