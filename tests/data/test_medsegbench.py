"""MedSegBench: from one .npz to a prepared dataset, by name alone."""

import hashlib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.collections import medsegbench
from benchmark.data.collections.medsegbench import members, sets
from benchmark.data.prepared import Prepared, load, read_manifest

DRIVE = {"train": 18, "val": 2, "test": 20}


def arrays(
    counts: dict[str, int], side: int = 16, channels: int = 3, values=(0, 1), suffix: str = ""
) -> dict[str, np.ndarray]:
    """Images of noise, each with a square whose value grows with the row, and its mask."""
    made = {}
    rng = np.random.default_rng(0)
    for split, n in counts.items():
        shape = (n, side, side) if channels == 1 else (n, side, side, channels)
        images = rng.integers(0, 50, shape, dtype=np.uint8)
        masks = np.zeros((n, side, side), np.uint8)
        for i in range(n):
            images[i, :4, :4] = 100 + i
            masks[i, :4, :4] = values[1 + i % (len(values) - 1)]
        made |= {f"{split}_images{suffix}": images, f"{split}_label{suffix}": masks}
    return made


@pytest.fixture
def npz(tmp_path):
    """A function: a file with these arrays; its path."""

    def made(name: str = "drive_16.npz", **content) -> Path:
        np.savez_compressed(tmp_path / name, **content)
        return tmp_path / name

    return made


@pytest.fixture
def prepare(bench, tmp_path):
    """A function: `bench data prepare medsegbench:NAME`; gives exit code, output, errors."""

    def run(name: str, path: Path, *words: str):
        return bench("data", "prepare", f"medsegbench:{name}", "--from", path, *words,
                     "--data-root", tmp_path / "root")  # fmt: skip

    return run


@pytest.fixture
def loaded(tmp_path):
    def load_from(name: str) -> Prepared:
        return load(tmp_path / "root", name)

    return load_from


def test_drive_comes_with_its_splits_licence_and_rows_as_cases(prepare, npz, loaded):
    content = arrays(DRIVE)
    code, out, _ = prepare("drive", npz(**content))
    assert code == 0
    assert "medsegbench_drive: 18 train, 2 val and 20 test cases" in out
    assert "size 16 × 16, foreground 6.2 %" in out  # 4 × 4 of 16 × 16 pixels
    assert "MedSegBench says of no image whose it is" in out
    data = loaded("medsegbench_drive")
    card, cases = data.manifest.card, data.manifest.cases
    assert card.terms == "CC-BY-4.0" and card.homepage == "https://zenodo.org/records/13358372"
    assert "10.1109/TMI.2004.825627" in card.citation
    assert card.classes == ["background", "foreground"] and card.mask == "binary"
    ids = [case.id for case in cases]
    assert ids[:2] == ["train_0000", "train_0001"] and ids[18] == "val_0000"
    assert ids[-1] == "test_0019"
    assert np.array_equal(data.images[17], content["train_images"][17])
    assert np.array_equal(data.images[-1], content["test_images"][19])
    assert np.array_equal(data.masks[18], content["val_label"][0])


def test_classes_are_numbers_and_images_grey_where_the_set_has_such(prepare, npz, loaded):
    counts = {"train": 7, "val": 2, "test": 3}
    path = npz(**arrays(counts, channels=1, values=(0, 1, 2)))
    code, _, err = prepare("fhpsaop", path)
    assert code == 3
    assert "7 of 2800 train cases, 2 of 400 val cases, 3 of 800 test cases" in err
    code, out, _ = prepare("fhpsaop", path, "--allow-partial")
    assert code == 0 and "not the dataset as published: 7 of 2800 train cases" in out
    data = loaded("medsegbench_fhpsaop")
    assert data.manifest.card.classes == ["background", "class_1", "class_2"]
    assert data.images.shape == (12, 16, 16, 1)
    assert set(np.unique(data.masks[:2])) == {0, 1, 2}


