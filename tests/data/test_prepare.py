"""From files as downloaded to arrays: both readers, every complaint."""

import os
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data import cards, phantoms
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.prepare import prepare
from benchmark.data.prepared import load
from benchmark.errors import ExitCode, UserError

SMALL = PhantomOptions(kind="glas", train=6, test=4, width=48, height=40)
GLAS = Card(name="glas", readers=["glas", "pairs"], size=[32, 32], mask="nonzero")
PAIRS = Card(name="own", size=[32, 32])


@pytest.fixture
def glas(tmp_path) -> Path:
    return phantoms.synthesise(SMALL, tmp_path / "glas")


@pytest.fixture
def pairs(tmp_path) -> Path:
    """Ten PNG pairs under image/ and mask/."""
    folder = tmp_path / "own"
    rng = np.random.default_rng(0)
    for kind in ("image", "mask"):
        (folder / kind).mkdir(parents=True)
    for i in range(10):
        image = rng.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        mask = np.zeros((32, 32), np.uint8)
        mask[: i + 1] = 255
        Image.fromarray(image).save(folder / "image" / f"{i}.png")
        Image.fromarray(mask).save(folder / "mask" / f"{i}.png")
    return folder


def refused(card, source, root, **options) -> str:
    with pytest.raises(UserError) as refusal:
        prepare(card, source, root, **options)
    assert refusal.value.exit_code == ExitCode.DATA
    assert not (root / card.name).exists()
    return str(refusal.value)


def zipped(folder: Path, file: Path) -> Path:
    with zipfile.ZipFile(file, "w") as archive:
        for item in sorted(folder.rglob("*")):
            archive.write(item, item.relative_to(folder.parent))
    return file


def test_a_zip_and_a_folder_in_either_spelling_give_equal_data(glas, tmp_path):
    kaggle = tmp_path / "Warwick_QU_Dataset"
    shutil.copytree(glas, kaggle)
    sources = [glas, glas.parent, kaggle, zipped(glas, tmp_path / "glas.zip")]
    hashes = {
        prepare(GLAS, s, tmp_path / f"r{i}").manifest.data_hash for i, s in enumerate(sources)
    }
    assert len(hashes) == 1


def test_glas_has_its_official_split_binary_masks_and_patients(glas, tmp_path):
    manifest = prepare(GLAS, glas, tmp_path / "root").manifest
    data = load(tmp_path / "root", "glas")
    assert manifest.ids("train") == [f"train_{i}" for i in range(1, 7)]
    assert manifest.ids("test") == ["testA_1", "testA_2", "testA_3", "testB_1"]
    assert data.images.shape == (10, 32, 32, 3)
    assert set(np.unique(data.masks)) == {0, 1}
    assert {case.group for case in manifest.cases} == {str(i) for i in range(1, 11)}


def test_a_second_prepare_does_nothing_and_a_changed_file_is_noticed(pairs, tmp_path):
    root = tmp_path / "root"
    first = prepare(PAIRS, pairs, root)
    written = (root / "own" / "images.npy").stat().st_mtime_ns
    again = prepare(PAIRS, pairs, root)
    assert (first.was_up_to_date, again.was_up_to_date) == (False, True)
    assert (root / "own" / "images.npy").stat().st_mtime_ns == written
    Image.new("RGB", (32, 32)).save(pairs / "image" / "0.png")
    changed = prepare(PAIRS, pairs, root)
    assert not changed.was_up_to_date
    assert changed.manifest.data_hash != first.manifest.data_hash
    assert [f.name for f in root.iterdir() if f.name != ".own.lock"] == ["own"]


@pytest.mark.parametrize("marker", ["SYNTHETIC.txt", "INVENTED.txt"])
def test_synthetic_images_too_are_read_only_once(marker, glas, tmp_path):
    """The marker beside them (the second is that of version 0.1.0) is no part of a dataset, so
    nothing asks for --allow-partial.
    """
    (glas / "SYNTHETIC.txt").rename(glas / marker)
    made = [prepare(GLAS, glas, tmp_path / "root") for _ in range(2)]
    assert [preparation.was_up_to_date for preparation in made] == [False, True]
    assert made[0].manifest.partial == "synthetic images, no ranking"
    assert made[0].stray == []


