"""Volumes that are trained on slice by slice: what is cut, named, labelled and left unlabelled."""

import csv

import numpy as np
import pytest

from benchmark.data import cards, slices
from benchmark.data.card import Card
from benchmark.data.prepared import CaseEntry, Manifest, Prepared, as_trained
from benchmark.data.split.budget import Budget
from benchmark.data.split.labelled import labelled_ids, unlabelled_ids
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_pretraining, for_trial
from benchmark.errors import UserError

DEPTHS = {"p1_ed": 3, "p1_es": 2, "p2_ed": 4, "p2_es": 1, "p3_ed": 2}
SLICED = Roles(slices=True)


def manifest(lists=None) -> Manifest:
    card = Card(
        name="own", is_volume=True, dims=2, group=r"^(p\d)", subset="groups", lists=lists or {}
    )
    cases = [
        CaseEntry(
            id=id, split="test" if id == "p3_ed" else "train", group=id[:2], foreground=0.5,
            shape=[4, 6, depth], mean=0.1 * depth, std=1.0,
        )
        for id, depth in DEPTHS.items()
    ]  # fmt: skip
    return Manifest(
        format=2, card=card, source="", source_fingerprint="", data_hash="", mean=[], std=[],
        cases=cases,
    )  # fmt: skip


def prepared(size=(6, 4)) -> Prepared:
    """Each voxel holds the number of its slice within the volume, so that rows can be told."""
    found = manifest()
    images = [
        np.broadcast_to(np.arange(d, dtype=np.uint8), (4, 6, d))[..., None] for d in DEPTHS.values()
    ]
    masks = [np.broadcast_to(np.arange(d, dtype=np.uint8), (4, 6, d)) for d in DEPTHS.values()]
    mean, std = (np.array([[getattr(c, n)] for c in found.cases]) for n in ("mean", "std"))
    return as_trained(Prepared(found, images, masks, mean, std), list(size), slices=True)


def test_slices_are_named_from_1_as_ssl4mis_does():
    assert slices.names("patient001_frame01", 2) == [
        "patient001_frame01_slice_1", "patient001_frame01_slice_2",
    ]  # fmt: skip


def test_slices_lie_one_volume_behind_the_other_with_y_as_rows():
    volume = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)  # x, y, z
    found = slices.cut_masks([volume], (3, 2))
    assert found.shape == (4, 3, 2)
    assert found[1].tolist() == [[1, 13], [5, 17], [9, 21]]  # z = 1: rows are y, columns x
    data = prepared()
    assert data.slices.starts.tolist() == [0, 3, 5, 9, 10, 12]
    assert data.slices.volumes.tolist() == [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 4, 4]
    assert data.slices.of(2).tolist() == [5, 6, 7, 8]
    assert data.slices.images[:, 0, 0, 0].tolist() == [0, 1, 2, 0, 1, 0, 1, 2, 3, 0, 0, 1]


def test_a_budget_of_patients_is_all_slices_of_their_volumes():
    data = prepared()
    found = for_trial(data, SLICED, budget=Budget.parse("1patients"), seed=0)
    by_patient = {"p1": 5, "p2": 5}
    (patient,) = {id[:2] for id in found.labelled.ids}
    assert len(found.labelled) == by_patient[patient]
    assert len(found.labelled) + len(found.unlabelled) == 10
    assert set(found.labelled.indices).isdisjoint(found.unlabelled.indices)
    assert (found.spatial_dims, found.sides) == (2, (6, 4))
    assert found.evaluation.ids == ["p3_ed"]
    assert found.evaluation.masks[found.evaluation.indices[0]].shape == (4, 6, 2)
    # each slice is standardised as its volume: 0.3 of a volume of three slices, …
    of_each = [0.3] * 3 + [0.2] * 2 + [0.4] * 4 + [0.1] + [0.2] * 2
    assert found.mean[:, 0] == pytest.approx(of_each)


def test_a_pretraining_sees_the_slices_of_the_train_pool():
    found = for_pretraining(prepared(), SLICED)
    assert found.unlabelled.indices.tolist() == list(range(10))


