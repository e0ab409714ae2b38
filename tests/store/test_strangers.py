"""Studies, data and cards of strangers: nothing outside is read or written, nothing steers.

Damaged records and tables are in test_inspection.py and test_damage.py.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.data import cards
from benchmark.data import prepared as preparing
from benchmark.errors import ExitCode, UserError
from benchmark.store import datasets, record_file, status
from benchmark.store.layout import trial_folder
from tests.conftest import CHECKOUT
from tests.grids import TINY_RUN
from tests.studies import fields_of

SECRET = "what stands outside"


@pytest.fixture
def outside(tmp_path) -> Path:
    file = tmp_path / "outside.txt"
    file.write_text(f"{SECRET}\n")
    return file


def replaced(file: Path, target: Path) -> None:
    """A link in the file's place."""
    if file.is_dir():
        file.rename(file.with_name(f".{file.name}"))
    else:
        file.unlink(missing_ok=True)
    file.symlink_to(target)


@pytest.mark.parametrize(
    "name",
    ["record.json", "log.txt", "requirements.txt", "cases.csv", "history.csv", "panel.npz"],
)
def test_no_verb_follows_a_link_out_of_a_trial(name, study, bench, outside):
    folder = trial_folder(study[0], study[1][0])
    if name == "log.txt":
        (folder / "record.json").unlink()  # it is shown of trials without one
    replaced(folder / name, outside)
    for words in (
        ("status",), ("show", study[1][0]), ("show", study[1][0], "--requirements"), ("report",),
        ("report", "--ci", "cases", "--aggregate", "case"),
        ("report", "--format", "html"),
        ("merge", study[0], "--into", study[0].with_name("other")),
    ):  # fmt: skip
        code, out, err = bench(*words)
        assert SECRET not in out + err
        assert code in (ExitCode.DONE, ExitCode.DATA), (words, out, err)
    assert outside.read_text() == f"{SECRET}\n"
    assert not (study[0].with_name("other") / "trials").exists()


@pytest.mark.parametrize("name", ["trials", "grid.csv", "study.yaml", ".lock", ".running"])
def test_nor_out_of_a_study(name, study, bench, outside, tmp_path):
    target = outside
    if name == "trials":
        target = tmp_path / "trials elsewhere"
        (study[0] / "trials").rename(target)
    replaced(study[0] / name, target)
    nothing = (ExitCode.DATA, ExitCode.STATISTICS)  # no such trial, none to report
    for words in (("status",), ("report",), ("show", study[1][0])):
        code, out, err = bench(*words)
        assert code in (ExitCode.DONE, *nothing) and SECRET not in out + err
    if name == "trials":
        assert record_file.survey(study[0]).records == []
        assert set(status.read(study[0]).states.values()) == {"damaged"}
    code, _, err = bench("merge", study[0], "--into", study[0].with_name("other"))
    assert code == ExitCode.DATA and "is a link, and could lead to what is not the study's" in err
    assert outside.read_text() == f"{SECRET}\n"


def test_a_run_neither_locks_nor_writes_through_a_link(study, bench, outside):
    replaced(study[0] / ".lock", outside)
    code, _, err = bench(*TINY_RUN)
    assert code == ExitCode.RESOURCES and "a link stands in its place" in err
    (study[0] / ".lock").unlink()
    replaced(study[0] / "trials" / study[1][0], outside.parent)  # the record is not there
    code, _, err = bench(*TINY_RUN, "--trial", study[1][0])
    assert code == 0
    assert sorted(p.name for p in outside.parent.iterdir() if p.is_file()) == ["outside.txt"]
    (study[0] / "trials").rename(study[0].parent / "elsewhere")
    (study[0] / "trials").symlink_to(study[0].parent / "elsewhere")
    code, _, err = bench(*TINY_RUN)
    assert code == ExitCode.DATA and "trials is a link, and links in a study are not" in err
    assert outside.read_text() == f"{SECRET}\n"


def test_a_pipe_in_the_place_of_a_file_makes_nobody_wait(study, bench):
    folder = trial_folder(study[0], study[1][0])
    for name in ("record.json", "log.txt"):
        (folder / name).unlink()
        os.mkfifo(folder / name)
    code, out, _ = bench("status")
    assert code == 0 and "damaged" in out
    assert bench("show", study[1][0])[0] == ExitCode.DATA
    assert bench("report")[0] == 0
    assert bench("merge", study[0], "--into", study[0].with_name("other"))[0] == ExitCode.DATA


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("dataset", "glas/../../../evil"),
        ("dataset", "glas\x1b[2J"),
        ("method", "../evil"),
        ("data_hash", "../../outside"),
        ("pretrain_key", "/etc/passwd"),
        ("variant", ""),
        ("variant", "x" * 2000),
        ("seed", -1),
        ("ratio", 1.7),
        ("key", "0" * 16),
    ],
)
def test_a_record_that_names_what_no_study_has_counts_for_nothing(field, value, study, bench):
    file = trial_folder(study[0], study[1][0]) / "record.json"
    file.write_text(json.dumps(fields_of(file) | {field: value}))
    (damaged,) = record_file.survey(study[0]).damaged
    assert damaged == file.parent
    _, out, err = bench("report", "--out", study[0].parent / "out")
    assert "\x1b" not in out + err
    assert not list(study[0].parent.parent.glob("evil*"))


