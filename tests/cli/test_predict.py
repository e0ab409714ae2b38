"""Trained networks on images that no study saw: `bench predict` from files to masks."""

import json
import os
import shutil

import nibabel
import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from PIL import ExifTags, Image

from benchmark.prediction import trained
from tests.cli.test_protocol import files, run_all  # noqa: F401  (a fixture)
from tests.one_case import BALL, RAS, flipped, nifti
from tests.own_data import NAMES

ORANGE, BLUE = (230, 159, 0), (86, 180, 233)
"""Of the first two classes in every picture of the tool."""


@pytest.fixture
def study(files, bench):  # noqa: F811
    """Two trials of three classes on grey images of 16 × 16, with weights: folder and keys."""
    found, _ = run_all(
        bench, files, "--labels", "3cases", "--seeds", "2", "--save", "weights,predictions"
    )
    return files, sorted(one["key"] for one in found)


def predict(bench, root, *words):
    return bench("predict", *words, "--results", root / "results")


def trial(root, key):
    return root / "results" / "demo" / "trials" / key


def test_a_file_says_everything_about_its_network(study):
    root, (key, _) = study
    record = json.loads((trial(root, key) / "record.json").read_text())
    with safetensors.safe_open(trial(root, key) / "weights.safetensors", "pt") as opened:
        metadata = opened.metadata()
    assert metadata["semiseg_bench_format"] == "1"
    about = json.loads(metadata["semiseg_bench"])
    for name in ("key", "method", "variant", "settings", "data_hash", "code_version", "packages"):
        assert about[name] == record[name]
    assert about["card"]["classes"] == ["background", "small", "large"]
    assert about["card"]["channels"] == 1
    assert about["sides"] == [16, 16] and about["seen_as"] == "images"
    assert about["standardised_by"] == "train pool" and len(about["mean"]) == 1
    assert about["came_as"] == [[16, 16], [16, 16]]
    assert (about["labelled"], about["unlabelled"]) == (3, 14)
    assert about["parameters"] == record["parameters_tested"]
    score = about["score"]
    assert score["dice"] == record["metrics"]["dc_pooled"] and score["images"] == 2
    floors = [record["metrics"][f"all_{n}_dc_pooled"] for n in ("background", "foreground")]
    assert score["floor"] == max(floors)
    text = metadata["semiseg_bench"]
    assert not any(name in text for name in (*NAMES["test"], *NAMES["unlabelled"], "_0"))


def test_masks_of_the_test_set_are_those_that_the_study_saved(study, bench, tmp_path):
    root, (key, _) = study
    code, out, err = predict(
        bench, root, key[:8], "--images", root / "files" / "test" / "image", "--out", tmp_path / "o"
    )
    assert code == 0, err
    assert "on 2 images of ours3 (test; floor" in out and "3 labelled and 14 unlabelled" in out
    assert "[1/2] p9_0" in err and "[2/2] p9_1" in err
    table = pd.read_csv(tmp_path / "o" / "areas.csv")
    assert list(table.columns) == ["image", "class", "number", "pixels", "share"]
    for name in NAMES["test"]:
        mask = Image.open(tmp_path / "o" / "masks" / f"{name}.png")
        saved = Image.open(trial(root, key) / "predictions" / f"{name}.png")
        assert mask.mode == "P" and np.array_equal(mask, saved)
        assert tuple(mask.getpalette()[:9]) == (0, 0, 0, *ORANGE, *BLUE)
        for _, row in table[table.image == name].iterrows():
            n = int((np.asarray(saved) == row.number).sum())
            assert (row.pixels, row.share) == (n, n / 256)


