"""Sizes and batches that no network could be trained on, refused when a run is planned."""

import functools
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.data.card import Card
from benchmark.data.prepared import CaseEntry, Manifest
from benchmark.errors import UserError
from benchmark.study import ablations, methods, plan
from benchmark.study.settings import Conditions, PretrainingSettings, Study, TrainingSettings
from benchmark.study.syntax import typed, value_of
from benchmark.toolkit.architecture import Architecture

THREE_LEVELS = Architecture(widths=[4, 8, 8], dropout=[0.0] * 3)
"""Halves twice: sides must divide by 4, and of 4 one value is left."""


def prepared_as(root: Path, **card) -> None:
    """A manifest of ten images, which is all that a plan reads."""
    cases = [
        CaseEntry(id=f"c{i}", split="test" if i > 7 else "train", group="", foreground=0.2)
        for i in range(10)
    ]
    made = Manifest(
        format=2, card=Card(name="mine", **card), source="", source_fingerprint="", data_hash="d",
        mean=[], std=[], cases=cases,
    )  # fmt: skip
    (root / "mine").mkdir(exist_ok=True)
    (root / "mine" / "manifest.json").write_text(made.model_dump_json())


@pytest.fixture
def planned(tmp_path):
    """A function: plan a study of ten images, or volumes; gives its notes."""

    def make(
        method: str = "supervised",
        *,
        card: dict,
        training=None,
        pretraining=None,
        preset="demo",
        labels=("50 %",),
        **conditions,
    ) -> list[str]:
        prepared_as(tmp_path, **card)
        study = Study(
            name="study", preset=preset, methods=[method], datasets=["mine"],
            labels=list(labels), seeds=[0],
            conditions=replace(Conditions(network=THREE_LEVELS), **conditions),
            training=TrainingSettings(**training or {}),
            pretraining=PretrainingSettings(**pretraining or {}),
        )  # fmt: skip
        return plan.make(study, tmp_path, tmp_path / "results").notes

    return make


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ([32, 40], None),
        (
            [34, 41],
            r"mine was prepared at 34×41, and the network unet halves images 2 times: their sides "
            r"must divide by 4\. Prepare it with size: \[36, 44\] in its card, or add "
            r"size=\[32,40\] to the run",
        ),
        ([34, 2], r"Prepare it with size: \[36, 4\] in its card$"),
    ],
)
def test_images_as_prepared_must_be_halved(planned, size, told):
    """A size that is typed is checked with the other settings, this one where data are known."""
    if told is None:
        assert planned(card={"size": size}) == []
        return
    with pytest.raises(UserError, match=told):
        planned(card={"size": size})
    assert planned(card={"size": [34, 41]}, size=[32, 40]) == []


def test_an_encoder_halves_five_times(planned):
    with pytest.raises(UserError, match=r"resnet18 halves images 5 times: .* divide by 32\. .*"):
        planned(card={"size": [48, 64]}, network=Architecture(name="resnet18"))


@pytest.mark.parametrize(
    ("method", "stage", "batch", "is_refused"),
    [
        ("supervised", "training", {"batch_labelled": 1}, True),
        ("supervised", "training", {"batch_labelled": 2}, False),
        ("supervised", "training", {"batch_unlabelled": 1}, False),  # it sees none of them
        ("cps", "training", {"batch_unlabelled": 1}, True),
        ("ours", "pretraining", {"batch": 1}, True),
        ("ours[pretrain=false]", "pretraining", {"batch": 1}, False),
    ],
)
def test_a_batch_of_one_needs_more_than_a_pixel_at_the_coarsest_level(
    planned, method, stage, batch, is_refused
):
    """Batch norm in training refuses one value a channel: 4 × 4 halved twice, in a batch of 1."""
    settings = {stage: batch}
    if not is_refused:
        assert planned(method, card={"size": [4, 4]}, **settings) == []
        return
    ((name, _),) = batch.items()
    with pytest.raises(UserError, match=rf"{stage}\.{name}=1, and of 4×4 .* a single value"):
        planned(method, card={"size": [4, 4]}, **settings)
    assert planned(method, card={"size": [4, 8]}, **settings) == []


@pytest.mark.parametrize("variant", ["cps[weight=null]", "cps[weight=None]", "ours[rounds=null]"])
def test_nothing_is_no_value_of_a_number(planned, variant):
    with pytest.raises(UserError, match=r"takes a (whole )?number, such as .*, got (null|None)"):
        planned(variant, card={"size": [32, 32]})
    assert typed(None) == "null" and value_of("null") is None


def test_where_nothing_is_unlabelled_it_says_who_runs(planned):
    told = "mine at 100 %: no image is left unlabelled, so supervised alone runs there, and none of"
    whole = {"card": {"size": [32, 32]}, "labels": ["100 %"]}
    for methods_typed in ("cps", "supervised,cps"):
        assert planned(methods_typed, **whole) == [f"{told} cps"]
    assert planned("supervised", **whole) == planned("all", **whole) == []
    assert planned("cps", card={"size": [32, 32]}) == []


