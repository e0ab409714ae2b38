import pytest
import torch
from torch import nn

from benchmark.toolkit.method import Batch
from benchmark.training.loop import backward
from methods.fixmatch import FixMatch

OFF = {"jitter": False, "cutmix": 0.0}  # the strong view is the weak one


class Scripted(nn.Module):
    """Gives the logits that it was told, call after call; keeps its inputs."""

    def __init__(self, *logits: torch.Tensor):
        super().__init__()
        self.logits, self.seen = list(logits), []

    def forward(self, x):
        self.seen.append(x)
        return self.logits.pop(0)


class Pixelwise(nn.Module):
    """Logits (0, 4 v) at a pixel v: foreground where v > 0, σ(4 |v|) sure."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        return torch.cat([0 * x, 4 * x], 1)


def two_pixels(*z: float) -> torch.Tensor:
    """Logits (1, 2, 1, 2) of two pixels, given pixel by pixel."""
    return torch.tensor(z).reshape(2, 2).T.reshape(1, 2, 1, 2)


WEAK = two_pixels(0.97, 0.03, 0.6, 0.4).log()
ONE = Batch(
    torch.zeros(1, 1, 1, 2), torch.zeros(1, 1, 2, dtype=torch.int64), torch.ones(1, 1, 1, 2)
)


def of_two_pixels(builder, **options) -> tuple[float, torch.Tensor]:
    """The pseudo term and its gradient, of strong logits (2, 0), (0, 1) and labels of WEAK."""
    method = FixMatch(builder, **OFF, **options)
    strong = two_pixels(2.0, 0.0, 0.0, 1.0).requires_grad_()
    method.network = Scripted(torch.zeros_like(WEAK), WEAK, strong)
    _, term = method.loss(ONE, 0.5)
    (gradient,) = torch.autograd.grad(term["pseudo"], strong)
    return term["pseudo"].item(), gradient.reshape(2, 2).T  # pixel by pixel


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"unsupervised": "ce"}, 0.0634640),
        ({"unsupervised": "ce", "average": "kept"}, 0.1269280),
        ({"unsupervised": "dice"}, 0.0095646),
        ({}, 0.0365143),  # the mean of .0634640 and .0095646
        ({"average": "kept", "weight": 2.0}, 0.1364926),  # .1269280 + .0095646
        (FixMatch.BUNDLES["paper"], 0.0634640),
    ],
)
def test_a_pixel_below_the_threshold_is_ignored(build, options, expected):
    """-ln .8807971 = .1269280 at the first pixel; taught as background, the second costs 1.3."""
    value, gradient = of_two_pixels(build(criterion="ce_dice"), **options)
    assert value == pytest.approx(expected, abs=1e-6)
    assert gradient[0].abs().min() > 0 and not gradient[1].any()


def test_the_gradient_of_the_sure_pixel(build):
    """(p - q) / 2 pixels."""
    _, gradient = of_two_pixels(build(), unsupervised="ce")
    assert gradient[0].tolist() == pytest.approx([-0.0596015, 0.0596015], abs=1e-6)


def test_with_a_low_threshold_it_trains_on_its_own_decisions(build):
    """Both pixels are background to the weak view: (.1269280 + 1.3132617) / 2."""
    value, _ = of_two_pixels(build(), threshold=0.5)
    assert value == pytest.approx(0.7200948, abs=1e-6)


def test_where_nothing_is_sure_nothing_is_learnt(build):
    value, gradient = of_two_pixels(build(criterion="ce_dice"), threshold=0.98)
    assert value == 0 and not gradient.any()


def seen_and_taught(method, u) -> tuple[list, tuple]:
    """What the network saw of u, and the strong logits, labels and mask of the pseudo term."""
    taught = []
    method.network = Pixelwise()
    method.pseudo = lambda *target: taught.append(target) or target[0].sum()
    list(method.loss(Batch(u[:1], (u[:1, 0] > 0).long(), u), 1.0))
    return method.network.seen[1:], taught[0]


@pytest.mark.parametrize("sides", [(24, 24), (8, 8, 8)])
def test_labels_and_sureness_are_pasted_with_the_image(build, sides):
    """σ(4 |v|) ≥ .95 where |v| ≥ ln 19 / 4 = .7361."""
    torch.manual_seed(0)
    u = torch.randn(4, 1, *sides)
    method = FixMatch(build(len(sides)), jitter=False, cutmix=1.0)
    (weak, strong), (_, label, is_sure) = seen_and_taught(method, u)
    assert torch.equal(weak, u)
    moved = (strong != u).any(1)
    assert moved.flatten(1).any(1).all() and not moved.flatten(1).all(1).any()
    assert torch.equal(strong[moved[:, None]], u.flip(0)[moved[:, None]])
    assert torch.equal(label, (strong[:, 0] > 0).long())
    assert torch.equal(is_sure, strong[:, 0].abs() >= 0.736110)
    assert method.diagnostics["kept"] == is_sure.float().mean()
    assert method.diagnostics["pseudo_foreground"] == label.float().mean()


def test_the_weak_view_labels_and_other_grey_levels_are_learnt(build):
    torch.manual_seed(0)
    u = torch.randn(4, 1, 24, 24)
    before = u.clone()
    (weak, strong), (_, label, _) = seen_and_taught(FixMatch(build(), cutmix=0.0), u)
    assert torch.equal(weak, before) and torch.equal(u, before)
    assert not torch.equal(strong, u)
    assert torch.equal(label, (u[:, 0] > 0).long())


def test_one_image_has_no_partner(build):
    torch.manual_seed(0)
    u = torch.randn(1, 1, 24, 24)
    (weak, strong), _ = seen_and_taught(FixMatch(build(), jitter=False, cutmix=1.0), u)
    assert torch.equal(weak, strong)


@pytest.mark.parametrize(("ramp", "expected"), [("none", 3.0), ("run", 0.75)])
def test_the_weight_is_whole_from_the_first_step_unless_the_run_has_a_ramp(
    build, batch, ramp, expected
):
    method = FixMatch(build(), weight=3.0, ramp=ramp)
    method.pseudo = lambda *_: torch.tensor(1.0)
    *_, term = method.loss(batch(), 0.25)
    assert term["pseudo"].item() == pytest.approx(expected)


def test_the_teacher_is_the_average_of_weights_and_statistics(build, batch):
    method = FixMatch(build(), labels="teacher")
    norm, average = method.network.blocks[0][1], method.teacher.blocks[0][1]
    for k, (student, expected) in enumerate([(1.0, 1.0), (3.0, 2.0), (5.0, 3.0)]):
        nn.init.constant_(method.network.output.bias, student)
        norm.running_mean.fill_(student)
        norm.num_batches_tracked.fill_(k)
        method.after_step(0.1)  # rates 0, 1/2, 2/3
        assert method.teacher.output.bias.tolist() == pytest.approx([expected] * 2)
        assert average.running_mean.tolist() == pytest.approx([expected] * 4)
        assert average.num_batches_tracked == k


def test_the_teacher_labels_in_evaluation_mode(build, batch):
    method = FixMatch(build(), labels="teacher").train()
    modes = []
    method.teacher.register_forward_hook(lambda m, *_: modes.append(m.blocks[0][1].training))
    before = {n: b.clone() for n, b in method.teacher.named_buffers()}
    backward(method, batch(), 0.5, "float32")
    assert modes == [False] and method.teacher.blocks[0][1].training
    assert all(torch.equal(before[n], b) for n, b in method.teacher.named_buffers())
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    assert all(p.grad is not None for p in method.network.parameters())
    assert method.network.blocks[0][1].num_batches_tracked == 2  # x and the strong view


def test_the_teacher_labels_and_is_tested_if_told_so(build, batch):
    method = FixMatch(build(), labels="teacher", tested="teacher", **OFF).eval()
    nn.init.constant_(method.teacher.output.bias, 2.0)
    assert torch.equal(method(batch().x), method.teacher(batch().x))
    method.teacher = Scripted(two_pixels(0.0, 9.0, 9.0, 0.0))
    method.network = Scripted(WEAK, two_pixels(2.0, 0.0, 0.0, 1.0))
    _, term = method.loss(ONE, 1.0)
    assert term["pseudo"].item() == pytest.approx(1.7200948, abs=1e-6)  # (2.1269280 + 1.3132617)/2


@pytest.mark.parametrize(("leave", "passes"), [(False, 3), (True, 2)])
def test_batch_norms_remember_the_strong_view_unless_told_otherwise(build, batch, leave, passes):
    method = FixMatch(build(), views_leave_statistics=leave).train()
    backward(method, batch(), 0.5, "float32")
    assert method.network.blocks[0][1].num_batches_tracked == passes


@pytest.mark.parametrize("labels", ["student", "teacher"])
def test_mixed_precision_loses_no_gradient(build, batch, labels):
    """Weights that were cast in the weak pass, which has no gradient, are cast again."""
    method = FixMatch(build(), threshold=0.5, labels=labels)
    method.criterion = lambda z, y: 0 * z.sum()
    backward(method, batch(), 0.5, "bfloat16")
    assert method.network.blocks[0][0].weight.grad.any()
    assert all(p.grad is not None for p in method.network.parameters())


@pytest.mark.parametrize(
    "options",
    [{"ramp": "linear"}, {"labels": "both"}, {"unsupervised": "run"}, {"average": "some"},
     {"tested": "teacher"}],
)  # fmt: skip
def test_unknown_values_are_refused(build, options):
    with pytest.raises(ValueError):
        FixMatch(build(), **options)