def test_a_forged_key_is_not_that_of_the_settings(study):
    """Whoever copies numbers under other settings has to say so."""
    file = trial_folder(study[0], study[1][0]) / "record.json"
    fields = fields_of(file)
    fields["settings"]["training"]["epochs"] = 500
    file.write_text(json.dumps(fields | {"checksum": record_file.checksum_of(fields)}))
    with pytest.raises(UserError, match="its key is not that of its settings"):
        record_file.read(file.parent)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("configuration", "0" * 16, "its configuration is not that of its settings"),
        ("evaluate_on", "fold 5/3", "nothing is evaluated on 'fold 5/3'"),
    ],
)
def test_nor_is_what_groups_it(field, value, told, study):
    """Trials of one configuration are seeds of each other, and folds parts of one."""
    file = trial_folder(study[0], study[1][0]) / "record.json"
    fields = fields_of(file) | {field: value}
    file.write_text(json.dumps(fields | {"checksum": record_file.checksum_of(fields)}))
    with pytest.raises(UserError, match=told):
        record_file.read(file.parent)


def test_a_record_has_room_for_as_many_classes_as_a_card(study):
    """17 metrics of each of 255, more with a validation set; and for the names of a long list."""
    folder = trial_folder(study[0], study[1][0])
    found = record_file.read(folder)
    found.metrics |= {f"dc_pooled_class_{i}": 0.5 for i in range(25 * 255)}
    found.host = "x" * 2**21
    record_file.write(folder, found)
    assert record_file.read(folder) == found


def test_a_hash_with_a_path_in_it_opens_no_file(tmp_path, prepared):
    (tmp_path / "study").mkdir()
    (tmp_path / "outside.json").write_text(prepared.manifest.model_dump_json())
    assert datasets.kept(tmp_path / "study", "../../outside") is None


@pytest.mark.parametrize("id", ["../x", "a/b", "a\\b", "a\nb", ".x", "x" * 201, "\x1b[2J", ""])
def test_prepared_data_whose_cases_lead_elsewhere_are_refused(id, data_root, tmp_path, prepared):
    fields = json.loads(prepared.manifest.model_dump_json())
    fields["cases"][0]["id"] = id
    (tmp_path / "d" / "phantom_glas").mkdir(parents=True)
    (tmp_path / "d" / "phantom_glas" / "manifest.json").write_text(json.dumps(fields))
    with pytest.raises(UserError, match="no case can be named") as refusal:
        preparing.read_manifest(tmp_path / "d", "phantom_glas")
    assert refusal.value.exit_code == ExitCode.DATA


def test_cases_of_a_table_too(study, bench):
    file = trial_folder(study[0], study[1][0]) / "cases.csv"
    file.write_text(file.read_text().replace("testA_1,", "../testA_1,", 1))
    code, _, err = bench("report", "--ci", "cases", "--aggregate", "case")
    assert code == ExitCode.DATA and "no case can be named '../testA_1'" in err


def test_names_of_files_that_no_line_can_hold_are_named(bench, samples, tmp_path):
    from PIL import Image

    for folder in ("image", "mask"):
        (tmp_path / "from" / folder).mkdir(parents=True)
        for name in ("a", "b\nc", "d\x1b[2J", "e" * 210, "=1+1"):
            Image.new("L", (32, 32), 255).save(tmp_path / "from" / folder / f"{name}.png")
    (tmp_path / "card.yaml").write_text("name: mine\nchannels: 1\nmask: '> 0'\n")
    words = ("data", "prepare", tmp_path / "card.yaml", "--from", tmp_path / "from")
    code, _, err = bench(*words, "--data-root", tmp_path / "data")
    assert code == ExitCode.DATA and "3 problems" in err and "\x1b" not in err
    both = r"'image/b\nc.png', 'image/d\x1b[2J.png': the name of a case cannot hold characters"
    assert both in err
    assert "cannot hold 210 bytes, more than 200" in err


