"""A dataset as files that workers map."""

import json
import shutil

import numpy as np
import pytest

from benchmark.data import prepared, stored
from benchmark.errors import ExitCode, UserError


@pytest.fixture
def root(data_root, tmp_path):
    """A data root of its own with the phantom."""
    shutil.copytree(data_root / "phantom_glas", tmp_path / "data" / "phantom_glas")
    return tmp_path / "data"


@pytest.mark.parametrize("size", [None, [32, 32]])
def test_what_workers_map_is_the_dataset_at_the_size_of_the_run(size, root, tmp_path):
    expected = prepared.resized(prepared.load(root, "phantom_glas"), size)
    found = stored.store(root, "phantom_glas", size, tmp_path).opened()
    assert np.array_equal(found.images, expected.images)
    assert np.array_equal(found.masks, expected.masks)
    assert found.manifest == expected.manifest
    assert np.array_equal(found.mean, expected.mean) and np.array_equal(found.std, expected.std)


def test_nothing_is_copied_where_the_size_is_that_of_the_files(root, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    opened = stored.store(root, "phantom_glas", None, scratch).opened()
    assert not list(scratch.iterdir())
    assert isinstance(opened.images.base, np.memmap)


def test_other_data_in_its_place_are_refused(root, tmp_path):
    found = stored.store(root, "phantom_glas", None, tmp_path)
    manifest = root / "phantom_glas" / "manifest.json"
    fields = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(fields | {"data_hash": "0123456789abcdef"}))
    with pytest.raises(UserError, match="was prepared again while this ran") as error:
        found.opened()
    assert error.value.exit_code == ExitCode.DATA


def test_damaged_data_are_named_before_anything_starts(root, tmp_path):
    file = root / "phantom_glas" / "images.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(UserError, match="not those that were prepared"):
        stored.store(root, "phantom_glas", None, tmp_path)
