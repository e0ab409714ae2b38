"""Grids of short trials in processes of their own, on Ray: what tests kill, join and compare."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil

from tests.studies import VOLATILE

BENCH = Path(sys.executable).with_name("bench")
TINY_RUN = (
    "run", "--preset", "demo", "--methods", "supervised", "--ratios", "5", "--seeds", "2",
    "size=[32,32]", "network.widths=[4,8]", "network.dropout=[0,0]", "training.epochs=2",
    "training.steps_per_epoch=2",
)  # fmt: skip
"""Two trials that take a moment."""
GRID = (
    "run", "--preset", "demo", "--methods", "supervised,cps", "--ratios", "5", "--seeds", "2",
    "size=[32,32]", "network.widths=[8,16]", "network.dropout=[0,0]", "training.epochs=4",
    "training.steps_per_epoch=6", "checkpoint_seconds=0",
)  # fmt: skip


class Grid:
    """`bench run` of four short trials in a process of its own."""

    def __init__(self, data_root: Path, folder: Path, *more: str):
        folder.mkdir(exist_ok=True)
        self.folder = folder / "results" / "demo"
        self._log = folder / "output.txt"
        command = [BENCH, *GRID, *more, "--data-root", data_root, "--results", folder / "results"]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdout=log,
                stderr=log,
                start_new_session=True,
                # In the background of a script pytest ignores it, and so would its children.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    @property
    def output(self) -> str:
        return self._log.read_text()

    def ended(self) -> int:
        return self.process.wait(timeout=200)

    def wait_for(self, pattern: str, seconds: float = 120, files: str = "trials/*/log.txt") -> None:
        """Until a log matches."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            logs = self.folder.glob(files)
            if any(re.search(pattern, log.read_text()) for log in logs):
                return
            assert self.process.poll() is None, self.output
            time.sleep(0.02)
        raise AssertionError(f"no log matched {pattern!r}:\n{self.output}")

    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.folder / "results.csv").drop(columns=[*VOLATILE, "code_version"])


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def trial_workers(process: subprocess.Popen) -> list[psutil.Process]:
    """The actors that run trials; Ray names them in their process title."""
    return [p for p in family(process) if "".join(p.cmdline()).startswith("ray::ImplicitFunc")]


def alive(processes: list[psutil.Process], seconds: float = 30) -> list[psutil.Process]:
    """Those that still run after some time."""
    _, left = psutil.wait_procs(processes, timeout=seconds)
    return [p for p in left if p.status() != psutil.STATUS_ZOMBIE]