CARD = "name: mine\ntitle: {}\nchannels: 1\n"


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (CARD.format("Größe").encode("utf-8-sig"), "Größe"),
        (CARD.format("Größe").encode("utf-16"), "Größe"),
        (CARD.format("Größe").encode("utf-8").replace(b"\n", b"\r\n"), "Größe"),
    ],
)
def test_a_card_is_read_in_the_encodings_that_say_what_they_are(content, title, tmp_path):
    (tmp_path / "card.yaml").write_bytes(content)
    assert cards.read(tmp_path / "card.yaml").title == title


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" + "".join(
    f"{chr(i + 1)}: &{chr(i + 1)} [*{chr(i)}, *{chr(i)}]\n" for i in range(ord("c"), ord("z"))
)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (CARD.format("Größe").encode("latin-1"), "is not UTF-8 (line 2 holds the byte 0xf6)"),
        (b"\x00\x01\x02", "is not YAML"),
        (b"name: !!python/object/apply:os.system [exit]\n", "is not YAML"),
        (b"name: mine\nmask: > 127\n", 'needs quotes (mask: "> 127")'),
        (b"name: mine\nsize: [8, 8]\nsize: [9, 9]\n", '"size" stands there twice'),
        (b"name: mine\ntest_ids: [1, 2]\n", "read as no text: put it in quotes"),
        (b"", "a card is fields with values, such as name: mine"),
        (BOMB.encode() + b"name: mine\ntest_ids: *z\n", "card "),
        (CARD.format("x").replace("mine", "m" * 300).encode(), "name: String should have at most"),
        (
            CARD.format("x").replace("mine", "../mine").encode(),
            "name: a name has lower-case letters",
        ),
    ],
)
def test_other_cards_are_refused_with_a_sentence(content, told, tmp_path, bench):
    (tmp_path / "card.yaml").write_bytes(content)
    words = ("data", "prepare", tmp_path / "card.yaml", "--from", tmp_path)
    code, _, err = bench(*words, "--data-root", tmp_path / "data")
    assert code == ExitCode.DATA and told in err and len(err) < 5000


def test_what_a_card_says_steers_no_terminal(bench, tmp_path, prepared):
    fields = json.loads(prepared.manifest.model_dump_json())
    fields["card"] |= {"title": "\x1b]0;owned\x07\x1b[2J", "terms": "\x1b[31m", "homepage": "\r\n"}
    (tmp_path / "d" / "phantom_glas").mkdir(parents=True)
    (tmp_path / "d" / "phantom_glas" / "manifest.json").write_text(json.dumps(fields))
    _, out, err = bench("list", "datasets", "--data-root", tmp_path / "d")
    assert "owned" in out and not re.search("[\x1b\x07\r]", out + err)


@pytest.mark.parametrize("name", ["x" * 300, "-rf", "a b", "a/b", "..", "a\x1b[2J", "$(id)"])
def test_a_study_is_named_so_that_it_can_be_typed_again(name, bench):
    code, _, err = bench(*TINY_RUN, f"--study={name}", "--dry-run")
    assert code == ExitCode.USAGE and "a study name is made of" in err and "\x1b" not in err


def test_commands_that_are_printed_can_be_pasted(study, bench, tmp_path):
    into = tmp_path / "with 'quotes' and blanks; rm -rf"
    code, out, _ = bench("merge", study[0], "--into", into)
    assert code == 0
    (line,) = [line for line in out.splitlines() if line.startswith("next:")]
    words = line.removeprefix("next:  bench ")
    script = f'"$0" -c "from benchmark.cli.main import main; main()" {words}'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "supervised" in done.stdout, done.stderr


def test_formulas_of_spreadsheets_are_text(study, bench, tmp_path):
    file = trial_folder(study[0], study[1][0]) / "record.json"
    fields = fields_of(file) | {"status": "failed", "metrics": {}, "error": "=HYPERLINK(1)"}
    file.write_text(json.dumps(fields))
    file.parent.joinpath("checkpoint.pt").touch()
    from benchmark.store import tables

    tables.rebuild(study[0])
    assert ",'=HYPERLINK(1)," in (study[0] / "results.csv").read_text()
    tables.write_table(tmp_path / "cases.csv", [{"case": "=1+1", "dc": -0.5}, {"case": "@x"}])
    assert (tmp_path / "cases.csv").read_text() == "case,dc\n'=1+1,-0.5\n'@x,\n"


@pytest.mark.parametrize("name", ["log.txt", "predictions", "predictions/testA_1.png"])
def test_a_job_writes_through_no_link_in_its_folder(name, study, bench, outside, tmp_path):
    folder = trial_folder(study[0], study[1][0])
    (folder / "record.json").unlink()
    target = outside
    if name == "predictions":
        target = tmp_path / "elsewhere"
        target.mkdir()
    (folder / name).parent.mkdir(exist_ok=True)
    replaced(folder / name, target)
    code, _, err = bench(*TINY_RUN, "--trial", study[1][0], "--save", "predictions")
    assert code == 0, err
    assert outside.read_text() == f"{SECRET}\n"
    assert not (tmp_path / "elsewhere").exists() or not list((tmp_path / "elsewhere").iterdir())
    assert (folder / "predictions" / "testA_1.png").is_file()


