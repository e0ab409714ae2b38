import io

import pytest
import torch

from methods.mean_teacher import MeanTeacher
from methods.uamt import UAMT


def teacher_and_students(method, n: int) -> tuple[list[float], float]:
    """After n steps, of two epochs: one weight of the student in each, and the teacher's."""
    theirs, ours = (n.blocks[0][0].bias for n in (method.student, method.teacher))
    students = []
    for step in range(n):
        torch.nn.init.constant_(theirs, float(step**2))
        students.append(theirs[0].item())
        method.after_step((step + 1) / n)
    return students, ours[0].item()


@pytest.mark.parametrize("kind", [MeanTeacher, UAMT])
def test_the_average_counts_steps_or_epochs(kind, build):
    """Six steps: the plain mean of 0, 1, 4, 9, 16, 25. Two epochs of three: a copy after each step
    of the first (rate 0), then half of the teacher and half of the student (rate 1/2).
    """
    assert teacher_and_students(kind(build()), 6)[1] == pytest.approx(55 / 6)
    by_epoch = kind(build(epochs=2), average_counts="epochs")
    students, teacher = teacher_and_students(by_epoch, 6)
    assert students == [0, 1, 4, 9, 16, 25]
    assert teacher == pytest.approx(((4 / 2 + 9 / 2) / 2 + 16 / 2) / 2 + 25 / 2)
    with pytest.raises(ValueError, match="average_counts is steps or epochs, got hours"):
        kind(build(), average_counts="hours")


@pytest.mark.parametrize("kind", [MeanTeacher, UAMT])
def test_a_resumed_run_counts_on(kind, build):
    method = kind(build())
    for step in range(3):
        method.after_step((step + 1) / 6)
    stored = io.BytesIO()
    torch.save(method.state_dict(), stored)
    other = kind(build(seed=1))
    stored.seek(0)
    other.load_state_dict(torch.load(stored, weights_only=True))
    assert other.clock.tick(4 / 6) == 3


def test_the_teacher_starts_as_a_copy_and_never_gets_a_gradient(build, batch):
    method = MeanTeacher(build())
    pairs = zip(method.student.parameters(), method.teacher.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    for part in method.loss(batch(), 1.0):
        sum(part.values()).backward()
    assert all(p.grad is None and not p.requires_grad for p in method.teacher.parameters())


@pytest.mark.parametrize(("of_teacher", "expected"), [((100.0, -100.0), 0), ((-100.0, 100.0), 2)])
def test_equal_outputs_cost_nothing_and_opposite_certainty_costs_one(
    of_teacher, expected, build, batch
):
    """(1, 0) against (0, 1): the mean of 1² and 1², times weight · progress = 4 · 0.5."""
    method = MeanTeacher(build(), weight=4.0)
    for network, logits in ((method.student, (100.0, -100.0)), (method.teacher, of_teacher)):
        torch.nn.init.zeros_(network.output.weight)
        network.output.bias.data = torch.tensor(logits)
    _, part = method.loss(batch(), 0.5)
    assert part["consistency"].item() == pytest.approx(expected)


def test_only_the_teacher_sees_noise_and_it_is_limited(build, batch):
    method, data = MeanTeacher(build(), noise=10.0, noise_limit=0.2), batch()
    seen = {}
    for name in ("student", "teacher"):
        network = getattr(method, name)
        network.register_forward_hook(
            lambda m, i, z, name=name: seen.setdefault(name, []).append(i[0])
        )
    list(method.loss(data, 0.5))
    difference = (seen["teacher"][0] - data.u).abs()
    assert torch.equal(seen["student"][1], data.u)
    assert difference.max().item() == pytest.approx(0.2, abs=1e-6)
    assert difference.min() > 0


def test_the_teacher_keeps_its_own_statistics_unless_told_to_copy(build, batch):
    own, copying = MeanTeacher(build()), MeanTeacher(build(), buffers="copy")
    for method in (own, copying):
        list(method.loss(batch(), 0.5))
        method.after_step(0.5)
    mean = "blocks.0.1.running_mean"
    states = [(m.teacher.state_dict()[mean], m.student.state_dict()[mean]) for m in (own, copying)]
    assert not torch.equal(*states[0])
    assert torch.equal(*states[1])


def test_the_tested_network_can_be_chosen(build, batch):
    for tested in ("teacher", "student"):
        method = MeanTeacher(build(), tested=tested).eval()
        torch.nn.init.ones_(method.student.output.bias)
        assert torch.equal(method(batch().x), getattr(method, tested)(batch().x))
    with pytest.raises(ValueError, match="teacher or student"):
        MeanTeacher(build(), tested="best")
