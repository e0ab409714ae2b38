import json

import numpy as np
import pytest

from benchmark.data import cards, phantoms
from benchmark.data import prepared as preparing
from benchmark.data.card import Card, PhantomOptions
from benchmark.errors import UserError


def test_phantoms_are_deterministic_and_neither_empty_nor_full(tmp_path):
    options = PhantomOptions(kind="glas", train=2, test=1, width=64, height=48)
    one, two = (phantoms.synthesise(options, tmp_path / name) for name in "ab")
    files = sorted(f.name for f in one.iterdir())
    assert len(files) == 8
    assert all((one / f).read_bytes() == (two / f).read_bytes() for f in files)
    other = phantoms.synthesise(options.model_copy(update={"seed": 1}), tmp_path / "c")
    assert (one / "train_1.bmp").read_bytes() != (other / "train_1.bmp").read_bytes()


def test_phantoms_are_not_written_over_something(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        phantoms.synthesise(
            PhantomOptions(kind="glas", train=2, test=1, width=64, height=48), tmp_path
        )


def test_the_phantom_dataset_has_gland_like_masks(prepared):
    shares = [case.foreground for case in prepared.manifest.cases]
    assert 0.2 < np.mean(shares) < 0.5
    assert min(shares) > 0.02


def test_every_phantom_is_read_by_its_official_reader(tmp_path):
    found = {}
    for name in ("phantom_ph2", "phantom_hmeps"):
        manifest = phantoms.ensure_prepared(cards.find(name), tmp_path)
        found[name] = (len(manifest.ids("train")), len(manifest.ids("test")))
    assert found == {"phantom_ph2": (48, 12), "phantom_hmeps": (80, 24)}
    hmeps = preparing.read_manifest(tmp_path, "phantom_hmeps")
    sides = {
        split: {c.group for c in hmeps.cases if c.split == split} for split in ("train", "test")
    }
    assert not sides["train"] & sides["test"]
    assert any(case.foreground == 0 for case in hmeps.cases)  # blinks


SMALL = Card(
    name="phantom_small",
    readers=["glas"],
    size=[32, 32],
    mask="nonzero",
    phantom=PhantomOptions(kind="glas", train=2, test=1, width=64, height=48),
)


@pytest.fixture
def made_twice(tmp_path):
    """A function: was the phantom made anew, after this was done to its manifest?"""
    first = phantoms.ensure_prepared(SMALL, tmp_path)
    file, images = (tmp_path / SMALL.name / name for name in ("manifest.json", "images.npy"))
    written = images.stat().st_mtime_ns

    def after(change, card=SMALL) -> bool:
        file.write_text(change(file.read_text()))
        again = phantoms.ensure_prepared(card, tmp_path)
        assert again == preparing.load(tmp_path, SMALL.name).manifest
        assert again.format == 2
        assert card is not SMALL or again.data_hash == first.data_hash
        return images.stat().st_mtime_ns != written

    return after


def test_a_phantom_that_is_there_is_not_made_again(made_twice):
    assert not made_twice(lambda text: text)


def test_a_phantom_of_an_older_format_is_made_anew(made_twice):
    assert made_twice(lambda text: json.dumps(json.loads(text) | {"format": 1}))


def test_a_phantom_whose_manifest_cannot_be_read_is_made_anew(made_twice):
    assert made_twice(lambda text: text[: len(text) // 2])


def test_a_phantom_of_another_card_is_made_anew(made_twice):
    other = SMALL.phantom.model_copy(update={"seed": 1})
    assert made_twice(lambda text: text, SMALL.model_copy(update={"phantom": other}))