def test_a_category_is_a_dataset_whose_size_nobody_published(prepare, npz, loaded):
    counts = {"train": 5, "val": 1, "test": 2}
    both = arrays(counts, channels=1, suffix="_C1") | arrays(counts, channels=1, suffix="_C2")
    both["train_images_C2"][:] = 9
    path = npz("busi_16.npz", **both)
    code, _, err = prepare("busi", path)
    assert code == 2
    assert "name one of medsegbench:busi_C1, medsegbench:busi_C2" in err
    code, out, _ = prepare("busi_C2", path)
    assert code == 0 and "how many images are of the category C2 is not published" in out
    assert "ignored" not in out
    assert (loaded("medsegbench_busi_c2").images[:5] == 9).all()


def test_the_categories_of_idrib_share_their_images(prepare, npz, loaded):
    counts = {"train": 47, "val": 6, "test": 27}
    content = arrays(counts, side=8)
    masks = {k: v for k, v in content.items() if "label" in k}
    images = {k: v for k, v in content.items() if "images" in k}
    content = {f"{k}_C{c}": v for c in (1, 2, 3, 4) for k, v in masks.items()} | images
    code, out, _ = prepare("idrib_C3", npz("idrib_8.npz", **content))
    assert code == 0 and "ignored" not in out and "not published" not in out
    assert loaded("medsegbench_idrib_c3").manifest.card.expected == counts


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            arrays({"train": 19, "val": 2, "test": 7}),
            "it holds 19 train, 2 val, 7 test coloured images, and drive has 18 train, 2 val, 20 "
            "test coloured images. These are the numbers of chasedb1",
        ),
        (arrays(DRIVE, channels=1), "it holds 18 train, 2 val, 20 test grey images, and drive has"),
        ({"test_label": np.zeros((20, 15, 16), np.uint8)}, "test_label.npy is 20×15×16, and test_"),
        ({"val_images": np.zeros((2, 8, 8, 3), np.uint8)}, "val_images.npy is 2×8×8×3, and the tr"),
        ({"val_images": np.zeros((2, 16, 16, 3))}, "val_images.npy holds float64, and images are"),
        ({"train_images": np.zeros(18, np.uint8)}, "has the shape (18,), and images are (number"),
        ({"train_label": np.array([{}] * 18)}, "train_label.npy holds pickled objects"),
        ({"train_label": None}, "train_label.npy is missing"),
        ({"train_images": None}, "it has no train_images.npy, but test_images.npy, test_label.npy"),
    ],
)  # fmt: skip
def test_files_of_another_set_or_form_are_refused_with_what_was_found(
    changes, told, prepare, npz, tmp_path
):
    content = {k: v for k, v in (arrays(DRIVE) | changes).items() if v is not None}
    code, _, err = prepare("drive", npz(**content), "--allow-partial")
    assert code == 3 and told in err
    assert not list((tmp_path / "root").glob("*/manifest.json"))


def test_masks_that_are_no_classes_are_named_by_their_rows(prepare, npz):
    content = arrays(DRIVE)
    content["test_label"][3] = 1 + np.arange(16)
    content["train_label"] = content["train_label"].astype(float)
    code, _, err = prepare("drive", npz(**content))
    assert code == 3 and "test_0003: test_label.npy[3] holds the values 1, 2, 3" in err


def test_fewer_images_that_are_as_many_as_another_set_has_are_said_to_be_its(prepare, npz):
    path = npz(**arrays({"train": 98, "val": 14, "test": 29}, side=4))
    _, _, err = prepare("cellnuclei", path)
    assert "98 of 469 train cases" in err and "these are the numbers of nuclei" in err


def test_the_published_file_is_known_by_its_md5_and_another_is_a_warning(
    prepare, npz, monkeypatch, tmp_path
):
    path = npz(**arrays(DRIVE))
    _, out, _ = prepare("drive", path)
    assert "warning: the file is none of the 3 files published of drive" in out
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    (drive,) = [facts for facts in sets() if facts.name == "drive"]
    published = drive._replace(md5=drive.md5 | {256: digest})
    monkeypatch.setattr(medsegbench, "sets", lambda: (published,))
    _, out, _ = prepare("drive", path, "--force")
    assert f"note: the file is drive_256.npz as published (MD5 {digest})" in out
    assert "warning" not in out
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    _, out, _ = prepare("drive", tmp_path / "unpacked", "--force")
    assert "note: not a .npz as published, but its arrays: no MD5 compared" in out


