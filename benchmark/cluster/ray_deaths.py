"""Why a worker did not come back: its node went, memory ran out, somebody killed it.

Used by `ray_runner`, which sets Ray's environment before it is imported.
"""

from pathlib import Path

import psutil
from ray.exceptions import ActorUnavailableError, OutOfMemoryError, RayActorError, RayTaskError

_VMSTAT = Path("/proc/vmstat")
_ADVICE = "fewer at once (--max-concurrent), a smaller batch or size"


def was_lost(error: Exception | None) -> bool:
    """Did the node go, and not the worker alone?

    A node outlives a worker that is killed, and reports it. Nobody reports a node that is cut off:
    until the cluster takes notice, its actors are merely unavailable.
    """
    if isinstance(error, ActorUnavailableError):
        return True
    return isinstance(error, RayActorError) and (
        error.preempted or "its node has died" in str(error)
    )


def was_killed(error: Exception | None) -> bool:
    """Did the worker's process end without a word, on a node that lives on?"""
    if isinstance(error, RayTaskError) or was_lost(error):
        return False
    return error is None or isinstance(error, OutOfMemoryError | RayActorError)


class Memory:
    """Notices when this machine's kernel kills for want of memory; created before it could."""

    def __init__(self) -> None:
        self._before = _kills()

    def explained(self, error: Exception | None) -> str:
        """One line on why the worker died."""
        by_ray = isinstance(error, OutOfMemoryError) or "memory monitor" in str(error)
        if by_ray or _kills() > self._before:
            self._before = _kills()
            total = psutil.virtual_memory().total / 2**30
            whose = "Ray's memory monitor" if by_ray else "the kernel"
            return f"killed by {whose}, out of memory ({total:.1f} GiB on this machine): {_ADVICE}"
        return f"the worker process was killed; if memory was short: {_ADVICE}"


def _kills() -> int:
    """How often the kernel has killed for memory since it started; 0 where it does not say."""
    try:
        lines = _VMSTAT.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    found = [int(line.split()[1]) for line in lines if line.startswith("oom_kill ")]
    return found[0] if found else 0
