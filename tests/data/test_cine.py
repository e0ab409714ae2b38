"""ACDC as released and as SSL4MIS passes it on: one dataset."""

import shutil

import numpy as np
import pytest

from benchmark.data import cards, phantoms
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.layouts import read
from benchmark.data.prepare import prepare
from benchmark.data.prepared import load
from benchmark.data.source import Source
from benchmark.errors import UserError

SMALL = PhantomOptions(kind="acdc", train=2, val=1, test=1, width=24, height=28, depth=4)
CARD = Card(
    name="own", is_volume=True, readers=["acdc", "ssl4mis"], clip=[0, 100], mask="labels",
    classes=["background", "rv", "myo", "lv"], group=r"^(patient\d+)_", dims=2,
    test_ids=["patient011_frame01", "patient011_frame02"],
    val_ids=["patient028_frame01", "patient028_frame02"],
)  # fmt: skip


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    return phantoms.synthesise(SMALL, tmp_path_factory.mktemp("acdc") / "files")


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    options = SMALL.model_copy(update={"kind": "acdc_h5"})
    return phantoms.synthesise(options, tmp_path_factory.mktemp("acdc_h5") / "files")


def test_both_layouts_give_the_same_cases(download, arrays, tmp_path):
    for folder, root in ((download, "a"), (arrays, "b")):
        prepare(CARD, folder, tmp_path / root)
    one, other = (load(tmp_path / root, "own") for root in "ab")
    facts = [[(c.id, c.split, c.group, c.shape) for c in d.manifest.cases] for d in (one, other)]
    assert facts[0] == facts[1]
    assert all((a == b).all() for a, b in zip(one.masks, other.masks, strict=True))
    apart = [np.abs(a.astype(int) - b).max() for a, b in zip(one.images, other.images, strict=True)]
    assert max(apart) <= 1  # HDF5 holds them rounded, between 0 and 1
    assert {tuple(c.spacing) for c in one.manifest.cases} == {(1.5, 1.5, 10.0)}
    assert {tuple(c.spacing) for c in other.manifest.cases} == {()}


def test_which_frame_is_which_stands_in_info_cfg(download):
    """Of patient090 the later frame, 11, is end-diastole: its ventricle is the larger one."""
    layout = read(Source(download), CARD)
    files = {case.id: case.images[0].rsplit("/", 1)[1] for case in layout.cases}
    assert files["patient090_frame01"] == "patient090_frame11.nii.gz"
    assert files["patient090_frame02"] == "patient090_frame04.nii.gz"
    assert files["patient011_frame01"] == "patient011_frame01.nii.gz"
    assert files["patient011_frame02"] == "patient011_frame09.nii.gz"
    assert [note for note in layout.notes if "1 patient of the challenge's own" in note]


def test_the_larger_ventricle_is_at_end_diastole(download, tmp_path):
    prepare(CARD, download, tmp_path)
    data = load(tmp_path, "own")
    volume = {
        c.id: int((m == 3).sum()) for c, m in zip(data.manifest.cases, data.masks, strict=True)
    }
    for patient in {id[:10] for id in volume}:
        assert volume[f"{patient}_frame01"] > volume[f"{patient}_frame02"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "nothing"),
        ("ED: 11\n", "ED 11"),
        ("ED: 11\r\nES: 5\r\n", "ED 11, ES 5"),
    ],
)
def test_frames_that_info_cfg_does_not_explain_are_refused(download, tmp_path, text, said):
    shutil.copytree(download, tmp_path / "files")
    info = tmp_path / "files/database/training/patient090/Info.cfg"
    info.unlink() if text is None else info.write_bytes(text.encode())
    with pytest.raises(UserError, match=rf"patient090 .frames 4, 11; Info.cfg says {said}\)"):
        prepare(CARD, tmp_path / "files", tmp_path / "data")


def test_a_frame_that_is_there_twice_is_refused(download, tmp_path):
    shutil.copytree(download, tmp_path / "files")
    folder = tmp_path / "files/database/training/patient090"
    shutil.copy(folder / "patient090_frame11.nii.gz", folder / "patient090_frame11.nii")
    with pytest.raises(
        UserError, match=r"a frame in two files, .*frame11.nii and .*frame11.nii.gz"
    ):
        prepare(CARD, tmp_path / "files", tmp_path / "data")


def test_lists_beside_the_arrays_split_where_the_card_names_no_test_set(arrays, tmp_path):
    card = CARD.model_copy(update={"test_ids": [], "val_ids": []})
    made = prepare(card, arrays, tmp_path / "data").manifest
    assert {split: len(made.ids(split)) for split in ("train", "val", "test")} == {
        "train": 4, "val": 2, "test": 2,
    }  # fmt: skip
    shutil.copytree(arrays, tmp_path / "files")
    (tmp_path / "files" / "train.list").write_text("data/patient090_frame01.h5\r\n\r\n")
    layout = read(Source(tmp_path / "files"), card)
    assert [case.id for case in layout.cases if case.split == "train"] == ["patient090_frame01"]
    assert layout.notes[-1].endswith("(3 cases)")
    (tmp_path / "files" / "test.list").write_text("patient090_frame01\npatient999_frame01\n")
    with pytest.raises(UserError, match=r"(?s)both name patient090_frame01.*patient999_frame01"):
        prepare(card, tmp_path / "files", tmp_path / "data")


def test_two_lists_for_one_split_are_refused(arrays, tmp_path):
    shutil.copytree(arrays, tmp_path / "files")
    (tmp_path / "files" / "train.txt").write_text("# ours\npatient090_frame01\n")
    layout = read(Source(tmp_path / "files"), CARD)
    assert "two lists for one split" in layout.problems[0] and "train.txt" in layout.problems[0]


def test_slices_alone_are_refused_with_what_is_missing(arrays, tmp_path):
    shutil.copytree(arrays, tmp_path / "files")
    (tmp_path / "files/data/patient090_frame01.h5").unlink()
    with pytest.raises(UserError, match=r"slices of 1 volume without the volume NAME.h5"):
        prepare(CARD, tmp_path / "files", tmp_path / "data")


def test_the_real_patients_are_whole(samples, tmp_path):
    made = prepare(
        cards.find("acdc"), samples / "facts/sample/ACDC", tmp_path, allow_partial=True
    ).manifest
    assert {split: len(made.ids(split)) for split in ("train", "val", "test")} == {
        "train": 6, "val": 2, "test": 6,
    }  # fmt: skip
    shape = {case.id: case.shape for case in made.cases}
    assert shape["patient099_frame01"] == [154, 224, 16]
    assert sum(s[2] for id, s in shape.items() if id in made.ids("train")) == 58
