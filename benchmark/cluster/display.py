"""What of a grid's progress is shown: the two live lines of a terminal, cut to its width."""

from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from benchmark.cluster.time_left import clock
from benchmark.wording import printable

_WIDEST_BAR, _NARROWEST_BAR = 40, 5


class Running(NamedTuple):
    """A job that runs."""

    label: str
    epoch: tuple[int, int] | None
    """How many are trained, of how many; None before the first."""

    @property
    def text(self) -> str:
        if self.epoch is None:
            return f"starting {self.label}"
        return f"epoch {self.epoch[0]}/{self.epoch[1]} {self.label}"


class State(NamedTuple):
    """A grid at a moment."""

    total: int
    finished: int
    """Done or failed."""
    failed: int
    running: int
    elapsed: float
    left: float | None
    """Seconds, as expected."""

    @property
    def counts(self) -> str:
        """7/21 done, 1 failed, 2 running."""
        parts = [f"{self.finished - self.failed}/{self.total} done"]
        parts += [f"{self.failed} failed"] if self.failed else []
        parts += [f"{self.running} running"] if self.running else []
        return ", ".join(parts)

    @property
    def is_over(self) -> bool:
        return self.finished == self.total

    @property
    def time(self) -> str:
        """How long it still takes, as far as that is known."""
        if self.left is None:
            return f"{clock(self.elapsed)} so far"
        return f"about {clock(self.left)} left" if self.left >= 1 else "any moment"

    @property
    def text(self) -> str:
        if self.is_over:
            return f"{self.counts} in {clock(self.elapsed)}"
        return f"{self.counts}, {self.time}"


class Lines:
    """The block, for `rich`, which asks again at each refresh for the width that there is."""

    def __init__(self, state: State, below: str):
        self._state, self._below = state, below

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._first(options.max_width)
        if self._below:
            yield _cut(self._below)

    def _first(self, width: int) -> Text | Table:
        """With a bar, where there is room for one."""
        state = self._state
        bar = min(_WIDEST_BAR, width - len(state.text) - 1)
        if bar < _NARROWEST_BAR:
            return _cut(state.text)
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(state.total, state.finished, width=bar), _cut(state.text))
        return row


def below(running: Iterable[Running]) -> str:
    """What runs, on one line; the names are others' too, and steer no terminal."""
    return str(printable(", ".join(one.text for one in running)))


def _cut(text: str) -> Text:
    return Text(text, no_wrap=True, overflow="ellipsis")
