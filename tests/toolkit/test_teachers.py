import pytest
import torch

from benchmark.toolkit.teachers import average_rate, follow, noisy, running_statistics_kept


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
