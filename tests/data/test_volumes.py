"""Volumes: from files to compact arrays, patches and sliding windows."""

import nibabel
import numpy as np
import pytest
import torch

from benchmark.data import cards, phantoms, pool, volumes
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.patches import random_patch
from benchmark.data.prepare import prepare
from benchmark.errors import UserError
from benchmark.training.evaluate import evaluate
from benchmark.toolkit.method import Method
from benchmark.randomness import generator

OWN = Card(name="own", readers=["volume_pairs"], is_volume=True, channels=1)


def test_bytes_are_kept_and_standardised_by_their_own_mean_and_deviation():
    """Half 0, half 255: mean and deviation 1/2 of the range."""
    values = np.repeat(np.array([0, 255], np.uint8), 32).reshape(4, 4, 4)
    found = volumes.compact(values, is_standardised=False)
    assert np.array_equal(found.image[..., 0], values)
    assert (found.mean, found.std) == pytest.approx((0.5, 0.5))


def test_standardised_values_come_back_within_half_a_grey_level():
    values = generator("test").normal(0, 1, (8, 8, 8)).astype(np.float32)
    found = volumes.compact(values, is_standardised=True)
    back = (found.image[..., 0] / 255 - found.mean) / found.std
    assert np.abs(back - values).max() <= np.ptp(values) / 510 * 1.001


def test_a_label_box_has_margins_and_a_least_size_and_keeps_the_third_axis():
    """Foreground at x 10 … 12, margin 2: 8 … 15 is 7 wide; at least 9: one more on each side."""
    mask = np.zeros((32, 32, 5), np.uint8)
    mask[10:13, 1:31, 2] = 1
    x, y, z = volumes.label_box(mask, 2, 9)
    assert (x.start, x.stop) == (7, 16)
    assert (y.start, y.stop) == (0, 32)
    assert mask[x, y, z].shape == (9, 32, 5)


def test_packed_arrays_come_back_without_copies():
    arrays = [np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.ones((2, 2, 2), np.uint8)]
    flat = volumes.pack(arrays)
    back = volumes.unpack(flat, [[1, 2, 3], [2, 2, 2]])
    assert all(np.array_equal(a, b) for a, b in zip(arrays, back, strict=True))
    assert back[0].base is not None
    with pytest.raises(ValueError, match="14 values for shapes that need 6"):
        volumes.unpack(flat, [[1, 2, 3]])


def test_patches_of_image_and_mask_belong_together_and_cover_the_volume():
    image = np.arange(6 * 5 * 4, dtype=np.uint8).reshape(6, 5, 4, 1)
    rng = generator("test")
    corners = set()
    for _ in range(400):
        patch, mask = random_patch(image, image[..., 0], [4, 4, 4], rng)
        assert np.array_equal(patch[..., 0], mask)
        corners.add(int(patch[0, 0, 0, 0]))
    assert corners == {0, 4, 20, 24, 40, 44}  # starts 0-2 × 0-1 × 0, strides 20 and 4


def test_a_volume_smaller_than_the_patch_is_mirrored():
    image = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    patch, mask = random_patch(image, image[..., 0], [4, 2, 2], generator("test"))
    assert patch.shape == (4, 2, 2, 1)
    assert patch[:, 0, 0, 0].tolist() == [0, 0, 4, 4]
    assert np.array_equal(patch[..., 0], mask)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("volumes")
    phantoms.ensure_prepared(cards.find("phantom_la"), root)
    return pool.load(root, "phantom_la")


class Threshold(Method):
    """Foreground where the standardised voxel is above 1."""

    def forward(self, x):
        return torch.cat([torch.ones_like(x), x], 1)


def test_a_sliding_window_over_pixelwise_logits_changes_nothing(phantom):
    data = pool.for_trial(phantom, ratio=0.2, seed=0, evaluate_on="test")
    cpu = torch.device("cpu")
    predicted = evaluate(Threshold(), data, cpu, patch=[16, 16, 16]).predicted
    for row, labels in zip(data.evaluation.indices, predicted, strict=True):
        image = phantom.images[row][..., 0] / 255
        expected = (image - phantom.mean[row]) / phantom.std[row] > 1
        assert (labels != expected).mean() < 1e-4


def test_la_is_read_as_released_with_the_literatures_test_set(phantom):
    assert sorted(phantom.manifest.ids("test")) == sorted(cards.find("la").test_ids[:3])
    assert phantom.images[0].shape == (48, 48, 24, 1)
    assert set(np.unique(phantom.masks[0])) == {0, 1}


def test_the_testing_set_is_left_out_and_said(tmp_path):
    options = PhantomOptions(kind="la", train=3, test=2, width=20, height=18, depth=16)
    made = phantoms.synthesise(options, tmp_path / "la")
    extra = made / "Testing Set" / ("X" * 20)
    extra.mkdir(parents=True)
    for file in ("lgemri.nrrd", "laendo.nrrd"):
        source = next((made / "Training Set").glob(f"*/{file}"))
        (extra / file).write_bytes(source.read_bytes())
    (next((made / "Training Set").iterdir()) / "desktop.ini").write_text("")
    manifest = prepare(cards.find("la"), made, tmp_path / "root", allow_partial=True).manifest
    assert len(manifest.cases) == 5
    assert manifest.notes == ["1 cases of the Testing Set are not used"]
    assert len(manifest.ids("test")) == 2


