import pytest
import torch

from benchmark.toolkit.teachers import (
    average_rate,
    follow,
    in_eval_mode,
    noisy,
    running_statistics_kept,
)


def teacher_after(values: list[float], decay: float = 0.99) -> float:
    """A one-parameter teacher that starts at 0 and follows these student values."""
    teacher, student = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(teacher.weight)
    for k, value in enumerate(values):
        torch.nn.init.constant_(student.weight, value)
        follow(teacher, student, average_rate(k, decay))
    return teacher.weight.item()


def test_a_constant_student_is_reached_in_the_first_step():
    """a₀ = 0 overwrites the teacher."""
    assert teacher_after([1.0]) == 1.0
    assert teacher_after([1.0] * 7) == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "expected"), [(5, 2.0), (10, 4.5), (100, 49.5), (200, 118.118601)])
def test_the_average_is_the_plain_mean_until_the_decay_takes_over(n, expected):
    """Student θₖ = k: the mean of 0 … n-1 is (n-1)/2 as long as 1 - 1/(k+1) < 0.99."""
    assert teacher_after([float(k) for k in range(n)]) == pytest.approx(expected, rel=1e-5)


def test_the_decay_takes_over_at_step_99():
    assert average_rate(98, 0.99) < 0.99
    assert average_rate(99, 0.99) == 0.99


def test_noise_has_its_deviation_and_its_limit():
    images = torch.full((1, 1, 200, 200), 5.0)
    noise = noisy(images, 0.1, 0.2) - images
    assert noise.abs().max().item() == pytest.approx(0.2, abs=1e-6)
    # Deviation of a normal variable cut off at two deviations, each tail set to the limit: 0.9594.
    assert noise.std().item() == pytest.approx(0.09594, rel=0.02)


def test_statistics_kept_are_those_of_the_batch_and_are_not_remembered(build, batch):
    network, images = build()().train(), batch().u
    before = {name: value.clone() for name, value in network.named_buffers()}
    torch.manual_seed(0)
    with running_statistics_kept(network):
        inside = network(images)
    assert all(torch.equal(before[name], value) for name, value in network.named_buffers())
    torch.manual_seed(0)
    assert torch.equal(inside, network(images))  # batch statistics, as in training
    changed = [not torch.equal(before[name], value) for name, value in network.named_buffers()]
    assert all(changed)  # and afterwards they are remembered again


@pytest.mark.parametrize(
    ("buffers", "mean", "count"), [("own", 1.0, 4), ("copy", 3.0, 9), ("average", 1.5, 9)]
)
def test_what_becomes_of_a_teacher_s_buffers(buffers, mean, count):
    """Rate .75: .75 · 1 + .25 · 3 = 1.5; the number of batches is no average of 4 and 9."""
    teacher, student = torch.nn.BatchNorm2d(1), torch.nn.BatchNorm2d(1)
    for norm, statistic, batches in ((teacher, 1.0, 4), (student, 3.0, 9)):
        norm.running_mean.fill_(statistic)
        norm.num_batches_tracked.fill_(batches)
    torch.nn.init.constant_(student.weight, 2.0)
    follow(teacher, student, 0.75, buffers=buffers)
    assert teacher.weight.item() == 1.25
    assert teacher.running_mean.item() == mean
    assert teacher.num_batches_tracked.item() == count
    assert student.running_mean.item() == 3.0


def test_buffers_by_default_are_the_teacher_s_own_and_other_words_are_refused():
    teacher, student = torch.nn.BatchNorm2d(1), torch.nn.BatchNorm2d(1)
    student.running_mean.fill_(3.0)
    follow(teacher, student, 0.5)
    assert teacher.running_mean.item() == 0.0
    with pytest.raises(ValueError, match="buffers is own, copy or average, got none"):
        follow(teacher, student, 0.5, buffers="none")


@pytest.mark.parametrize(("decay", "after_10", "after_100"), [(0.99, 0.0956179, 0.6339677)])
def test_an_average_from_0_towards_1(decay, after_10, after_100):
    """1 - .99^10 and 1 - .99^100."""
    teacher, student = torch.nn.Linear(1, 1, bias=False), torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(teacher.weight)
    torch.nn.init.ones_(student.weight)
    for step in range(100):
        follow(teacher, student, decay)
        if step == 9:
            assert teacher.weight.item() == pytest.approx(after_10, abs=1e-6)
    assert teacher.weight.item() == pytest.approx(after_100, abs=1e-5)


def test_eval_mode_is_left_as_it_was_found(build, batch):
    network, images = build()().train(), batch().u
    network.pool.eval()
    before = {name: value.clone() for name, value in network.named_buffers()}
    with pytest.raises(KeyboardInterrupt), in_eval_mode(network):
        assert torch.equal(network(images), network(images))  # nothing is dropped
        assert not any(module.training for module in network.modules())
        raise KeyboardInterrupt
    assert all(torch.equal(before[name], value) for name, value in network.named_buffers())
    assert network.training and network.blocks[0].training and not network.pool.training