def test_constants_are_those_of_the_train_pool(tmp_path):
    """Train: one black and one white image: mean 1/2, deviation 1/2. Test: grey, not counted."""
    for split, values in (("train", (0, 255)), ("test", (100,))):
        for kind in ("image", "mask"):
            (tmp_path / "d" / split / kind).mkdir(parents=True)
        for value in values:
            Image.new("RGB", (32, 32), (value,) * 3).save(
                tmp_path / "d" / split / "image" / f"{value}.png"
            )
            Image.new("L", (32, 32), value % 2 * 255).save(
                tmp_path / "d" / split / "mask" / f"{value}.png"
            )
    manifest = prepare(PAIRS, tmp_path / "d", tmp_path / "root").manifest
    assert manifest.mean == pytest.approx([0.5] * 3)
    assert manifest.std == pytest.approx([0.5] * 3)
    assert (manifest.ids("train"), manifest.ids("test")) == (["0", "255"], ["100"])


def test_pairs_without_split_get_a_test_set_by_hash(pairs, tmp_path):
    manifest = prepare(PAIRS, pairs, tmp_path / "root").manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (8, 2)


def test_val_is_taken_as_test_set_and_said(pairs, tmp_path):
    for split, chosen in (("train", range(8)), ("val", range(8, 10))):
        for kind in ("image", "mask"):
            (tmp_path / "d" / split / kind).mkdir(parents=True)
            for i in chosen:
                shutil.copy(pairs / kind / f"{i}.png", tmp_path / "d" / split / kind)
    manifest = prepare(PAIRS, tmp_path / "d", tmp_path / "root").manifest
    assert manifest.ids("test") == ["8", "9"]
    assert manifest.notes == ["the validation folder is taken as the test set"]


def test_images_outside_the_splits_are_refused_not_drawn_anew(pairs, tmp_path):
    for kind in ("image", "mask"):
        (pairs / "test" / kind).mkdir(parents=True)
        shutil.move(pairs / kind / "9.png", pairs / "test" / kind)
    text = refused(PAIRS, pairs, tmp_path / "root")
    assert "some images lie in test/ and others in no split" in text


def test_a_validation_set_beside_a_test_set_is_one_by_itself(pairs, tmp_path):
    for split, i in (("train", 0), ("validation", 1), ("test", 2)):
        for kind in ("image", "mask"):
            (tmp_path / "d" / split / kind).mkdir(parents=True)
            shutil.copy(pairs / kind / f"{i}.png", tmp_path / "d" / split / kind)
    manifest = prepare(PAIRS, tmp_path / "d", tmp_path / "root").manifest
    assert {case.id: case.split for case in manifest.cases} == {
        "0": "train",
        "1": "val",
        "2": "test",
    }


def test_numbering_may_restart_in_each_split(pairs, tmp_path):
    for split in ("train", "test"):
        for kind in ("image", "mask"):
            shutil.copytree(pairs / kind, tmp_path / "d" / split / kind)
    manifest = prepare(PAIRS, tmp_path / "d", tmp_path / "root").manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (10, 10)
    assert manifest.ids("test")[0] == "test_0"


def test_a_broken_grade_table_is_a_named_problem(glas, tmp_path):
    (glas / "Grade.csv").write_text("name,grade\ntrain_1,benign\n")
    assert 'Grade.csv has no column "patient ID", but name, grade' in refused(
        GLAS, glas, tmp_path / "root"
    )


def test_a_missing_file_is_named_rather_than_a_part_offered(glas, tmp_path):
    (glas / "train_3_anno.bmp").unlink()
    card = GLAS.model_copy(update={"expected": {"train": 6, "test": 4}})
    text = refused(card, glas, tmp_path / "root")
    assert "no mask for train_3.bmp" in text
    assert "--allow-partial" not in text


