import math

import pytest
import torch

from methods.uamt import UAMT, masked_consistency, threshold, uncertainty

LN2 = math.log(2)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0.0, 0.5210280), (0.25, 0.5302671), (0.5, 0.5695079), (0.75, 0.6466397), (1.0, 0.6931472)],
)
def test_the_threshold_rises_to_the_largest_entropy(progress, expected):
    assert threshold(progress, 2) == pytest.approx(expected, abs=1e-7)


def test_the_threshold_is_relative_to_the_number_of_classes():
    assert threshold(1.0, 4) == pytest.approx(math.log(4))


def test_the_first_threshold_keeps_pixels_above_a_probability_of_0_7846():
    for p, is_sure in ((0.7847, True), (0.7845, False)):
        pixel = torch.tensor([p, 1 - p], dtype=torch.float64).reshape(1, 2, 1, 1)
        assert (uncertainty(pixel) < threshold(0.0, 2)).item() == is_sure


def test_at_the_end_even_a_uniform_pixel_is_sure():
    uniform = uncertainty(torch.full((1, 2, 1, 1), 0.5)).item()
    assert uniform == pytest.approx(0.6931452, abs=1e-7)
    assert uniform < threshold(1.0, 2)


@pytest.mark.parametrize(
    ("is_sure", "expected"),
    [([True, True], 0.0725032), ([True, False], 0.1450064), ([False, False], 0.0)],
)
def test_the_loss_is_the_mean_over_the_sure_pixels(is_sure, expected):
    """Student logits (2, 0) and (0, 0), teacher's zeros."""
    z = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).reshape(1, 2, 1, 2)  # rows are classes
    mask = torch.tensor(is_sure).reshape(1, 1, 2)
    assert masked_consistency(z, torch.zeros_like(z), mask).item() == pytest.approx(
        expected, abs=1e-6
    )


def test_the_samples_differ_and_leave_the_running_statistics_alone(build, batch):
    method, data = UAMT(build(), noise=0.0), batch()
    method.train()
    seen = []
    method.teacher.register_forward_hook(lambda m, i, z: seen.append(z))
    before = {n: b.clone() for n, b in method.teacher.named_buffers()}
    with torch.no_grad():
        method._mean_of_samples(data.u)
    assert len(seen) == 8
    assert not torch.equal(seen[0], seen[1])  # no noise: dropout alone
    assert all(torch.equal(before[n], b) for n, b in method.teacher.named_buffers())


def test_what_is_not_sure_is_not_learnt(build, batch, monkeypatch):
    method, data = UAMT(build()), batch()
    monkeypatch.setattr("methods.uamt.threshold", lambda progress, classes: 0.0)
    _, part = method.loss(data, 0.5)
    assert part["consistency"].item() == 0
    method.diagnostics.clear()
    list(method.loss(data, 0.5))
    assert method.diagnostics["sure"] == 0


def test_the_target_is_a_pass_of_its_own(build, batch):
    """Not the mean of the samples: 1 + 8 teacher passes, each with its own noise."""
    method, data = UAMT(build()), batch()
    inputs = []
    method.teacher.register_forward_hook(lambda m, i, z: inputs.append(i[0]))
    list(method.loss(data, 0.5))
    assert len(inputs) == 9
    assert all((x - data.u).abs().max() <= 0.2 + 1e-6 for x in inputs)
    assert not torch.equal(inputs[0], inputs[1]) and not torch.equal(inputs[1], inputs[2])


def test_the_teacher_follows_by_steps_and_gets_no_gradient(build, batch):
    method = UAMT(build())
    for part in method.loss(batch(), 1.0):
        sum(part.values()).backward()
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())
    torch.nn.init.ones_(method.student.output.bias)
    method.after_step(0.01)
    assert torch.equal(method.teacher.output.bias, method.student.output.bias)  # a₀ = 0
    torch.nn.init.constant_(method.student.output.bias, 3.0)
    method.after_step(0.02)
    assert method.teacher.output.bias.tolist() == [2.0, 2.0]  # a₁ = 1/2


def test_the_student_is_tested_unless_told_otherwise(build, batch):
    for tested in ("student", "teacher"):
        method = UAMT(build(), tested=tested).eval()
        torch.nn.init.ones_(method.student.output.bias)
        assert torch.equal(method(batch().x), getattr(method, tested)(batch().x))
    assert UAMT(build()).tested == "student"
    with pytest.raises(ValueError, match="at least 1"):
        UAMT(build(), samples=0)