def test_a_folder_of_npz_files_leads_to_the_one_of_the_set(prepare, npz, tmp_path):
    npz("busi_16.npz", a=np.zeros(3))
    npz(**arrays(DRIVE))
    _, _, err = prepare("drive", tmp_path)
    assert f"give the file itself, such as --from {tmp_path / 'drive_16.npz'}" in err


def test_wrong_names_lead_to_near_ones(prepare, npz, bench, tmp_path):
    path = npz(**arrays(DRIVE))
    code, _, err = prepare("drvie", path)
    assert code == 2 and 'no dataset of MedSegBench "drvie"; did you mean "drive"?' in err
    assert "known: abdomenus, bbbc010, bkai-igh" in prepare("qqq", path)[2]
    assert prepare("DRIVE", path)[0] == 0
    code, _, err = bench("data", "prepare", "medsegbnch:drive", "--from", path)
    assert code == 2 and 'did you mean "medsegbench"?' in err


def test_names_of_the_sets_are_kept_for_them(bench, tmp_path):
    card = tmp_path / "own.yaml"
    card.write_text("name: medsegbench_bkai_igh\n")
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    code, _, err = bench("data", "prepare", card, "--from", tmp_path)
    assert code == 3 and "medsegbench_bkai_igh is the name of a set of MedSegBench" in err


def test_a_set_that_is_not_prepared_yet_is_said_how_to_prepare(bench):
    for name in ("medsegbench_bkai_igh", "medsegbench:bkai-igh"):
        code, _, err = bench("run", "--preset", "cpu", "--datasets", name, "--dry-run")
        assert code == 3
        assert "Get it from https://zenodo.org/records/13358372 (terms: BKAI-IGH NeoPolyp" in err
        assert "bench data prepare medsegbench:bkai-igh --from" in err


def test_the_collection_is_one_line_of_the_list_and_its_sets_are_told_on_request(bench):
    _, out, _ = bench("list", "datasets")
    assert [line for line in out.splitlines() if "MedSegBench" in line] == [
        "medsegbench:  35 sets of MedSegBench: bench data prepare medsegbench:NAME --from "
        "NAME_SIZE.npz"
    ]
    _, out, _ = bench("list", "datasets", "-v")
    assert "drive               18 train, 2 val, 20 test, colour; CC-BY-4.0" in out
    assert "453 train" not in out and "as busi_C1, _C2; CC0: Public Domain" in out


def test_the_table_is_whole():
    """35 sets with 66,165 images, 7 with categories; 32-digit sums, five once ended in a blank."""
    assert len(sets()) == 35
    assert sum(sum(facts.counts.values()) for facts in sets()) == 66165
    assert [facts.name for facts in sets() if facts.categories] == [
        "wbc", "idrib", "brifiseg", "busi", "covid19radio", "polypgen", "uwaterlooskincancer",
    ]  # fmt: skip
    assert {len(md5) for facts in sets() for md5 in facts.md5.values()} == {32}
    assert [facts.name for facts in sets() if facts.record == "13359660"] == ["wbc", "yeaz"]
    classes = {facts.name: facts.classes for facts in sets() if facts.classes > 2}
    assert classes == {
        "wbc": 3, "monusac": 6, "bkai-igh": 3, "m2caiseg": 19, "abdomenus": 9, "fhpsaop": 3,
    }  # fmt: skip
    names = [member.card_name for member in members()]
    assert len(names) == len(set(names)) == 28 + 4 + 4 + 5 + 2 + 4 + 6 + 2


def test_a_preparation_is_not_done_twice(prepare, npz, tmp_path):
    path = npz(**arrays(DRIVE))
    prepare("drive", path)
    first = read_manifest(tmp_path / "root", "medsegbench_drive")
    assert "was up to date" in prepare("drive", path)[1]
    assert first.data_hash == read_manifest(tmp_path / "root", "medsegbench_drive").data_hash