@pytest.mark.parametrize("name", ["trials", "datasets"])
def test_neither_run_nor_merge_write_through_a_linked_folder(name, study, bench, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (study[0] / name).rename(elsewhere)
    (study[0] / name).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    source = tmp_path / "source"
    shutil.copytree(elsewhere if name == "trials" else study[0] / "trials", source / "trials")
    for words in (TINY_RUN, ("merge", source, "--into", study[0])):
        code, _, err = bench(*words)
        assert code == ExitCode.DATA and f"{name} is a link, and links in a study are not" in err
    assert sorted(elsewhere.rglob("*")) == before


@pytest.mark.parametrize("name", ["history.csv", "cases.csv", "panel.npz", "requirements.txt"])
def test_no_report_waits_for_a_pipe(name, study, bench, data_root):
    file = trial_folder(study[0], study[1][0]) / name
    file.unlink()
    os.mkfifo(file)
    for words in (
        ("report", "--format", "html"), ("report", "--ci", "cases", "--aggregate", "case"),
        ("show", study[1][0], "--requirements"),
        ("verify", study[0], "--trial", study[1][0], "--data-root", data_root),
    ):  # fmt: skip
        code, _, err = bench(*words)
        assert code in (ExitCode.DONE, ExitCode.DATA), err


def test_nobody_waits_for_a_pipe_in_a_shared_place(study, bench, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "shared"))
    (tmp_path / "shared" / "bench-a-b").mkdir(parents=True)
    os.mkfifo(tmp_path / "shared" / "bench-a-b" / ".owner")
    os.mkfifo(study[0] / ".x.0123456789ab.tmp")
    assert bench(*TINY_RUN)[0] == 0
    assert (tmp_path / "shared" / "bench-a-b").exists()


def test_a_run_prints_no_name_raw(study, bench):
    (study[0] / ".\x1b[31mred.0123456789ab.tmp").write_text("x")
    (study[0] / "trials" / "\x1b[2Jbad").mkdir()
    (study[0] / "trials" / "\x1b[2Jbad" / "record.json").write_text("{}")
    for words in (TINY_RUN, (*TINY_RUN, "--trial", study[1][0])):
        _, out, err = bench(*words)
        assert "bad" in out + err and "\x1b" not in out + err


@pytest.mark.parametrize(
    "text", ["-r /etc/passwd", "--index-url http://evil", "evil @ http://evil"]
)
def test_requirements_hold_packages_and_their_versions_alone(text, study, bench):
    (trial_folder(study[0], study[1][0]) / "requirements.txt").write_text(f"numpy==2.0\n{text}\n")
    code, out, err = bench("show", study[1][0], "--requirements")
    assert code == ExitCode.DATA and "is no package with its version" in err and not out


@pytest.mark.parametrize("name", ["my.thing", "phantom_glas.backup", "cache.old", "glas.abcdefgh"])
def test_folders_of_ones_own_in_the_data_root_stay(name, tmp_path):
    from benchmark.data.preparation import data_folder

    (tmp_path / f".{name}").mkdir()
    (tmp_path / f".{name}" / "mine.txt").write_text("x")
    for lock in (".my.lock", ".phantom_glas.lock", ".cache.lock", ".glas.lock"):
        (tmp_path / lock).touch()
    data_folder.remove_left_overs(tmp_path)
    assert (tmp_path / f".{name}" / "mine.txt").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": {"assd": 10**400}},
        {"parameters": 10**400},
        {"schema_version": 1, "settings": [1]},
        {"variant": "supervised[b"},
    ],
)
def test_numbers_that_no_float_holds_end_in_a_sentence(change, study, bench):
    file = trial_folder(study[0], study[1][0]) / "record.json"
    file.write_text(json.dumps(fields_of(file) | change))
    assert bench("report", "--costs")[0] == 0 and bench("status")[0] == 0
    assert bench("show", study[1][0])[0] == ExitCode.DATA


@pytest.mark.parametrize("content", [b"[" * 200_000, b"title: 2020-13-45\n", b'x: !!int "zz"\n'])
def test_odd_yaml_and_json_are_no_traceback(content, tmp_path, bench):
    (tmp_path / "card.yaml").write_bytes(content)
    words = ("data", "prepare", tmp_path / "card.yaml", "--from", tmp_path)
    code, _, err = bench(*words, "--data-root", tmp_path / "data")
    assert code == ExitCode.DATA and "is not YAML" in err
    (tmp_path / "d" / "mine").mkdir(parents=True)
    (tmp_path / "d" / "mine" / "manifest.json").write_bytes(content)
    code, out, _ = bench("list", "datasets", "--data-root", tmp_path / "d")
    assert code == 0 and "mine          broken: " in out