def test_a_misspelt_method_is_named_before_its_ablation():
    with pytest.raises(UserError, match=r'no method "orus"; did you mean "ours"'):
        ablations.ablated(["orus"], ["rounds"])


def test_so_does_a_patch(planned):
    one, volumes = {"batch_labelled": 1}, {"is_volume": True}
    with pytest.raises(
        UserError, match=r"training_3d\.batch_labelled=1, and of 4×4×4 .* or a larger patch"
    ):
        planned(card=volumes, training=one, patch=[4, 4, 4])
    assert planned(card=volumes, training=one, patch=[4, 4, 8]) == []


STRONG_ROW = (
    "no row of supervised with strong augmentation on mine, which every table should have: add "
    "training.augmentation=nnunet for all methods; or, for that row alone, "
    "training.augmentation=nnunet --methods supervised --study study-nnunet"
)


@pytest.mark.parametrize(
    ("method", "augmentation", "preset", "told"),
    [
        ("supervised,cps", "symmetries", "matched", [STRONG_ROW]),
        ("supervised,cps", "ssl4mis", "ssl4mis", [STRONG_ROW]),
        ("cps", "symmetries", "matched", [STRONG_ROW]),
        ("supervised,cps", "nnunet", "matched", []),
        ("cps", "nnunet", "matched", []),
        ("supervised", "symmetries", "matched", []),  # nothing is compared
        ("supervised,cps", "symmetries", "demo", []),
    ],
)
def test_a_comparison_without_a_strong_baseline_is_told(
    planned, method, augmentation, preset, told
):
    training = {"augmentation": augmentation}
    card = {"size": [32, 32]}
    assert planned(method, card=card, training=training, preset=preset) == told
    assert planned(method, card=card, training=training, preset=preset, evaluate_on="dev") == []


def test_a_method_alone_with_strong_augmentation_does_not_make_a_strong_baseline(tmp_path):
    prepared_as(tmp_path, size=[32, 32])
    study = Study(
        name="study", preset="matched", methods=["supervised", "cps"], datasets=["mine"],
        labels=["50 %"], seeds=[0], conditions=Conditions(network=THREE_LEVELS),
        training_of={"cps": {"augmentation": "nnunet"}},
    )  # fmt: skip
    assert plan.make(study, tmp_path, tmp_path / "results").notes == [STRONG_ROW]
    study = replace(study, training_of={"supervised": {"augmentation": "nnunet"}})
    assert plan.make(study, tmp_path, tmp_path / "results").notes == []


@pytest.mark.parametrize(
    ("training", "told"),
    [
        ({"batch_labelled": 2, "batch_unlabelled": 3}, None),
        (
            {"batch_labelled": 1, "batch_unlabelled": 3},
            r"em on mine needs 2 labelled images in a batch, and has 1: raise "
            r"training\.batch_labelled, which is 1$",
        ),
        (
            {"batch_labelled": 2, "batch_unlabelled": 2},
            r"em on mine needs 3 unlabelled images in a batch, and has 2: raise "
            r"training\.batch_unlabelled, which is 2$",
        ),
        (  # four are labelled: three, then one
            {"batch_labelled": 3, "short_batches": True, "steps_per_epoch": "labelled"},
            r"needs 2 labelled images in a batch, and has 1: the last batch of an epoch is short; "
            r"add training\.short_batches=false, or another training\.batch_labelled$",
        ),
        ({"batch_labelled": 2, "short_batches": True, "steps_per_epoch": "labelled"}, None),
        (
            {"batch_labelled": 2, "cut_unlabelled": True},
            r"needs 3 unlabelled images in a batch, and has 2: no more than labelled ones; raise "
            r"training\.batch_labelled, which is 2, or add training\.cut_unlabelled=false$",
        ),
    ],
)
def test_a_method_may_need_a_larger_batch(planned, monkeypatch, training, told):
    monkeypatch.setattr(methods.find("em"), "LEAST_BATCH", (2, 3))
    if told is None:
        assert planned("em", card={"size": [32, 32]}, training=training) == []
        return
    with pytest.raises(UserError, match=told):
        planned("em", card={"size": [32, 32]}, training=training)


def test_a_variant_may_need_a_larger_batch_than_its_method(planned, monkeypatch):
    """And a study of volumes is told of the setting of volumes."""
    method = methods.find("cps")
    original = method.__init__

    def build(self, *arguments, **hyperparameters):
        original(self, *arguments, **hyperparameters)
        if self.consistency_on == "both":
            self.LEAST_BATCH = (1, 2)

    monkeypatch.setattr(method, "__init__", functools.wraps(original)(build))
    volumes = {"card": {"is_volume": True}, "patch": [8, 8, 8]}
    one = {"batch_unlabelled": 1}
    assert planned("cps", training=one, **volumes) == []
    with pytest.raises(
        UserError, match=r"cps\[consistency_on=both\] on mine needs 2 .* training_3d\.batch_unlab"
    ):
        planned("cps[consistency_on=both]", training=one, **volumes)
