"""What Ray raises where it does not start, as it was met, and what a user is told of it."""

import errno
import os
import subprocess
import sys

import pytest

from benchmark.cluster.ray_refusals import refused

TIMED_OUT = (
    "The current node timed out during startup. This could happen because some of the raylet "
    "failed to startup or the GCS has become overloaded."
)
TOO_LONG = "validate_socket_filename failed: AF_UNIX path length cannot exceed 107 bytes: /b"
MISMATCH = (
    "Version mismatch: The cluster was started with:\n    Ray: 2.40.0\n    Python: 3.11.7\n"
    "This process on node 10.0.0.7 was started with:\n    Ray: 2.56.0\n    Python: 3.11.7\n"
)


@pytest.mark.parametrize(
    ("error", "address", "told"),
    [
        (OSError(TOO_LONG), None, "set RAY_TMPDIR to a short folder"),
        (Exception(TIMED_OUT), None, "the machine may be too busy"),
        (Exception(TIMED_OUT), None, "--trial KEY runs one trial without Ray"),
        (RuntimeError(MISMATCH), "10.0.0.1:6379", "install here the versions of Ray and Python"),
        (ConnectionError("no"), "10.0.0.1:6379", "does ray status show its nodes there"),
        (ConnectionError("no"), "10.0.0.1:6379", "RAY_AUTH_MODE=token"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/ray"), None, "make room there"),
        (PermissionError(errno.EACCES, "denied", "/x"), None, "set RAY_TMPDIR to another folder"),
    ],
)
def test_ray_s_own_words_come_first_and_then_what_to_do(error, address, told):
    found = str(refused(error, address))
    begin = f"cannot connect to the Ray cluster at {address}: " if address else "Ray does not start"
    assert found.startswith(begin) and "\n" not in found
    assert told in found and str(error).split()[-1] in found


def test_words_without_end_are_cut():
    assert len(str(refused(RuntimeError("a raylet's log " * 1000), None))) < 1000
    assert "KeyError; bench doctor" in str(refused(KeyError(), None))


STARTING = """
import signal
from benchmark.cluster import ray_runner
from benchmark.cluster.cluster import Cluster

def init(**how):  # as Ray does: its own handler comes early, and leaves
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(number))
    signal.raise_signal(signal.SIGTERM)

import sys
ray_runner.ray.init = init
try:
    with ray_runner.connected(Cluster()):
        print("connected")
except KeyboardInterrupt:
    print("interrupted")
"""


def test_who_is_asked_to_end_while_ray_starts_is_interrupted():
    """In a process of its own: where Ray is loaded, nothing is forked any more."""
    done = subprocess.run([sys.executable, "-c", STARTING], capture_output=True, text=True)
    assert done.stdout == "interrupted\n", done.stderr
