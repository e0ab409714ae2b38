"""Files of a study that are damaged, or a stranger's: named, never believed."""

import csv
import errno
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmark import files
from benchmark.errors import ExitCode, UserError
from benchmark.store import checkpoints, record_file, tables
from benchmark.store.layout import trial_folder
from benchmark.study.sources import Code
from tests.grids import TINY_RUN as TINY
from tests.studies import fields_of


def bomb(file: Path) -> None:
    """A few kilobytes that say they are 8 GiB of pictures."""
    header, case = io.BytesIO(), io.BytesIO()
    about = {"shape": (2**33,), "fortran_order": False, "descr": "|u1"}
    np.lib.format.write_array_header_1_0(header, about)
    np.save(case, np.array(["a"]))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as stream:
        stream.writestr("image_0.npy", header.getvalue() + bytes(1000))
        stream.writestr("case.npy", case.getvalue())


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def semicolons(file: Path) -> None:
    file.write_text(file.read_text().replace(",", ";"))


def twice(file: Path) -> None:
    head, *lines = file.read_text().splitlines()
    file.write_text("\n".join([head, *lines, *lines]))


def impossible(file: Path) -> None:
    head, line, *lines = file.read_text().splitlines()
    case, _, *rest = line.split(",")
    file.write_text("\n".join([head, ",".join([case, "1.7", *rest]), *lines]))


def link(file: Path) -> None:
    elsewhere = file.with_name("elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


CASES = ("report", "--ci", "cases", "--aggregate", "case")
PAGE = ("report", "--format", "html")


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        *(("cases.csv", d, CASES) for d in (
            lambda f: f.write_bytes(b""), lambda f: f.write_bytes(bytes(range(256)) * 8),
            lambda f: f.write_bytes(f.read_text().encode("utf-16")), semicolons, twice, impossible,
            link, folder,
        )),
        *(("history.csv", d, PAGE) for d in (
            lambda f: f.write_bytes(b""), lambda f: f.write_bytes(bytes(range(256)) * 8),
            semicolons, twice, link, folder,
        )),
        *(("panel.npz", d, PAGE) for d in (
            lambda f: f.write_bytes(b""), lambda f: f.write_bytes(bytes(range(256)) * 8), half,
            bomb, link,
        )),
    ],
)  # fmt: skip
def test_a_damaged_file_of_a_trial_is_named(bench, study, name, damage, words):
    root, keys = study
    file = trial_folder(root, keys[0]) / name  # that of the lowest seed, whose pictures are shown
    damage(file)
    code, _, err = bench(*words)
    assert code == ExitCode.DATA, err
    assert f"{file} is damaged (" in err and "run the trial again" in err


@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        half,
        semicolons,
        lambda f: f.write_bytes(b""),
        lambda f: f.write_bytes(b"\xef\xbb\xbf" + f.read_bytes()),
        lambda f: f.write_bytes(f.read_bytes().replace(b"\n", b"\r\n")),
        lambda f: f.write_bytes(f.read_text().encode("utf-16")),
        lambda f: f.write_bytes(bytes(range(256)) * 8),
        link,
        folder,
    ],
)
@pytest.mark.parametrize("name", ["grid.csv", "results.csv"])
def test_what_is_derived_is_made_again_whatever_became_of_it(bench, study, name, damage):
    root, keys = study
    assert bench(*TINY)[0] == 0  # writes both
    file = root / name
    whole, status = file.read_text(), bench("status")[1]
    damage(file)
    assert sorted(bench("status")[1]) == sorted(status)
    code, _, err = bench(*TINY)
    assert code == 0 and "all 2 trials are done" in err
    assert sorted(file.read_text().splitlines()) == sorted(whole.splitlines())
    assert not file.is_symlink()
    assert len(keys) == 2


def test_a_merge_follows_no_link_and_writes_nothing_then(bench, study, tmp_path):
    root, keys = study
    secret = tmp_path / "secret"
    secret.write_text("private")
    into = tmp_path / "into"
    for place in (trial_folder(root, keys[0]) / "notes.txt", root / "further"):
        place.symlink_to(secret)
        code, _, err = bench("merge", root, "--into", into)
        assert code == ExitCode.DATA and f"{place} is a link" in err
        assert not into.exists()
        place.unlink()
    assert bench("merge", root, "--into", into)[0] == 0


def test_a_merge_writes_nothing_through_a_link_in_its_target(bench, study, tmp_path):
    """A link in the place of a trial is replaced, and what it leads to stays as it is."""
    root, keys = study
    outside, into = tmp_path / "outside", tmp_path / "into"
    outside.mkdir()
    (into / "trials").mkdir(parents=True)
    trial_folder(into, keys[0]).symlink_to(outside)
    assert bench("merge", root, "--into", into)[0] == 0
    assert list(outside.iterdir()) == []
    assert json.loads((trial_folder(into, keys[0]) / "record.json").read_text())["key"] == keys[0]


