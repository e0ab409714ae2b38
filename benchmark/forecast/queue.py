"""Which job runs next. Pure: jobs and expected seconds in, keys out."""

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmark.training.job import Job


class JobQueue:
    """Jobs in the order of planning, each once what it starts from has ended.

    That order is seed by seed, so that an unfinished table is a whole one of fewer seeds. A job
    that would be the last to end if it waited longer goes before: the longest, once it takes more
    than all others, spread over the slots. So the end is short.
    """

    TRIES = 3
    """Of a job whose node is lost: one that brings its node down must not bring down all."""

    def __init__(
        self,
        jobs: Sequence[Job],
        seconds: Mapping[str, float] | None = None,
        slots: int = 1,
        at_once: int | None = None,
    ):
        """seconds: expected of each job; unless all are known, none counts.

        slots: how many fit side by side; at_once: more must not run at the same time.
        """
        self.jobs = {job.key: job for job in jobs}
        known = seconds if seconds and all(key in seconds for key in self.jobs) else {}
        self._seconds = {key: known.get(key, 0.0) for key in self.jobs}
        self.slots, self._at_once = max(slots, 1), at_once
        self._waiting = dict.fromkeys(self.jobs)
        self._given: dict[str, None] = {}
        self._ended: set[str] = set()
        self._times_lost: Counter[str] = Counter()
        self._alone: set[str] = set()  # whose workers were killed
        self._left = sum(self._seconds.values())  # of those that wait
        self._longest = [(-each, key) for key, each in self._seconds.items() if each]
        heapq.heapify(self._longest)

    @property
    def is_finished(self) -> bool:
        """Has every job ended? One that runs may be lost, and be given out again."""
        return not self._waiting and not self._given

    def next(self) -> str | None:
        """The key of the job to start now; None: nothing can start at the moment."""
        if self._at_once is not None and len(self._given) >= self._at_once:
            return None
        if not self._alone.isdisjoint(self._given):
            return None
        key = self._tail() or next(filter(self._is_ready, self._waiting), None)
        if key is not None:
            del self._waiting[key]
            self._left -= self._seconds[key]
            self._given[key] = None
        return key

    def ended(self, key: str) -> None:
        """To be told when the job has left a record."""
        self._given.pop(key, None)
        self._ended.add(key)

    def lost(self, key: str) -> bool:
        """To be told when its node is gone: will the job be given out again?"""
        self._times_lost[key] += 1
        if self._times_lost[key] >= self.TRIES:
            return False
        self._wait_again(key)
        return True

    def _wait_again(self, key: str) -> None:
        self._given.pop(key, None)
        self._waiting = {key: None, **self._waiting}
        self._left += self._seconds[key]
        heapq.heappush(self._longest, (-self._seconds[key], key))

    def killed(self, key: str) -> bool:
        """To be told when its worker was killed: will the job be given out again?

        Once, when nothing else runs: what it lacked, memory above all, is then as much as can be.
        """
        if key in self._alone:
            return False
        self._alone.add(key)
        self._wait_again(key)
        return True

    def _tail(self) -> str | None:
        """The longest job that can start, if it must."""
        while self._longest and self._longest[0][1] not in self._waiting:
            heapq.heappop(self._longest)
        if not self._longest:
            return None
        seconds, key = -self._longest[0][0], self._longest[0][1]
        others = (self._left - seconds) / self.slots
        return key if seconds > others and self._is_ready(key) else None

    def _is_ready(self, key: str) -> bool:
        after = self.jobs[key].after
        is_free = after not in self.jobs or after in self._ended
        return is_free and not (key in self._alone and self._given)


def seconds_until_done(jobs: Sequence[Job], seconds: Mapping[str, float], slots: int) -> float:
    """How long the jobs take side by side, in the order of the queue."""
    queue, ends, now = JobQueue(jobs, seconds, slots), [], 0.0
    while not queue.is_finished:
        while len(ends) < queue.slots and (key := queue.next()) is not None:
            heapq.heappush(ends, (now + seconds[key], key))
        now, key = heapq.heappop(ends)
        queue.ended(key)
    return now
