"""`bench verify`: trials that repeat, numbers that do not, and what is said to be the reason."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from benchmark.errors import ExitCode, UserError
from benchmark.keys import fingerprint
from benchmark.store import record_file
from benchmark.store.layout import trial_folder
from tests.studies import configuration_of, fields_of


def rewrite(folder, **changes) -> None:
    """As somebody would who recorded other numbers: the checksum is right."""
    fields = fields_of(folder / "record.json")
    fields["metrics"] |= changes.pop("metrics", {})
    checksum = record_file.checksum_of(fields | changes)
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


def test_distances_recorded_without_a_unit_repeat(study, verify):
    """As versions wrote them that measured fewer numbers; what they said is still compared."""
    folder = trial_folder(study[0], study[1][0])
    fields = fields_of(folder / "record.json")
    measured = {n: v for n, v in fields["metrics"].items() if not n.startswith("asd_to_truth")}
    plain = {name.removesuffix("_voxels"): v for name, v in measured.items()}
    older = {**fields, "metrics": plain, "tool_code": "before"}
    older.pop("n_labelled_foreground")
    (folder / "record.json").write_text(json.dumps(older))
    cases = pd.read_csv(folder / "cases.csv")
    cases = cases.drop(columns="asd_to_truth_voxels")
    cases.rename(columns=lambda n: n.removesuffix("_voxels")).to_csv(
        folder / "cases.csv", index=False
    )
    code, out, err = verify()
    assert code == 0, out + err
    plain["asd_joint"] += 1
    (folder / "record.json").write_text(json.dumps(older))
    code, out, _ = verify()
    assert code == ExitCode.SOME_TRIALS_FAILED and "1 of " in out and "  asd_joint_voxels " in out


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
    assert "equal, bit for bit; different here: processor " in out and "(recorded: Another)" in out
    assert f"numpy {fields['packages']['numpy']} (recorded: 1.0)" in out
    assert f"code of the tool {fields['tool_code']} (recorded: not kept)" in out


def test_other_data_and_missing_data_are_said(study, verify, data_root, tmp_path):
    code, out, err = verify("--data-root", tmp_path / "nowhere")
    assert code == ExitCode.DATA and "1 of 1 trial could not be run again" in err
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


@pytest.mark.parametrize(
    ("remove", "told"),
    [
        (lambda folder: (folder / "cases.csv").unlink(), "cases.csv testA_1 dc missing → "),
        (lambda folder: (folder / "history.csv").unlink(), "history.csv 1 step missing → "),
        (lambda folder: (folder / "panel.npz").unlink(), "panel.npz case missing → there"),
        (
            lambda folder: rewrite(folder, metrics={"hd95_joint_voxels": None}),
            "hd95_joint_voxels None → ",
        ),
    ],
)
def test_what_was_taken_away_is_no_agreement(study, verify, remove, told):
    remove(trial_folder(study[0], study[1][0]))
    code, out, _ = verify()
    assert code == ExitCode.SOME_TRIALS_FAILED and "numbers differ" in out
    assert told in out or "and " in out.splitlines()[-1], out


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ratio": 0.8}, "budget is 5 %, and the labelled share 0.8"),
        ({"budget": "80 %", "ratio": 0.8}, "budget is '80 %', in its settings '5 %'"),
        ({"variant": "ours"}, "the variant 'ours' is none of supervised"),
        ({"method": "ours", "variant": "ours"}, "method is 'ours', in its settings 'supervised'"),
        ({"seed": 7}, "seed is 7, in its settings"),
        ({"evaluate_on": "dev"}, "evaluate_on is 'dev', in its settings 'test'"),
    ],
)
def test_a_record_that_contradicts_its_settings_is_damaged(study, verify, changes, told):
    """Sealed as ours are: nobody reports numbers of 80 % under 5 %."""
    folder = trial_folder(study[0], study[1][0])
    rewrite(folder, **changes)
    with pytest.raises(UserError) as refusal:
        record_file.read(folder)
    assert told in str(refusal.value)
    code, out, _ = verify()
    assert code == ExitCode.DATA and told in out


def test_settings_that_no_run_could_have_are_refused(study, verify):
    for change in ({"size": [2**40, 2**40]}, {"size": [4096, 4096]}, {"threads_per_trial": -1}):
        folder = trial_folder(study[0], study[1][0])
        fields = fields_of(folder / "record.json")
        settings = fields["settings"] | change
        key = fingerprint(settings)
        folder = folder.rename(folder.with_name(key))
        rewrite(folder, key=key, settings=settings, configuration=configuration_of(settings))
        code, out, _ = verify("--trial", key)
        assert code == ExitCode.DATA and "cannot be run again: " in out
        study[1][0] = key
