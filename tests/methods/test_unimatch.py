import pytest
import torch
from torch import nn

from benchmark.toolkit.method import Batch
from benchmark.training.loop import backward
from methods.unimatch import UniMatch

OFF = {"jitter": False, "cutmix": 0.0, "feature_dropout": 0.0}  # all views are the weak one


class Pixelwise(nn.Module):
    """Logits (0, v) at a pixel v, which is the feature too; keeps what it encodes and decodes."""

    def __init__(self):
        super().__init__()
        self.encoded, self.decoded = [], []

    def encode(self, x):
        self.encoded.append(x)
        return [x]

    def decode(self, features):
        self.decoded.append(features)
        return features

    def head(self, feature):
        return torch.cat([0 * feature, feature], 1)

    def forward(self, x):
        return self.head(self.decode(self.encode(x))[-1])


def terms(method, u) -> dict[str, torch.Tensor]:
    method.network = Pixelwise()
    batch = Batch(u[:1], torch.zeros_like(u[:1, 0], dtype=torch.int64), u)
    return {name: term for part in method.loss(batch, 1.0) for name, term in part.items()}


def test_features_count_a_half_and_each_strong_view_a_quarter(build):
    """1, and of .6, .2 and .4: ½ · .6 = .3, ¼ · (.2 + .4) = .15; half of all is .725."""
    method = UniMatch(build())
    values = iter((0.6, 0.2, 0.4))
    method.criterion = lambda *_: torch.tensor(1.0)
    method.pseudo = lambda *_: torch.tensor(next(values))
    found = {name: term.item() for name, term in terms(method, torch.ones(2, 1, 8, 8)).items()}
    assert found == {
        "supervised": 1.0,
        "feature": pytest.approx(0.3),
        "strong": pytest.approx(0.15),
    }
    assert sum(found.values()) / 2 == pytest.approx(0.725)


@pytest.mark.parametrize(
    ("options", "whole"),
    [
        ({"unsupervised": "ce"}, 0.0634640),
        ({"unsupervised": "ce", "average": "kept"}, 0.1269280),
        ({"unsupervised": "dice"}, 0.0095646),
        ({}, 0.0365143),  # the mean of .0634640 and .0095646
        (UniMatch.BUNDLES["paper"] | {"threshold": 0.8}, 0.0095646),
        (UniMatch.BUNDLES["natural"] | {"threshold": 0.8}, 0.0634640),
    ],
)
def test_only_what_is_sure_is_learnt(build, options, whole):
    """Pixels -2 and 1 are background and foreground, .8807971 and .7310586 sure: one counts."""
    method = UniMatch(build(criterion="ce_dice"), **{"threshold": 0.8} | options | OFF)
    found = terms(method, torch.tensor([[[[-2.0, 1.0]]]]))
    assert found["feature"].item() == pytest.approx(whole / 2, abs=1e-6)
    assert found["strong"].item() == pytest.approx(whole / 2, abs=1e-6)
    assert method.diagnostics == {"kept": 0.5, "pseudo_foreground": 0.5}


def test_without_perturbations_its_views_are_one(build, batch):
    """In evaluation mode: no dropout, and norms that depend on no batch."""
    method = UniMatch(build(), threshold=0.0, **OFF).eval()
    _, feature, strong = method.loss(batch(), 1.0)
    assert feature["feature"].item() > 0.01
    assert feature["feature"].item() == pytest.approx(strong["strong"].item(), rel=1e-5)


def test_where_nothing_is_sure_nothing_is_learnt(build, batch):
    method = UniMatch(build(criterion="ce_dice"), threshold=1.1)
    found = backward(method, batch(), 0.5, "float32")
    assert found["loss_feature"] == found["loss_strong"] == 0
    assert all(p.grad is not None for p in method.parameters())


