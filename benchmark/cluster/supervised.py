"""Work in a child process, so that its sudden end is something to speak of.

Ray's core ends the process that it lives in, without an exception and within seconds, when one of
Ray's own processes (raylet, GCS, agent) is gone; a kernel that runs out of memory ends it too. The
process that was started by the user outlives that, and says what happened.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import IO, Any, TypeVar

_ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Whatever asks a run to end: a user, a terminal that closes, SLURM's and Kubernetes' warnings."""
_POLL_SECONDS = 0.05
T = TypeVar("T")


class Ignored(KeyboardInterrupt):
    """The child was asked to end, did not in time, and was killed."""


class Died(Exception):
    """The child ended without saying how its work went; the text says what ended it."""


def supervised(work: Callable[[], T], grace: float, say: Callable[[str], None]) -> T:
    """What the work returns, or raises, in a child process; `Died` if that ends otherwise.

    A signal that asks for an end reaches the work as KeyboardInterrupt, once. If the work has not
    ended `grace` seconds later, its process is killed, `say` is told, and `Ignored` raised here.
    Whatever kills this process ends the child too, on Linux.
    """
    if not _can_fork():
        return work()
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as told:
        with _held_back():
            child = os.fork()
            if child == 0:
                _live(work, told)
            signals = _Signals(child, grace, say)
        with signals:
            status = signals.wait()
        if signals.were_ignored:
            raise Ignored
        told.seek(0)
        return _outcome(told.read(), status)


def _can_fork() -> bool:
    """Not on macOS, whose frameworks forbid it, nor beside the threads of a Ray that is loaded, nor
    in another thread than the main one, which alone is told of signals.
    """
    is_main = threading.current_thread() is threading.main_thread()
    return hasattr(os, "fork") and sys.platform != "darwin" and is_main and "ray" not in sys.modules


@contextlib.contextmanager
def _held_back() -> Iterator[None]:
    """Signals wait until both processes know what to do with them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _ASKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _live(work: Callable[[], Any], told: IO[bytes]) -> None:
    """The child's life, which ends with telling what became of the work; never returns."""
    code = 1
    try:  # nothing may climb further: what lies there is the parent's to end
        _end_with_parent()
        signal.signal(signal.SIGTERM, _interrupt)
        for other in _ASKED[1:]:  # the terminal tells all its processes; the parent passes it on
            signal.signal(other, signal.SIG_IGN)
        outcome = _outcome_of(work)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it has ended
        told.write(_pickled(outcome))
        told.flush()
        code = 0
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _outcome_of(work: Callable[[], Any]) -> tuple[str, Any]:
    """How it went, and what it returned or raised: all of it is the parent's to raise."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASKED)
        return "returned", work()
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt):
            error.add_note(traceback.format_exc())
        return "raised", error


def _interrupt(*_) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough, and twice would cut the end
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    if sys.platform == "linux":
        set_death_signal = 1  # PR_SET_PDEATHSIG
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)


def _pickled(outcome: tuple[str, Any]) -> bytes:
    try:
        content = pickle.dumps(outcome)
        pickle.loads(content)  # some errors can be written and not read
        return content
    except Exception:
        how, error = outcome
        return pickle.dumps((how, RuntimeError(f"{type(error).__name__}: {error}")))


def _outcome(content: bytes, status: int) -> Any:
    if not content:
        raise Died(_what_ended(status))
    how, value = pickle.loads(content)
    if how == "raised":
        raise value
    return value


def _what_ended(status: int) -> str:
    """In words, from the status that waiting for it gave."""
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


class _Signals:
    """While the block lasts, signals go to the child, the first as SIGTERM and no other."""

    def __init__(self, child: int, grace: float, say: Callable[[str], None]):
        self._child, self._grace, self._say = child, grace, say
        self._deadline: float | None = None
        self.were_ignored = False
        heard = (n for n in _ASKED if signal.getsignal(n) is not signal.SIG_IGN)  # as nohup has it
        self._before = {number: signal.signal(number, self._asked) for number in heard}

    def __enter__(self) -> "_Signals":
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, number: int, frame: object) -> None:
        if self._deadline is None:
            self._deadline = time.monotonic() + self._grace
            os.kill(self._child, signal.SIGTERM)

    def wait(self) -> int:
        """Until the child has ended; its status."""
        while True:
            ended, status = os.waitpid(self._child, os.WNOHANG)
            if ended:
                return status
            if self._deadline is not None and time.monotonic() > self._deadline:
                self.were_ignored = True
                self._say(f"not ended within {self._grace:g} s (--grace): killed")
                os.kill(self._child, signal.SIGKILL)
                return os.waitpid(self._child, 0)[1]
            time.sleep(_POLL_SECONDS)
