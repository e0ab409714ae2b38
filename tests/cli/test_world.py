"""What the world does, a full disk or a folder that is none, ends in a sentence and exit code 4."""

import errno
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from benchmark import scratch
from benchmark.cli import main
from benchmark.errors import ExitCode
from tests.conftest import CHECKOUT
from tests.grids import TINY_RUN


@pytest.mark.parametrize(
    "verb",
    [
        ("data", "prepare", "glas", "--from", "{samples}/glas128", "--allow-partial",
         "--data-root", "{file}/data"),
        ("data", "synth", "glas", "--out", "{file}/made"),
        ("merge", "{study}", "--into", "{file}/merged"),
        ("report", "--results", "{results}", "--out", "{file}/out"),
        (*TINY_RUN, "--results", "{file}/results"),
        (*TINY_RUN, "--data-root", "{file}/data"),
        (*TINY_RUN, "--results", "{file}/results", "--trial", "{key}"),
    ],
    ids=lambda words: " ".join(words[:2]) + (" --trial" if "--trial" in words else ""),
)  # fmt: skip
def test_a_file_in_the_place_of_a_folder_is_named_by_every_verb_that_writes(
    verb, bench, study, samples, tmp_path
):
    folder, keys = study
    file = tmp_path / "file"
    file.write_text("mine")
    places = {
        "samples": samples, "file": file, "study": folder, "results": folder.parent, "key": keys[0],
    }  # fmt: skip
    code, _, err = bench(*(word.format(**places) for word in verb))
    assert code == ExitCode.RESOURCES, err
    assert f"cannot use {file}" in err and "Not a directory" in err and "choose another" in err
    assert "Traceback" not in err and file.read_text() == "mine"


MAIN = "from benchmark.cli.main import main; main()"
BAD = """
mount -t tmpfs -o {options} none {bad}
run() {{
  name=$1; shift
  "$@" > {bad}.out 2>&1
  echo "$name $? $(grep -c Traceback {bad}.out) $(grep error: {bad}.out)"
  rm -rf {bad}/x
}}
run prepare {bench} data prepare glas --from {samples}/glas128 --allow-partial --data-root {bad}/x
run synth {bench} data synth glas --out {bad}/x
run merge {bench} merge {study} --into {bad}/x
run report {bench} report --results {results} --out {bad}/x
run predict {bench} predict {key} --results {results} --images {samples}/glas128/test --out {bad}/x
run run {bench} {tiny} --data-root {data} --results {bad}/x
run trial {bench} {tiny} --data-root {data} --results {bad}/x --trial {key}
"""
VERBS = ("prepare", "synth", "merge", "report", "predict", "run", "trial")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("size=16k", "No space left on device; make room, or choose another folder with"),
        ("ro", "Read-only file system; choose another folder with"),
    ],
)
def test_a_disk_that_takes_nothing_is_said_by_every_verb_that_writes(
    options, why, samples, data_root, study, bench, tmp_path
):
    if subprocess.run(["unshare", "-rm", "true"], check=False).returncode:
        pytest.skip("this system lets nobody make a mount namespace")
    results, (key, *_) = tmp_path / "own", study[1]
    where = ("--data-root", data_root, "--results", results)
    assert bench(*TINY_RUN, "--save", "weights", *where, "--trial", key)[0] == 0
    bad = tmp_path / "bad"
    bad.mkdir()
    (tmp_path / "bench").write_text(f"#!/bin/sh\nexec '{sys.executable}' -c '{MAIN}' \"$@\"")
    (tmp_path / "bench").chmod(0o755)
    script = BAD.format(
        bad=bad, options=options, samples=samples, study=results / "demo", results=results,
        bench=tmp_path / "bench", key=key, tiny=shlex.join(TINY_RUN), data=data_root,
    )  # fmt: skip
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        check=True,
    )
    lines = done.stdout.splitlines()
    assert [line.split()[:3] for line in lines] == [[verb, "4", "0"] for verb in VERBS], lines
    assert all(why in line for line in lines), lines


def said(error: Exception, capsys) -> tuple[int, str]:
    def fail():
        raise error

    code = main.guarded(fail)
    return code, capsys.readouterr().err


def test_a_missing_permission_names_the_file(capsys):
    denied = PermissionError(errno.EACCES, "Permission denied", "/theirs/results")
    code, err = said(denied, capsys)
    assert code == ExitCode.RESOURCES
    assert err.startswith("error: cannot use /theirs/results: Permission denied; choose another")


def test_of_many_files_that_could_not_be_copied_the_first_is_named(capsys):
    why = "[Errno 28] No space left on device: 'a' -> 'b'"
    _, err = said(shutil.Error([("a", "b", why), ("c", "d", why)]), capsys)
    assert err.startswith("error: cannot copy a to b: No space left on device; make room, or")


def test_a_temporary_file_is_not_helped_by_another_folder_of_results(capsys):
    with scratch.folder("data") as folder:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "images.npy"))
    code, err = said(full, capsys)
    assert code == ExitCode.RESOURCES
    assert "images.npy: No space left on device; make room, or set TMPDIR to a folder" in err
    _, err = said(FileNotFoundError(errno.ENOENT, "No usable temporary directory found"), capsys)
    assert "set TMPDIR to a folder elsewhere" in err


def test_a_bug_keeps_its_traceback(capsys):
    with pytest.raises(KeyError):
        said(KeyError("a bug"), capsys)


def test_more_output_shows_where_a_mistake_was_found(bench):
    _, _, err = bench("report", "--study", "none")
    assert "Traceback" not in err
    _, _, err = bench("report", "--study", "none", "-v")
    assert "Traceback" in err and "error: " in err


@pytest.mark.parametrize("verb", [("list", "presets", "-v"), ("list", "methods", "-v")])
def test_a_reader_that_goes_away_is_no_error(verb):
    """`bench … | head -1`."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN, *verb],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
    )
    process.stdout.close()
    err = process.stderr.read().decode()
    assert process.wait(timeout=60) == 0 and "Traceback" not in err and "Exception" not in err, err
