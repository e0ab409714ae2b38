"""How long a grid still takes: by a clock, which is told of jobs that start, advance and end.

Pure: times are seconds of any clock, and come from outside.
"""

from collections.abc import Mapping


class TimeLeft:
    """Of jobs that run side by side, as many at once as ever did.

    A job is expected to take what was forecast, at the pace of those that ended. Without a forecast
    all are taken to be alike: like those that ended, or else as the running ones advance.
    """

    def __init__(self, total: int, forecast: Mapping[str, float] | None = None):
        """forecast: seconds of each job; of use only if all are known."""
        self._forecast = dict(forecast) if forecast and len(forecast) == total else {}
        self._left = total
        self._since: dict[str, float] = {}
        self._seen: dict[str, tuple[float, float]] = {}  # of each running job the first share
        self._as_it_advances: dict[str, float] = {}  # what it takes, at the rate since then
        self._expected, self._taken, self._ended = 0.0, 0.0, 0
        self._at_once = 1

    def started(self, key: str, now: float) -> None:
        self._since[key] = now
        self._at_once = max(self._at_once, len(self._since))

    def advanced(self, key: str, share: float, now: float) -> None:
        """share: of the job's training, that was reached just now.

        The first one says nothing of the rate: the job may have gone on from a checkpoint.
        """
        if key not in self._since:
            return
        first, then = self._seen.setdefault(key, (share, now))
        if share > first:
            rest = (now - then) * (1 - share) / (share - first)
            self._as_it_advances[key] = now - self._since[key] + rest

    def ended(self, key: str, now: float) -> None:
        self._left -= 1
        self._forget(key)
        forecast = self._forecast.pop(key, 0.0)
        if key in self._since:
            self._expected += forecast
            self._taken += now - self._since.pop(key)
            self._ended += 1

    def lost(self, key: str) -> None:
        """It will start again."""
        self._forget(key)
        self._since.pop(key, None)

    def seconds(self, now: float) -> float | None:
        """Until the last job ends; None while nothing is known."""
        typical = self._typical()
        if typical is None:
            return None
        waiting = self._waiting(typical)
        running = [
            max(self._duration(key, typical) - (now - since), 0.0)
            for key, since in self._since.items()
        ]
        return max((sum(running) + sum(waiting)) / self._at_once, *running, *waiting, 0.0)

    def _forget(self, key: str) -> None:
        self._seen.pop(key, None)
        self._as_it_advances.pop(key, None)

    def _typical(self) -> float | None:
        """Seconds of a job of which nothing more is known; with a forecast its pace matters."""
        if self._ended and not self._forecast:
            return self._taken / self._ended
        if self._forecast:
            return 0.0
        known = self._as_it_advances.values()
        return sum(known) / len(known) if known else None

    def _waiting(self, typical: float) -> list[float]:
        if self._forecast:
            waiting = self._forecast.keys() - self._since.keys()
            return [self._pace * self._forecast[key] for key in waiting]
        return [typical] * (self._left - len(self._since))

    def _duration(self, key: str, typical: float) -> float:
        """Of a running job, from its start."""
        if key in self._forecast:
            return self._pace * self._forecast[key]
        return self._as_it_advances.get(key, typical)

    @property
    def _pace(self) -> float:
        """What the jobs that ended took of what was forecast."""
        return self._taken / self._expected if self._expected else 1.0


def clock(seconds: float) -> str:
    """3700 → "1:01:40"."""
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
