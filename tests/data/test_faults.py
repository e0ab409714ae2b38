"""Datasets that are wrong as a whole: refused, or named at preparation and under every table."""

import numpy as np
import pytest
from PIL import Image

from benchmark.data import card as cards
from benchmark.data.prepare import prepare
from benchmark.errors import UserError
from tests.grids import TINY_RUN

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