def test_a_mask_has_the_size_of_its_picture_however_that_was_saved(study, bench, tmp_path):
    """Upright, with alpha, of 16 bits, of a palette, in a folder below."""
    root, (key, _) = study
    images = tmp_path / "images"
    (images / "below").mkdir(parents=True)
    grey = Image.open(root / "files" / "test" / "image" / "p9_0.png")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # turned by a quarter
    grey.resize((40, 30)).save(images / "turned.jpg", exif=exif)
    grey.resize((31, 17)).convert("RGBA").save(images / "alpha.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(images / "deep.png")
    grey.convert("P").save(images / "below" / "palette.png")
    code, _, err = predict(
        bench, root, key, "--images", images, "--out", tmp_path / "o", "--overlays"
    )
    assert code == 0, err
    for kind in ("masks", "overlays"):
        sizes = {
            str(file.relative_to(tmp_path / "o" / kind)): Image.open(file).size
            for file in (tmp_path / "o" / kind).rglob("*.png")
        }
        assert sizes == {
            "turned.png": (30, 40), "alpha.png": (31, 17), "deep.png": (16, 16),
            "below/palette.png": (16, 16),
        }  # fmt: skip
    # The same greys, in 8 bits of a palette and in 16: the same mask.
    masks = tmp_path / "o" / "masks"
    assert np.array_equal(Image.open(masks / "deep.png"), Image.open(masks / "below/palette.png"))
    saved = Image.open(trial(root, key) / "predictions" / "p9_0.png")
    assert np.array_equal(Image.open(masks / "deep.png"), saved)
    assert "1 image is of another size than those it learnt from (16 × 16): turned" in err


def test_colours_before_a_network_of_greys_are_remarked_upon(study, bench, tmp_path):
    root, (key, _) = study
    (tmp_path / "images").mkdir()
    Image.new("RGB", (16, 16), (200, 10, 10)).save(tmp_path / "images" / "red.png")
    _, _, err = predict(bench, root, key, "--images", tmp_path / "images", "--out", tmp_path / "o")
    assert "warning: 1 image is in colour, and the network learnt from grey images: red" in err
    assert "warning: 1 image is of one grey value everywhere: red" in err


def test_twelve_bits_in_sixteen_and_a_name_that_is_no_text_are_remarked_upon(
    study, bench, tmp_path
):
    root, (key, _) = study
    images = tmp_path / "images"
    images.mkdir()
    grey = np.asarray(Image.open(root / "files" / "test" / "image" / "p9_0.png")).astype(np.uint16)
    Image.fromarray(grey * 257).save(images / "whole.png")
    Image.fromarray(grey * 16).save(images / "dark.png")
    (images / os.fsdecode(b"c\xff.png")).write_bytes((images / "whole.png").read_bytes())
    code, out, err = predict(bench, root, key, "--images", images, "--out", tmp_path / "o")
    assert "warning: 1 image is of 16 bits, of which they use less than 13" in err and "dark" in err
    assert "is not in UTF-8: rename the file" in out + err
    assert code and {file.name for file in (tmp_path / "o" / "masks").iterdir()} == {
        "whole.png", "dark.png",
    }  # fmt: skip


def test_several_trials_are_an_ensemble_with_a_map_of_disagreement(study, bench, tmp_path):
    root, keys = study
    images = root / "files" / "test" / "image"
    code, out, _ = predict(bench, root, *keys, "--images", images, "--out", tmp_path / "o")
    assert code == 0 and "where the 2 networks disagree" in out
    networks = [trained.load(trial(root, key) / "weights.safetensors") for key in keys]
    image = np.asarray(Image.open(images / "p9_0.png"))
    p = np.mean([one.probabilities(image) for one in networks], axis=0)
    mask = np.asarray(Image.open(tmp_path / "o" / "masks" / "p9_0.png"))
    assert np.array_equal(mask, p.argmax(0))
    found = np.asarray(Image.open(tmp_path / "o" / "disagreement" / "p9_0.png"))
    assert found.dtype == np.uint16 and found.shape == (16, 16)
    table = pd.read_csv(tmp_path / "o" / "areas.csv")
    mean = table[table.image == "p9_0"].disagreement.iloc[0]
    assert found.mean() / 65535 == pytest.approx(mean, abs=1e-5) and mean > 0
    # The same network twice is one network.
    code, out, _ = predict(
        bench, root, keys[0], keys[0], "--images", images, "--out", tmp_path / "once"
    )
    assert code == 0 and "disagree" not in out
    assert not (tmp_path / "once" / "disagreement").exists()


def test_a_bad_image_is_a_sentence_and_the_same_command_goes_on(study, bench, tmp_path):
    root, (key, other) = study
    images, out = tmp_path / "images", tmp_path / "o"
    shutil.copytree(root / "files" / "test" / "image", images)
    (images / "bad.png").write_bytes(b"no picture")
    (images / "notes.txt").write_text("no picture")
    shutil.copy(images / "p9_0.png", images / "twice.png")
    shutil.copy(images / "p9_0.png", images / "twice.tif")
    words = ("--images", images, "--out", out)
    code, said, err = predict(bench, root, key, *words)
    assert code == 1 and "2 masks in" in said
    assert "no mask of bad: bad.png is not an image (10 bytes)" in err
    assert "no mask of twice: twice.png and twice.tif have equal names" in err
    assert "1 other file left out: notes.txt" in err
    assert sorted(file.name for file in (out / "masks").iterdir()) == ["p9_0.png", "p9_1.png"]
    assert not list(out.rglob("*.tmp"))
    shutil.copy(images / "p9_1.png", images / "bad.png")
    (images / "twice.tif").unlink()
    Image.open(images / "p9_0.png").transpose(Image.Transpose.ROTATE_180).save(images / "p9_1.png")
    code, said, _ = predict(bench, root, key, *words)
    assert code == 0 and "3 masks in" in said and "1 were there already" in said
    assert set(pd.read_csv(out / "areas.csv").image) == {"bad", "p9_0", "p9_1", "twice"}
    code, _, err = predict(bench, root, other, *words)
    assert code == 2 and "predictions of another kind lie in" in err
    code, _, err = predict(bench, root, key, "--images", images, "--out", images / "masks")
    assert code == 2 and "its masks would be images next time" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("")
    code, _, err = predict(bench, root, key, "--images", images, "--out", tmp_path / "full")
    assert code == 2 and "something else lies in" in err


def test_what_is_no_trained_network_says_so(study, bench, tmp_path):
    root, (key, _) = study
    words = ("--images", root / "files" / "test" / "image", "--out", tmp_path / "o")
    file = trial(root, key) / "weights.safetensors"
    old = tmp_path / "old.safetensors"
    old.write_bytes(safetensors.torch.save(safetensors.torch.load_file(file)))
    code, _, err = predict(bench, root, old, *words)
    assert code == 3 and "does not say what network it holds: it was saved by an older" in err
    with safetensors.safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    tensors = safetensors.torch.load_file(file)
    newer = tmp_path / "newer.safetensors"
    newer.write_bytes(safetensors.torch.save(tensors, metadata | {"semiseg_bench_format": "2"}))
    code, _, err = predict(bench, root, newer, *words)
    assert code == 3 and "format 2, this one reads 1" in err
    half = tmp_path / "half.safetensors"
    half.write_bytes(file.read_bytes()[:5000])
    code, _, err = predict(bench, root, half, *words)
    assert code == 3 and "is no file of safetensors, or a damaged one" in err
    name = next(iter(tensors))
    fewer = tmp_path / "fewer.safetensors"
    fewer.write_bytes(
        safetensors.torch.save({n: t for n, t in tensors.items() if n != name}, metadata)
    )
    code, _, err = predict(bench, root, fewer, *words)
    assert code == 3 and "is not of this trial's network" in err
    assert not (tmp_path / "o").exists()


def test_a_trial_without_a_network_and_a_folder_without_images_say_so(study, bench, tmp_path):
    root, (key, other) = study
    words = ("--images", root / "files" / "test" / "image", "--out", tmp_path / "o")
    (trial(root, key) / "weights.safetensors").unlink()
    code, _, err = predict(bench, root, key, *words)
    assert code == 3 and "was not kept" in err and "--save weights" in err
    (trial(root, key) / "record.json").unlink()
    code, _, err = predict(bench, root, key, *words)
    assert code == 3 and "has not come to its end" in err
    assert not (tmp_path / "o").exists()
    (tmp_path / "empty").mkdir()
    code, _, err = predict(
        bench, root, other, "--images", tmp_path / "empty", "--out", tmp_path / "p"
    )
    assert code == 3 and "no picture (.png, " in err and "found no files" in err


def test_networks_of_other_classes_make_no_ensemble(study, bench, tmp_path):
    root, keys = study
    file = trial(root, keys[1]) / "weights.safetensors"
    with safetensors.safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    other = tmp_path / "other.safetensors"
    about = json.loads(metadata["semiseg_bench"])
    about["card"]["classes"][1] = "tiny"
    metadata["semiseg_bench"] = json.dumps(about)
    other.write_bytes(safetensors.torch.save(safetensors.torch.load_file(file), metadata))
    code, _, err = predict(
        bench, root, keys[0], other, "--images", root / "files/test/image", "--out", tmp_path / "o"
    )
    assert code == 3 and "an ensemble is of networks of one dataset: the classes of" in err
    about["card"]["classes"][1], about["card"]["clip"] = "small", [1, 99]
    metadata["semiseg_bench"] = json.dumps(about)
    other.write_bytes(safetensors.torch.save(safetensors.torch.load_file(file), metadata))
    code, _, err = predict(
        bench, root, keys[0], other, "--images", root / "files/test/image", "--out", tmp_path / "o"
    )
    assert code == 3 and "an ensemble sees each image in one way: the clip of the card of" in err


def volume_trial(how: str, tmp_path, bench) -> str:
    """A trial on small volumes of which two are tested, with weights and predictions; its key."""
    for kind in ("image", "mask"):
        (tmp_path / "from" / kind).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i, name in enumerate("abcdef"):
        ball = np.roll(BALL, i, 0)
        image = (60 * ball + rng.integers(0, 30, ball.shape)).astype(np.int16)
        (tmp_path / "from" / "image" / f"{name}.nii.gz").write_bytes(nifti(image, RAS, unit="mm"))
        (tmp_path / "from" / "mask" / f"{name}.nii.gz").write_bytes(nifti(ball, RAS, unit="mm"))
    card = tmp_path / "own.yaml"
    card.write_text("name: own\nis_volume: true\nsize: [16, 16]\ntest_ids: [a, b]\nterms: none\n")
    bench("data", "prepare", card, "--from", tmp_path / "from", "--data-root", tmp_path / "data")
    run = (
        "run", "--preset", "demo", "--methods", "supervised", "--datasets", "own", "--labels", "50",
        "--seeds", "1", "--data-root", tmp_path / "data", "patch=[8,8,4]", "size=[16,16]",
        "network.widths=[4,8]", "network.dropout=[0,0]", "training_3d.epochs=8",
        "training.epochs=8", "training.steps_per_epoch=4", "--save", "weights,predictions", how,
    )  # fmt: skip
    listed = bench(*run, "--dry-run", "-v")[1].splitlines()
    key = next(line.split()[0] for line in listed if line.startswith("  "))
    code, _, err = bench(*run, "--trial", key)
    assert code == 0, err
    return key


@pytest.mark.parametrize("how", ["--volumes", "--slices"])
def test_a_mask_of_a_volume_lies_over_it_however_it_was_saved(how, tmp_path, bench):
    """The axes of the new volume go the other way; voxels of 0.7 × 0.7 × 2 mm."""
    key = volume_trial(how, tmp_path, bench)
    images = tmp_path / "images"
    images.mkdir()
    source = nibabel.load(tmp_path / "from" / "image" / "a.nii.gz")
    array, affine = flipped(np.asarray(source.dataobj), source.affine, (0, 2))
    turned = array.transpose(2, 0, 1)
    (images / "turned.nii.gz").write_bytes(nifti(turned, affine[:, [2, 0, 1, 3]], unit="mm"))
    shutil.copy(tmp_path / "from" / "image" / "a.nii.gz", images)
    code, out, err = bench(
        "predict", key, "--images", images, "--out", tmp_path / "o", "--results",
        tmp_path / "results",
    )  # fmt: skip
    assert code == 0, err
    assert "terms of own: none" in out
    saved = nibabel.load(tmp_path / "results/demo/trials" / key / "predictions" / "a.nii.gz")
    labels = np.asarray(saved.dataobj)
    assert 0 < labels.sum() < labels.size
    found = nibabel.load(tmp_path / "o" / "masks" / "a.nii.gz")
    assert np.array_equal(np.asarray(found.dataobj), labels)
    assert np.allclose(found.affine, RAS) and found.header.get_xyzt_units()[0] == "mm"
    other = nibabel.load(tmp_path / "o" / "masks" / "turned.nii.gz")
    assert np.array_equal(np.asarray(other.dataobj), np.flip(labels, (0, 2)).transpose(2, 0, 1))
    assert np.allclose(other.affine, affine[:, [2, 0, 1, 3]])
    table = pd.read_csv(tmp_path / "o" / "volumes.csv")
    assert list(table.columns) == ["image", "class", "number", "voxels", "share", "mm3"]
    assert (table.voxels == labels.sum()).all()
    assert table.mm3.to_list() == pytest.approx([labels.sum() * 0.98] * 2)  # 0.7 · 0.7 · 2
    code, _, err = bench(
        "predict", key, "--images", images, "--out", tmp_path / "p", "--overlays", "--results",
        tmp_path / "results",
    )  # fmt: skip
    assert code == 2 and "are of pictures" in err


def test_a_network_predicts_arrays_without_its_study_and_leaves_the_callers_chance_alone(
    study, tmp_path
):
    root, (key, _) = study
    file = shutil.copy(trial(root, key) / "weights.safetensors", tmp_path)
    image = np.asarray(Image.open(root / "files" / "test" / "image" / "p9_1.png"))
    saved = np.asarray(Image.open(trial(root, key) / "predictions" / "p9_1.png"))
    shutil.rmtree(root / "results")
    shutil.rmtree(root / "data")
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    network = trained.load(file)
    assert network.about.classes == ["background", "small", "large"]
    assert np.array_equal(network.predict(image), saved)
    assert np.array_equal(network.predict(np.dstack([image] * 3)), saved)  # a grey one in colour
    assert torch.equal(torch.rand(2), expected)
    p = network.probabilities(np.repeat(image, 2, 0), smooth=True)
    assert p.shape == (3, 32, 16) and p.sum(0) == pytest.approx(np.ones((32, 16)), abs=1e-5)
    with pytest.raises(ValueError, match=r"an image is \(h, w\) or \(h, w, channel\), got \(16,\)"):
        network.predict(image[0])
    with pytest.raises(ValueError, match="which of them are black and white"):
        network.predict(image / 255)


def test_the_masks_of_a_dataset_are_no_images(study, bench, tmp_path):
    """The folder that it was prepared from has both, in the layout of its card."""
    root, (key, _) = study
    out = tmp_path / "o"
    code, _, err = predict(bench, root, key[:8], "--images", root / "files", "--out", out)
    assert code == 0, err
    n_masks = sum(len(names) for part, names in NAMES.items() if part != "unlabelled")
    assert f"{n_masks} other files left out: test/mask/p9_0.png" in err
    predicted = {file.relative_to(out / "masks").as_posix() for file in out.rglob("masks/**/*.png")}
    assert predicted == {f"{p}/image/{name}.png" for p, names in NAMES.items() for name in names}
