"""When a run ends before its trials have."""

import errno

from benchmark.cluster.stops import Stops
from benchmark.errors import ExitCode


def test_three_first_failures_with_one_message_end_the_run():
    stops = Stops()
    for step in (12, 40):
        stops.failed("cps", f"Diverged: the loss is nan at step {step}")
        assert stops.error is None
    stops.failed("cps", "Diverged: the loss is nan at step 7")
    assert "the first 3 trials of cps failed alike: Diverged: the loss is nan" in str(stops.error)
    assert stops.error.exit_code == ExitCode.SOME_TRIALS_FAILED


def test_failures_that_differ_or_come_after_a_success_end_nothing():
    stops = Stops()
    for variant, error in (("a", "x"), ("a", "y"), ("a", "x"), ("a", "x")):
        stops.failed(variant, error)
    stops.done("b")
    for _ in range(5):
        stops.failed("b", "x")
    for variant in "cdef":
        stops.failed(variant, "x")
    assert stops.error is None


def test_nothing_ends_a_run_that_keeps_going_but_the_disk():
    stops = Stops(keeps_going=True)
    for _ in range(5):
        stops.failed("cps", "x")
    assert stops.error is None
    full = OSError(errno.ENOSPC, "No space left on device", "checkpoint.pt")
    stops.disk(full)
    assert stops.error is full
