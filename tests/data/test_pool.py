import numpy as np
import pytest
import torch

from benchmark.data import phantoms, pool
from benchmark.data.augment import random_symmetry
from benchmark.data.card import PhantomOptions
from benchmark.errors import UserError
from benchmark.randomness import generator


def trial_data(prepared, ratio=0.05, seed=0, evaluate_on="test"):
    return pool.for_trial(prepared, ratio=ratio, seed=seed, evaluate_on=evaluate_on)


def test_labelled_and_unlabelled_make_up_the_train_pool(prepared):
    data = trial_data(prepared)
    assert (len(data.labelled), len(data.unlabelled), len(data.evaluation)) == (4, 76, 40)
    assert not set(data.labelled.indices) & set(data.unlabelled.indices)
    assert not set(data.evaluation.indices) & {*data.labelled.indices, *data.unlabelled.indices}


def test_the_unlabelled_images_come_without_masks(prepared):
    assert trial_data(prepared).unlabelled._fields == ("images", "indices")


def test_the_development_set_is_a_fifth_of_the_pool_and_used_for_nothing_else(prepared):
    data = trial_data(prepared, evaluate_on="dev")
    train = set(prepared.manifest.ids("train"))
    assert len(data.evaluation) == 16
    assert set(data.evaluation.ids) < train
    assert len(data.labelled) + len(data.unlabelled) == 64
    assert not set(data.evaluation.indices) & {*data.labelled.indices, *data.unlabelled.indices}
    other = trial_data(prepared, seed=5, ratio=0.2, evaluate_on="dev")
    assert other.evaluation.ids == data.evaluation.ids


def test_at_100_percent_nothing_is_unlabelled(prepared):
    data = trial_data(prepared, ratio=1.0)
    assert (len(data.labelled), len(data.unlabelled)) == (80, 0)


def test_the_subset_hash_tells_subsets_apart(prepared):
    first, same, other = (trial_data(prepared, seed=s) for s in (0, 0, 1))
    assert first.subset_hash == same.subset_hash != other.subset_hash


def test_a_dataset_that_is_not_there_is_answered_with_the_command(tmp_path):
    with pytest.raises(UserError, match="bench data prepare ph2 --from"):
        pool.load(tmp_path, "ph2")


def test_masks_stay_classes_when_resized(prepared):
    smaller = pool.resized(prepared, [16, 16])
    assert smaller.images.shape[1:] == (16, 16, 3)
    assert set(np.unique(smaller.masks)) == {0, 1}


def test_symmetries_are_the_eight_of_the_square_equally_often_and_masks_follow():
    pattern = torch.arange(4.0).reshape(1, 1, 2, 2).expand(8000, 1, 2, 2)
    x, y = random_symmetry(pattern, pattern[:, 0].long(), generator("test"))
    assert torch.equal(x[:, 0].long(), y)
    _, counts = torch.unique(y.reshape(8000, 4), dim=0, return_counts=True)
    assert len(counts) == 8
    assert counts.min() > 880  # 1000 expected, deviation 30


def test_oblong_images_and_volumes_keep_their_shape():
    for shape in ((3, 1, 4, 6), (3, 1, 4, 6, 6)):
        x, _ = random_symmetry(torch.rand(shape), None, generator("test"))
        assert x.shape == shape


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
