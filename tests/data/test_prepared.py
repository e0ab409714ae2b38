import shutil

import numpy as np
import pytest

from benchmark.data import prepared as preparing
from benchmark.data.prepared import data_hash
from benchmark.errors import ExitCode, UserError


def test_a_dataset_that_is_not_there_is_answered_with_the_command(tmp_path):
    with pytest.raises(UserError, match="bench data prepare ph2 --from"):
        preparing.load(tmp_path, "ph2")


def test_masks_stay_classes_when_resized(prepared):
    smaller = preparing.resized(prepared, [16, 16])
    assert smaller.images.shape[1:] == (16, 16, 3)
    assert set(np.unique(smaller.masks)) == {0, 1}


@pytest.fixture
def hashed(data_root):
    """A function: the hash of the phantom's files with these fields of the manifest."""
    files = (data_root / "phantom_glas" / name for name in ("images.npy", "masks.npy"))
    images, masks = (np.load(file) for file in files)
    manifest = preparing.read_manifest(data_root, "phantom_glas")

    def of(**fields) -> str:
        return data_hash(manifest.model_copy(update=fields), images, masks)

    return of


def test_the_hash_is_the_recorded_one(hashed, prepared):
    assert hashed() == prepared.manifest.data_hash


@pytest.mark.parametrize("field", ["mean", "std"])
def test_other_constants_of_the_images_are_other_data(field, hashed, prepared):
    red, green, blue = getattr(prepared.manifest, field)
    assert hashed(**{field: [red, green, blue + 1e-6]}) != hashed()


def test_what_changes_no_number_is_not_hashed(hashed):
    assert hashed(notes=["a note"], partial="a part", source="elsewhere") == hashed()


def test_packed_arrays_come_back_without_copies():
    arrays = [np.arange(6, dtype=np.uint8).reshape(1, 2, 3), np.ones((2, 2, 2), np.uint8)]
    flat = preparing.pack(arrays)
    back = preparing.unpack(flat, [[1, 2, 3], [2, 2, 2]])
    assert all(np.array_equal(a, b) for a, b in zip(arrays, back, strict=True))
    assert back[0].base is not None
    with pytest.raises(ValueError, match="14 values for shapes that need 6"):
        preparing.unpack(flat, [[1, 2, 3]])


def test_a_dataset_that_another_version_prepared_is_named_and_not_called_damaged(
    data_root, tmp_path
):
    shutil.copytree(data_root / "phantom_glas", tmp_path / "phantom_glas")
    file = tmp_path / "phantom_glas" / "manifest.json"
    file.write_text(file.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(UserError, match="by another version of this tool") as refusal:
        preparing.read_manifest(tmp_path, "phantom_glas")
    assert "format 1, this one reads 2" in str(refusal.value)
    assert "It is synthetic: the next run that names it makes it anew" in str(refusal.value)
    file.write_text(file.read_text().replace('"phantom": {', '"phantom": null, "x": {'))
    with pytest.raises(UserError, match="bench data prepare phantom_glas --from"):
        preparing.read_manifest(tmp_path, "phantom_glas")
    assert refusal.value.exit_code == ExitCode.DATA
