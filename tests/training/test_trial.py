"""Records on disk, and one trial from start to record."""

import dataclasses
import json
import math
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from benchmark.data.prepared import Prepared
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial
from benchmark.errors import ExitCode, UserError
from benchmark.keys import fingerprint
from benchmark.store import record_file, tables
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record
from benchmark.study import methods
from benchmark.study.trials import Trial
from benchmark.training import job
from benchmark.training.batches import standardised_arrays
from benchmark.training.job import Destination
from benchmark.training.outputs import extremes
from benchmark.training.trial import TrialJob, build_method
from tests.conftest import CHECKOUT, TINY
from tests.studies import VOLATILE

CPU = torch.device("cpu")


def execute(trial: Trial, prepared: Prepared, folder: Path) -> Record:
    return job.run(TrialJob(trial), prepared, Destination(folder, "study", "preset"), device=CPU)


def done_in(study: Path) -> set[str]:
    return {found.key for found in record_file.survey(study).records if found.is_done}


def repeatable(folder: Path) -> pd.DataFrame:
    """`results.csv` without the columns that differ from run to run."""
    return pd.read_csv(folder / "results.csv").drop(columns=VOLATILE)


def test_a_trial_leaves_a_record_and_its_neighbours(tiny_trials, prepared, tmp_path):
    trial = tiny_trials()[1]
    record = execute(trial, prepared, tmp_path)
    folder = trial_folder(tmp_path, trial.key)
    assert sorted(f.name for f in folder.iterdir()) == [
        "cases.csv", "config.yaml", "extremes.npz", "history.csv", "labelled.txt", "log.txt",
        "panel.npz", "record.json", "requirements.txt",
    ]  # fmt: skip
    assert record_file.read(folder) == record
    assert record.is_done
    assert (record.n_labelled, record.n_unlabelled, record.n_test) == (4, 76, 40)
    assert record.n_labelled_foreground == 4
    assert record.parameters == 2 * record.parameters_tested
    assert record.steps == 9
    assert record.peak_memory_mib is None or record.peak_memory_mib > 50
    assert len(pd.read_csv(folder / "history.csv")) == 3
    cases = pd.read_csv(folder / "cases.csv")
    assert cases.dc.mean() == pytest.approx(record.metrics["dc_case"])
    assert record.metrics["oracle_ji_pooled"] >= record.metrics["ji_pooled"]
    with np.load(folder / "panel.npz") as panel:
        assert panel["case"].tolist() == ["testA_1", "testA_10", "testA_11", "testA_12"]
        assert panel["image_3"].shape == (32, 32, 3)
        assert panel["prediction_3"].shape == panel["target_3"].shape == (32, 32)


def test_a_trial_keeps_pictures_of_its_worst_and_best_cases(tiny_trials, prepared, tmp_path):
    trial = tiny_trials()[1]
    execute(trial, prepared, tmp_path)
    folder = trial_folder(tmp_path, trial.key)
    cases = pd.read_csv(folder / "cases.csv").set_index("case")
    with np.load(folder / "extremes.npz") as found:
        names, arrays = found["case"].tolist(), dict(found)
    dice = cases.dc[names].to_list()
    assert dice[:3] == sorted(cases.dc)[:3] and dice[3:] == sorted(cases.dc)[:-4:-1]
    for i, name in enumerate(names):
        target, predicted = arrays[f"target_{i}"] > 0, arrays[f"prediction_{i}"] > 0
        assert (target & predicted).sum() == cases.tp[name]
        assert (predicted & ~target).sum() == cases.fp[name]
        assert arrays[f"image_{i}"].shape == (32, 32, 3)


@pytest.mark.parametrize(
    ("dice", "places"),
    [
        ([], []),
        ([0.5], [0]),
        ([0.5, 0.25], [1, 0]),
        ([0.5, 0.25, 0.75], [1, 0, 2]),
        ([0.1, 0.9, 0.2, 0.8, 0.3, 0.7, 0.4, 0.6], [0, 2, 4, 1, 3, 5]),
        ([0.5, float("nan"), 0.25], [2, 0]),  # no class occurs in the second
    ],
)
def test_the_worst_and_the_best_cases_are_told_apart(dice, places):
    cases = [
        {"case": f"c{i}", "dc": value, "tp": 1, "fp": 0, "fn": 0} for i, value in enumerate(dice)
    ]
    empty = {"case": "empty", "dc": 1.0, "tp": 0, "fp": 0, "fn": 0}
    assert extremes([*cases, empty]) == places


