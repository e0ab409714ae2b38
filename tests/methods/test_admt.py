"""Two teachers in turns: what they say together, who overrules them, when who moves."""

import io

import pytest
import torch
from torch import nn

from benchmark.toolkit.method import Batch
from benchmark.training.loop import backward
from methods import admt
from methods.admt import ADMT, Turns, blend, turn_rate


def pixel(*probabilities: float) -> torch.Tensor:
    return torch.tensor(probabilities).log().reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # H = .4689956 and .7219281 bits, so w = σ(.2529325) = .5628982
        ((0.9, 0.1), (0.2, 0.8), (0.5940287, 0.4059713)),
        ((0.99, 0.01), (0.9, 0.1), (0.9536265, 0.0463735)),  # H .0807931, w .5958499
        ((0.99, 0.01), (0.5, 0.5), (0.8502914, 0.1497086)),  # w .7148805
        ((0.99, 0.01), (0.01, 0.99), (0.5, 0.5)),  # as sure of the opposite
        ((0.7, 0.2, 0.1), (0.7, 0.2, 0.1), (0.7, 0.2, 0.1)),
    ],
)
def test_the_surer_teacher_weighs_more(first, second, expected):
    found = blend(pixel(*first), pixel(*second))
    assert found.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_teachers_without_a_doubt_stay_finite():
    z = torch.tensor([200.0, -200.0]).reshape(1, 2, 1, 1)
    assert blend(z, -z).flatten().tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    ("step", "expected"),
    [(0, 0), (99, 0), (100, 0), (101, 0), (102, 0.5), (104, 0.6666667), (200, 0.9803922),
     (297, 0.9898990), (298, 0.99), (1000, 0.99)],
)  # fmt: skip
def test_the_average_counts_every_second_step_after_a_hundred_copies(step, expected):
    assert turn_rate(step, 50, 0.99) == pytest.approx(expected, abs=1e-7)


def test_only_the_teacher_whose_turn_it_is_moves(build, monkeypatch):
    """Turns of 3, 1, 2, 2 steps at a rate of .9 from 0; the student is 1 at the first step, …, 8:
    .1 · 1, .9 · .1 + .1 · 2 = .29, …
    """
    lengths = iter([3, 1, 2, 2, 9])
    monkeypatch.setattr(Turns, "_length", lambda self: next(lengths))
    monkeypatch.setattr(admt, "turn_rate", lambda *_: 0.9)
    method = ADMT(build())
    g1, g2 = (g.blocks[0][0].bias for g in method.teachers)
    nn.init.zeros_(g1), nn.init.zeros_(g2)
    active, first, second = [], [], []
    for step in range(8):
        active.append(method.turns.active + 1)
        nn.init.constant_(method.student.blocks[0][0].bias, step + 1.0)
        method.after_step((step + 1) / 8)
        first.append(g1[0].item())
        second.append(g2[0].item())
    assert active == [1, 1, 1, 2, 1, 1, 2, 2]
    assert first == pytest.approx([0.1, 0.29, 0.561, 0.561, 1.0049, 1.50441, 1.50441, 1.50441])
    assert second == pytest.approx([0, 0, 0, 0.4, 0.4, 0.4, 1.06, 1.754])


def test_turns_of_one_step_alternate():
    turns, found = Turns(1), []
    for _ in range(6):
        found.append(turns.active)
        turns.advance()
    assert found == [0, 1, 0, 1, 0, 1]


def test_turns_are_as_long_as_the_period_at_most():
    torch.manual_seed(0)
    turns, lengths = Turns(3), set()
    for _ in range(60):
        lengths.add(turns.left)
        turns.advance()
    assert lengths == {1, 2, 3}


def test_a_resumed_run_goes_on_in_the_middle_of_a_turn(build):
    method = ADMT(build(), period=9)
    method.turns.step, method.turns.active, method.turns.left = 41, 1, 7
    stored = io.BytesIO()
    torch.save(method.state_dict(), stored)
    stored.seek(0)
    other = ADMT(build(seed=1), period=9)
    other.load_state_dict(torch.load(stored, weights_only=True))
    assert (other.turns.step, other.turns.active, other.turns.left) == (41, 1, 7)


