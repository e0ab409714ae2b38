"""A test set of other data: what makes its scores other than they seem."""

import numpy as np
import pytest

from benchmark.data import elsewhere
from benchmark.data.card import Card
from benchmark.data.prepare import prepare
from benchmark.data.prepared import Prepared, load
from tests.one_case import picture

SIDE, N = 24, 8
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
DISC = ((ROWS - 11) ** 2 + (COLUMNS - 12) ** 2 < 40).astype(np.uint8)
IMAGES = np.random.default_rng(0).integers(90, 160, (N, SIDE, SIDE)).astype(np.uint8) + 60 * DISC


@pytest.fixture
def made(tmp_path):
    """A function: a dataset of these images, the first and the last of them its test set."""

    def make(name: str, images: np.ndarray) -> Prepared:
        for i, image in enumerate(images):
            for kind, values in (("image", image), ("mask", 255 * DISC)):
                file = tmp_path / name / kind / f"c{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(picture(values))
        card = Card(name=name, channels=1, size=[SIDE, SIDE], test_ids=["c0", f"c{N - 1}"])
        prepare(card, tmp_path / name, tmp_path / "root")
        return load(tmp_path / "root", name)

    return make


def test_images_that_were_trained_on_are_named(made):
    """c0 of theirs is our c1; c7 is our own test image."""
    ours, theirs = made("ours", IMAGES), made("theirs", IMAGES[[1, 0, 2, 3, 4, 5, 6, 7]])
    (told,) = elsewhere.oddities(theirs, ours.manifest)
    assert told == (
        "1 test image of it among the training images of ours (c0 and c1): scores are too high"
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda v: v.astype(np.uint16) * 257, []),  # 16 bits, the same picture
        (lambda v: v - 10, []),
        (lambda v: v.astype(np.uint16) * 16, ["darker"]),  # 12 bits in 16
        (lambda v: v // 8, ["darker"]),
        (lambda v: 100 + v // 6, ["0.17 times their contrast"]),
    ],
)
def test_images_far_darker_or_flatter_than_those_trained_on_are_named(changed, told, made):
    theirs = np.random.default_rng(1).permuted(IMAGES, axis=2)  # of other bytes
    found = elsewhere.oddities(made("theirs", changed(theirs)), made("ours", IMAGES).manifest)
    assert len(found) == len(told) and all(map(str.__contains__, found, told)), found