def test_weights_and_predictions_are_saved_if_asked_without_changing_the_key(
    tiny_trials, prepared, tmp_path
):
    plain = tiny_trials()[1]
    trial = tiny_trials(dataclasses.replace(TINY, save=["predictions", "weights"]))[1]
    assert trial.key == plain.key
    record = execute(trial, prepared, tmp_path)
    folder = trial_folder(tmp_path, trial.key)
    weights = load_file(folder / "weights.safetensors")
    assert all(name.startswith("f1.") for name in weights)  # the tested network alone
    learnt = [v for k, v in weights.items() if "running" not in k and "num_batches" not in k]
    assert sum(v.numel() for v in learnt) == record.parameters_tested
    predictions = sorted((folder / "predictions").iterdir())
    assert len(predictions) == 40
    with np.load(folder / "panel.npz") as panel:
        run_size = panel["prediction_0"]
    assert run_size.shape == (32, 32)
    native = run_size.repeat(128 // 32, 0).repeat(192 // 32, 1)  # the phantom's files: 192 × 128
    assert np.array_equal(Image.open(predictions[0]), native)


def test_the_same_trial_gives_the_same_numbers_after_any_other(tiny_trials, prepared, tmp_path):
    first, second = tiny_trials()
    alone = execute(second, prepared, tmp_path / "a")
    execute(first, prepared, tmp_path / "b")
    after = execute(second, prepared, tmp_path / "b")
    assert alone.metrics == after.metrics


def test_a_method_is_told_how_images_were_standardised_and_volumes_were_not(
    tiny_trials, prepared, monkeypatch
):
    """With it the grey levels are those that are stored; of volumes each has its own."""
    told, build = [], methods.build

    def recorded(name, builder, hyperparameters):
        told.append(builder.scale)
        return build(name, builder, hyperparameters)

    monkeypatch.setattr(methods, "build", recorded)
    trial = tiny_trials()[0]
    data = for_trial(prepared, Roles(), budget=trial.budget, seed=0)
    build_method(trial, data)
    scale = told.pop()
    rows = data.labelled.indices[:2]
    x = standardised_arrays([data.labelled.images[row] for row in rows], data, rows, CPU)
    mean, std = (torch.tensor(values).reshape(3, 1, 1) for values in scale)
    stored = torch.from_numpy(np.stack([data.labelled.images[row] for row in rows]))
    assert torch.allclose(x * std + mean, stored.movedim(-1, 1) / 255, atol=1e-6)
    volumes = data._replace(labelled=data.labelled._replace(masks=[np.zeros((4, 4, 4), np.uint8)]))
    build_method(trial, volumes)
    assert told == [None]


def test_a_trial_that_fails_leaves_a_record_that_says_why(tiny_trials, prepared, tmp_path):
    diverging = dataclasses.replace(
        tiny_trials()[0],
        training=dataclasses.replace(tiny_trials()[0].training, learning_rate=1e30),
    )
    record = execute(diverging, prepared, tmp_path)
    assert record.status == "failed"
    assert "not finite at step" in record.error
    assert record.metrics == {}
    odd = prepared._replace(images=prepared.images[:, :30], masks=prepared.masks[:, :30])
    record = execute(tiny_trials()[0], odd, tmp_path)
    assert record.error == "ValueError: sides must divide by 4, got (30, 32)"
    log = trial_folder(tmp_path, record.key) / "log.txt"
    assert "Traceback" in log.read_text()


def test_a_failed_trial_starts_over_for_its_code_may_have_been_mended(
    tiny_trials, prepared, tmp_path, monkeypatch
):
    trial = tiny_trials()[0]
    monkeypatch.setattr("benchmark.training.outputs.write_panel", lambda *a: 1 / 0)
    failed = execute(trial, prepared, tmp_path)
    assert failed.error == "ZeroDivisionError: division by zero"
    assert not (trial_folder(tmp_path, trial.key) / "checkpoint.pt").exists()


def test_a_failed_trial_is_not_done(tiny_trials, prepared, tmp_path):
    good, bad = tiny_trials()
    execute(good, prepared, tmp_path)
    odd = prepared._replace(images=prepared.images[:, :30], masks=prepared.masks[:, :30])
    execute(bad, odd, tmp_path)
    assert done_in(tmp_path) == {good.key}
    table = tables.table(record_file.survey(tmp_path).records)
    assert table.status.tolist() == ["failed", "done"]


def test_the_csv_has_every_column_of_its_documentation(tiny_trials, prepared, tmp_path):
    execute(tiny_trials()[0], prepared, tmp_path)
    tables.rebuild(tmp_path)
    columns = set(pd.read_csv(tmp_path / "results.csv").columns)
    text = (CHECKOUT / "results" / "README.md").read_text()
    section = text.partition("## `results.csv`")[2].partition("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    documented = {name.strip() for row in rows for name in row.replace(", …", "").split(",")}
    documented = {n for n in documented if "*" not in n and n not in ("column", "")}
    of_pretrained = {name for name in documented if name.startswith("pretrained_")}
    assert of_pretrained == {
        "pretrained_dc_labelled", "pretrained_n_reordered", "pretrained_dc_dev",
    }  # fmt: skip
    documented -= of_pretrained  # of trials that start from a pretraining
    documented -= {"nsd_2_mm"}  # if asked for
    assert documented <= columns
    families = {c for c in columns if c.startswith(("oracle_", "all_"))}
    assert columns - documented == families - {"oracle_dc_pooled"}
    assert len(families) == 24


def damage(file: Path, change) -> None:
    file.write_text(change(file.read_text()))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[: len(text) // 2],
        lambda text: "",
        lambda text: "[]",
        lambda text: "\x00\xff" * 100,
        lambda text: "[" * 100_000,
        lambda text: text.replace('"key": "', '"key": "0'),
        lambda text: text.replace('"ratio": 0.05', '"ratio": 0.06'),
        lambda text: changed(text, unheard=1),
        lambda text: changed(text, ratio="few"),
        lambda text: changed(text, seed=-1),
        lambda text: changed(text, metrics={"dc_pooled": 1.7}),
        lambda text: changed(text, metrics={"hd95_joint": -1.0}),
        lambda text: changed(text, metrics={f"m{i}": 0 for i in range(20_000)}),
        lambda text: changed(text, error="x" * 2**25),
    ],
    ids=[
        "half",
        "empty",
        "a list",
        "bytes",
        "nested",
        "key",
        "checksum",
        "unknown field",
        "wrong type",
        "range",
        "score",
        "distance",
        "too many",
        "too long",
    ],
)
def test_a_corrupt_record_is_named_and_not_guessed(tiny_trials, prepared, tmp_path, change):
    trial = tiny_trials()[0]
    execute(trial, prepared, tmp_path)
    file = trial_folder(tmp_path, trial.key) / "record.json"
    damage(file, change)
    with pytest.raises(UserError, match=f"{trial.key}/record.json is damaged") as refusal:
        record_file.read(file.parent)
    assert refusal.value.exit_code == ExitCode.DATA
    found = record_file.survey(tmp_path)
    assert (found.records, list(found.damaged)) == ([], [file.parent])


def changed(text: str, **fields) -> str:
    """A record of before, without a checksum, with other fields."""
    content = {**json.loads(text), **fields}
    del content["checksum"]
    return json.dumps(content)


def test_infinite_and_missing_figures_survive_the_disk(tmp_path):
    record = Record(
        key=fingerprint({}), configuration="c", study="s", status="done", dataset="d",
        budget="10 %",
        budget_order=0.1, ratio=0.1, method="m",
        variant="m", seed=0, evaluate_on="test", preset="p",
        metrics={"a": 0, "b": 0.25, "c": None, "dc_case": math.nan, "hd95_joint": math.inf},
    )  # fmt: skip
    record_file.write(trial_folder(tmp_path, record.key), record)
    (read,) = record_file.survey(tmp_path).records
    assert math.isnan(read.metrics.pop("dc_case")) and math.isnan(record.metrics.pop("dc_case"))
    assert read == record
    assert list(tmp_path.rglob("*.tmp")) == []


KILLER = """
import os, pickle, signal, sys
import torch
from PIL import Image
from safetensors.torch import load_file
from pathlib import Path
from benchmark.training import evaluate, job
from benchmark.training.trial import TrialJob, build_method

trial, prepared, moment, folder = pickle.load(open(sys.argv[1], "rb"))
die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)
if moment == "evaluation":
    counts = evaluate._counts
    calls = []
    def counting(*a):
        calls.append(1)
        if len(calls) == 12:  # five batches an evaluation: in the third one
            die()
        return counts(*a)
    evaluate._counts = counting
elif moment == "record":
    os.fsync = lambda fd: die() if "record.json" in os.readlink(f"/proc/self/fd/{fd}") else None
elif moment == "rename":
    replace = Path.replace
    Path.replace = lambda self, to: die() if Path(to).name == "record.json" else replace(self, to)
destination = job.Destination(Path(folder), "study", "preset")
job.run(TrialJob(trial), prepared, destination, device=torch.device("cpu"))
"""


@pytest.mark.parametrize("moment", ["evaluation", "record", "rename"])
def test_a_trial_killed_at_any_moment_ends_with_the_same_table(
    tiny_trials, prepared, tmp_path, moment
):
    import pickle

    trial = tiny_trials()[1]
    execute(trial, prepared, tmp_path / "undisturbed")
    tables.rebuild(tmp_path / "undisturbed")
    killed = tmp_path / "killed"
    (tmp_path / "job").write_bytes(pickle.dumps((trial, prepared, moment, str(killed))))
    script = tmp_path / "killer.py"
    script.write_text(textwrap.dedent(KILLER))
    process = subprocess.run(
        [sys.executable, script, tmp_path / "job"], capture_output=True, text=True
    )
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert done_in(killed) == set()
    log = trial_folder(killed, trial.key) / "log.txt"
    assert "epoch 2/3" in log.read_text()
    record = execute(trial, prepared, killed)
    assert record.is_done
    assert "resumed after epoch" in log.read_text()
    tables.rebuild(killed)
    pd.testing.assert_frame_equal(
        repeatable(killed), repeatable(tmp_path / "undisturbed"), check_exact=True
    )


def test_two_threads_are_another_trial(tiny_trials):
    one = tiny_trials()[0]
    conditions = dataclasses.replace(TINY.conditions, threads_per_trial=2)
    two = tiny_trials(dataclasses.replace(TINY, conditions=conditions))[0]
    assert two.key != one.key
