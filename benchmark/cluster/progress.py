"""How far a grid is: one live block on a terminal, one line per event elsewhere."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from benchmark.store.record import JobRecord
from benchmark.training import job as jobs
from benchmark.training.job import Job
from benchmark.wording import printable

_SHOWN = 4  # running trials named in the live block


class GridProgress:
    """Told of jobs that start and end; a context manager, for the live block."""

    def __init__(
        self,
        total: int,
        study_folder: Path,
        console: Console,
        note_running: Callable[[Iterable[str]], None] = lambda keys: None,
        forecast: Mapping[str, float] | None = None,
    ):
        """note_running: gets the keys of the running jobs whenever they change.

        forecast: seconds of each job, if all are known.
        """
        self._forecast = dict(forecast) if forecast and len(forecast) == total else None
        self._since: dict[str, float] = {}  # when each running job started
        self._expected, self._taken = 0.0, 0.0  # of those that ended
        self._at_once = 1  # as many as ever ran side by side
        self._total, self._folder, self._console = total, study_folder, console
        self._note_running = note_running
        self._began = time.monotonic()
        self._running: dict[str, Job] = {}
        self.finished = self.failed = 0
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            # Names of variants have brackets, which markup would swallow.
            TextColumn("{task.fields[left]}  {task.fields[running]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("trials", total=total, left="", running="starting")

    def __enter__(self) -> "GridProgress":
        self._bar.start()
        return self

    def __exit__(self, *_) -> None:
        self._bar.stop()

    @property
    def running(self) -> int:
        """How many jobs have started and not ended."""
        return len(self._running)

    def started(self, job: Job) -> None:
        """To be told when a worker takes up the job."""
        self._running[job.key] = job
        self._since[job.key] = time.monotonic()
        self._at_once = max(self._at_once, len(self._running))
        self._refresh()

    def ended(self, job: Job, record: JobRecord) -> None:
        """To be told when its record is there, done or failed."""
        self._running.pop(job.key, None)
        self.finished += 1
        if self._forecast and job.key in self._since:
            self._expected += self._forecast.pop(job.key, 0.0)
            self._taken += time.monotonic() - self._since.pop(job.key)
        self.failed += not record.is_done
        if record.is_done:
            self.say(f"{job.label}: {record.summary}")
        else:
            log = jobs.log_file(job, self._folder)
            self.say(f"failed: {job.label}: {record.error}; log: {log}")
        self._refresh()

    def lost(self, job: Job, why: str) -> None:
        """To be told when its node or worker is gone and it will be run again."""
        self._running.pop(job.key, None)
        self.say(f"{job.label}: {why}")
        self._refresh()

    def say(self, line: str) -> None:
        """Print one line among the events."""
        line = printable(line)
        if self._console.is_terminal:
            self._bar.console.print(line, highlight=False, markup=False)
        else:
            place = f"[{self.finished}/{self._total}] "
            left = self._left()
            text = place + line + (f", {left}" if left else "")
            self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def _left(self) -> str:
        if self.finished == self._total or not (self._forecast or self.finished):
            return ""
        if self._forecast:
            seconds = self._by_forecast()
        else:
            each = (time.monotonic() - self._began) / self.finished
            seconds = each * (self._total - self.finished)
        return f"about {timedelta(seconds=round(seconds))} left"

    def _by_forecast(self) -> float:
        """What is left of it, slower or faster as the jobs that ended were, side by side."""
        pace = self._taken / self._expected if self._expected else 1.0
        now = time.monotonic()
        left = {
            key: max(pace * seconds - (now - self._since.get(key, now)), 0.0)
            for key, seconds in self._forecast.items()
        }
        return max(sum(left.values()) / self._at_once, *left.values())

    def _refresh(self) -> None:
        self._note_running(self._running)
        shown = ", ".join(job.label for job in list(self._running.values())[:_SHOWN])
        self._bar.update(
            self._task, completed=self.finished, left=self._left(), running=shown or "starting"
        )
