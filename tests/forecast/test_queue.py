"""In which order jobs run, by hand."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmark.forecast.queue import JobQueue, seconds_until_done
from benchmark.study.settings import Conditions
from benchmark.training.job import Job


@dataclass
class Named:
    """A job that nobody runs."""

    key: str
    after: str = ""
    label = dataset = method = variant = ""
    conditions = Conditions()
    settings: dict[str, Any] = field(default_factory=dict)
    held = found = is_to_be_run = built = work = failed = len

    def folder(self, study_folder: Path) -> Path:
        return study_folder / self.key


def jobs(*names: str) -> list[Job]:
    """One letter each; "ab" is a job b that starts from a."""
    return [Named(name[-1], name[0] if len(name) == 2 else "") for name in names]


def given(queue, n):
    return [queue.next() for _ in range(n)]


def test_jobs_come_as_planned_when_nothing_is_known_of_them():
    assert given(JobQueue(jobs("a", "b", "c")), 4) == ["a", "b", "c", None]


def test_a_job_waits_for_what_it_starts_from_and_others_go_before_it():
    queue = JobQueue(jobs("p", "pa", "b"))
    assert given(queue, 3) == ["p", "b", None]
    queue.ended("p")
    assert given(queue, 2) == ["a", None]


def test_what_it_starts_from_may_be_there_already():
    assert JobQueue(jobs("pa")).next() == "a"


def test_the_longest_goes_before_its_turn_once_it_would_be_the_last_to_end():
    """Two slots: of 1 + 1 + 1 + 1 and 4 seconds, the others take 4 / 2 = 2 spread: 4 goes first.

    With eight others of a second, 8 / 2 = 4 are not less than 4: it waits for one to be given.
    """
    few = {"a": 1.0, "b": 1.0, "c": 1.0, "d": 1.0, "z": 4.0}
    assert given(JobQueue(jobs(*few), few, slots=2), 2) == ["z", "a"]
    many = dict.fromkeys("abcdefgh", 1.0) | {"z": 4.0}
    assert given(JobQueue(jobs(*many), many, slots=2), 3) == ["a", "z", "b"]


def test_seconds_of_some_alone_change_no_order():
    assert given(JobQueue(jobs("a", "b"), {"b": 9.0}), 2) == ["a", "b"]


def test_no_more_than_are_allowed_run_at_once():
    queue = JobQueue(jobs("a", "b"), at_once=1)
    assert given(queue, 2) == ["a", None]
    queue.ended("a")
    assert queue.next() == "b"


def test_a_lost_job_goes_first_and_only_twice():
    queue = JobQueue(jobs("a", "b", "c"))
    queue.next()
    assert queue.lost("a")
    assert queue.next() == "a"
    assert queue.lost("a")
    assert queue.next() == "a"
    assert not queue.lost("a")
    queue.ended("a")
    assert given(queue, 3) == ["b", "c", None]


def test_it_is_finished_when_nothing_runs_that_could_be_lost():
    queue = JobQueue(jobs("a"))
    queue.next()
    assert not queue.is_finished
    queue.ended("a")
    assert queue.is_finished


def test_how_long_jobs_take_side_by_side():
    """Two slots: p and b for 2 and 5 seconds; a, which starts from p, from 2 to 6."""
    seconds = {"p": 2.0, "a": 4.0, "b": 5.0}
    assert seconds_until_done(jobs("p", "pa", "b"), seconds, 2) == 6.0
    assert seconds_until_done(jobs("p", "pa", "b"), seconds, 1) == 11.0


def test_a_job_whose_worker_was_killed_runs_once_more_and_alone():
    queue = JobQueue(jobs("a", "b", "c"), slots=2)
    assert given(queue, 2) == ["a", "b"]
    assert queue.killed("a")
    assert given(queue, 2) == ["c", None]  # a waits until nothing runs
    queue.ended("b")
    assert queue.next() is None
    queue.ended("c")
    assert given(queue, 1) == ["a"] and not queue.is_finished
    assert not queue.killed("a")  # twice is no accident
    queue.ended("a")
    assert queue.is_finished


def test_nothing_starts_beside_a_job_that_must_be_alone():
    queue = JobQueue(jobs("p", "pa", "b"), slots=2, at_once=1)
    assert queue.next() == "p" and queue.killed("p")
    assert given(queue, 2) == ["p", None]
    queue.ended("p")
    assert given(queue, 1) == ["a"]  # its dependant was never failed
