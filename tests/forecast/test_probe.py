"""Forecasts of real, tiny runs: probed, told, compared."""

import re
import subprocess

import pytest

from benchmark.errors import ExitCode
from benchmark.forecast import known
from tests.grids import BENCH, TINY_RUN


def test_a_dry_run_says_what_it_would_take_if_that_is_known(bench, tmp_path):
    words = (*TINY_RUN, "--methods", "supervised,cps", "--dry-run", "--results", tmp_path)
    _, out, _ = bench(*words)
    assert re.search(r"forecast for \d+ CPUs?: no like trial was ever timed; --probe", out)
    code, out, err = bench(*words, "--probe")
    assert code == 0, err
    assert "probing 2 kinds of work, a few steps each …" in err
    assert re.search(r"cps +2 x 4 steps +\d+ ms a step +\d+ MiB +\d+% evaluation +\d+ s each", out)
    assert re.search(r"in all \d+ s of processor time, about \d+ s with \d trials? at once", out)
    _, again, err = bench(*words, "--probe")
    assert again == out and "probing" not in err
    assert len(known.probes(tmp_path)) == 2


def test_of_other_hardware_operations_alone_are_known(bench, tmp_path):
    words = (*TINY_RUN, "--dry-run", "--results", tmp_path)
    bench(*words, "--probe")
    _, out, _ = bench(*words, "--on", "8 gpu")
    assert re.search(r"supervised +2 x 4 steps +[\d.e-]+ PFLOP in training", out)
    assert "forecast for 8 GPUs:" in out and "unknown on such hardware" in out
    _, out, _ = bench(*words, "--on", "64 cpus")
    assert "forecast for 64 CPUs (" in out and "with 2 trials at once" in out
    code, _, err = bench(*words, "--on", "a few")
    assert code == ExitCode.USAGE and '--on takes a number of GPUs or CPUs, such as "8 gpu"' in err
    code, _, err = bench(*(word for word in words if word != "--dry-run"), "--on", "8 gpu")
    assert code == ExitCode.USAGE and "add --dry-run" in err


def test_what_cannot_run_is_named_before_anything_starts(bench, data_root, tmp_path):
    """Its data are gone: the process that probes says so, and the error names the trial."""
    words = (*TINY_RUN, "--dry-run", "--probe", "--results", tmp_path)
    code, _, err = bench(*words, "training.batch_labelled=0")
    assert code == ExitCode.USAGE and "training.batch_labelled must be above 0" in err


@pytest.mark.slow
def test_a_run_uses_what_earlier_trials_took_and_compares(bench, data_root, tmp_path):
    words = [*TINY_RUN, "--results", str(tmp_path)]
    command = [BENCH, *words, "--data-root", data_root, "--probe"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"forecast .+, took .+", done.stderr)
    (tmp_path / ".probes.json").unlink()
    _, out, _ = bench(*words, "--seeds", "3", "--dry-run")
    assert re.search(r"supervised +1 x 4 steps +\d+ ms a step", out)
