"""Grids of short trials: on Ray in processes of their own, which tests kill, join and compare; or
one trial after the other in this process, without Ray, which is what they are compared with.
"""

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import psutil

from benchmark.cli import main
from tests.studies import VOLATILE

CHECKOUT = Path(__file__).parent.parent
BENCH = Path(sys.executable).with_name("bench")
ONE_WORKER = ("--max-concurrent", "1")
"""To start another takes longer than to run a trial."""
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
"""Trials that take a second, so that they can be killed."""


class Grid:
    """`bench run …` in a process of its own."""

    def __init__(self, data_root: Path, folder: Path, *words: str, path: Path = CHECKOUT):
        """path: where its processes find further packages."""
        folder.mkdir(exist_ok=True)
        self.folder = folder / "results" / "demo"
        self._log = folder / f"output-{len(list(folder.glob('output-*')))}.txt"
        command = [BENCH, *words, "--data-root", data_root, "--results", folder / "results"]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Whatever else is installed.
                env=os.environ | {"PYTHONPATH": f"{CHECKOUT}{os.pathsep}{path}"},
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

    def logs(self) -> list[str]:
        """What each trial printed."""
        return [file.read_text() for file in self.folder.glob("trials/*/log.txt")]

    def done(self) -> int:
        """How many trials have a record that says so."""
        records = [json.loads(f.read_text()) for f in self.folder.glob("trials/*/record.json")]
        return sum(record["status"] == "done" for record in records)

    def table(self) -> pd.DataFrame:
        return table(self.folder)


def table(study_folder: Path) -> pd.DataFrame:
    """What every run of the same trials must agree in."""
    return pd.read_csv(study_folder / "results.csv").drop(columns=[*VOLATILE, "code_version"])


def one_by_one(data_root: Path, results: Path, *words: str) -> Path:
    """Run the trials of `bench run …` in this process, each alone, without Ray; their study."""
    places = ("--data-root", str(data_root), "--results", str(results))
    for key in keys_of(data_root, *words):
        command = [*words, *places, "--trial", key]
        assert main.guarded(lambda c=command: main.app(c, standalone_mode=False)) == 0
    return results / "demo"


def keys_of(data_root: Path, *words: str) -> list[str]:
    """Keys of the trials of `bench run …`."""
    places = ["--data-root", str(data_root), "--results", "/nowhere", "--dry-run", "-v"]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        main.guarded(lambda: main.app([*words, *places], standalone_mode=False))
    return re.findall(r"^  ([0-9a-f]{16})  ", printed.getvalue(), re.MULTILINE)


def family(process: psutil.Process | subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def trial_workers(process: psutil.Process | subprocess.Popen) -> list[psutil.Process]:
    """The actors among its descendants that run trials."""
    return [child for child in family(process) if _runs_trials(child)]


def _runs_trials(process: psutil.Process) -> bool:
    """Ray names it in the process title."""
    with contextlib.suppress(psutil.Error):  # it has just ended
        return "".join(process.cmdline()).startswith("ray::ImplicitFunc")
    return False


def alive(processes: list[psutil.Process], seconds: float = 30) -> list[psutil.Process]:
    """Those that still run after some time."""
    _, left = psutil.wait_procs(processes, timeout=seconds)
    return [p for p in left if p.status() != psutil.STATUS_ZOMBIE]
