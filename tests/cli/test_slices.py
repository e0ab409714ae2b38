"""Volumes trained on in slices, from the command line: one dataset in 2D and in 3D."""

import json

import nibabel
import numpy as np
import pandas as pd
import pytest

from benchmark.data import cards, phantoms, prepared
from benchmark.data.prepare import prepare
from tests.grids import TINY_RUN

NETWORK = ("network.widths=[4,8]", "network.dropout=[0,0]", "size=[16,32]", "patch=[16,16,4]")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("slices")
    phantoms.ensure_prepared(cards.find("phantom_acdc"), root)
    return root


def run_all(bench, data, folder, *words):
    """Every trial of the grid in this process; the records, and what the plan said."""
    run = (*TINY_RUN, *NETWORK, "--datasets", "phantom_acdc", "--seeds", "1", "--data-root", data,
           "--results", folder, *words)  # fmt: skip
    _, listed, err = bench(*run, "--dry-run", "-v")
    for line in listed.splitlines():
        if line.startswith("  "):
            code, _, err = bench(*run, "--trial", line.split()[0])
            assert code == 0, err
    found = (folder / "demo" / "trials").glob("*/record.json")
    return [json.loads(file.read_text()) for file in found], listed, err


def test_a_card_in_two_dimensions_is_trained_on_slices_and_evaluated_as_volumes(
    data, tmp_path, bench
):
    (found,), listed, _ = run_all(
        bench, data, tmp_path, "--labels", "2patients", "--methods", "cps", "--save",
        "predictions,predictions:unlabelled,weights",
    )  # fmt: skip
    counts = (
        "phantom_acdc: 2 patients = 24/72 slices labelled; 48 unlabelled; 4 volumes for "
        "validation; 4 volumes evaluated"
    )
    assert counts in listed.splitlines()
    assert [found[f"n_{name}"] for name in ("labelled", "unlabelled", "val", "test")] == [
        24, 48, 4, 4,
    ]  # fmt: skip
    assert found["settings"]["slices"] is True
    assert (found["settings"]["size"], found["settings"]["patch"]) == ([16, 32], None)
    folder = tmp_path / "demo" / "trials" / found["key"]
    labelled = (folder / "labelled.txt").read_text().split()
    assert len(labelled) == 24 and labelled[0].endswith("_frame01_slice_1")
    assert len(list((folder / "predictions_unlabelled").iterdir())) == 8  # volumes
    assert by_hand(folder / "predictions", data) == pytest.approx(
        [found["metrics"][f"dc_pooled_class_{k}"] for k in (1, 2, 3)], abs=1e-12
    )
    cases = pd.read_csv(folder / "cases.csv")
    assert set(cases.case) == {file.name[:-7] for file in (folder / "predictions").iterdir()}
    assert {"hd95_joint_voxels", "hd95_joint_mm"} <= set(cases)  # 1.5 × 1.5 × 10 mm
    panel = np.load(folder / "panel.npz")
    assert panel["image_0"].shape[:2] == panel["prediction_0"].shape == (48, 56)


def by_hand(folder, data):
    """Pooled Dice of each class, of predictions as they lie on disk, in the order of the files."""
    arrays = prepared.load(data, "phantom_acdc")
    truth = {c.id: m for c, m in zip(arrays.manifest.cases, arrays.masks, strict=True)}
    overlap, sizes = np.zeros(3), np.zeros(3)
    for file in folder.iterdir():
        labels = np.asarray(nibabel.load(file).dataobj)
        true = truth[file.name.removesuffix(".nii.gz")][::-1, ::-1]  # files go left and back
        assert labels.shape == true.shape == (48, 56, 6)
        for k in (1, 2, 3):
            overlap[k - 1] += 2 * ((labels == k) & (true == k)).sum()
            sizes[k - 1] += (labels == k).sum() + (true == k).sum()
    return overlap / sizes


def test_the_same_data_in_patches_are_other_trials(data, tmp_path, bench):
    words = ("--labels", "2patients", "--methods", "supervised")
    (sliced,), _, _ = run_all(bench, data, tmp_path, *words)
    both, listed, _ = run_all(bench, data, tmp_path, *words, "--volumes")
    assert "phantom_acdc: 2 patients = 4/12 images labelled" in listed
    assert len(both) == 2
    (whole,) = [record for record in both if record["key"] != sliced["key"]]
    assert "slices" not in whole["settings"]
    assert whole["settings"]["patch"] == [16, 16, 4]
    assert (whole["n_labelled"], sliced["n_labelled"]) == (4, 24)
    assert whole["parameters"] > sliced["parameters"]  # of 3D


def test_published_lists_of_patients_and_of_slices_label_the_same(data, tmp_path, bench):
    """Patient 099 has two volumes of six slices here, not the sixteen that its list names."""
    found, listed, err = run_all(
        bench, data, tmp_path, "--labels", "list:ssl4mis-1", "--methods", "supervised"
    )
    assert "list ssl4mis-1 = 12/72 (1 patient) slices labelled" in listed
    assert "the same images with every seed" in bench(
        *TINY_RUN, *NETWORK, "--datasets", "phantom_acdc", "--labels", "list:ssl4mis-1",
        "--data-root", data, "--results", tmp_path, "--dry-run",
    )[2]  # fmt: skip
    assert found[0]["n_labelled"] == 12
    code, _, err = bench(
        *TINY_RUN, *NETWORK, "--datasets", "phantom_acdc", "--labels", "list:ssl4mis-1-slices",
        "--data-root", data, "--results", tmp_path, "--dry-run",
    )  # fmt: skip
    assert code == 3 and "20 cases of it not in the train pool" in err


def test_a_pretraining_on_slices_is_examined_and_fitted(data, tmp_path, bench):
    (found,), _, _ = run_all(
        bench, data, tmp_path, "--labels", "2patients", "--methods", "ours[rounds=0]",
        "pretraining.epochs=1", "pretraining.steps_per_epoch=2",
    )  # fmt: skip
    assert 0 <= found["metrics"]["pretrained_dc_labelled"] <= 1
    panel = np.load(tmp_path / "demo" / "pretrained" / found["pretrain_key"] / "panel.npz")
    assert panel["image_0"].shape[:2] == (16, 32)


def test_a_trial_on_slices_repeats_and_is_evaluated_elsewhere(data, tmp_path, bench):
    (found,), _, _ = run_all(
        bench, data, tmp_path, "--labels", "2patients", "--methods", "supervised", "--save",
        "weights",
    )  # fmt: skip
    where = ("--data-root", data, "--results", tmp_path)
    code, out, err = bench("verify", "demo", *where)
    assert code == 0, out + err
    card = cards.find("phantom_acdc")
    files = phantoms.synthesise(card.phantom, tmp_path / "files")
    prepare(card.model_copy(update={"name": "elsewhere", "phantom": None}), files, data)
    code, out, err = bench("evaluate", "demo", "--on", "elsewhere", *where)
    assert code == 0, err
    again = json.loads((tmp_path / "demo/trials" / found["key"] / "on-elsewhere.json").read_text())
    assert again["metrics"]["dc_pooled"] == found["metrics"]["dc_pooled"]


def test_bench_data_lists_says_what_there_is(bench):
    code, out, _ = bench("data", "lists", "acdc")
    assert code == 0
    assert "ssl4mis-7               the 7 labelled patients" in out
    assert "caveat of pymic-7: another subset than ssl4mis-7: none in common" in out
    assert "synapse" in bench("data", "lists")[1]
    code, _, err = bench("data", "lists", "acd")
    assert code == 2 and 'did you mean "acdc"?' in err
