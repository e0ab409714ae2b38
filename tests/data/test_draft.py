"""Cards to begin with: what a folder holds, in a card that prepares it as it is."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml
from PIL import Image

from benchmark.data.draft import mask_rule
from benchmark.data.draft.mask_rule import Values
from benchmark.errors import ExitCode
from tests.one_case import BALL, nifti

FOREGROUND = ["background", "foreground"]


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        (Values(frozenset({0, 255})), {"mask": "binary"}),
        (Values(frozenset({0, 1, 255})), {"mask": "binary"}),
        (Values(frozenset({0.0, 0.3, 1.0})), {"mask": "> 0.5"}),
        (Values(frozenset(range(256))), {"mask": "> 127"}),
        (Values(frozenset({*range(0, 65536, 257)})), {"mask": "> 32767"}),
        (Values(frozenset({0, 0.5, 1e6})), {"mask": "> 500000.0"}),
        (Values(frozenset({0, 3, 254}), are_lossy=True), {"mask": "> 127"}),
        (Values(frozenset(range(41))), {"mask": "nonzero"}),
        (Values(frozenset({0, 7}), channel=3), {"mask": "binary", "mask_channel": 3}),
        (
            Values(frozenset({0, 1, 2})),
            {"mask": "labels", "classes": ["background", "class_1", "class_2"]},
        ),
        (
            Values(frozenset({0, 1, 255}), most_objects=2),
            {
                "mask": "labels",
                "classes": ["background", "class_1", "class_2"],
                "values": {0: 0, 1: 1, 255: 2},
            },
        ),
        (
            Values(frozenset({1, 2})),
            {
                "mask": "labels",
                "classes": ["background", "class_1"],
                "values": {1: 0, 2: 1},
            },
        ),
        (
            Values(frozenset({-1, 0, 2, 5})),
            {
                "mask": "labels",
                "classes": ["background", "class_1", "class_2"],
                "values": {0: 0, -1: 0, 2: 1, 5: 2},
            },
        ),
        (
            Values(colours=frozenset({"#ff0000", "#000000"})),
            {
                "mask": "labels",
                "classes": ["background", "colour_ff0000"],
                "values": {"#000000": 0, "#ff0000": 1},
            },
        ),
    ],
)
def test_a_rule_is_found_for_what_masks_hold(values, fields):
    assert mask_rule.of(values).fields == {"classes": FOREGROUND, **fields}


@pytest.mark.parametrize(
    ("numbers", "remark"),
    [
        ({0, 1, 2, 255}, "255 often marks what is no class (void): values: {255: 0}"),
        ({0, 64, 128, 192, 255}, 'if these are shades of one object: mask: "> 127"'),
        ({1, 2}, "no mask holds 0: 1 is taken for the background"),
        ({0, 1, 2}, "0, 1, 2; if these count objects of one class: nonzero"),
    ],
)
def test_what_the_values_may_mean_instead_is_said(numbers, remark):
    assert remark in mask_rule.of(Values(frozenset(numbers), most_objects=2)).remark


def draw(file: Path, values: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(file)


def discs(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A grey image of 96 × 80, and where its disc is."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:96, :80]
    disc = (rows - rng.uniform(30, 60)) ** 2 + (columns - 40) ** 2 < 15**2
    return (90 + 50 * disc + rng.normal(0, 15, disc.shape)).clip(0, 255), disc


@pytest.fixture
def drafted(bench, tmp_path, monkeypatch):
    """A function: the card of a folder, read; and what preparing it prints."""
    monkeypatch.chdir(tmp_path)

    def make(folder: str, *words: str) -> tuple[dict, str]:
        code, out, err = bench("new", "dataset", folder, *words)
        assert code == 0, err
        card = out.split()[1].rstrip(":")
        assert f"next:  bench data prepare {card} --from " in out
        code, out, err = bench("data", "prepare", card, "--from", folder)
        assert code == 0, err
        return yaml.safe_load(Path(card).read_text()), out

    return make


def test_grey_pictures_of_patients(drafted, tmp_path):
    for i in range(8):
        image, disc = discs(i)
        draw(tmp_path / "My Images" / "image" / f"p{i // 2}_{i}.png", image)
        if i:
            draw(tmp_path / "My Images" / "mask" / f"p{i // 2}_{i}.png", 255 * disc)
    card, out = drafted("My Images")
    assert card == {
        "name": "my_images", "title": "", "homepage": "", "terms": "", "citation": "",
        "readers": ["pairs"], "channels": 1, "size": [128, 128], "mask": "binary",
        "classes": FOREGROUND, "test_share": 0.2, "unlabelled": "missing",
    }  # fmt: skip
    assert "1 unlabelled" in out
    text = Path("my_images.yaml").read_text()
    assert "# 7 images (.png), 7 masks (.png)" in text
    assert "# images are 96×80" in text
    assert "# group: '^([^_-]+)'" in text


def test_coloured_pictures_with_classes_and_a_test_set(drafted, tmp_path):
    for i in range(6):
        image, disc = discs(i)
        split = tmp_path / "photos" / ("test" if i > 3 else "train")
        draw(split / "images" / f"{i}.jpg", np.stack([image, image / 2, image / 4], -1))
        draw(split / "masks" / f"{i}.png", np.where(disc, 1 + 2 * (i % 2), 0))
    card, out = drafted("photos", "--name", "photo-set")
    assert card["name"] == "photo_set"
    assert card["channels"] == 3 and "test_share" not in card
    assert card["classes"] == ["background", "class_1", "class_2"]
    assert card["values"] == {0: 0, 1: 1, 3: 2}
    assert "4 train and 2 test cases" in out


def test_volumes_with_a_file_for_each_channel(drafted, tmp_path):
    rng = np.random.default_rng(0)
    for kind in ("image", "mask"):
        (tmp_path / "scans" / kind).mkdir(parents=True)
    for i in range(5):
        ball = np.zeros((16, 16, 8), np.uint8)
        ball[4:9, 4:9, 2:5] = 1
        affine = np.diag([1.0, 1.0, 5.0, 1.0])
        nibabel.save(nibabel.Nifti1Image(ball, affine), tmp_path / f"scans/mask/c{i}.nii.gz")
        for channel in range(2):
            values = (100 + 50 * ball + rng.normal(0, 5, ball.shape)).astype(np.int16)
            file = tmp_path / f"scans/image/c{i}_{channel:04}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(values, affine), file)
    card, out = drafted("scans")
    assert card["is_volume"] is True and card["channels"] == 2
    assert card["modalities"] == ["_0000", "_0001"] and card["readers"] == ["volume_pairs"]
    text = Path("scans.yaml").read_text()
    assert "# 16×16×8 voxels of 1 × 1 × 5 mm" in text and "# dims: 2 " in text
    assert "4 train and 1 test cases" in out


def test_nothing_is_overwritten_and_no_name_is_taken(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    draw(tmp_path / "mine" / "image" / "0.png", discs()[0])
    (tmp_path / "mine.yaml").write_text("mine")
    for words, message in (
        (("mine",), "mine.yaml is there already, and is not overwritten"),
        (("mine", "--name", "GlaS"), 'a dataset "glas" has a card already: choose a name with'),
        (("mine", "--name", "…"), "makes no name of letters and digits"),
    ):
        code, _, err = bench("new", "dataset", *words)
        assert code == ExitCode.USAGE and message in err
    assert (tmp_path / "mine.yaml").read_text() == "mine"


def test_what_no_card_can_say_is_said(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "dataset.json").write_text("{}")
    draw(tmp_path / "half" / "image" / "0.png", discs()[0])
    draw(tmp_path / "half" / "mask" / "1.png", discs()[1])
    for folder, message in (
        ("nowhere", "no such file or folder: nowhere"),
        ("task", "needs no card: bench data prepare nnunet:task --from task"),
        ("half", "half must be mended first:\n  no image for "),
    ):
        code, _, err = bench("new", "dataset", folder)
        assert code == ExitCode.DATA and message in err, err
        assert not (tmp_path / f"{folder}.yaml").exists()


def test_a_class_of_a_coloured_palette_is_one_in_all_masks(drafted, tmp_path):
    """Black, white, red: half of the masks hold the first two alone, which are grey."""
    for i in range(8):
        image, disc = discs(i)
        draw(tmp_path / "pal" / "image" / f"{i}.png", image)
        mask = Image.fromarray(disc.astype(np.uint8) + (i % 2) * np.eye(96, 80, dtype=np.uint8))
        mask = mask.convert("P")
        mask.putpalette([0, 0, 0, 255, 255, 255, 255, 0, 0])
        (tmp_path / "pal" / "mask").mkdir(exist_ok=True)
        mask.save(tmp_path / "pal" / "mask" / f"{i}.png")
    card, _ = drafted("pal")
    assert (card["mask"], card["classes"]) == ("labels", ["background", "class_1", "class_2"])
    assert "values" not in card


def test_masks_of_colours_in_volumes_are_named(bench, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    colours = np.zeros(BALL.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for kind, values in (("image", 200 * BALL), ("mask", colours)):
        (tmp_path / "rgb" / kind).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "rgb" / kind / f"{i}.nii.gz").write_bytes(nifti(values))
    code, _, err = bench("new", "dataset", "rgb")
    assert code == ExitCode.DATA and "no numbers that could be classes" in err
