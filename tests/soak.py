"""A grid that is disturbed again and again, by hand: does it end with the same bits each time?

    python -m tests.soak [--minutes 60] [--seed 0] [--round N]

A round is one study, begun, disturbed and continued until it is done: processes are killed (the
command, its child, workers, Ray's own), signals sent, its disk filled, its clock moved. It ends
with the numbers of trials that ran one by one, undisturbed, and leaves no process and no file
behind. `--round` repeats one round of a seed. Needs Linux; filling a disk needs the right to mount
one (`unshare -rm python -m tests.soak` has it), and moving the clock libfaketime: without them
these are left out, and that is said.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmark.store.locks import TUNE
from tests import own_data
from tests.grids import BENCH, CHECKOUT, family, keys_of, one_by_one, table

GRID = (
    "run", "--preset", "demo", "--datasets", "ours3", "--methods", "supervised,cps,ours[rounds=1]",
    "--labels", "3cases", "--seeds", "2", "size=[16,16]", "network.widths=[8,16]",
    "network.dropout=[0,0]", "training.epochs=20", "training.steps_per_epoch=8",
    "pretraining.epochs=6", "pretraining.steps_per_epoch=8", "checkpoint_seconds=0",
)  # fmt: skip
"""Six trials after two pretrainings, of a few seconds each."""
LONGEST = 300  # seconds of one command
LATEST = 25.0  # seconds after its start, at which the last disturbance comes
_MOST = 4  # disturbances of a round
_DISK = "24m"  # of the disk that is filled
_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP")
_RAYS = {"raylet": "raylet", "gcs": "gcs_server", "agent": "DashboardAgent"}
DONE, FAILED, RESOURCES, INTERRUPTED = 0, 1, 4, 130
MAY_END: Mapping[str, set[int]] = {
    "none": {DONE},
    "command": {DONE, -signal.SIGKILL},
    "child": {DONE, RESOURCES},
    **{kind: {DONE, FAILED, RESOURCES} for kind in _RAYS},
    "worker": {DONE, FAILED},
    **{kind: {DONE, INTERRUPTED} for kind in _SIGNALS},
    "disk": {DONE, RESOURCES},
    "clock": {DONE},
}
"""Disturbance → exit codes; 0 where it came too late, or hit what was not there."""


@dataclass
class Soak:
    """Rounds in one folder, and what they came to."""

    place: Path
    """data, and a folder a round."""
    reference: Path
    """The study whose trials ran one by one."""
    kinds: list[str]
    keys: list[str]
    """Of its trials."""
    ends: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Disturbance and exit code → how often."""

    def round(self, seed: int, number: int) -> list[str]:
        """One round; what is wrong at its end."""
        rng = random.Random(f"{seed} {number}")
        study = self.place / "round"
        wrong: list[str] = []
        with _disk(study) as results:
            told = []
            for _ in range(rng.randint(1, _MOST)):
                kind, after = rng.choice(self.kinds), rng.uniform(0.5, LATEST)
                code, output, was_disturbed = self._disturbed(results, kind, after, rng)
                told.append(f"{kind} after {after:.1f} s → {code}")
                self.ends[kind if was_disturbed else "none (too early or too late)", code] += 1
                if code not in MAY_END[kind]:
                    wrong.append(f"{kind} after {after:.1f} s ended with {code}:\n{output[-3000:]}")
                if "Traceback" in output:
                    wrong.append(f"{kind} after {after:.1f} s, a traceback:\n{output[-3000:]}")
            for _ in range(2):  # the second mends what failed twice in the last disturbed one
                code, output, _ = self._disturbed(results, "none", 0.0, rng)
            if code:
                wrong.append(f"the last run ended with {code}:\n{output[-3000:]}")
            else:
                wrong += self._differences(results / "demo")
            print(f"round {number}: {', '.join(told)}", flush=True)
        return wrong

    def _disturbed(
        self, results: Path, kind: str, after: float, rng: random.Random
    ) -> tuple[int, str, bool]:
        """Exit code and output of the command, which is disturbed so many seconds after its start,
        if it still ran then; whatever it started has ended.
        """
        clock = self.place / "clock"
        clock.write_text("+0")
        environment, words = os.environ | {"PYTHONPATH": str(CHECKOUT)}, [*GRID]
        if kind == "clock":  # of one trial without Ray, whose processes do not bear libfaketime
            words += ["--trial", rng.choice(self.keys)]
            environment |= {
                "LD_PRELOAD": str(_FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock),
                "FAKETIME_NO_CACHE": "1",
            }  # fmt: skip
        log = self.place / "output.txt"
        with log.open("w") as stream:
            process = subprocess.Popen(
                [BENCH, *words, "--data-root", self.place / "data", "--results", results],
                stdout=stream, stderr=stream, env=environment, start_new_session=True,
                preexec_fn=_heard,
            )  # fmt: skip
        born = _Born(process.pid)
        ballast = results / "ballast"
        with contextlib.suppress(subprocess.TimeoutExpired):
            born.wait(process, after)
        was_disturbed = process.poll() is None and _disturb(
            kind, process, rng, ballast=ballast, clock=clock
        )
        try:
            born.wait(process, LONGEST)
        except subprocess.TimeoutExpired:
            born.kill()
            process.wait()
            return 124, log.read_text() + f"\nnot ended after {LONGEST} s", was_disturbed
        finally:
            ballast.unlink(missing_ok=True)
        if left := born.outliving():
            born.kill()
            return 125, log.read_text() + f"\noutlived by {left}", was_disturbed
        return process.returncode, log.read_text(), was_disturbed

    def _differences(self, study: Path) -> list[str]:
        """Numbers that are not those of the reference; files that are left behind."""
        wrong = []
        if not table(study).equals(table(self.reference)):
            wrong.append("results.csv differs")
        histories = sorted(self.reference.glob("*/*/history.csv"))
        assert len(histories) == 8, histories
        for file in histories:
            own = study / file.relative_to(self.reference)
            if not own.is_file() or own.read_bytes() != file.read_bytes():
                wrong.append(f"{own.relative_to(study)} differs")
        left = [p for p in study.rglob("*") if p.suffix == ".tmp" or p.name.startswith(TUNE)]
        return wrong + [f"left behind: {path}" for path in left]


