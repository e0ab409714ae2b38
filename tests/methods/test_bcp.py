"""Two pixels of logits (2, 0) and (0, 1), p = (.8807971, .1192029), (.2689414, .7310586): against
the classes 0 and 1 the cross entropy is .1269280 and .3132617, and the Dice loss of each pixel by
itself .0095646 and .0479947.
"""

import pytest
import torch
from torch import nn

from benchmark.toolkit.method import Batch
from benchmark.training.loop import backward
from methods import bcp
from methods.bcp import BCP

TWO_PIXELS = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])  # (1, k, 1, 2)


class Fixed(nn.Module):
    """A network with the same logits for every image; keeps what it saw."""

    def __init__(self, z):
        super().__init__()
        self.z, self.seen = z, []

    def forward(self, x):
        self.seen.append(x)
        return self.z.expand(len(x), *self.z.shape[1:])


def made(build, monkeypatch, box, *, student=TWO_PIXELS, teacher=TWO_PIXELS, **options) -> BCP:
    """With networks of fixed logits, and a box at fixed pixels."""
    inside = torch.tensor(box, dtype=torch.bool)
    monkeypatch.setattr(bcp, "shared_box", lambda x, side: inside.expand(len(x), *inside.shape))
    method = BCP(build(criterion="ce_dice"), **options)
    method.student, method.teacher = Fixed(student), Fixed(teacher)
    return method


def images(*values: float, sides=(1, 2)) -> torch.Tensor:
    """One image of a single grey level for each value."""
    return torch.tensor(values).reshape(-1, 1, 1, 1).expand(-1, 1, *sides)


def terms(method, batch, progress: float) -> dict[str, float]:
    return {n: v.item() for part in method.loss(batch, progress) for n, v in part.items()}


def test_pseudo_labelled_pixels_have_half_the_weight(build, monkeypatch):
    """½ (.1269280 + .0095646) = .0682463 outside, ½ (.3132617 + .0479947) = .1806282 inside."""
    method = made(build, monkeypatch, [[0, 1]])
    found = terms(method, Batch(images(1.0), torch.tensor([[[0, 1]]]), images(2.0)), 0.5)
    assert found == pytest.approx(
        {
            "pseudo_outside": 0.0341232,
            "supervised_inside": 0.1806282,
            "supervised_outside": 0.0682463,
            "pseudo_inside": 0.0903141,
        },
        abs=1e-6,
    )
    assert found["pseudo_outside"] + found["supervised_inside"] == pytest.approx(
        0.2147513, abs=1e-6
    )


def test_a_ramp_is_only_followed_where_it_is_asked_for(build, monkeypatch):
    data = Batch(images(1.0), torch.tensor([[[0, 1]]]), images(2.0))
    for ramp, expected in (("none", 0.0341232), ("run", 0.0204739)):  # times progress, .6
        method = made(build, monkeypatch, [[0, 1]], ramp=ramp)
        assert terms(method, data, 0.6)["pseudo_outside"] == pytest.approx(expected, abs=1e-6)


def test_in_the_first_phase_both_regions_count_alike(build, monkeypatch):
    method = made(build, monkeypatch, [[0, 1]])
    found = terms(method, Batch(images(1.0), torch.tensor([[[0, 1]]]), None), 0.25)
    assert found == pytest.approx(
        {"supervised_outside": 0.0682463, "supervised_inside": 0.1806282}, abs=1e-6
    )
    assert sum(found.values()) == pytest.approx(0.2488745, abs=1e-6)


def test_as_a_whole_it_is_the_criterion_of_the_mixed_image(build, monkeypatch):
    """½ (CE .2200948 + Dice .0321695) of both pixels together; the image is mixed with itself."""
    method = made(build, monkeypatch, [[0, 1]], first_loss="whole")
    found = terms(method, Batch(images(1.0), torch.tensor([[[0, 1]]]), None), 0.25)
    assert found == pytest.approx({"supervised": 0.1261322}, abs=1e-6)


def test_the_first_phase_is_a_quarter_of_the_steps(build, monkeypatch):
    method = made(build, monkeypatch, [[0, 1]])
    data = Batch(images(1.0), torch.tensor([[[0, 1]]]), images(2.0))
    found = ["pseudo_inside" in terms(method, data, (step + 1) / 8) for step in range(8)]
    assert found == [False] * 2 + [True] * 6


def rows(seen: list[torch.Tensor]) -> list[list[list[float]]]:
    """Of each batch that a network saw, of each image: both pixels."""
    return [batch.flatten(1).tolist() for batch in seen]


def test_every_image_is_mixed_in_both_directions(build, monkeypatch):
    """Labelled 1, 2; unlabelled 10, 20, 30, of which the last has no partner; box: pixel 2."""
    method = made(build, monkeypatch, [[0, 1]])
    y = torch.tensor([[[0, 1]], [[1, 0]]])
    list(method.loss(Batch(images(1.0, 2.0), y, images(10.0, 20.0, 30.0)), 0.5))
    assert rows(method.teacher.seen) == [[[10, 10], [20, 20], [30, 30]]]
    assert rows(method.student.seen) == [[[10, 1], [20, 2]], [[1, 20], [2, 10]]]


def test_halves_are_mixed_in_one_direction_each(build, monkeypatch):
    method = made(build, monkeypatch, [[0, 1]], pairs="halves")
    y = torch.tensor([[[0, 1]], [[1, 0]]])
    list(method.loss(Batch(images(1.0, 2.0), y, images(10.0, 20.0)), 0.5))
    assert rows(method.student.seen) == [[[10, 1]], [[2, 20]]]
    method.student.seen.clear()
    list(method.loss(Batch(images(1.0, 2.0), y, None), 0.25))
    assert rows(method.student.seen) == [[[1, 2]]]
    assert method.LEAST_BATCH == (2, 2) and BCP(build()).LEAST_BATCH == (1, 1)


