"""What is saved of predictions fits over the files that the images came in."""

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from benchmark.data.card import Card
from benchmark.data.prepare import prepare
from benchmark.data.prepared import load, resized
from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial
from benchmark.training.outputs import write_predictions
from tests.grids import TINY_RUN
from tests.one_case import BALL, RAS, flipped, itk, nifti, picture

VOLUMES = Card(
    name="own", channels=1, is_volume=True, readers=["volume_pairs"], test_ids=["a", "b"]
)


def perfect_predictions(card, source, root, size=None):
    """The folder of predictions that are the truth, as it is stored."""
    prepare(card, source, root / "data")
    data = for_trial(
        resized(load(root / "data", "own"), size), Roles(), budget=Budget.of_share(0.5), seed=0
    )
    predicted = [data.evaluation.masks[row] for row in data.evaluation.indices]
    write_predictions(root / "predictions", data, predicted)
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


def test_volumes_of_two_channels_and_sixteen_bits_come_from_files_to_a_record(tmp_path, bench):
    """Voxels of 0.7 × 0.7 × 2 mm: distances are given in both units."""
    for kind in ("image", "mask"):
        (tmp_path / "from" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, name in enumerate("abcdef"):
        ball = np.roll(BALL, i, 0)
        # A range such as CT's, of which 256 levels would leave the ball a shade or two.
        wide = (3 * rng.integers(0, 9, ball.shape) + 60 * ball).astype(np.int16)
        wide[:, :, 4:] = rng.choice([-1000, 3000], (10, 8, 2))
        for ending, values in (("_ct", wide), ("_pet", (100 * ball + i).astype(np.uint8))):
            (tmp_path / "from" / "image" / f"{name}{ending}.nii.gz").write_bytes(nifti(values))
        (tmp_path / "from" / "mask" / f"{name}.nii.gz").write_bytes(nifti(ball))
    card = VOLUMES.model_copy(update={"channels": 2, "modalities": ["_ct", "_pet"]})
    prepare(card, tmp_path / "from", tmp_path / "data")
    assert load(tmp_path / "data", "own").images[0].dtype == np.uint16
    words = [word for word in TINY_RUN if not word.startswith(("size=", "epochs="))]
    run = (*words, "--datasets", "own", "--ratios", "50", "--seeds", "1", "--data-root",
           tmp_path / "data", "patch=[8,8,4]", "--save", "predictions")  # fmt: skip
    listed = bench(*run, "--dry-run", "-v")[1].splitlines()
    key = next(line.split()[0] for line in listed if line.startswith("  "))
    code, _, err = bench(*run, "--trial", key)
    assert code == 0, err
    folder = tmp_path / "results" / "demo" / "trials" / key
    cases = pd.read_csv(folder / "cases.csv")
    assert {"hd95_joint_voxels", "hd95_joint_mm"} <= set(cases)
    for _, row in cases.iterrows():
        saved = nibabel.load(folder / "predictions" / f"{row.case}.nii.gz")
        truth = nibabel.load(tmp_path / "from" / "mask" / f"{row.case}.nii.gz")
        assert np.allclose(saved.affine, truth.affine)
        ours, theirs = (np.asarray(one.dataobj) > 0 for one in (saved, truth))
        dice = 2 * (ours & theirs).sum() / (ours.sum() + theirs.sum())
        assert row.dc == pytest.approx(dice)
