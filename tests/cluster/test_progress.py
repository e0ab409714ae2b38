"""What is shown of a grid while it runs: the time left, by hand; the lines, in a terminal."""

import io
import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from rich.console import Console

from benchmark.cluster import progress
from benchmark.cluster.display import State
from benchmark.cluster.progress import GridProgress
from benchmark.cluster.time_left import TimeLeft, clock
from benchmark.store import layout
from benchmark.store.record import PretrainingRecord
from tests.cluster.terminal import CHECKOUT, run_in_terminal
from tests.forecast.test_queue import Named

DONE = PretrainingRecord(key="", label="", status="done", seconds_total=1.0)


@pytest.fixture
def clock_of_tests(monkeypatch):
    """Seconds that tests set."""
    now = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.seconds)
    return now


def test_the_time_left_follows_the_forecast_at_the_pace_of_what_ended(clock_of_tests, tmp_path):
    """Four jobs, of 10 s and one of 40, two at a time. At 20 s a has taken twice what it should.

    Left at that pace: b has done 20 of its 20 s, c 20, d 80. Side by side (0 + 20 + 80) / 2 = 50,
    but d alone takes 80.
    """
    text = io.StringIO()
    forecast = {"a": 10.0, "b": 10.0, "c": 10.0, "d": 40.0}
    made = GridProgress(4, tmp_path, Console(file=text, width=200), forecast=forecast)
    jobs = {key: Named(key) for key in forecast}
    for key in "ab":
        made.started(jobs[key])
    made.say("so far")
    assert "[0/4] so far, about 0:00:40 left" in text.getvalue()
    clock_of_tests.seconds = 20.0
    made.ended(jobs["a"], DONE)
    assert "about 0:01:20 left" in text.getvalue()


def test_without_a_forecast_jobs_are_taken_to_be_alike(clock_of_tests, tmp_path):
    """One of four in 20 s: 60 are left."""
    text = io.StringIO()
    made = GridProgress(4, tmp_path, Console(file=text, width=200), forecast={"a": 1.0})
    made.started(Named("a"))
    clock_of_tests.seconds = 20.0
    made.ended(Named("a"), DONE)
    assert "about 0:01:00 left" in text.getvalue()


def test_the_time_left_counts_down_between_events():
    """Of three jobs one ended after 20 s, and the second began then: 40 s are left, later 33."""
    left = TimeLeft(3)
    left.started("a", 0.0)
    assert left.seconds(19.0) is None
    left.ended("a", 20.0)
    left.started("b", 20.0)
    assert [left.seconds(now) for now in (20.0, 27.0, 27.5)] == [40.0, 33.0, 32.5]
    assert left.seconds(45.0) == 20.0  # b is late: what is known to be left is the third


def test_before_a_job_ended_its_epochs_tell():
    """Resumed with half of its epochs: a tenth more takes 4 s, so the other 40 % take 16.

    At 6 s it will have taken 22 s. The second job is taken to be like it.
    """
    left = TimeLeft(2)
    left.started("a", 0.0)
    left.advanced("a", 0.5, 2.0)
    assert left.seconds(3.0) is None
    left.advanced("a", 0.6, 6.0)
    assert left.seconds(6.0) == pytest.approx(16 + 22)
    left.lost("a")
    assert left.seconds(7.0) is None


def test_a_clock_has_hours_beyond_a_day():
    assert [clock(seconds) for seconds in (0.4, 61.0, 3700.0, 90061.0)] == [
        "0:00:00", "0:01:01", "1:01:40", "25:01:01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (State(21, 0, 0, 0, 7.0, None), "0/21 done, 0:00:07 so far"),
        (State(21, 8, 1, 2, 60.0, 754.0), "7/21 done, 1 failed, 2 running, about 0:12:34 left"),
        (State(21, 20, 0, 1, 60.0, 0.2), "20/21 done, 1 running, any moment"),
        (State(21, 21, 0, 0, 192.0, 0.0), "21/21 done in 0:03:12"),
        (State(21, 21, 2, 0, 192.0, 0.0), "19/21 done, 2 failed in 0:03:12"),
    ],
)
def test_the_first_line_says_how_far_it_is(state, text):
    assert state.text == text


LOG = "10:00:00 cps on cpu, host, key k\n10:00:01 epoch 7/9 1.0 s\n10:00:01 done\n"


@pytest.mark.parametrize(
    ("log", "epoch"),
    [
        (LOG, (7, 9)),
        (f"{LOG}10:01:00 cps on cpu, host, key k\n", None),  # it started anew
        (f"{LOG}10:01:00 cps on cpu, host, key k\n10:01:01 resumed after epoch 3 of 9\n", (3, 9)),
        ("", None),
    ],
)
def test_a_log_tells_the_epoch_of_its_present_life(log, epoch, tmp_path):
    (tmp_path / "trials" / "k").mkdir(parents=True)
    (tmp_path / "trials" / "k" / "log.txt").write_text(log)
    assert layout.last_epoch(tmp_path / "trials" / "k", "k") == epoch