class Says(nn.Module):
    """Certain numbers for each image of the batch, whatever is on it: (b, k) of all its pixels."""

    def __init__(self, *probabilities: tuple[float, ...]):
        super().__init__()
        self.z = torch.tensor(probabilities).log()[:, :, None, None]

    def forward(self, x):
        return self.z.expand(-1, -1, *x.shape[2:]).clone()


def labels_of(build, monkeypatch, *, active: int = 1, **options) -> tuple[list, list]:
    """Classes and confidences of two images of two pixels, of which a box has the second.

    The teachers are .6 sure of the opposite in all of them; the student is .99 sure of class 1 in
    the first image, of class 0 in the second.
    """
    box = torch.tensor([[[False, True]], [[False, True]]])
    monkeypatch.setattr(admt.views, "beta_boxes", lambda u: box)
    monkeypatch.setattr(torch, "randperm", lambda n: torch.tensor([1, 0]))
    method = ADMT(build(), **options)
    method.turns.active = active
    method.teachers = nn.ModuleList([Says(*[(0.4, 0.6)] * 2), Says(*[(0.6, 0.4)] * 2)])
    method.student = Says((0.01, 0.99), (0.99, 0.01))
    monkeypatch.setattr(admt.views, "strong", lambda x, scale, p_blur: x)
    _, labels = method._strong_view(torch.zeros(2, 1, 1, 2))
    return labels.classes.flatten(1).tolist(), labels.confidence.flatten(1).tolist()


def test_a_surer_student_overrules_teachers_who_clash(build, monkeypatch):
    """The blend is ½, its first class 0: where the student says 1 it is 1, with .99."""
    classes, confidence = labels_of(build, monkeypatch, active=0)
    assert classes == [[1, 1], [0, 0]]
    assert confidence == [pytest.approx([0.99, 0.99]), pytest.approx([0.5, 0.5])]
    classes, confidence = labels_of(build, monkeypatch, active=0, conflict="teacher")
    assert classes == [[0, 0], [0, 0]]
    assert confidence == [pytest.approx([0.5, 0.5])] * 2


def test_what_the_student_says_is_pasted_with_its_image(build, monkeypatch):
    """In the box is the other image, hence what the student said of that one; in the source's code
    it is what it said of the image around the box.
    """
    assert labels_of(build, monkeypatch)[0] == [[1, 0], [0, 1]]
    assert labels_of(build, monkeypatch, mix_student_labels=False)[0] == [[1, 1], [0, 0]]


class Sign(nn.Module):
    """Class 1 where the image is above 0, the surer the farther."""

    def forward(self, x):
        return torch.cat([-x, x], 1)


def test_pasted_images_and_labels_stay_together(build, batch):
    torch.manual_seed(0)
    method, u = ADMT(build()), batch().u
    method.turns.active = 1
    method.student, method.teachers = Sign(), nn.ModuleList([Sign(), Sign()])
    before = u.clone()
    strong, labels = method._strong_view(u)
    assert torch.equal(labels.classes, (strong[:, 0] > 0).long())
    assert torch.allclose(labels.confidence, (2 * strong[:, 0].abs()).sigmoid())
    assert not torch.equal(strong, u) and torch.equal(before, u)


def test_the_first_teachers_turns_are_without_boxes(build, batch, monkeypatch):
    method, u = ADMT(build()), batch().u
    monkeypatch.setattr(admt.views, "strong", lambda x, scale, p_blur: x + p_blur)
    strong, _ = method._strong_view(u)
    assert torch.equal(strong, u + 0.2)


@pytest.mark.parametrize("active", [0, 1])
def test_only_the_active_teacher_is_in_training_mode(build, batch, active):
    method, seen = ADMT(build()).train(), []
    method.turns.active = active
    for g in method.teachers:
        g.register_forward_hook(lambda m, *_: seen.append(m.training))
    list(method.loss(batch(), 0.5))
    assert seen == [active == 0, active == 1]
    assert all(g.training for g in method.teachers)


