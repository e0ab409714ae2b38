"""Datasets that are wrong as a whole: refused, or named at preparation and under every table."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.data import cards
from benchmark.data.prepare import prepare
from benchmark.errors import ExitCode, UserError
from benchmark.files import packaged
from benchmark.store import tables
from tests.grids import TINY_RUN
from tests.one_case import nifti, picture

CARD = "name: mine\nchannels: 1\nsize: [16, 16]\nmask: {rule}\nclasses: [{classes}]\n"


@pytest.fixture
def made(tmp_path):
    """A function: prepare eight cases with a disc, four of them the test set, after a change."""

    def make(change=lambda images, masks: None, *, rule="nonzero", classes="background, disc"):
        rng = np.random.default_rng(0)
        disc = np.zeros((32, 32), np.uint8)
        disc[8:20, 8:20] = 1
        paths = [f"{split}/{{}}/{i}" for split, i in zip(["train"] * 4 + ["test"] * 4, range(8))]  # noqa: B905
        images = {path: rng.integers(0, 256, (32, 32), np.uint8) for path in paths}
        masks = {path: disc.copy() for path in paths}
        change(images, masks)
        for kind, arrays in (("image", images), ("mask", masks)):
            for path, array in arrays.items():
                file = tmp_path / "from" / f"{path.format(kind)}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(file)
        (tmp_path / "card.yaml").write_text(CARD.format(rule=rule, classes=classes))
        card = cards.read(tmp_path / "card.yaml")
        return prepare(card, tmp_path / "from", tmp_path / "data").manifest

    return make


def leak(images, masks):
    images["test/{}/5"] = images["train/{}/1"]


def contradict(images, masks):
    images["train/{}/2"] = images["train/{}/1"]
    masks["train/{}/2"] = 1 - masks["train/{}/1"]


def shrink(images, masks):
    masks["train/{}/0"][:] = 0
    masks["train/{}/0"][8, 8] = 1  # between the points that halving the size keeps


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda images, masks: None, []),
        (
            leak,
            [
                "1 test image is in the train pool too, byte for byte as prepared (5 and 1): "
                "scores on the test set are too high"
            ],
        ),
        (contradict, ["1 image with more than one mask (1=2)"]),
        (
            shrink,
            ["1 mask lost a class to resizing (0): a larger size in the card keeps small objects"],
        ),
    ],
)
def test_what_is_wrong_with_the_whole_is_named(made, change, told):
    assert made(change).faults == told


def test_classes_that_do_not_occur_are_named(made):
    def change(images, masks):
        masks["train/{}/0"][:2] = 3

    found = made(change, rule="labels", classes="background, disc, gap, rare").faults
    assert found == [
        "class 2 (gap) does not occur in any mask",
        "class 3 (rare) does not occur in any test mask",
    ]


def times(factor):
    def change(images, masks):
        for path in masks:
            masks[path] = np.uint8(masks[path] * factor)

    return change


@pytest.mark.parametrize(
    ("change", "rule", "told"),
    [
        (times(1), '"> 127"', "their values do not exceed that (masks of 0 and 1 need a rule such"),
        (times(0), "nonzero", "their object may lie in another channel (mask_channel)"),
        (lambda i, masks: [m.fill(7) for m in masks.values()], "nonzero", "is the background ano"),
    ],
)
def test_masks_that_are_all_one_thing_are_refused_with_the_likely_reason(made, change, rule, told):
    with pytest.raises(UserError, match="foreground") as refusal:
        made(change, rule=rule)
    assert told in str(refusal.value) and "1 problem" in str(refusal.value)


def test_some_empty_masks_are_data(made):
    def change(images, masks):
        masks["train/{}/0"][:] = 0
        masks["test/{}/4"][:] = 0

    assert made(change).faults == []


def test_every_table_names_what_is_wrong_with_its_data(made, bench, tmp_path):
    manifest = made(leak)
    run = (*TINY_RUN, "--datasets", "mine", "--ratios", "50", "--data-root", tmp_path / "data",
           "size=[16,16]")  # fmt: skip
    _, out, _ = bench(*run, "--dry-run", "-v")
    key = next(line.split()[0] for line in out.splitlines() if line.startswith("  "))
    assert bench(*run, "--trial", key)[0] == 0
    assert f"\nmine: {manifest.faults[0]}\n" in bench("report")[1]
    _, out, _ = bench("data", "check", "mine", "--data-root", tmp_path / "data")
    assert f"  warning: {manifest.faults[0]}\n" in out


def test_a_run_does_not_enlarge_what_was_prepared_small(made, bench, tmp_path):
    made()
    run = (*TINY_RUN, "--datasets", "mine", "--data-root", tmp_path / "data", "--dry-run")
    for size in ("[32,32]", "[16,32]"):
        code, _, err = bench(*run, f"size={size}")
        assert code == ExitCode.DATA
        assert "mine was prepared at 16×16, and this run asks for" in err
        assert "or add size=[16,16] to the run" in err
    for size in ("[16,16]", "[8,16]", "null"):
        assert bench(*run, f"size={size}")[0] == 0


def dots(folder, side: int, n: int = 6) -> None:
    """Images of 96 × 96 with a square object of this side."""
    for kind in ("image", "mask"):
        (folder / kind).mkdir(parents=True)
    for i in range(n):
        mask = np.zeros((96, 96), np.uint8)
        mask[41 : 41 + side, 41 : 41 + side] = 255
        noise = np.random.default_rng(i).integers(0, 99, (96, 96), np.uint8)
        (folder / "image" / f"{i}.png").write_bytes(picture(noise + mask // 2))
        (folder / "mask" / f"{i}.png").write_bytes(picture(mask))


@pytest.mark.parametrize(("side", "code"), [(1, ExitCode.DATA), (24, 0)])
def test_objects_that_a_run_s_size_loses_are_named_or_refused(side, code, tmp_path, bench):
    """96 to 32 takes every third pixel: one pixel may be gone, and nobody could miss it."""
    dots(tmp_path / "from", side)
    (tmp_path / "own.yaml").write_text("name: own\nchannels: 1\nsize: [96, 96]\n")
    prepare(cards.read(tmp_path / "own.yaml"), tmp_path / "from", tmp_path / "data")
    run = (*TINY_RUN, "--datasets", "own", "--ratios", "50", "--data-root", tmp_path / "data")
    found, _, err = bench(*run, "--dry-run")
    assert found == code
    assert ("every mask that is evaluated loses its foreground" in err) == (side == 1)


def test_some_of_them_stand_under_the_table(tmp_path, bench):
    dots(tmp_path / "from", 24)
    lone = np.zeros((96, 96), np.uint8)
    lone[41, 41] = 255
    for name in ("0", "5"):
        (tmp_path / "from" / "mask" / f"{name}.png").write_bytes(picture(lone))
    (tmp_path / "own.yaml").write_text(
        "name: own\nchannels: 1\nsize: [96, 96]\ntest_ids: ['0', '1', '2']\n"
    )
    prepare(cards.read(tmp_path / "own.yaml"), tmp_path / "from", tmp_path / "data")
    run = (*TINY_RUN, "--datasets", "own", "--ratios", "50", "--data-root", tmp_path / "data",
           "--seeds", "1")  # fmt: skip
    code, out, err = bench(*run, "--dry-run", "-v")
    assert code == 0
    assert "own at 32×32, prepared at 96×96: 2 masks lose a class to resizing (5, 0)" in err
    key = next(line.split()[0] for line in out.splitlines() if line.startswith("  "))
    assert bench(*run, "--trial", key)[0] == 0
    _, out, _ = bench("report")
    assert "own: at 32x32 resizing takes 1 object out of the evaluated masks" in out


ODD_NAMES = ["NA", "nan", "None", "null", "1", "01", "001", "1e3", "1000", "True", "x y", "-"]


def test_cases_keep_their_names_whatever_they_look_like(bench, tmp_path):
    rng = np.random.default_rng(0)
    for split, names in (("train", ["a", "b", "c", "d"]), ("test", ODD_NAMES)):
        for name in names:
            mask = np.zeros((16, 16), np.uint8)
            mask[4:9, 4:9] = 255
            for kind, array in (
                ("image", rng.integers(0, 256, (16, 16), np.uint8)),
                ("mask", mask),
            ):
                file = tmp_path / "from" / split / kind / f"{name}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(file)
    (tmp_path / "card.yaml").write_text(CARD.format(rule="nonzero", classes="background, disc"))
    manifest = prepare(cards.read(tmp_path / "card.yaml"), tmp_path / "from", tmp_path / "data")
    assert manifest.manifest.ids("test") == sorted(ODD_NAMES)
    run = (*TINY_RUN, "--datasets", "mine", "--ratios", "50", "--data-root", tmp_path / "data",
           "size=[16,16]", "--seeds", "1")  # fmt: skip
    key = next(line.split()[0] for line in bench(*run, "--dry-run", "-v")[1].splitlines()
               if line.startswith("  "))  # fmt: skip
    assert bench(*run, "--trial", key)[0] == 0
    study = tmp_path / "results" / "demo"
    rows = pd.DataFrame(
        [{"key": key, "dataset": "mine", "budget": "50 %", "variant": "x", "seed": 0}]
    )
    assert list(tables.cases(study, rows)["case"]) == sorted(ODD_NAMES)
    code, out, err = bench("report", "--ci", "cases", "--aggregate", "case")
    assert code == 0 and "DC and JI in %" in out, err


def test_files_that_seem_unchanged_can_be_read_again(made, tmp_path):
    made()
    card = cards.read(tmp_path / "card.yaml")
    source, root = tmp_path / "from", tmp_path / "data"
    assert prepare(card, source, root).was_up_to_date
    assert not prepare(card, source, root, again=True).was_up_to_date


def test_a_card_of_ones_own_does_not_take_the_name_of_a_shipped_one(tmp_path, bench):
    (tmp_path / "glas.yaml").write_text("name: glas\nchannels: 1\n")
    words = ("data", "prepare", tmp_path / "glas.yaml", "--from", tmp_path)
    code, _, err = bench(*words, "--data-root", tmp_path / "data")
    assert code == ExitCode.DATA and "glas is the name of a card that comes with the tool" in err
    shipped = packaged("datasets") / "glas.yaml"
    assert cards.find(str(shipped)) == cards.find("glas")


def scan(kind: str) -> np.ndarray:
    """Soft tissue of some hundred values; with one hot voxel, with the range of CT, or constant."""
    values = np.random.default_rng(0).normal(60, 20, (16, 16, 16)).astype(np.float32)
    if kind == "hot":
        values[0, 0, 0] = 1e6
    if kind == "ct":
        values[:2], values[-1] = -1000, 3000
    return np.full_like(values, 7) if kind == "constant" else values


@pytest.mark.parametrize(
    ("kind", "field", "told"),
    [
        ("plain", "", []),
        ("hot", "", []),
        ("hot", "clip: [0, 100]", ["4 volumes of few grey levels, where there were many more"]),
        ("ct", "", []),
        ("ct", "window: [-2000, 20]", ["4 volumes in which most of a class is beyond"]),
        ("constant", "", ["4 images of one grey value everywhere"]),
    ],
)
def test_volumes_whose_greys_are_gone_are_named(kind, field, told, tmp_path):
    for i in range(4):
        mask = np.zeros((16, 16, 16), np.uint8)
        mask[4:8, 4:8, 4 : 6 + i] = 1
        for folder, array in (("image", scan(kind) + np.float32(i)), ("mask", mask)):
            (tmp_path / "from" / folder).mkdir(parents=True, exist_ok=True)
            (tmp_path / "from" / folder / f"{i}.nii.gz").write_bytes(nifti(array))
    (tmp_path / "card.yaml").write_text(
        f"name: mine\nchannels: 1\nis_volume: true\nreaders: [volume_pairs]\n{field}\n"
    )
    card = cards.read(tmp_path / "card.yaml")
    found = prepare(card, tmp_path / "from", tmp_path / "data").manifest.faults
    greys = [line for line in found if line.startswith("4 ")]
    assert len(greys) == len(told)
    assert all(line.startswith(start) for line, start in zip(greys, told, strict=True))


@pytest.mark.parametrize(
    ("voxel", "axes", "dims", "is_told"),
    [
        ((1, 1, 4), (0, 1, 2), 2, False),
        ((1, 1, 1), (0, 1, 2), 2, False),
        ((4, 1, 1), (0, 1, 2), 2, True),  # sagittal planes, named as they lie
        ((1, 1, 4), (1, 2, 0), 2, True),  # the same as scanners store them: planes last
        ((4, 1, 1), (0, 1, 2), 3, False),
    ],
)
def test_slices_across_the_planes_of_a_scanner_are_told(tmp_path, voxel, axes, dims, is_told):
    """axes: along which axis of the patient each of the array lies."""
    affine = np.eye(4)
    affine[:3, :3] = np.eye(3)[list(axes)].T * voxel
    disc = np.zeros((16, 16, 16), np.uint8)
    disc[4:10, 4:10, 4:10] = 1
    greys = np.random.default_rng(0).integers(0, 4000, (4, 16, 16, 16)).astype(np.int16)
    for i, values in enumerate(greys):
        for folder, array in (("imagesTr", values), ("labelsTr", disc)):
            (tmp_path / "from" / folder).mkdir(parents=True, exist_ok=True)
            content = nifti(array, affine, unit="mm")
            (tmp_path / "from" / folder / f"{i}.nii.gz").write_bytes(content)
    (tmp_path / "card.yaml").write_text(
        f"name: mine\nchannels: 1\nis_volume: true\nreaders: [volume_pairs]\ndims: {dims}\n"
        "size: [16, 16]\n"
    )
    made = prepare(cards.read(tmp_path / "card.yaml"), tmp_path / "from", tmp_path / "data")
    told = [line for line in made.manifest.faults if "dims: 2 cuts" in line]
    assert bool(told) == is_told and made.manifest.faults == told
