"""How far a grid is: live lines on a terminal, one line per event and now and then elsewhere."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.live import Live

from benchmark.cluster import display
from benchmark.cluster.display import Lines, Running, State
from benchmark.cluster.time_left import TimeLeft
from benchmark.loggers.curves import OFF
from benchmark.store import layout
from benchmark.store.record import JobRecord
from benchmark.training import job as jobs
from benchmark.training.job import Job
from benchmark.wording import printable

_SHOWN = 6  # running jobs that are named: more fit no line
_PER_SECOND = 2  # refreshes of the live lines, so that no second is skipped
_QUIET = 60.0  # seconds without a line, where lines are all there is


class GridProgress:
    """Told of jobs that start and end; a context manager, while which it shows them."""

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
        self._total, self._folder, self._console = total, study_folder, console
        self._note_running = note_running
        self._began = self._said = self._last_end = time.monotonic()
        self._time_left = TimeLeft(total, forecast)
        self._lock = threading.Lock()  # of the time left, which a thread asks for to show it
        self._running: dict[str, Job] = {}
        self._epochs: dict[str, tuple[int, int]] = {}
        self._loggers_off: set[str] = set()
        self._before = ""  # what is waited for before the first job starts
        self.finished = self.failed = 0
        # A variable of the environment can make `rich` take a file for a terminal.
        self._is_live = console.is_interactive and console.file.isatty()
        self._showing = contextlib.ExitStack()

    def __enter__(self) -> "GridProgress":
        self._showing.enter_context(self._live() if self._is_live else self._lines())
        return self

    def __exit__(self, *_) -> None:
        self._showing.close()
        if not self._is_live and self._state.is_over:
            self._print(self._state.text)

    @property
    def running(self) -> int:
        """How many jobs have started and not ended."""
        return len(self._running)

    def waiting_for(self, what: str) -> None:
        """To be told before the first job starts: "starting Ray …"."""
        self._before = what
        if not self._is_live:
            self._print(what)

    def started(self, job: Job) -> None:
        """To be told when a worker takes up the job."""
        with self._lock:
            self._time_left.started(job.key, time.monotonic())
        self._running[job.key] = job
        self._note_running(self._running)

    def ended(self, job: Job, record: JobRecord) -> None:
        """To be told when its record is there, done or failed."""
        self._last_end = time.monotonic()
        with self._lock:
            self._time_left.ended(job.key, self._last_end)
        self._forget(job)
        self.finished += 1
        self.failed += not record.is_done
        if record.is_done:
            self.say(f"{job.label}: {record.summary}")
        else:
            log = jobs.log_file(job, self._folder)
            self.say(f"failed: {job.label}: {record.error}; log: {log}")
        self._say_what_is_off(job)

    def lost(self, job: Job, why: str) -> None:
        """To be told when its node or worker is gone and it will be run again."""
        with self._lock:
            self._time_left.lost(job.key)
        self._forget(job)
        self.say(f"{job.label}: {why}")

    def say(self, line: str) -> None:
        """Print one line among the events."""
        if not self._is_live:
            state = self._state
            is_known = state.left is not None and not state.is_over
            rest = f", {state.time}" if is_known else ""
            line = f"[{self.finished}/{self._total}] {line}{rest}"
        self._print(line)

    def _forget(self, job: Job) -> None:
        self._running.pop(job.key, None)
        self._epochs.pop(job.key, None)
        self._note_running(self._running)

    def _say_what_is_off(self, job: Job) -> None:
        """Of each logger once: what is wrong with it is wrong with it everywhere."""
        for line in layout.log_lines(job.folder(self._folder), job.key, OFF):
            name = line.removeprefix(OFF).partition(":")[0]
            if name not in self._loggers_off:
                self._loggers_off.add(name)
                self.say(f"warning: {job.label}: {line}")

    def _print(self, line: str) -> None:
        self._said = time.monotonic()
        self._console.print(printable(line), highlight=False, markup=False, soft_wrap=True)

    @property
    def _state(self) -> State:
        now = time.monotonic()
        with self._lock:
            left = self._time_left.seconds(now)
        until = self._last_end if self.finished == self._total else now
        running, elapsed = len(self._running), until - self._began
        return State(self._total, self.finished, self.failed, running, elapsed, left)

    def _live(self) -> Live:
        return Live(
            console=self._console,
            get_renderable=lambda: Lines(self._state, self._below()),
            refresh_per_second=_PER_SECOND,
            redirect_stdout=sys.stdout.isatty(),  # a pipe must get what is printed for it
        )

    @contextlib.contextmanager
    def _lines(self) -> Iterator[None]:
        """A line now and then while nothing happens, from a thread of its own."""
        over = threading.Event()

        def tell() -> None:
            while not over.wait(1.0):
                below = self._below()  # looks how far they are, for the time left
                if self._running and time.monotonic() - self._said >= _QUIET:
                    self.say(f"{len(self._running)} running: {below}")

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _below(self) -> str:
        """What runs; the first of them with their epochs."""
        running = list(self._running.values())
        if not running:
            return "" if self.finished else self._before
        shown = [Running(job.label, self._epoch(job)) for job in running[:_SHOWN]]
        more = f", and {len(running) - _SHOWN} more" if len(running) > _SHOWN else ""
        return display.below(shown) + more

    def _epoch(self, job: Job) -> tuple[int, int] | None:
        """How far its log says that it is."""
        found = layout.last_epoch(job.folder(self._folder), job.key)
        if found is not None and found != self._epochs.get(job.key):
            self._epochs[job.key] = found
            with self._lock:
                self._time_left.advanced(job.key, found[0] / max(found[1], 1), time.monotonic())
        return found