class _Born:
    """The processes that a command started, also those that outlive it."""

    def __init__(self, pid: int):
        self._all: dict[tuple[int, float], psutil.Process] = {}
        self._root = psutil.Process(pid)

    def wait(self, process: subprocess.Popen, seconds: float) -> None:
        """Until it ends, looking for what it starts; subprocess.TimeoutExpired."""
        until = time.monotonic() + seconds
        while process.poll() is None:
            with contextlib.suppress(psutil.Error):
                for child in self._root.children(recursive=True):
                    self._all[child.pid, child.create_time()] = child
            if time.monotonic() > until:
                raise subprocess.TimeoutExpired(process.args, seconds)
            time.sleep(0.2)

    def outliving(self) -> list[str]:
        """Command lines of what lives a while after its end: Ray's take up to a minute."""
        _, left = psutil.wait_procs([*self._all.values()], timeout=90)
        return [" ".join(one.cmdline())[:100] for one in left if _lives(one)]

    def kill(self) -> None:
        for one in [self._root, *self._all.values()]:
            with contextlib.suppress(psutil.Error):
                one.kill()


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _heard() -> None:
    """Signals as a terminal leaves them: what runs in the background is deaf to some."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def _disturb(
    kind: str, process: subprocess.Popen, rng: random.Random, *, ballast: Path, clock: Path
) -> bool:
    """Was there anything to disturb?"""
    hit: list[psutil.Process] | None = None
    if kind in _SIGNALS:
        process.send_signal(getattr(signal, kind))
    elif kind == "command":
        process.kill()
    elif kind == "clock":
        clock.write_text(rng.choice(["+3600", "-3600", "+31d", "-2d"]))
    elif kind == "disk":
        with contextlib.suppress(OSError), ballast.open("wb") as stream:
            while True:
                stream.write(bytes(2**16))
                stream.flush()
        time.sleep(rng.uniform(0, 8))
        if rng.random() < 0.5:  # room again, before it has ended
            ballast.unlink(missing_ok=True)
    elif hit := _of_kind(kind, process):
        with contextlib.suppress(psutil.Error):
            rng.choice(hit).kill()
    return hit is None or bool(hit)


def _of_kind(kind: str, process: subprocess.Popen) -> list[psutil.Process]:
    if kind == "child":
        return psutil.Process(process.pid).children()[:1]
    named = {**_RAYS, "worker": "ray::"}.get(kind)
    found = []
    for one in family(process) if named else ():
        with contextlib.suppress(psutil.Error):
            words = f"{one.name()} {' '.join(one.cmdline()[:1])}"
            if named in words and (kind == "agent" or "Agent" not in words):
                found.append(one)
    return sorted(found, key=lambda one: one.pid)


@contextlib.contextmanager
def _disk(folder: Path):
    """A folder that is a small disk of its own where that is allowed."""
    folder.mkdir()
    mounted = _mount(folder)
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "none", folder]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _kinds(place: Path) -> list[str]:
    """What can be done here."""
    kinds = ["command", "child", "worker", "worker", *_RAYS, *_SIGNALS]
    probe = place / "probe"
    probe.mkdir()
    can = {"disk": _mount(probe), "clock": _FAKETIME.exists()}
    if can["disk"]:
        subprocess.run(["umount", probe], check=False)
    for kind, is_possible in can.items():
        if is_possible:
            kinds += [kind]
        else:
            print(f"left out, for it cannot be done here: {kind}", flush=True)
    return kinds


def growth() -> dict[str, float]:
    """What a leak would add to, of the whole machine."""
    own = psutil.Process()
    temporary = Path(tempfile.gettempdir())
    files = [p for p in [*temporary.glob("bench-*"), *temporary.glob("ray*")]]
    return {
        "memory in use, MiB": psutil.virtual_memory().used / 2**20,
        "processes": len(psutil.pids()),
        "threads of this one": own.num_threads(),
        "open files of this one": own.num_fds(),
        "files in shared memory": len([*Path("/dev/shm").iterdir()]),
        "temporary folders": len(files),
        "disk in use, MiB": shutil.disk_usage(temporary).used / 2**20,
    }


def _quietly(work: Callable[[], object]) -> None:
    silent = contextlib.redirect_stdout, contextlib.redirect_stderr
    with open(os.devnull, "w") as nowhere, silent[0](nowhere), silent[1](nowhere):
        work()


def _main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--minutes", type=float, default=60)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--round", type=int, default=None)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        place = Path(folder)
        own_data.write(place)
        subprocess.run(
            [BENCH, "data", "prepare", place / "ours3.yaml", "--from", place / "files",
             "--data-root", place / "data"],
            check=True, capture_output=True,
        )  # fmt: skip
        _quietly(lambda: one_by_one(place / "data", place / "alone", *GRID))
        with contextlib.redirect_stderr(None):
            keys = keys_of(place / "data", *GRID)
        soak = Soak(place, place / "alone" / "demo", _kinds(place), keys)
        return _rounds(soak, given.minutes, given.seed, given.round)


def _rounds(soak: Soak, minutes: float, seed: int, only: int | None) -> int:
    before, until = growth(), time.monotonic() + 60 * minutes
    number, wrong = only or 0, 0
    while time.monotonic() < until:
        for line in soak.round(seed, number):
            wrong += 1
            print(f"WRONG in round {number} (--seed {seed} --round {number}): {line}", flush=True)
        number += 1
        if only is not None:
            break
    print(f"\n{number - (only or 0)} rounds, {wrong} things wrong\n\n| disturbed | exit | times |")
    print("|---|---|---|")
    for (kind, code), times in sorted(soak.ends.items()):
        print(f"| {kind} | {code} | {times} |")
    print("\n| | before | after |\n|---|---|---|")
    for name, value in growth().items():
        print(f"| {name} | {before[name]:.0f} | {value:.0f} |")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(_main())
