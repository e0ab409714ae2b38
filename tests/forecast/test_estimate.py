"""Forecasts in words, by hand."""

import math

import pytest

from benchmark.errors import UserError
from benchmark.forecast import hardware
from benchmark.forecast.costs import Amount, Cost
from benchmark.forecast.estimate import compared, describe, of_run
from benchmark.forecast.hardware import Hardware
from benchmark.forecast.work import Work
from tests.forecast.test_queue import Named

TWO = Hardware("a processor", 2, "2 CPUs")


def work(key, name, cost, amount, dataset="glas"):
    job = Named(key)
    job.dataset = dataset
    return Work(job, name, f"kind of {name}", amount, cost, flops=10**12, epochs=50, disk=2**19)


def test_a_forecast_in_words():
    """Of 100 steps of .5 s, 50 evaluations of 20 images of .1 s and 10 s: 50 + 100 + 10 s.

    Two of them side by side, and 12 s to start: 172. Evaluation is 100 / 160; a third of the whole
    are 30 of 90 s, which are 15 evaluations of 2 s: one each 4 epochs (3.3 are too many).
    """
    cost = Cost(0.5, 0.1, 10.0, memory=512.0)
    works = [work(key, "em", cost, Amount(100, 50, 20)) for key in "ab"]
    assert describe(works, TWO) == [
        "forecast for 2 CPUs (a processor):",
        "glas  em  2 x 100 steps  500 ms a step  512 MiB  62% evaluation  2 min 40 s each",
        "in all 5 min 20 s of processor time, about 2 min 52 s with 2 trials at once, "
        "up to 1.0 GiB of memory; 1 MiB of disk",
        "evaluation takes more than a third of em on glas (62%): evaluate_every=4 takes less "
        "(curves and the oracle reading then see fewer epochs)",
    ]
    forecast = of_run(works, TWO, shares_gpus=True)
    assert forecast.seconds == pytest.approx({"a": 160.0, "b": 160.0})
    assert forecast.wall == pytest.approx(172.0) and forecast.gpus == {}


def test_what_is_unknown_beside_what_is_known():
    """Operations of 3 x 1000 steps of 10^12: 3 x 10^15. The other takes 1 s."""
    known = work("a", "em", Cost(0.1, 0.0, 0.0), Amount(10), "la")
    unknown = [work(key, "cps", None, Amount(1000)) for key in "bcd"]
    assert describe([known, *unknown], TWO)[1:] == [
        "la    em   1 x 10 steps    100 ms a step        memory unknown  0% evaluation  1 s each",
        "glas  cps  3 x 1000 steps  3 PFLOP in training",
        "unknown on such hardware: cps on glas. --probe measures, where it runs",
    ]
    assert of_run([known, *unknown], TWO, shares_gpus=False).wall is None


def test_steps_that_differ_by_label_budget_are_a_span():
    cost = Cost(1.0, 0.0, 0.0)
    works = [work(key, "em", cost, Amount(n)) for key, n in zip("abc", (10, 40, 20), strict=True)]
    assert "3 x 10-40 steps" in describe(works, TWO)[1]


@pytest.mark.parametrize(
    ("forecast", "took", "text"),
    [
        (12.4, 59.7, "forecast 12 s, took 1 min 0 s"),
        (599.6, 3599.0, "forecast 10 min, took 1 h"),
        (7500.0, 400 * 3600.0, "forecast 2 h 5 min, took 16 days, 16:00"),
    ],
)
def test_times_for_people(forecast, took, text):
    assert compared(forecast, took) == text


def test_hardware_elsewhere():
    """64 CPUs of 4 threads a trial; 8 GPUs of a card that was measured, shared by two trials."""
    assert hardware.elsewhere("64 cpu", [], 4, None, None).slots == 16
    found = hardware.elsewhere("8 GPUs", ["an EPYC", "NVIDIA A100"], 1, 0.5, None)
    assert (found.device, found.slots, found.is_gpu) == ("NVIDIA A100", 16, True)
    assert hardware.elsewhere("8 gpu", ["an EPYC"], 1, None, 3) == Hardware("", 3, "8 GPUs", True)
    for text in ("gpu", "0 cpu", "8 tpu", "1.5 gpu"):
        with pytest.raises(UserError, match="--on takes a number"):
            hardware.elsewhere(text, [], 1, None, None)


def test_memory_that_is_unknown_is_left_out():
    works = [work("a", "em", Cost(1.0, 0.0, 0.0, memory=math.nan), Amount(1))]
    assert "of memory" not in " ".join(describe(works, TWO))