def test_both_views_are_pasted_with_their_labels_in_boxes_of_their_own(build):
    """σ(|v|) ≥ .75 where |v| ≥ ln 3 = 1.0986."""
    torch.manual_seed(0)
    u = torch.randn(4, 1, 24, 24)
    taught = []
    method = UniMatch(build(), jitter=False, cutmix=1.0, threshold=0.75)
    method.pseudo = lambda *target: taught.append(target) or target[0].sum()
    terms(method, u)
    views = method.network.encoded[2].chunk(2)  # after x and u
    assert not torch.equal(*views)
    for view, (z, label, is_sure) in zip(views, taught[1:], strict=True):
        moved = view != u
        assert moved.flatten(1).any(1).all() and not moved.flatten(1).all(1).any()
        assert torch.equal(view[moved], u.flip(0)[moved])
        assert torch.equal(z[:, 1:], view)
        assert torch.equal(label, (view[:, 0] > 0).long())
        assert torch.equal(is_sure, view[:, 0].abs() >= 1.0986123)
    assert torch.equal(taught[0][1], (u[:, 0] > 0).long())  # the feature term is never pasted


def test_the_strong_views_have_grey_levels_of_their_own(build):
    torch.manual_seed(0)
    u = torch.randn(4, 1, 24, 24)
    before = u.clone()
    method = UniMatch(build(), cutmix=0.0)
    terms(method, u)
    first, second = method.network.encoded[2].chunk(2)
    assert not torch.equal(first, u) and not torch.equal(second, u)
    assert not torch.equal(first, second)
    assert torch.equal(u, before)


@pytest.mark.parametrize("network", ["unet", "mobilenet_v2"])
def test_half_of_the_channels_are_dropped_at_every_level(build, batch, network):
    torch.manual_seed(0)
    method = UniMatch(build(network=network))
    seen = []
    method.network.decoder.register_forward_hook(lambda m, inputs, z: seen.append(inputs[0]))
    list(method.loss(batch(), 1.0))
    weak, dropped = seen[1:3]  # after x
    for clean, perturbed in zip(weak, dropped, strict=True):
        is_kept = (perturbed == 2 * clean).flatten(2).all(2)
        is_dropped = (perturbed == 0).flatten(2).all(2)
        assert (is_kept | is_dropped).all()
    # 16 or 24 channels of three images: neither all nor none of each.
    assert 0 < is_dropped.float().mean() < 1


def test_the_encoder_learns_from_dropped_features_and_labels_carry_no_gradient(build, batch):
    method = UniMatch(build(), threshold=0.5)
    taught = []
    plain = method.pseudo
    method.pseudo = lambda *target: taught.append(target) or plain(*target)
    parts = method.loss(batch(), 1.0)
    next(parts)
    next(parts)["feature"].backward()
    assert method.network.blocks[0][0].weight.grad.any()
    assert method.network.decoder.blocks[0][0].weight.grad.any()
    list(parts)
    assert len(taught) == 3
    for z, label, is_sure in taught:
        assert z.requires_grad and not label.requires_grad and not is_sure.requires_grad


@pytest.mark.parametrize(("leave", "passes"), [(False, (3, 4)), (True, (2, 2))])
def test_batch_norms_remember_the_views_unless_told_otherwise(build, batch, leave, passes):
    """Encoder: x, weak, strong; decoder: dropped features too."""
    method = UniMatch(build(), views_leave_statistics=leave).train()
    backward(method, batch(), 0.5, "float32")
    norms = method.network.blocks[0][1], method.network.decoder.blocks[0][1]
    assert tuple(norm.num_batches_tracked.item() for norm in norms) == passes


def test_the_weight_is_whole_from_the_first_step_unless_the_run_has_a_ramp(build, batch):
    for ramp, expected in (("none", 0.5), ("run", 0.125)):
        method = UniMatch(build(), ramp=ramp)
        method.pseudo = lambda *_: torch.tensor(1.0)
        _, feature, strong = method.loss(batch(), 0.25)
        assert feature["feature"].item() == strong["strong"].item() == pytest.approx(expected)


def test_mixed_precision_loses_no_gradient(build, batch):
    """Weights that were cast in the weak pass, whose decoder has no gradient, are cast again."""
    method = UniMatch(build(), threshold=0.5)
    method.criterion = lambda z, y: 0 * z.sum()
    backward(method, batch(), 0.5, "bfloat16")
    assert method.network.decoder.blocks[0][0].weight.grad.any()
    assert all(p.grad is not None for p in method.parameters())


@pytest.mark.parametrize("options", [{"ramp": "own"}, {"unsupervised": "run"}, {"average": "some"}])
def test_unknown_values_are_refused(build, options):
    with pytest.raises(ValueError):
        UniMatch(build(), **options)
