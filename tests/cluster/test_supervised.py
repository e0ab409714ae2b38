"""A run in a child process: what it says, how it dies, who may ask it to end."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from benchmark.cluster.supervised import Died, supervised
from benchmark.errors import ExitCode, UserError

pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="no child process there")


@pytest.fixture(autouse=True)
def without_ray(monkeypatch):
    """Other tests of this process may have loaded it."""
    monkeypatch.delitem(sys.modules, "ray", raising=False)


def silent(line: str) -> None:
    raise AssertionError(line)


def test_what_the_work_returns_and_raises_comes_out():
    assert supervised(lambda: 7, 5.0, silent) == 7

    def refused() -> int:
        raise UserError("no such dataset", ExitCode.DATA)

    with pytest.raises(UserError, match="no such dataset") as caught:
        supervised(refused, 5.0, silent)
    assert caught.value.exit_code == ExitCode.DATA
    assert "in refused" in caught.value.__notes__[0]  # where, for -v


def test_an_error_that_cannot_be_sent_is_told_in_words():
    class Awkward(Exception):
        def __init__(self, one: int, two: int):
            super().__init__(f"{one} and {two}")

    def fails() -> int:
        raise Awkward(1, 2)

    with pytest.raises(RuntimeError, match="Awkward: 1 and 2"):
        supervised(fails, 5.0, silent)


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: os._exit(1), "exit code 1"),  # as Ray's core does
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL"),
    ],
)
def test_a_sudden_end_is_told(end, said):
    with pytest.raises(Died, match=said):
        supervised(end, 5.0, silent)


PROGRAM = """
import sys, time
from benchmark.cluster.supervised import Died, supervised

def work():
    said = "began"
    while True:
        try:
            said and print(said, flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            said = ""
            if {listens}:
                time.sleep(0.3)
                print("saved", flush=True)
                raise

try:
    supervised(work, {grace}, lambda line: print(line, flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def started(listens: bool, grace: float, **options) -> subprocess.Popen:
    program = PROGRAM.format(listens=listens, grace=grace)
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        text=True,
        **{"preexec_fn": _as_from_a_terminal} | options,
    )
    assert child.stdout.readline() == "began\n"
    return child


def _as_from_a_terminal() -> None:
    """Where Ctrl-C and its closing are heard: what runs in the background, or under nohup, is deaf
    to them.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_whoever_asks_for_an_end_is_heard_once(number):
    child = started(listens=True, grace=20.0)
    for _ in range(3):  # the second must not cut the saving short
        child.send_signal(number)
        time.sleep(0.05)
    assert child.communicate(timeout=20)[0] == "saved\ninterrupted\n"


def test_work_that_does_not_end_is_killed_after_the_grace():
    child = started(listens=False, grace=0.5)
    child.send_signal(signal.SIGTERM)
    said = child.communicate(timeout=20)[0]
    assert said == "not ended within 0.5 s (--grace): killed\ninterrupted\n"


def test_a_run_under_nohup_outlives_its_terminal():
    child = started(
        listens=True, grace=20.0, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    child.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    assert child.communicate(timeout=20)[0] == "saved\ninterrupted\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has it")
def test_who_is_killed_takes_its_child_along():
    child = started(listens=True, grace=20.0)
    child.kill()
    assert child.communicate(timeout=20)[0] == ""  # the pipe's other end has closed too


def test_a_thread_does_the_work_itself():
    """It is told of no signal, and the system would end its child with it."""
    with ThreadPoolExecutor() as pool:
        assert pool.submit(supervised, os.getpid, 5.0, silent).result() == os.getpid()


FULL = """
import contextlib, errno, io, os
from benchmark.cluster import supervised as module

class Full(io.BytesIO):
    def write(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

module.tempfile.TemporaryFile = lambda: contextlib.nullcontext(Full())
parent = os.getpid()
try:
    module.supervised(lambda: 7, 5.0, print)
except module.Died as died:
    print(died, flush=True)
finally:
    print("let go by the", "parent" if os.getpid() == parent else "child", flush=True)
"""


def test_no_error_of_the_child_climbs_into_what_is_the_parent_s():
    """Its outcome does not fit on the disk: what the parent holds is the parent's to let go."""
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, text=True, timeout=30)
    assert done.stdout == "exit code 1\nlet go by the parent\n", done.stderr