def test_other_classes_are_other_data(pairs, tmp_path):
    two = prepare(PAIRS, pairs, tmp_path / "root").manifest
    three = PAIRS.model_copy(update={"classes": ["a", "b", "c"]})
    assert prepare(three, pairs, tmp_path / "root").manifest.data_hash != two.data_hash


def test_stray_files_are_tolerated_and_named(pairs, tmp_path):
    (pairs / "image" / "notes.txt").write_text("hello")
    (pairs / "mask" / ".DS_Store").write_text("")
    preparation = prepare(PAIRS, pairs, tmp_path / "root")
    assert preparation.stray == ["image/notes.txt"]


def test_every_bad_file_is_named_with_what_is_wrong(pairs, tmp_path):
    (pairs / "image" / "0.png").write_text("no image at all")
    Image.new("L", (30, 31)).save(pairs / "mask" / "1.png")
    Image.fromarray(np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)).save(
        pairs / "mask" / "2.png"
    )
    (pairs / "mask" / "3.png").unlink()
    (pairs / "image" / "4.png").unlink()
    truncated = (pairs / "image" / "5.png").read_bytes()
    (pairs / "image" / "5.png").write_bytes(truncated[: len(truncated) // 2])
    text = refused(PAIRS, pairs, tmp_path / "root")
    assert "6 problems" in text
    assert "no mask for image/3.png" in text
    assert "no image for mask/4.png" in text
    assert "0: image/0.png is not an image (15 bytes)" in text
    assert "1: the mask has another size than the image: 30×31 in mask/1.png, 32×32" in text
    assert "2: mask/2.png holds the values 0, 1, 2, 3, 4, 5 …, and the card says" in text
    assert "5: image/5.png cannot be read" in text


def test_masks_are_read_by_the_cards_rule(tmp_path):
    values = np.repeat(np.array([0, 1, 2, 200], np.uint8), 256).reshape(32, 32)
    for kind in ("image", "mask"):
        (tmp_path / "d" / kind).mkdir(parents=True)
    for i in range(5):
        Image.new("RGB", (32, 32)).save(tmp_path / "d" / "image" / f"{i}.png")
        Image.fromarray(values).save(tmp_path / "d" / "mask" / f"{i}.png")

    def shares(rule, **fields):
        card = Card(name="own", size=[32, 32], mask=rule, **fields)
        prepare(card, tmp_path / "d", tmp_path / "root")
        masks = load(tmp_path / "root", "own").masks
        return (np.bincount(masks.ravel()) / masks.size).tolist()

    assert shares("nonzero") == [0.25, 0.75]
    assert shares("> 1") == [0.5, 0.5]
    assert "classes are 0 … 1" in refused(
        Card(name="three", size=[32, 32], mask="labels"), tmp_path / "d", tmp_path / "root"
    )


def test_one_bit_masks_and_grey_images_with_equal_channels_are_read(pairs, tmp_path):
    Image.open(pairs / "mask" / "0.png").convert("1").save(pairs / "mask" / "0.png")
    Image.open(pairs / "mask" / "1.png").convert("RGB").save(pairs / "mask" / "1.png")
    Image.open(pairs / "image" / "2.png").convert("L").save(pairs / "image" / "2.png")
    manifest = prepare(PAIRS, pairs, tmp_path / "root").manifest
    assert {c.id: round(c.foreground * 32) for c in manifest.cases} == {
        str(i): i + 1 for i in range(10)
    }


def test_a_part_is_refused_unless_allowed_and_then_remembered(glas, tmp_path):
    card = GLAS.model_copy(update={"expected": {"train": 85, "test": 80}})
    text = refused(card, glas, tmp_path / "root")
    assert "6 of 85 train cases, 4 of 80 test cases" in text
    assert "--allow-partial" in text
    manifest = prepare(card, glas, tmp_path / "root", allow_partial=True).manifest
    assert manifest.partial == (
        "synthetic images, no ranking, 6 of 85 train cases, 4 of 80 test cases"
    )


def test_a_half_copied_zip_is_called_that(glas, tmp_path):
    archive = zipped(glas, tmp_path / "glas.zip")
    archive.write_bytes(archive.read_bytes()[:5000])
    text = refused(GLAS, archive, tmp_path / "root")
    assert "not a complete zip file" in text
    assert "stopped half-way" in text


def test_a_damaged_file_inside_a_zip_is_named(glas, tmp_path):
    archive = zipped(glas, tmp_path / "glas.zip")
    content = bytearray(archive.read_bytes())
    at = content.find(b"train_3.bmp") + 200
    content[at : at + 50] = bytes(50)
    archive.write_bytes(content)
    assert "train_3: damaged in the zip" in refused(GLAS, archive, tmp_path / "root")


def test_another_layout_is_answered_with_the_expected_ones(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "photo.jpg").write_text("x")
    text = refused(GLAS, tmp_path / "d", tmp_path / "root")
    assert "train_1_anno.bmp" in text
    assert "image/NAME.png" in text
    assert "found 1 files: photo.jpg" in text
    assert "no such file or folder" in refused(GLAS, tmp_path / "absent", tmp_path / "root")


def test_changed_arrays_are_noticed_on_loading(pairs, tmp_path):
    root = tmp_path / "root"
    prepare(PAIRS, pairs, root)
    masks = np.load(root / "own" / "masks.npy")
    masks[0, 0, 0] ^= 1
    np.save(root / "own" / "masks.npy", masks)
    with pytest.raises(UserError, match="not those that were prepared"):
        load(root, "own")


def test_a_wrong_card_names_each_wrong_field(tmp_path):
    card = tmp_path / "own.yaml"
    card.write_text("name: own\nsiez: [32, 32]\nmask: some\n")
    with pytest.raises(
        UserError, match='no field of a card "siez"; did you mean "size"'
    ) as refusal:
        cards.find(str(card))
    assert "mask must be one of binary, nonzero, labels" in str(refusal.value)
    with pytest.raises(UserError, match=r'no dataset card "gals"; did you mean "glas"'):
        cards.find("gals")


def test_the_real_glas_sample(samples, tmp_path):
    """16 training and 8 test images; constants of the published train pool are near."""
    card = cards.find("glas")
    archive = samples / "glas_official_sample.zip"
    assert "16 of 85 train cases, 8 of 80 test cases" in refused(card, archive, tmp_path / "root")
    manifest = prepare(card, archive, tmp_path / "root", allow_partial=True).manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (16, 8)
    assert prepare(card, archive, tmp_path / "root", allow_partial=True).was_up_to_date
    with pytest.raises(UserError, match="16 of 85"):
        prepare(card, archive, tmp_path / "root")
    assert all(case.group for case in manifest.cases)


def test_the_real_glas_images_have_the_measured_constants(samples, tmp_path):
    """Means (.7874, .5112, .7851), deviations (.141, .224, .113) of the 85 training images."""
    preparation = prepare(
        cards.find("glas"), samples / "glas128", tmp_path / "root", allow_partial=True
    )
    assert preparation.manifest.mean == pytest.approx([0.7874, 0.5112, 0.7851], abs=6e-4)
    assert preparation.manifest.std == pytest.approx([0.141, 0.224, 0.113], abs=2e-3)
    assert preparation.manifest.partial == "60 of 80 test cases"


def test_the_same_fault_of_many_files_is_one_line_with_three_of_them(pairs, tmp_path):
    for i in range(5):
        Image.new("L", (32, 32), 7).save(pairs / "mask" / f"{i}.png")
        Image.new("L", (30, 31)).save(pairs / "image" / f"{i}.png")
    (pairs / "image" / "9.png").write_text("no image at all")
    text = refused(PAIRS, pairs, tmp_path / "root")
    assert "6 problems" in text and text.count("is not an image") == 1
    line = (
        "0, 1, 2 and 2 more: the mask has another size than the image: 32×32 in the mask, 30×31 in"
    )
    assert f"{line} the image (5 cases)" in text
    for i in range(5):
        Image.new("RGB", (32, 32)).save(pairs / "image" / f"{i}.png")
        mask = np.zeros((32, 32), np.uint8)
        mask[:2], mask[2:4] = 7, 9
        Image.fromarray(mask).save(pairs / "mask" / f"{i}.png")
    (pairs / "image" / "9.png").unlink()
    text = refused(PAIRS, pairs, tmp_path / "root")
    assert "  0, 1, 2 and 2 more: the mask holds the values 0, 7, 9, and the card says" in text


@pytest.mark.parametrize(
    "together", [[["0", "1"], ["1", "2"]], [["0", "2"], ["1", "2"]], [["0", "1", "2"]]]
)
def test_cases_that_overlap_in_together_stay_together(together, pairs, tmp_path):
    for seed in range(6):
        card = PAIRS.model_copy(update={"name": f"own{seed}", "together": together})
        cases = prepare(card, pairs, tmp_path / "root").manifest.cases
        assert len({case.split for case in cases if case.id in ("0", "1", "2")}) == 1
    with pytest.raises(UserError, match="the card's together name 1 case that is not there: x"):
        prepare(card.model_copy(update={"together": [["0", "x"]]}), pairs, tmp_path / "root")


def test_ids_of_a_card_are_those_of_files_however_their_letters_are_written(pairs, tmp_path):
    """é as one letter, and as e with an accent, as macOS writes it."""
    one, two = unicodedata.normalize("NFC", "fäll"), unicodedata.normalize("NFD", "fäll")
    for kind in ("image", "mask"):
        (pairs / kind / "3.png").rename(pairs / kind / f"{one}.png")
    manifest = prepare(Card(name="own", test_ids=[two]), pairs, tmp_path / "root").manifest
    assert manifest.ids("test") == [one]


def test_a_part_without_some_of_the_named_test_cases_is_called_one(pairs, tmp_path):
    card = Card(name="own", test_ids=["3", "99"])
    assert "name 1 case that is not there: 99" in refused(card, pairs, tmp_path / "root")
    manifest = prepare(card, pairs, tmp_path / "root", allow_partial=True).manifest
    assert manifest.partial == "1 of 2 cases that the card's test_ids name"


@pytest.mark.parametrize(
    "field",
    [{"together": [["1", "99"]]}, {"val_ids": ["1", "99"]}, {"lists": {"few": ["1", "99"]}}],
)
def test_a_misspelt_case_is_named_though_the_numbers_are_those_expected(pairs, tmp_path, field):
    """Of a whole dataset nothing lacks that could excuse it; of a part the numbers tell."""
    root, n = tmp_path / "root", len([*(pairs / "image").iterdir()])
    whole = prepare(Card(name="own"), pairs, tmp_path / "plain").manifest
    expected = {split: len(whole.ids(split)) for split in ("train", "test")}
    assert sum(expected.values()) == n
    card = Card(name="own", expected=expected, **field)
    assert "name 1 case that is not there: 99" in refused(card, pairs, root)
    larger = card.model_copy(update={"expected": expected | {"train": n + 5}})
    assert "train cases" in refused(larger, pairs, root)


def test_a_file_name_that_is_no_text_is_named(pairs, tmp_path):
    for kind in ("image", "mask"):
        os.rename(pairs / kind / "3.png", os.fsencode(pairs / kind) + b"/c\xff.png")
    assert "is not in UTF-8: rename the file" in refused(Card(name="own"), pairs, tmp_path / "root")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("values: {0: 0, 255: 1, 128: 2, 255: 2}", '"255" stands there twice'),
        ('values: {0: 0, 255: 1, "255": 2}', "255 stands there twice"),
        ('values: {"#000000": 0, "#FFFFFF": 1, "#ffffff": 2}', "#ffffff stands there twice"),
        ("window: [-.inf, .inf]", "window"),
        ("nsd: [.inf]", "nsd"),
    ],
)
def test_a_card_of_two_minds_or_without_end_is_refused(tmp_path, line, message):
    file = tmp_path / "mine.yaml"
    rule = "mask: labels\nclasses: [a, b, c]\n" if "values" in line else ""
    file.write_text(f"name: mine\n{rule}{line}\n")
    with pytest.raises(UserError, match=message):
        cards.find(str(file))