def test_what_is_predicted_of_unlabelled_slices_is_of_whole_volumes():
    found = for_trial(prepared(), SLICED, budget=Budget.parse("1patients"), seed=0)
    labelled = found.labelled.ids[0][:2]
    others = [id for id in DEPTHS if id[:2] not in (labelled, "p3")]
    assert found.on_unlabelled.evaluation.ids == others


def test_labelled_slices_are_evaluated_as_they_are_trained_on():
    found = for_trial(prepared(), SLICED, budget=Budget.parse("1patients"), seed=0).on_labelled
    assert found.slices is None
    rows = found.evaluation.indices
    assert [found.cases[row].group for row in rows] == [id[:2] for id in found.evaluation.ids]
    assert found.evaluation.masks[rows[0]].shape == (6, 4)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["p1"], {"p1_ed_slice_1", "p1_ed_slice_2", "p1_ed_slice_3", "p1_es_slice_1",
                  "p1_es_slice_2"}),
        (["p1_es"], {"p1_es_slice_1", "p1_es_slice_2"}),
        (["p2_ed_slice_4", "p2_es"], {"p2_ed_slice_4", "p2_es_slice_1"}),
        (["data/slices/p2_ed_slice_4.h5", "p2_es.nii.gz"], {"p2_ed_slice_4", "p2_es_slice_1"}),
    ],
)  # fmt: skip
def test_a_list_names_patients_volumes_or_slices(names, wanted):
    data = manifest({"some": names})
    chosen = labelled_ids(data, SLICED, Budget.parse("list:some"), 0)
    assert set(chosen) == wanted
    rest = unlabelled_ids(data, SLICED, chosen)
    assert len(rest) == 10 - len(wanted) and wanted.isdisjoint(rest)


def test_volumes_are_labelled_whole_whatever_a_list_names():
    whole = manifest({"some": ["p1_es_slice_1", "p1_es_slice_2", "p2_es"]})
    assert labelled_ids(whole, Roles(), Budget.parse("list:some"), 0) == ["p1_es", "p2_es"]
    part = manifest({"some": ["p1_ed_slice_1"]})
    with pytest.raises(UserError, match=r"single slices of 1 volume .p1_ed.*--slices"):
        labelled_ids(part, Roles(), Budget.parse("list:some"), 0)


def test_data_without_slices_are_refused_where_a_trial_wants_them():
    with pytest.raises(ValueError, match="slices or volumes"):
        for_trial(prepared()._replace(slices=None), SLICED, budget=Budget.parse("50"), seed=0)


def test_published_budgets_of_acdc_are_as_many_slices_as_their_papers_say(samples):
    """Depths of all 200 volumes, counted on SSL4MIS's arrays; 1, 3, 7, 14 patients of its lists."""
    with (samples / "facts/acdc_patients.csv").open() as file:
        rows = list(csv.DictReader(file))
    cases = [
        CaseEntry(
            id=f"{row['patient']}_{frame}", split=row["split"], group=row["patient"],
            foreground=0.1, shape=[1, 1, int(row["slices_per_volume"])],
        )
        for row in rows
        for frame in ("frame01", "frame02")
    ]  # fmt: skip
    data = manifest().model_copy(update={"card": cards.find("acdc"), "cases": cases})
    sizes = {
        name: len(labelled_ids(data, SLICED, Budget.parse(f"list:ssl4mis-{name}"), 0))
        for name in ("1", "3", "7", "14", "7-slices")
    }
    assert sizes == {"1": 32, "3": 68, "7": 136, "14": 256, "7-slices": 136}
    assert len(unlabelled_ids(data, SLICED)) == 1312
    ten = labelled_ids(data, SLICED, Budget.parse("10%"), 0)
    assert len({id[:10] for id in ten}) == 7  # a tenth of 140 volumes are 14, of 7 patients


def test_slices_of_two_and_four_channels_are_resized_channel_by_channel():
    """A channel of zeros beside another hides nothing of it, as a mask of transparency would."""
    volume = np.zeros((4, 4, 1, 2), np.uint8)
    volume[..., 0] = 200
    for channels in (volume, np.concatenate([volume, volume[..., ::-1]], -1)):
        found = slices.cut_images([channels], (2, 2))[0]
        assert found.shape == (2, 2, channels.shape[-1])
        assert found[0, 0].tolist() == channels[0, 0, 0].tolist()
