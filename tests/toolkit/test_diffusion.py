import math

import pytest
import torch

from benchmark.toolkit.diffusion import BETAS, NoiseSchedule, linear_betas, sigmoid_betas

LINEAR = NoiseSchedule(linear_betas(1000))
SIGMOID = NoiseSchedule(sigmoid_betas(1000))


@pytest.mark.parametrize(
    ("t", "signal", "relative"),
    [
        (0, 0.9999, 1e-12), (1, 0.99978009, 1e-7), (99, 0.8970181, 1e-6), (249, 0.5240854, 1e-6),
        (499, 0.0785872, 1e-5), (749, 3.35055e-3, 1e-5), (899, 2.752059e-4, 1e-6),
        (998, 4.118194e-5, 1e-6), (999, 4.035830e-5, 1e-6),
    ],
)  # fmt: skip
def test_the_linear_schedule(t, signal, relative):
    assert LINEAR.signal[t].item() == pytest.approx(signal, rel=relative)


@pytest.mark.parametrize(
    ("t", "signal", "relative"),
    [
        (0, 0.9996997, 1e-7), (1, 0.9993978, 1e-7), (99, 0.9605072, 1e-7), (249, 0.8508535, 1e-6),
        (499, 0.5, 1e-9), (749, 0.1491465, 1e-6), (899, 0.0394928, 1e-5), (998, 3.0028e-4, 1e-4),
        (999, 3.0028e-7, 1e-4),
    ],
)  # fmt: skip
def test_the_sigmoid_schedule(t, signal, relative):
    assert SIGMOID.signal[t].item() == pytest.approx(signal, rel=relative)


@pytest.mark.parametrize(
    ("schedule", "t", "root"),
    [
        (LINEAR, 0, 0.0100005), (LINEAR, 499, 3.4241), (LINEAR, 999, 157.41),
        (SIGMOID, 249, 0.41868), (SIGMOID, 998, 57.700), (SIGMOID, 999, 1824.9),
    ],
)  # fmt: skip
def test_the_weight_of_an_image_error(schedule, t, root):
    assert schedule.image_weight(torch.tensor([t])).sqrt().item() == pytest.approx(root, rel=1e-4)


def test_the_linear_tables_are_monai_s():
    from monai.networks.schedulers import DDPMScheduler

    theirs = DDPMScheduler(1000, schedule="linear_beta", beta_start=1e-4, beta_end=0.02)
    assert torch.allclose(LINEAR.signal, theirs.alphas_cumprod.double(), rtol=1e-4)


@pytest.mark.parametrize("kind", BETAS)
@pytest.mark.parametrize("steps", [1, 2, 10, 100, 1000])
def test_the_signal_falls_within_its_bounds_for_any_number_of_steps(kind, steps):
    signal = NoiseSchedule(BETAS[kind](steps)).signal
    assert signal.dtype == torch.float64 and len(signal) == steps
    assert (signal > 0).all() and (signal < 1).all()
    assert (signal.diff() < 0).all()


def test_few_steps_end_in_as_much_noise_as_a_thousand():
    assert NoiseSchedule(linear_betas(100)).signal[-1].item() == pytest.approx(2.04e-5, rel=0.01)


def test_a_case_by_hand():
    """β = (.1, .2): A = (.9, .72). With the plus that the paper prints it would be 1.6236."""
    schedule = NoiseSchedule(torch.tensor([0.1, 0.2], dtype=torch.float64))
    x0, noise = torch.ones(1, 1, 1, 1), torch.full((1, 1, 1, 1), 0.5)
    t = torch.tensor([1])
    xt = schedule.noised(x0, noise, t)
    assert schedule.signal.tolist() == pytest.approx([0.9, 0.72])
    assert xt.item() == pytest.approx(1.1131033, abs=1e-6)
    assert schedule.cleaned(xt, noise, t).item() == pytest.approx(1.0, abs=1e-6)
    assert schedule.noise_in(xt, x0, t).item() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("t", "tolerance"), [(0, 1e-5), (499, 1e-5), (999, 2e-4)])
@pytest.mark.parametrize("shape", [(4, 3, 8, 8), (4, 1, 4, 4, 4)])
def test_the_exact_noise_gives_the_image_back(t, tolerance, shape):
    x0 = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    steps = torch.full((len(x0),), t)
    xt = LINEAR.noised(x0, noise, steps)
    assert xt.dtype == torch.float32
    assert torch.allclose(LINEAR.cleaned(xt, noise, steps), x0, rtol=0, atol=tolerance)


def test_an_error_of_the_noise_is_an_error_of_the_image_times_its_weight():
    generator = torch.Generator().manual_seed(0)
    x0, noise, error = torch.randn((3, 2, 2, 4, 4), generator=generator, dtype=torch.float64)
    t = torch.tensor([3, 500])
    x0_hat = LINEAR.cleaned(LINEAR.noised(x0, noise, t), noise + error, t)
    of_image = (x0_hat - x0).square().mean((1, 2, 3))
    assert torch.allclose(of_image, LINEAR.image_weight(t) * error.square().mean((1, 2, 3)))


def test_each_image_has_its_own_time():
    x0, noise = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2)
    xt = LINEAR.noised(x0, noise, torch.tensor([0, 999]))
    assert xt[0].unique().item() == pytest.approx(math.sqrt(0.9999))
    assert xt[1].unique().item() == pytest.approx(math.sqrt(4.035830e-5), rel=1e-5)