def test_what_switched_a_logger_off_is_said_once(tmp_path):
    text = io.StringIO()
    made = GridProgress(2, tmp_path, Console(file=text, width=200))
    for key in "ab":
        (tmp_path / key).mkdir()
        (tmp_path / key / "log.txt").write_text("10:00:00 logger switched off: wandb: no login\n")
        made.started(Named(key))
        made.ended(Named(key), DONE)
    assert text.getvalue().count("warning: ") == 1
    assert "logger switched off: wandb: no login" in text.getvalue()


GRID = """
import sys, time, warnings
from pathlib import Path
from rich.console import Console
from benchmark.cluster import progress
from benchmark.store.record import PretrainingRecord
from tests.forecast.test_queue import Named

done = PretrainingRecord(key="", label="", status="done", seconds_total=1.0)
folder = Path(sys.argv[1])
progress._QUIET = 1.0
made = progress.GridProgress(3, folder, Console(stderr=True))
with made:
    made.waiting_for("starting Ray …")
    time.sleep(1)
    for key in "abc":
        job = Named(key)
        job.label = f"ours[rounds=1]/phantom_{key}/5 %/" + 12 * "a long name "
        (folder / key).mkdir()
        made.started(job)
        for epoch in (1, 2):
            with (folder / key / "log.txt").open("a") as log:
                log.write(f"10:00:00 epoch {epoch}/2 1.0 s\\n")
            time.sleep(1.2)
        print("a line of others", file=sys.stderr)
        made.ended(job, done)
"""


@pytest.fixture(scope="module", params=[80, 120])
def live(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    written, shots = run_in_terminal(GRID, request.param, str(folder))
    return request.param, written, shots


def test_the_live_lines_fit_the_terminal(live):
    columns, _, shots = live
    named = [line for shot in shots for line in shot if line.startswith(("epoch ", "starting o"))]
    assert named and {len(line) for line in named} == {columns}  # cut, for they are longer
    assert all(line.endswith("…") for line in named)
    counts = [line for shot in shots for line in shot if " done" in line]
    assert counts and max(map(len, counts)) <= columns
    assert any(line.startswith("epoch 2/2 ours[rounds=1]/phantom_b/5 %/") for line in named)


def test_the_live_lines_count_down_and_end_on_done(live):
    _, _, shots = live
    first = next(shot for shot in shots if shot[0])
    assert re.fullmatch(r"━+ 0/3 done, 0:00:\d\d so far", first[0])
    assert "starting Ray …" in {shot[1] for shot in shots if len(shot) > 1}
    seconds = [
        int(found[1])
        for shot in shots
        if (found := re.search(r"2/3 done, 1 running, about 0:00:(\d\d) left", "\n".join(shot)))
    ]
    assert seconds[0] > seconds[-1] >= 1
    assert seconds == sorted(seconds, reverse=True)
    last = [line for line in shots[-1] if line]
    assert re.fullmatch(r"━+ 3/3 done in 0:00:\d\d", last[-1])
    assert not any(line.startswith("epoch") for line in last)


def test_lines_are_printed_above_the_live_ones_without_tearing(live):
    _, _, shots = live
    last = [line.strip() for line in shots[-1] if line]
    assert last.count("a line of others") == 3
    assert sum("0 steps in 1 s" in line for line in last) == 3
    assert sum("━" in line for line in last) == 1


def test_no_color_means_none(tmp_path):
    written, shots = run_in_terminal(GRID, 80, str(tmp_path), NO_COLOR="1")
    assert not re.search(r"\x1b\[[\d;]*3\d[;m]|\x1b\[38", written)
    assert "3/3 done in" in "\n".join(shots[-1])


def test_a_narrow_terminal_has_no_bar(tmp_path):
    _, shots = run_in_terminal(GRID, 30, str(tmp_path))
    counts = [line for shot in shots for line in shot if " done" in line]
    assert "━━━━━━━━ 3/3 done in 0:00:0" in counts[-1]
    assert max(map(len, counts)) <= 30


@pytest.mark.parametrize("environment", [{}, {"FORCE_COLOR": "1"}])
def test_a_file_gets_plain_lines_one_a_trial_and_now_and_then(environment, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", GRID, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=CHECKOUT,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)} | environment,
    )
    assert done.returncode == 0 and "\x1b" not in done.stderr and "\r" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line != "a line of others"]
    assert lines[0] == "starting Ray …"
    assert re.fullmatch(r"3/3 done in 0:00:\d\d", lines[-1])
    assert sum(": 0 steps in 1 s" in line for line in lines) == 3
    assert any(
        line.startswith("[1/3] 1 running: epoch 2/2 ours[rounds=1]/phantom_b") for line in lines
    )