def test_where_nothing_is_sure_nothing_is_learnt(build, batch):
    """The source's cross entropy is a mean over no pixel there."""
    for unsupervised in ("criterion", "dice", "ce"):
        method = ADMT(build(), threshold=1.1, unsupervised=unsupervised)
        found = backward(method, batch(), 0.5, "float32")
        assert found["loss_pseudo"] == 0 and method.diagnostics["kept"] == 0
        assert all(p.grad.isfinite().all() for p in method.student.parameters())


@pytest.mark.parametrize(("unsupervised", "expected"), [("ce", 0.1269280), ("dice", 0.0095646)])
def test_the_loss_is_that_of_the_kept_pixels(build, unsupervised, expected):
    """Logits (2, 0) and (0, 1), classes 0 and 1, of which the first alone is kept; weight 2 · ½."""
    method = ADMT(build(), unsupervised=unsupervised)
    method.student = Says((0.8807971, 0.1192029))
    z = torch.tensor([[[[2.0, 0.0]], [[0.0, 1.0]]]])
    method.student.forward = lambda x: z
    labels = admt.Labels(torch.tensor([[[0, 1]]]), torch.tensor([[[0.96, 0.94]]]))
    method._strong_view = lambda u: (u, labels)
    x = torch.zeros(1, 1, 1, 2)
    _, part = method.loss(Batch(x, torch.tensor([[[0, 1]]]), x), 0.5)
    assert part["pseudo"].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("progress", "expected"), [(0.05, 0.0407622), (0.1, 0.1652989), (0.2, 0.8187308), (0.25, 1)]
)
def test_the_ramp_of_the_source_grows_over_a_quarter(build, batch, progress, expected):
    found = []
    for p in (progress, 1.0):
        torch.manual_seed(0)
        method = ADMT(build(), ramp_share=0.25, threshold=0.5)
        found.append(backward(method, batch(), p, "float32")["loss_pseudo"])
    assert found[0] / found[1] == pytest.approx(expected, abs=1e-5)


def test_one_image_is_pasted_into_itself(build, batch):
    data = batch()
    method = ADMT(build(), threshold=0.5)
    method.turns.active = 1
    strong, _ = method._strong_view(data.u[:1])
    assert torch.equal(strong, data.u[:1])


def test_the_teachers_start_as_copies_and_never_get_a_gradient(build, batch):
    method = ADMT(build(), threshold=0.5)
    for g in method.teachers:
        pairs = zip(method.student.parameters(), g.parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)
    backward(method, batch(), 0.5, "float32")
    assert all(p.grad is None and not p.requires_grad for p in method.teachers.parameters())


def test_only_the_student_is_tested_and_both_teachers_are_shown(build, batch):
    method, x = ADMT(build()).eval(), batch().x
    nn.init.ones_(method.student.output.bias)
    assert torch.equal(method(x), method.student(x))
    shown = method.panel(x)["pseudo_label"].exp()
    assert torch.allclose(
        shown, method.teachers[0](x).softmax(1), atol=1e-6
    )  # copies of each other


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"period": 0}, "period at least 1, got 0.0 and 0"),
        ({"ramp_share": 2.0}, r"ramp_share is in \[0, 1\]"),
        ({"conflict": "both"}, "conflict is student or teacher, got both"),
        ({"unsupervised": "mse"}, "unsupervised is criterion, dice or ce, got mse"),
    ],
)
def test_what_cannot_be_is_refused(build, options, found):
    with pytest.raises(ValueError, match=found):
        ADMT(build(), **options)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("bundle", ["paper", "paper_3d"])
@pytest.mark.parametrize("active", [0, 1])
def test_the_settings_of_the_source_train(build, batch, bundle, dims, active):
    method = ADMT(build(dims), **ADMT.BUNDLES[bundle])
    method.turns.active = active
    found = backward(method, batch(dims), 0.5, "float32")
    assert all(v.isfinite() for v in found.values())
