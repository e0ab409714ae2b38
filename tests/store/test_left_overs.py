"""What a killed process leaves is found by the next one; what a live one uses is left alone."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import scratch
from benchmark.data import cards, phantoms, prepared
from benchmark.data.preparation import data_folder
from benchmark.store import left_overs, locks
from benchmark.study.syntax import WHOLE, Shard
from tests.conftest import CHECKOUT
from tests.grids import TINY_RUN

WRITES = """
import sys, time
from pathlib import Path
from benchmark import files, scratch
from benchmark.data.preparation.data_folder import lock_of
study, data = map(Path, sys.argv[1:])
with (
    files.replacing(study / "trials" / "a" / "checkpoint.pt") as stream,
    scratch.folder("test"),
    files.locked(lock_of("glas", data)),
):
    stream.write(b"half")
    stream.flush()
    (data / ".glas.abcdefgh").mkdir()
    print("ready", flush=True)
    time.sleep(300)
"""


def found_in(study: Path, data: Path) -> list[str]:
    paths = [*left_overs.of_study(study), *left_overs.temporary(), *data_folder.left_overs(data)]
    return [path.name for path in paths]


def test_what_a_process_works_on_is_its_own_until_it_is_dead(tmp_path, monkeypatch):
    study, data, temporary = (tmp_path / name for name in ("study", "data", "temporary"))
    (study / "trials" / "a").mkdir(parents=True)
    data.mkdir(), temporary.mkdir()
    monkeypatch.setenv("RAY_TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITES, study, data],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
    )
    assert writer.stdout.readline() == b"ready\n"
    assert found_in(study, data) == []
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    names = found_in(study, data)
    assert [name.split(".")[1] for name in names if name.endswith(".tmp")] == ["checkpoint"]
    assert sum(name.startswith("bench-test-") for name in names) == 1
    assert names[-1] == ".glas.abcdefgh" and len(names) == 3


def test_a_file_that_was_just_opened_may_be_anybodys(tmp_path):
    file = tmp_path / ".record.json.1.tmp"
    file.touch()
    assert not scratch.is_abandoned(file)
    os.utime(file, (0, 0))
    assert scratch.is_abandoned(file)


def test_tunes_folders_go_when_their_part_of_the_grid_is_not_run(tmp_path):
    for name in (".ray", ".ray-1-of-2", ".ray-2-of-2", ".merging"):
        (tmp_path / name).mkdir()
    with locks.claimed(tmp_path, Shard(1, 2)):
        names = [path.name for path in left_overs.of_study(tmp_path)]
        assert names == [".ray", ".ray-2-of-2"]
        found = left_overs.of_study(tmp_path, Shard(1, 2))
        assert [path.name for path in found] == [".ray", ".ray-1-of-2", ".ray-2-of-2"]
        with locks.claimed(tmp_path, Shard(2, 2)):  # started since: what is in use stays
            gone = left_overs.remove(found, tmp_path, Shard(1, 2))
        assert [path.name for path in gone] == [".ray", ".ray-1-of-2"]
        (tmp_path / ".ray-1-of-2").mkdir()
    with locks.claimed(tmp_path, WHOLE):
        assert [path.name for path in left_overs.of_study(tmp_path)] == [
            ".ray-1-of-2", ".ray-2-of-2",
        ]  # fmt: skip
        whole = [path.name for path in left_overs.of_study(tmp_path, WHOLE)]
        assert whole == [".ray-1-of-2", ".ray-2-of-2", ".merging"]


@pytest.fixture
def killed(study, tmp_path, data_root, monkeypatch):
    """The finished study as a killed run would have left it, and a data root of its own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary" / "bench-ray-1").mkdir(parents=True)
    (tmp_path / "temporary" / "bench-ray-1" / ".owner").write_bytes(b"x" * 2**20)
    (study[0] / "trials" / study[1][0] / ".checkpoint.pt.0123456789ab.tmp").write_bytes(
        b"x" * 2**20
    )
    (study[0] / ".ray" / "wave-0").mkdir(parents=True)
    return study


def test_the_doctor_lists_them_with_their_size_and_the_next_run_removes_them(
    killed, bench, data_root, tmp_path
):
    folders = ("--data-root", data_root, "--results", tmp_path / "results")
    _, out, _ = bench("doctor", *folders)
    line = next(line for line in out.splitlines() if "left-overs" in line)
    assert line.startswith("warning") and "3 (2.0 MiB): " in line
    assert "the next run of each study removes them" in line
    code, _, err = bench(*TINY_RUN)
    assert code == 0 and "removed what killed runs left: 3 (2.0 MiB): " in err
    assert left_overs.of_study(killed[0]) == [] and not list(tmp_path.glob("temporary/bench-*"))
    _, out, _ = bench("doctor", *folders)
    assert "left-overs none of killed runs" in out


def test_a_dataset_that_was_about_to_be_replaced_comes_back(tmp_path):
    card = cards.find("phantom_glas")
    phantoms.ensure_prepared(card, tmp_path)
    (tmp_path / card.name).rename(tmp_path / f".{card.name}.abcdefgh.old")
    (tmp_path / f".{card.name}.abcdefgh").mkdir()
    assert len(data_folder.left_overs(tmp_path)) == 2
    data_folder.remove_left_overs(tmp_path)
    assert data_folder.left_overs(tmp_path) == []
    assert prepared.read_manifest(tmp_path, card.name).card == card


def test_prepared_data_are_for_all_who_may_use_their_root(tmp_path):
    root = tmp_path / "group"
    root.mkdir()
    root.chmod(0o2770)
    before = os.umask(0o077)
    try:
        phantoms.ensure_prepared(cards.find("phantom_glas"), root)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in root.rglob("*")}
    assert modes.pop("phantom_glas") & 0o777 == 0o770
    assert {name: mode & 0o777 for name, mode in modes.items()} == dict.fromkeys(
        ("images.npy", "masks.npy", "manifest.json", ".phantom_glas.lock"), 0o660
    )


def test_a_full_disk_takes_no_list_of_what_runs_and_that_ends_nothing(monkeypatch, tmp_path):
    def full(file, text):
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr(locks, "write_atomically", full)
    locks.Claim(tmp_path / ".running").note_running(["a"])
