"""What is saved of predictions fits over the files that the images came in."""

import nibabel
import numpy as np
import pytest
from PIL import Image

from benchmark.data.card import Card
from benchmark.data.prepare import prepare
from benchmark.data.prepared import load, resized
from benchmark.data.split import for_trial
from benchmark.training.evaluate import Evaluation
from benchmark.training.outputs import write_predictions
from tests.one_case import BALL, RAS, flipped, itk, nifti, picture

VOLUMES = Card(
    name="own", channels=1, is_volume=True, readers=["volume_pairs"], test_ids=["a", "b"]
)


def perfect_predictions(card, source, root, size=None):
    """The folder of predictions that are the truth, as it is stored."""
    prepare(card, source, root / "data")
    data = for_trial(
        resized(load(root / "data", "own"), size), share=0.5, seed=0, evaluate_on="test"
    )
    predicted = [data.evaluation.masks[row] for row in data.evaluation.indices]
    write_predictions(root, data, Evaluation({}, [], predicted))
    return root / "predictions"


@pytest.mark.parametrize("axes", [(), (0, 1), (2,)])
def test_a_predicted_volume_lies_over_its_image(axes, tmp_path):
    """With the image's affine, though the masks lie the other way round than the images."""
    for kind in ("image", "mask"):
        (tmp_path / "from" / kind).mkdir(parents=True)
    array, affine = flipped(BALL, RAS, axes)
    for i, name in enumerate("abcd"):
        image = nifti((100 * array + i).astype(np.uint8), affine)
        (tmp_path / "from" / "image" / f"{name}.nii.gz").write_bytes(image)
        (tmp_path / "from" / "mask" / f"{name}.nii.gz").write_bytes(nifti(BALL, RAS))
    folder = perfect_predictions(VOLUMES, tmp_path / "from", tmp_path)
    assert sorted(file.name for file in folder.iterdir()) == ["a.nii.gz", "b.nii.gz"]
    saved = nibabel.load(folder / "a.nii.gz")
    image = nibabel.load(tmp_path / "from" / "image" / "a.nii.gz")
    assert np.array_equal(np.asarray(saved.dataobj), array)
    assert np.allclose(saved.affine, image.affine) and saved.shape == image.shape
    assert saved.header.get_xyzt_units()[0] == "mm"


def test_one_of_a_file_that_says_nothing_is_in_voxels(tmp_path):
    for kind, values in (("image", 100 * BALL), ("mask", BALL)):
        (tmp_path / "from" / kind).mkdir(parents=True)
        for i, name in enumerate("abcd"):
            content = itk(tmp_path, "x.nrrd", values + np.uint8(i * (kind == "image")))
            (tmp_path / "from" / kind / f"{name}.nrrd").write_bytes(content)
    folder = perfect_predictions(VOLUMES, tmp_path / "from", tmp_path)
    saved = nibabel.load(folder / "b.nii.gz")
    assert np.array_equal(np.asarray(saved.dataobj), BALL)
    assert np.array_equal(saved.affine, np.eye(4))


def test_a_predicted_mask_has_the_size_of_its_image(tmp_path):
    """Blocks of 3 × 2 pixels survive being prepared at 8 × 8 and run at 8 × 8."""
    mask = np.zeros((24, 16), np.uint8)
    mask[6:12, 4:8] = 1
    for kind in ("image", "mask"):
        (tmp_path / "from" / kind).mkdir(parents=True)
        for i, name in enumerate("abcd"):
            values = mask if kind == "mask" else (90 * mask + i).astype(np.uint8)
            (tmp_path / "from" / kind / f"{name}.png").write_bytes(picture(values))
    card = Card(name="own", channels=1, size=[8, 8], test_ids=["a", "b"])
    folder = perfect_predictions(card, tmp_path / "from", tmp_path, size=[8, 8])
    assert np.array_equal(Image.open(folder / "a.png"), mask)
