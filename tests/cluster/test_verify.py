"""`bench verify`: trials that repeat, numbers that do not, and what is said to be the reason."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import ExitCode
from benchmark.store import record as records
from benchmark.store.layout import trial_folder
from tests.studies import fields_of


def rewrite(folder, **changes) -> None:
    """As somebody would who recorded other numbers: the checksum is right."""
    fields = fields_of(folder / "record.json")
    fields["metrics"] |= changes.pop("metrics", {})
    checksum = records._checksum(fields | changes)
    (folder / "record.json").write_text(json.dumps(fields | changes | {"checksum": checksum}))


@pytest.fixture
def verify(study, bench, data_root, tmp_path):
    """A function: verify one trial of the finished study."""

    def run(*words: str):
        return bench("verify", study[0], "--trial", study[1][0], "--data-root", data_root, *words)

    return run


def test_what_was_run_here_repeats(study, bench, data_root):
    before = sorted(study[0].rglob("*"))
    code, out, err = bench("verify", study[0], "--sample", "5", "--data-root", data_root)
    assert code == 0, err
    assert "2 of 2 trials of" in out
    assert (
        len(re.findall(r"seed \d \(\w+\): all \d{4,} numbers equal, bit for bit$", out, re.M)) == 1
    )
    assert re.search(r"numbers equal, bit for bit, about \d:\d\d:\d\d left$", out, re.M)
    assert sorted(study[0].rglob("*")) == before


def test_a_number_that_is_another_is_named(study, verify):
    folder = trial_folder(study[0], study[1][0])
    true = fields_of(folder / "record.json")["metrics"]["dc_pooled"]
    rewrite(folder, metrics={"dc_pooled": 0.9})
    code, out, err = verify()
    assert code == ExitCode.SOME_TRIALS_FAILED and "1 of 1 trial did not repeat" in err
    assert re.search(r": 1 of \d+ numbers differ; processor, versions and code are the same", out)
    assert f"  dc_pooled 0.9 → {true} (by " in out


def test_so_is_one_of_its_tables_or_a_picture(study, verify):
    folder = trial_folder(study[0], study[1][0])
    cases = pd.read_csv(folder / "cases.csv")
    cases.loc[3, "tp"] += 1
    cases.to_csv(folder / "cases.csv", index=False)
    panel = dict(np.load(folder / "panel.npz"))
    panel["prediction_1"][0, :2] ^= 1
    np.savez(folder / "panel.npz", **panel)
    code, out, _ = verify()
    assert code == ExitCode.SOME_TRIALS_FAILED
    assert re.search(rf"  cases.csv {cases.case[3]} tp \d+ → \d+ \(by 1\)", out)
    assert "  panel.npz prediction_1 1024 values → 2 of them others" in out


def test_what_is_otherwise_here_is_named(study, verify):
    fields = fields_of(trial_folder(study[0], study[1][0]) / "record.json")
    packages = fields["packages"] | {"numpy": "1.0"}
    rewrite(trial_folder(study[0], study[1][0]), packages=packages, device="Another", tool_code="")
    code, out, _ = verify()
    assert code == 0
    assert "equal, bit for bit; otherwise here: processor " in out and "(recorded: Another)" in out
    assert f"numpy {fields['packages']['numpy']} (recorded: 1.0)" in out
    assert f"code of the tool {fields['tool_code']} (recorded: not kept)" in out


def test_other_data_and_missing_data_are_said(study, verify, data_root, tmp_path):
    code, out, _ = verify("--data-root", tmp_path / "nowhere")
    assert code == ExitCode.SOME_TRIALS_FAILED
    assert 'cannot be run again: dataset "phantom_glas" is not prepared under' in out
    shutil.copytree(data_root / "phantom_glas", tmp_path / "data" / "phantom_glas")
    manifest = tmp_path / "data" / "phantom_glas" / "manifest.json"
    fields = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(fields | {"data_hash": "0" * 16}))
    code, out, _ = verify("--data-root", tmp_path / "data")
    assert "cannot be run again: the prepared dataset" in out


def test_a_key_that_is_not_there_is_answered(study, bench, data_root):
    code, _, err = bench("verify", study[0], "--trial", "zz", "--data-root", data_root)
    assert code == ExitCode.DATA and "no finished trial with a key starting with 'zz'" in err


def test_every_installed_version_can_be_had(study, bench):
    code, out, _ = bench("show", study[1][0], "--requirements")
    assert code == 0
    lines = out.splitlines()
    assert re.fullmatch(r"# Python 3\.\d+\.\d+", lines[0])
    assert re.fullmatch(r"# semiseg-bench \S+", lines[1])
    assert any(re.fullmatch(r"torch==\S+", line) for line in lines)
    assert all(re.fullmatch(r"# .*|[a-z0-9-]+==\S+", line) for line in lines)
    assert "/" not in out and "://" not in out


def test_of_older_trials_what_was_recorded(study, bench):
    (trial_folder(study[0], study[1][0]) / "requirements.txt").unlink()
    code, out, _ = bench("show", study[1][0], "--requirements")
    assert code == 0 and "# no other packages were recorded" in out and "\nnumpy==" in out
