"""Two preparations of one dataset: in what they differ, and where that is said."""

import numpy as np
import pytest
from PIL import Image

from benchmark.data import cards
from benchmark.data.card import Card
from benchmark.data.differences import differences
from benchmark.data.prepare import prepare
from benchmark.data.prepared import Manifest
from benchmark.store import datasets
from benchmark.store.record import Record
from tests.grids import TINY_RUN

CARD = "name: mine\nchannels: 1\nsize: [32, 32]\nmask: '> 127'\ntest_ids: [c10, c11]\n"


@pytest.fixture
def prepared_from(tmp_path):
    """A function: prepare twelve cases into a data root, after a change to their arrays or card."""
    file = tmp_path / "card.yaml"

    def make(root: str, change=lambda images, masks: None, card: str = CARD):
        rng = np.random.default_rng(0)
        names = [f"c{i:02}" for i in range(12)]
        images = {n: rng.integers(0, 256, (32, 32), np.uint8) for n in names}
        masks = {n: np.uint8(255 * (rng.random((32, 32)) < 0.3)) for n in names}
        change(images, masks)
        for folder, arrays in (("image", images), ("mask", masks)):
            (tmp_path / f"from-{root}" / folder).mkdir(parents=True)
            for name, array in arrays.items():
                Image.fromarray(array).save(tmp_path / f"from-{root}" / folder / f"{name}.png")
        file.write_text(card)
        source = tmp_path / f"from-{root}"
        return prepare(cards.read(file), source, tmp_path / root).manifest

    return make


def invert(images, masks):
    masks["c03"] = 255 - masks["c03"]


def brighten(images, masks):
    images["c02"][:] = 255


def lose(images, masks):
    for arrays in (images, masks):
        del arrays["c00"], arrays["c01"]
        arrays["d99"] = arrays["c05"]


@pytest.mark.parametrize(
    ("change", "card", "told"),
    [
        (invert, CARD, ["another mask of 1 of 12 cases (c03), foreground by up to 41 % of the "]),
        (brighten, CARD, ["another image of 1 of 12 cases (c02)", "mean of the normalisation by"]),
        (lose, CARD, ["1 case more (d99)", "2 cases fewer (c00, c01)"]),
        (
            lambda images, masks: None,
            CARD.replace("c10, c11", "c09, c11"),
            ["another split of 2 of 12 cases (c10, c09)", "card: test_ids ['c09', 'c11'], before"],
        ),
        (
            lambda images, masks: None,
            CARD.replace("[32, 32]", "[16, 32]"),
            ["another image of 12 of 12 cases (c00, c01, c02 …)", "card: size [16, 32], before"],
        ),
    ],
)
def test_what_differs_is_told_with_how_much(prepared_from, change, card, told):
    old, new = prepared_from("old"), prepared_from("new", change, card)
    assert old.data_hash != new.data_hash
    found = differences(old, new)
    for text in told:
        assert any(text in line for line in found), found
    if change is invert:  # 301 of 1,024 pixels are foreground, then 723
        assert len(found) == 1


def test_before_checksums_a_mask_is_known_by_its_foreground(prepared_from):
    old, new = prepared_from("old"), prepared_from("new", invert)
    for case in old.cases:
        case.image = case.mask = ""
    (line,) = differences(old, new)
    assert line.startswith("another mask of 1 of 12 cases (c03)")


def test_checksums_of_cases_are_in_no_hash(prepared_from, tmp_path):
    """Frozen: the hash of these twelve cases as it was before their checksums were kept."""
    assert prepared_from("old").data_hash == "d34894f658491140"


def test_run_report_and_verify_say_in_what_the_data_of_a_study_differ(
    prepared_from, bench, tmp_path
):
    run = (*TINY_RUN, "--datasets", "mine", "--ratios", "50")
    for root, change in (("old", lambda images, masks: None), ("new", invert)):
        prepared_from(root, change)
        code, _, err = bench(*run, "--data-root", tmp_path / root, "--dry-run")
        assert code == 0, err
        key = next(w for w in bench(*run, "--data-root", tmp_path / root, "--dry-run", "-v")[1]
                   .split("\n") if w.startswith("  ")).split()[0]  # fmt: skip
        code, out, err = bench(*run, "--data-root", tmp_path / root, "--trial", key)
        assert code == 0, err
    told = "another mask of 1 of 12 cases (c03), foreground by up to 41 % of the image"
    line = f"1 trial of mine in this study is of other data: compared with them, these have {told}"
    assert f"note: {line}" in out  # of the second run
    _, out, _ = bench(*run, "--data-root", tmp_path / "new", "--dry-run")
    assert f"note: {line}" in out
    _, out, _ = bench("report")
    assert line in out and "1 trial with other data (older) not shown" in out
    study = tmp_path / "results" / "demo"
    code, out, _ = bench("verify", study, "--sample", "9", "--data-root", tmp_path / "old")
    assert f"is other data: {told}" in out
    for file in (study / "datasets").glob("*.json"):
        file.write_text(file.read_text()[:100])
    assert datasets.all_kept(study) == []
    _, out, _ = bench(*run, "--data-root", tmp_path / "new", "--dry-run")
    assert "no list of their cases was kept" in out


def trial_of(settings: dict, data_hash: str, **metrics: float) -> Record:
    return Record(
        key="k", configuration="c", study="s", status="done", dataset="mine", budget="5 %",
        budget_order=0.05, ratio=0.05, method="cps", variant="cps", seed=0, evaluate_on="test",
        preset="demo", settings=settings, data_hash=data_hash, metrics=metrics,
    )  # fmt: skip


def test_distances_of_older_records_get_the_unit_that_they_had(tmp_path):
    """mm where the card had a spacing; images have none; of volumes without a card nobody knows."""
    for data_hash, spacing in (("la", [0.625] * 3), ("ct", [])):
        card = Card(name="mine", is_volume=True, spacing=spacing)
        manifest = Manifest(
            format=2, card=card, source="", source_fingerprint="", data_hash=data_hash, mean=[],
            std=[], cases=[],
        )  # fmt: skip
        datasets.keep(tmp_path, manifest)
    volume = {"patch": [16, 16, 16]}
    records = [
        trial_of(volume, "la", hd95_joint=2.5, dc_pooled=0.5),
        trial_of(volume, "ct", hd95_joint=4.0),
        trial_of({"size": [32, 32]}, "none", asd_directed=1.0),
        trial_of(volume, "gone", hd95_joint=3.0),
        trial_of(volume, "la", hd95_joint_voxels=4.0, hd95_joint_mm=2.5),
    ]
    assert [found.metrics for found in datasets.with_units(tmp_path, records)] == [
        {"hd95_joint_mm": 2.5, "dc_pooled": 0.5},
        {"hd95_joint_voxels": 4.0},
        {"asd_directed_voxels": 1.0},
        {"hd95_joint": 3.0},
        {"hd95_joint_voxels": 4.0, "hd95_joint_mm": 2.5},
    ]
