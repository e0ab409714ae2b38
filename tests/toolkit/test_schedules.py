import pytest

from benchmark.study.settings import TrainingSettings
from benchmark.toolkit import schedules
from benchmark.training.loop import learning_rate
from benchmark.training.trial import steps_per_epoch


def test_cosine_starts_at_one_is_half_in_the_middle_and_ends_at_zero():
    assert [schedules.cosine(p) for p in (0.0, 0.5, 1.0)] == pytest.approx([1, 0.5, 0])


def test_the_papers_schedule_divides_by_ten_at_epochs_50_100_150():
    rate = [0.01 * schedules.step(e, every=50, factor=0.1) for e in (0, 49, 50, 99, 100, 150, 199)]
    assert rate == pytest.approx([1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-5, 1e-5])


def test_the_baselines_schedule_warms_up_over_20_epochs_and_halves_each_50():
    training = TrainingSettings(
        schedule="step",
        learning_rate=0.5,
        warmup_epochs=20,
        decay_every_epochs=50,
        decay_factor=0.5,
        epochs=200,
        steps_per_epoch=3,
    )
    rate = [learning_rate(training, 3 * epoch + 2, 3) for epoch in (0, 9, 19, 20, 69, 70, 199)]
    assert rate == pytest.approx([0.025, 0.25, 0.5, 0.5, 0.5, 0.25, 0.0625])


def test_an_epoch_of_the_authors_is_once_through_the_labelled_images():
    """GlaS, 80 training images, batch 2: 1, 1, 2, 4, 8 and 40 steps at 1, 2, 5, 10, 20, 100 %."""
    training = TrainingSettings(steps_per_epoch="labelled", batch_labelled=2)
    assert [steps_per_epoch(training, n) for n in (1, 2, 4, 8, 16, 80)] == [1, 1, 2, 4, 8, 40]


def test_poly_falls_as_the_tables_of_ssl4mis():
    """(1 - p)^.9 at p = 0, .1, .25, .5, .75, .9, .99, computed apart."""
    found = [schedules.poly(p) for p in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)]
    known = [1, 0.9095326, 0.7718895, 0.5358867, 0.2871746, 0.1258925, 0.0158489]
    assert found == pytest.approx(known, abs=1e-7)
    training = TrainingSettings(
        schedule="poly", learning_rate=1.0, epochs=80, steps_per_epoch=100, poly_power=0.9
    )
    assert learning_rate(training, 7999, 100) == pytest.approx(3.070570e-4, rel=1e-6)
    assert learning_rate(training, 0, 100) == 1.0


def test_ramps_grow_as_their_names_say():
    grid = (0.0, 0.25, 0.5, 1.0)
    assert [schedules.ramp(p) for p in grid] == list(grid)
    assert [schedules.ramp(p, "linear", 0.5) for p in grid] == [0, 0.5, 1, 1]
    assert [schedules.ramp(p, "none") for p in grid] == [1, 1, 1, 1]
    # exp(-5), exp(-5 · .75²), exp(-5 · .5²), 1
    known = [0.0067379, 0.0600546, 0.2865048, 1]
    assert [schedules.ramp(p, "sigmoid") for p in grid] == pytest.approx(known, abs=1e-6)
    assert schedules.ramp(0.2, "sigmoid", 0.4) == pytest.approx(0.2865048, abs=1e-6)