def test_in_the_first_phase_each_image_has_a_box_of_another(build, monkeypatch):
    method = made(build, monkeypatch, [[0, 1]])
    y = torch.tensor([[[0, 1]], [[1, 0]], [[1, 1]]])
    list(method.loss(Batch(images(1.0, 2.0, 3.0), y, None), 0.25))
    assert rows(method.student.seen) == [[[1, 3], [2, 1], [3, 2]]]
    assert not method.teacher.seen


def test_what_is_pasted_brings_its_own_classes(build, monkeypatch):
    """The class of each pixel is that of the image it comes from: 1 of the images 1 and 20."""
    method = made(build, monkeypatch, [[0, 1]])
    method.teacher = _Above(15.0)
    seen = []

    def record(z, y, keep):
        seen.append((y * keep).flatten(1).tolist())
        return z.sum() * 0

    method.on_region = record
    y = torch.stack([torch.ones(1, 2), torch.zeros(1, 2)]).long()
    list(method.loss(Batch(images(1.0, 2.0), y, images(10.0, 20.0)), 0.5))
    outside, inside, outside2, inside2 = seen
    # [10 | 1], [20 | 2], then [1 | 20], [2 | 10], as in the test before
    assert (outside, inside) == ([[0, 0], [1, 0]], [[0, 1], [0, 0]])
    assert (outside2, inside2) == ([[1, 0], [0, 0]], [[0, 1], [0, 0]])


class _Above(nn.Module):
    """Class 1 where the image is above a level."""

    def __init__(self, level: float):
        super().__init__()
        self.level = level

    def forward(self, x):
        return torch.cat([self.level - x, x - self.level], 1)


@pytest.mark.parametrize(
    ("components", "labels", "foreground", "removed"),
    [
        (True, [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]], 3 / 16, 2 / 16),
        (False, [[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]], 5 / 16, 0),
    ],
)
def test_pseudo_labels_are_the_largest_component(build, components, labels, foreground, removed):
    """Corners touch, so that the first three pixels are one component, and the others one each."""
    found = torch.tensor([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
    method = BCP(build(), components=components)
    method.teacher = _Above(0.5)
    kept = method._pseudo_labels(found[None, None].float())
    assert kept[0].tolist() == labels
    assert method.diagnostics["pseudo_foreground"].item() == pytest.approx(foreground)
    assert method.diagnostics["removed"].item() == pytest.approx(removed)


def test_the_teacher_is_a_copy_in_the_first_phase_and_an_average_after_it(build):
    """From 0 towards 1 at a rate of .99: 1 - .99ⁿ after n steps."""
    method = BCP(build())
    theirs, ours = (n.blocks[0][0].bias for n in (method.student, method.teacher))
    nn.init.zeros_(ours)
    nn.init.ones_(theirs)
    mean = method.student.blocks[0][1].running_mean
    mean.fill_(5.0)
    method.after_step(0.25)
    assert ours[0] == 1 and method.teacher.blocks[0][1].running_mean[0] == 5
    nn.init.zeros_(ours)
    expected = {1: 0.01, 10: 0.0956179, 100: 0.6339677}
    for step in range(1, 101):
        method.after_step(0.5)
        if step in expected:
            assert ours[0].item() == pytest.approx(expected[step], abs=1e-5)


def test_with_a_first_phase_throughout_unlabelled_images_change_nothing(build, batch):
    found = []
    for u in (batch().u, batch(seed=1).u):
        torch.manual_seed(0)
        method = BCP(build(), first=1.0)
        backward(method, batch()._replace(u=u), 1.0, "float32")
        found.append([p.grad for p in method.student.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_without_a_first_phase_the_teacher_is_asked_at_once(build, batch):
    found = backward(BCP(build(), first=0.0), batch(), 0.001, "float32")
    assert "loss_pseudo_inside" in found


def test_a_batch_of_one_and_one_is_enough(build, batch):
    data = batch()
    one = Batch(data.x[:1], data.y[:1], data.u[:1])
    for progress in (0.1, 0.9):
        assert all(v.isfinite() for v in backward(BCP(build()), one, progress, "float32").values())


def test_only_the_student_is_tested_and_the_teacher_is_shown(build, batch):
    method, x = BCP(build()).eval(), batch().x
    nn.init.ones_(method.student.output.bias)
    assert torch.equal(method(x), method.student(x))
    assert torch.equal(method.panel(x)["pseudo_label"], method.teacher(x))


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"first": 1.5}, r"first is in \[0, 1\] and side in \(0, 1\], got 1.5"),
        ({"side": 0.0}, "and 0.0"),
        ({"ramp": "own"}, "ramp is none or run, got own"),
        ({"pairs": "some"}, "pairs is all or halves, got some"),
        ({"first_loss": "none"}, "first_loss is regions or whole, got none"),
    ],
)
def test_what_cannot_be_is_refused(build, options, found):
    with pytest.raises(ValueError, match=found):
        BCP(build(), **options)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("bundle", ["paper", "paper_3d"])
def test_the_settings_of_the_source_train(build, batch, bundle, dims):
    method = BCP(build(dims, criterion="ce_dice"), **BCP.BUNDLES[bundle])
    for progress in (0.1, 0.5):
        found = backward(method, batch(dims), progress, "float32")
        assert all(v.isfinite() for v in found.values())
