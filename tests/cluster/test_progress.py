"""The time left of a grid, by hand."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmark.cluster import progress
from benchmark.cluster.progress import GridProgress
from benchmark.store.record import PretrainingRecord
from tests.forecast.test_queue import Named

DONE = PretrainingRecord(key="", label="", status="done", seconds_total=1.0)


@pytest.fixture
def clock(monkeypatch):
    """Seconds that tests set."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def test_the_time_left_follows_the_forecast_at_the_pace_of_what_ended(clock, tmp_path):
    """Four jobs, of 10 s and one of 40, two at a time. At 20 s a has taken twice what it should.

    Left at that pace: b has done 20 of its 20 s, c 20, d 80. Side by side (0 + 20 + 80) / 2 = 50,
    but d alone takes 80.
    """
    text = io.StringIO()
    forecast = {"a": 10.0, "b": 10.0, "c": 10.0, "d": 40.0}
    made = GridProgress(4, tmp_path, Console(file=text, width=200), forecast=forecast)
    jobs = {key: Named(key) for key in forecast}
    for key in "ab":
        made.started(jobs[key])
    made.say("so far")
    assert "[0/4] so far, about 0:00:40 left" in text.getvalue()
    clock.seconds = 20.0
    made.ended(jobs["a"], DONE)
    assert "about 0:01:20 left" in text.getvalue()


def test_without_a_forecast_jobs_are_taken_to_be_alike(clock, tmp_path):
    """One of four in 20 s: 60 are left."""
    text = io.StringIO()
    made = GridProgress(4, tmp_path, Console(file=text, width=200), forecast={"a": 1.0})
    made.started(Named("a"))
    clock.seconds = 20.0
    made.ended(Named("a"), DONE)
    assert "about 0:01:00 left" in text.getvalue()