def test_a_merge_mends_a_damaged_record_of_its_target(bench, study, tmp_path):
    root, keys = study
    into = tmp_path / "into"
    shutil.copytree(root, into)
    half(trial_folder(into, keys[0]) / "record.json")
    code, out, err = bench("merge", root, "--into", into)
    assert code == 0, err
    assert "1 trial copied, 1 already there" in out


def test_what_a_stranger_wrote_steers_neither_terminal_nor_spreadsheet(bench, study):
    root, keys = study
    file = trial_folder(root, keys[0]) / "record.json"
    error = "=HYPERLINK(1)\x1b]0;title\x07\x1b[2J\nnext line\u202e"
    fields = fields_of(file) | {"status": "failed", "error": error, "metrics": {}}
    file.write_text(json.dumps(fields | {"host": "\x1b[31mred"}))
    (trial_folder(root, keys[0]) / "log.txt").write_text("\x1b[2Jgone\x07")
    for words in (("status",), ("show", keys[0]), ("report",), ("report", "--format", "csv")):
        code, out, err = bench(*words)
        assert code == 0, err
        assert not {"\x1b", "\x07", "\u202e"} & set(out + err), words
    assert bench(*TINY, "--dry-run")[0] == 0
    tables.rebuild(root)
    with (root / "results.csv").open(newline="") as stream:
        (line,) = [row for row in csv.DictReader(stream) if row["key"] == keys[0]]
    assert line["error"].startswith("'=HYPERLINK(1)") and "\x1b" not in line["error"]


@pytest.mark.parametrize("name", ["=1+1", "../up", "", "x" * 2000])
def test_a_name_that_none_could_have_is_refused(bench, study, name):
    root, keys = study
    file = trial_folder(root, keys[0]) / "record.json"
    file.write_text(json.dumps(fields_of(file) | {"dataset": name}))
    code, out, _ = bench("report")
    assert code == 0
    assert f"left out: the record in trials/{keys[0]} is damaged (dataset: " in out


@pytest.mark.parametrize("stage", ["trials", "pretrained"])
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (
            lambda file: file.write_bytes(b"half"),
            "the checkpoint is damaged: now checkpoint.pt.dam",
        ),
        (Path.mkdir, "the checkpoint is damaged: now checkpoint.pt.damaged"),
        (
            lambda file: checkpoints.write(file, b"", Code("another", "one")),
            "the checkpoint was made by other code",
        ),
    ],
)
def test_who_starts_a_run_is_told_which_trials_start_over(stage, made, why, bench, tmp_path):
    words = (*TINY, "--methods", "ours[rounds=1]", "--seeds", "1", "pretraining.epochs=1",
             "pretraining.steps_per_epoch=1")  # fmt: skip
    (key,) = [line.split()[0] for line in bench(*words, "--dry-run", "-v")[1].splitlines()
              if line.startswith("  ")]  # fmt: skip
    if stage == "trials":
        folder = trial_folder(tmp_path / "results" / "demo", key)
    else:  # its key is made while it runs
        code, out, _ = bench(*words, "--trial", key)
        assert code == 0
        (folder,) = (tmp_path / "results" / "demo" / "pretrained").iterdir()
        shutil.rmtree(trial_folder(tmp_path / "results" / "demo", key))
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    made(folder / "checkpoint.pt")
    code, out, err = bench(*words, "--trial", key)
    assert code == 0, err
    what = "ours[rounds=1]/phantom_glas/5 %/seed 0" if stage == "trials" else "pretraining of ours/"
    assert any(what in line and f"starts over: {why}" in line for line in out.splitlines()), out
    assert not (folder / "checkpoint.pt").exists()


def test_what_the_world_does_to_a_record_is_no_damage(study, monkeypatch):
    """An input-output error: the record is not set aside, and nothing goes on without it."""
    opened = os.open

    def broken(file, *arguments, **options):
        if str(file).endswith("record.json"):
            raise OSError(errno.EIO, "Input/output error", str(file))
        return opened(file, *arguments, **options)

    def broken_path(self, *arguments, **options):
        raise OSError(errno.EIO, "Input/output error", str(self))

    monkeypatch.setattr(files.os, "open", broken)
    monkeypatch.setattr(Path, "open", broken_path)
    with pytest.raises(OSError, match="Input/output error"):
        record_file.survey(study[0])


def test_columns_that_name_a_trial_are_ours(study):
    """A table of a stranger with a key, a seed and a variant of its own."""
    folder, keys = study
    file = folder / "trials" / keys[0] / "cases.csv"
    lines = file.read_text().splitlines()
    told = [
        f"{line},{'key,seed,variant' if i == 0 else f'k{i},77,x'}" for i, line in enumerate(lines)
    ]
    file.write_text("\n".join(told) + "\n")
    rows = tables.trials(record_file.survey(folder).records)
    found = tables.stacked(folder, rows, "cases.csv")
    assert set(found.key) == set(keys) and set(found.variant) == {"supervised"}
    assert sorted(set(found.seed)) == [0, 1] and found.columns.is_unique
    file.write_text("\n".join([*told, told[1].replace("k1", "other")]) + "\n")
    with pytest.raises(UserError, match="a case stands there twice"):
        tables.stacked(folder, rows, "cases.csv")