def test_a_crop_around_the_label_is_named_as_the_leak_it_is(tmp_path):
    options = PhantomOptions(kind="la", train=2, test=2, width=160, height=150, depth=16)
    made = phantoms.synthesise(options, tmp_path / "la")
    card = cards.find("la").model_copy(update={"crop": "label_box", "expected": {}})
    manifest = prepare(card, made, tmp_path / "root").manifest
    assert "cropped around their labels" in manifest.partial
    assert all(case.shape[0] < 160 and case.shape[2] == 16 for case in manifest.cases)


def test_a_predicted_volume_is_read_back_by_other_tools(tmp_path):
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 1
    volumes.write_nifti(tmp_path / "a.nii.gz", labels)
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "a.nii.gz").dataobj), labels)


def write_nifti_pairs(folder, n=5, dtype=np.int16):
    for kind in ("image", "mask"):
        (folder / kind).mkdir(parents=True)
    for i in range(n):
        values = generator("nifti", i).integers(0, 900, (9, 8, 7))
        nibabel.save(
            nibabel.Nifti1Image(values.astype(dtype), np.eye(4)), folder / "image" / f"{i}.nii.gz"
        )
        mask = (values > 450).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), folder / "mask" / f"{i}.nii.gz")
    return folder


def test_nifti_pairs_need_a_card_and_no_code(tmp_path):
    manifest = prepare(OWN, write_nifti_pairs(tmp_path / "d"), tmp_path / "root").manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (4, 1)
    data = pool.load(tmp_path / "root", "own")
    assert data.images[0].shape == (9, 8, 7, 1)
    standardised = (data.images[0] / 255 - data.mean[0]) / data.std[0]
    assert (standardised.mean(), standardised.std()) == pytest.approx((0, 1), abs=1e-6)


def test_a_damaged_volume_is_named(tmp_path):
    made = write_nifti_pairs(tmp_path / "d")
    (made / "image" / "2.nii.gz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"2: image/2.nii.gz cannot be read"):
        prepare(OWN, made, tmp_path / "root")


def test_the_real_la_sample(samples, tmp_path):
    """Ten volumes; the standardised values of the h5 files come back."""
    import h5py

    outcome = prepare(cards.find("la"), samples / "la_h5_sample", tmp_path, allow_partial=True)
    manifest = outcome.manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (8, 2)
    assert manifest.partial == "8 of 80 train cases, 2 of 20 test cases"
    twins = {c.group for c in manifest.cases if c.id in cards.find("la").together[0]}
    assert len(twins) == 1 and twins != {""}
    data = pool.load(tmp_path, "la")
    first = manifest.cases[0]
    with h5py.File(samples / "la_h5_sample" / first.id / "mri_norm2.h5") as file:
        values = file["image"][:]
        assert np.array_equal(file["label"][:], data.masks[0])
    back = (data.images[0][..., 0] / 255 - data.mean[0]) / data.std[0]
    assert np.abs(back - values).max() < np.ptp(values) / 500


def test_every_phantom_is_read_by_its_official_reader(tmp_path):
    found = {}
    for name in ("phantom_ph2", "phantom_hmeps"):
        manifest = phantoms.ensure_prepared(cards.find(name), tmp_path)
        found[name] = (len(manifest.ids("train")), len(manifest.ids("test")))
    assert found == {"phantom_ph2": (48, 12), "phantom_hmeps": (80, 24)}
    hmeps = pool.read_manifest(tmp_path, "phantom_hmeps")
    sides = {
        split: {c.group for c in hmeps.cases if c.split == split} for split in ("train", "test")
    }
    assert not sides["train"] & sides["test"]
    assert any(case.foreground == 0 for case in hmeps.cases)  # blinks


def test_hmeps_without_its_table_or_with_unknown_frames_is_refused(tmp_path):
    options = PhantomOptions(kind="hmeps", train=12, test=4, width=48, height=32)
    made = phantoms.synthesise(options, tmp_path / "hmeps")
    table = made / "annotation" / "annotations.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-2]))
    card = cards.find("hmeps")
    with pytest.raises(UserError, match="gives no subject for 2 frames: frame_00014, frame_00015"):
        prepare(card, made, tmp_path / "root")
    table.unlink()
    with pytest.raises(UserError, match=r"annotations\.csv is missing"):
        prepare(card, made, tmp_path / "root")


def test_the_spacing_is_the_card_s_and_part_of_the_data(phantom):
    """LA's headers say 1 mm, its page 0.625 mm; without a card's word a voxel is the unit."""
    data = pool.for_trial(phantom, ratio=0.2, seed=0, evaluate_on="test")
    assert data.spacing == [1.0, 1.0, 1.0]
    la = cards.find("la")
    assert la.spacing == [0.625, 0.625, 0.625]
    entry = phantom.manifest.cases[:1]
    hashes = {
        pool.data_hash(la.model_copy(update={"spacing": spacing}), entry, [])
        for spacing in ([], [1.0, 1.0, 1.0], [0.625, 0.625, 0.625])
    }
    assert len(hashes) == 3
    for fields in ({"is_volume": False}, {"spacing": [1.0]}):
        with pytest.raises(ValueError, match="spacing is"):
            cards.Card.model_validate(la.model_dump() | fields)
