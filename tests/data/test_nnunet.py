"""Folders with a dataset.json, of both generations, prepared without a card."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.data.prepared import Prepared, load
from tests.one_case import nifti, picture

SHAPE = (8, 6, 4)
AFFINE = np.diag([0.5, 0.5, 2.0, 1])
V1 = {
    "name": "Hippocampus",
    "description": "Parts of the hippocampus",
    "licence": "CC-BY-SA 4.0",
    "reference": "Somewhere",
    "modality": {"0": "MRI", "1": "T2"},
    "labels": {"0": "background", "1": "Anterior", "2": "Posterior"},
}
V2 = {
    "channel_names": {"0": "CT", "1": "PET"},
    "labels": {"tumour": 2, "background": 0, "liver": 1},
    "file_ending": ".nii.gz",
}


def mask(number: int, values=(0, 1, 2)) -> np.ndarray:
    """Two slabs, whose thickness depends on the number: of one case as of no other."""
    made = np.full(SHAPE, values[0], np.uint8)
    made[: 1 + number % 3] = values[1]
    made[5 : 6 + number % 2] = values[2]
    return made


def scan(number: int, channel: int) -> np.ndarray:
    return (np.arange(192).reshape(SHAPE) + 1000 * channel + number).astype(np.int16)


def write(folder: Path, files: dict[str, bytes | dict]) -> Path:
    """Files by name; fields of a dataset.json as a dictionary."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        is_json = isinstance(content, dict)
        (folder / name).write_bytes(json.dumps(content, indent=1).encode() if is_json else content)
    return folder


def first_generation(n: int = 5, n_test: int = 2, **fields) -> dict[str, bytes | dict]:
    """As the Decathlon has it: two channels in one file, listed one by one."""
    files: dict[str, bytes | dict] = {}
    for i in range(n + n_test):
        both = np.stack([scan(i, 0), scan(i, 1)], -1)
        files[f"images{'Tr' if i < n else 'Ts'}/h_{i:03}.nii.gz"] = nifti(both, AFFINE)
        if i < n:
            files[f"labelsTr/h_{i:03}.nii.gz"] = nifti(mask(i), AFFINE)
    training = [
        {"image": f"./imagesTr/h_{i:03}.nii.gz", "label": f"./labelsTr/h_{i:03}.nii.gz"}
        for i in range(n)
    ]
    test = [f"./imagesTs/h_{i:03}.nii.gz" for i in range(n, n + n_test)]
    listed = {"numTraining": n, "numTest": n_test, "training": training, "test": test}
    return files | {"dataset.json": V1 | listed | fields}


def second_generation(
    n: int = 5, n_test: int = 0, values=(0, 1, 2), **fields
) -> dict[str, bytes | dict]:
    """As nnU-Net v2 has it: a file for each channel, nothing listed."""
    files: dict[str, bytes | dict] = {}
    for i in range(n + n_test):
        part = "Tr" if i < n else "Ts"
        for channel in (0, 1):
            name = f"images{part}/case_{i:03}_{channel:04}.nii.gz"
            files[name] = nifti(scan(i, channel), AFFINE)
        files[f"labels{part}/case_{i:03}.nii.gz"] = nifti(mask(i, values), AFFINE)
    return files | {"dataset.json": V2 | {"numTraining": n} | fields}


def pictures(n: int = 5, channels: int = 1, in_one_file: bool = True, **fields) -> dict:
    """As nnU-Net v2 has pictures."""
    files: dict[str, bytes | dict] = {}
    for i in range(n):
        values = np.random.default_rng(i).integers(0, 255, (40, 70, channels), dtype=np.uint8)
        if in_one_file:
            files[f"imagesTr/p-{i}_0000.png"] = picture(values.squeeze())
        else:
            for channel in range(channels):
                files[f"imagesTr/p-{i}_{channel:04}.png"] = picture(values[..., channel])
        classes = np.zeros((40, 70), np.uint8)
        classes[i : i + 9, :50] = 1
        classes[20:30] = 2
        files[f"labelsTr/p-{i}.png"] = picture(classes)
    names = {str(channel): name for channel, name in enumerate("RGBA"[:channels])}
    said = {"channel_names": names, "file_ending": ".png", "numTraining": n}
    return files | {"dataset.json": V2 | said | fields}


@pytest.fixture
def prepare(bench, tmp_path):
    """A function: files to a prepared dataset "own"; gives exit code, output, errors."""

    def run(files: dict | Path, *words: str):
        source = files
        if isinstance(files, dict):
            shutil.rmtree(tmp_path / "raw", ignore_errors=True)
            source = write(tmp_path / "raw", files)
        return bench("data", "prepare", "nnunet:own", "--from", source, *words,
                     "--data-root", tmp_path / "root")  # fmt: skip

    return run


@pytest.fixture
def own(tmp_path):
    def loaded() -> Prepared:
        return load(tmp_path / "root", "own")

    return loaded


def splits(data: Prepared) -> dict[str, str]:
    return {case.id: case.split for case in data.manifest.cases}


def test_a_folder_of_the_decathlon_has_its_channels_classes_and_voxels(prepare, own):
    code, out, _ = prepare(first_generation())
    assert code == 0
    assert "note: 2 images of imagesTs (h_005, h_006) without labels: not used; --allow-" in out
    assert "note: there is no test folder: the test set is drawn" in out
    assert "ignored" not in out
    data = own()
    card = data.manifest.card
    assert card.classes == ["background", "Anterior", "Posterior"]
    assert (card.channels, card.modalities, card.mask) == (2, [], "labels")
    assert (card.title, card.terms) == ("Parts of the hippocampus", "CC-BY-SA 4.0")
    assert sorted(splits(data)) == ["h_000", "h_001", "h_002", "h_003", "h_004"]
    assert data.manifest.cases[0].spacing == [0.5, 0.5, 2.0]
    for case, image, its in zip(data.manifest.cases, data.images, data.masks, strict=True):
        assert image.shape == (8, 6, 4, 2)
        assert np.array_equal(its, mask(int(case.id[2:])))


def test_images_of_the_test_set_without_labels_are_unlabelled_if_asked_for(prepare, own):
    code, out, _ = prepare(first_generation(), "--allow-unlabelled")
    assert code == 0 and "not used" not in out
    assert [id for id, split in splits(own()).items() if split == "unlabelled"] == [
        "h_005", "h_006",
    ]  # fmt: skip


def test_a_folder_of_nnunet_has_a_file_for_each_channel_and_its_test_set(prepare, own):
    code, out, _ = prepare(second_generation(n_test=2))
    assert code == 0 and "note: CT: grey values are kept between the percentiles" in out
    data = own()
    card = data.manifest.card
    assert card.classes == ["background", "liver", "tumour"]
    assert (card.channels, card.modalities) == (2, ["_0000", "_0001"])
    assert [id for id, split in splits(data).items() if split == "test"] == ["case_005", "case_006"]
    assert np.array_equal(data.masks[0], mask(0))


def test_ct_without_a_note_where_a_card_has_a_window(prepare, tmp_path, bench):
    """The reader is for cards of one's own, too: what dataset.json cannot say."""
    write(tmp_path / "raw", second_generation(labels={"background": 0, "both": [1, 2], "in": 2}))
    card = tmp_path / "mine.yaml"
    card.write_text(
        "{name: mine, readers: [nnunet], is_volume: true, channels: 2, window: [0, 200], "
        "modalities: [_0000, _0001], classes: [background, both], mask: labels, "
        "values: {1: 1, 2: 1}}"
    )
    words = ("--from", tmp_path / "raw", "--data-root", tmp_path / "root")
    code, out, _ = bench("data", "prepare", card, *words)
    assert code == 0 and "note: CT" not in out
    assert {*np.unique(load(tmp_path / "root", "mine").masks[0])} == {0, 1}


@pytest.mark.parametrize(
    ("channels", "in_one_file", "kept"),
    [(1, True, []), (3, True, []), (4, True, []), (3, False, ["_0000", "_0001", "_0002"])],
)
def test_pictures_have_their_channels_in_one_file_or_in_several(
    channels, in_one_file, kept, prepare, own
):
    files = pictures(channels=channels, in_one_file=in_one_file)
    code, out, _ = prepare(files)
    assert code == 0 and "ignored" not in out
    data = own()
    assert data.manifest.card.modalities == (["_0000"] if channels == 1 else kept)
    assert sorted(splits(data)) == ["p-0", "p-1", "p-2", "p-3", "p-4"]
    assert data.images.shape == (5, 32, 64, min(channels, 3))  # of 40 × 70, by 32
    assert set(np.unique(data.masks)) == {0, 1, 2}


def test_channels_of_pictures_are_in_their_order(prepare, own):
    files = pictures(channels=3, in_one_file=False)
    for i in range(5):
        for channel in range(3):
            flat = np.full((40, 70), 50 * (channel + 1), np.uint8)
            files[f"imagesTr/p-{i}_{channel:04}.png"] = picture(flat)
    prepare(files)
    assert own().images[0, 3, 3].tolist() == [50, 100, 150]
    files["imagesTr/p-3_0001.png"] = picture(np.zeros((40, 71), np.uint8))
    code, _, err = prepare(files, "--force")
    assert code == 3 and "are channels of one image, and have several sizes" in err


def test_large_pictures_are_stored_smaller(prepare, own):
    files = pictures()
    for i in range(5):
        files[f"imagesTr/p-{i}_0000.png"] = picture(Image.new("L", (1400, 800), 9 + i))
        classes = np.zeros((800, 1400), np.uint8)
        classes[:400] = 1 + i % 2
        files[f"labelsTr/p-{i}.png"] = picture(classes)
    prepare(files)
    assert own().images.shape == (5, 288, 512, 1)  # 512 / 1400 · 800 = 292.6, by 32


def test_numbers_with_a_gap_become_classes_and_no_other_number_does(prepare, own):
    labels = {"background": 0, "liver": 1, "tumour": 4}
    assert prepare(second_generation(values=(0, 1, 4), labels=labels))[0] == 0
    assert set(np.unique(own().masks[0])) == {0, 1, 2}
    assert own().manifest.card.values == {0: 0, 1: 1, 4: 2}
    code, _, err = prepare(second_generation(values=(0, 1, 2), labels=labels), "--force")
    assert code == 3 and "holds 2, and what the card's values name is 0, 1, 4" in err


def test_regions_that_do_not_overlap_are_classes(prepare, own):
    labels = {"background": 0, "organ": [1, 2], "other": [3]}
    assert prepare(second_generation(labels=labels, values=(0, 2, 3)))[0] == 0
    assert own().manifest.card.classes == ["background", "organ", "other"]
    assert own().masks[0][0, 0, 0] == 1 and own().masks[0][5, 0, 0] == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (
            {"labels": {"background": 0, "whole": [1, 2, 3], "core": [2, 3]}},
            "regions that overlap (whole: 1, 2, 3, core: 2, 3), and here a pixel is of one class. "
            "Write a card of your own, with readers: [nnunet], mask: labels, and the single labels "
            "as classes; or one region, such as classes: [background, whole] with values: "
            "{1: 1, 2: 1, 3: 1}",
        ),
        (
            {"labels": {"background": 0, "liver": 1, "ignore": 2}},
            "its label 2 is called ignore, and pixels that are to be ignored are not supported",
        ),
        ({"labels": {"background": 0, "a": -1}}, "its label -1 is negative"),
        ({"labels": {"background": 0, "a": 1.5}}, 'the label "a" is 1.5: no whole number'),
        ({"labels": {"background": 0, "a": None}}, 'the label "a" is None: no whole number'),
        ({"labels": {"0": "background", "1": "a", "2": "a"}}, 'two labels are called "a"'),
        ({"labels": {"background": 0}}, "classes: List should have at least 2 items"),
        ({"labels": ["background", "a"]}, "it names no labels"),
        ({"channel_names": {}}, "it names no channels"),
        ({"channel_names": {"zero": "CT"}}, "it names no channels"),
        ({"file_ending": ".b2nd"}, "its file_ending is .b2nd, and read are .nii.gz"),
        ({"overwrite_image_reader_writer": "Tiff3DIO"}, "three-dimensional TIFF is not read"),
        ({"training": [{"picture": "a.png"}]}, "a case of its list is {'picture': 'a.png'}"),
        (
            {"file_ending": ".png", "channel_names": {"0": "a", "1": "b"}},
            "it names 2 channels (a, b), and pictures have 1 (grey) or 3 (colour)",
        ),
    ],
)
def test_what_a_dataset_json_may_say_and_is_not_read(fields, told, prepare):
    code, _, err = prepare(second_generation(n=2, **fields))
    assert code == 3 and "dataset.json of " in err and told in err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"labels": {"a": 1,}}', "is no JSON: Illegal trailing comma|Expecting property name"),
        (b'{"labels": {"a": (1, 2)}}', "is no JSON: Expecting value"),
        (b'{"labels": {"a": 1, "a": 2}}', 'is no JSON: "a" stands there twice'),
        (b"[1]", "is no list of fields"),
        (b"[" * 100000, "is no JSON"),
        ('{"name": "Z\u00fcrich"}'.encode("latin-1"), "is not UTF-8"),
        (b"", "is no JSON"),
    ],
)
def test_a_broken_dataset_json_is_refused(content, told, prepare):
    code, _, err = prepare(second_generation(n=2) | {"dataset.json": content})
    assert code == 3 and any(one in err for one in told.split("|"))


def test_marks_of_editors_and_line_ends_of_windows_do_not_matter(prepare):
    files = second_generation()
    text = json.dumps(files["dataset.json"], indent=1).replace("\n", "\r\n")
    for encoding in ("utf-8-sig", "utf-16"):
        files["dataset.json"] = text.encode(encoding)
        assert prepare(files, "--force")[0] == 0


def test_endings_in_capitals_and_hidden_files_of_a_mac_do_not_matter(prepare, own):
    files = {
        name.replace(".nii.gz", ".NII.GZ"): content for name, content in first_generation().items()
    }
    code, out, _ = prepare(files | {"imagesTr/._h_000.NII.GZ": b"x"})
    assert code == 0 and len(own().manifest.cases) == 5 and "ignored" not in out


def test_a_dataset_lies_at_the_top_or_below_and_alone(prepare, tmp_path):
    write(tmp_path / "all" / "Dataset001_A", second_generation())
    assert prepare(tmp_path / "all")[0] == 0
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path / "all")
    assert prepare(tmp_path / "packed.zip", "--force")[0] == 0
    write(tmp_path / "all" / "Dataset002_B", second_generation())
    code, _, err = prepare(tmp_path / "all")
    assert code == 3
    assert "holds 2 datasets, Dataset001_A/dataset.json, Dataset002_B/dataset.json" in err
    write(tmp_path / "all", {"dataset.json": V2})
    code, _, err = prepare(tmp_path / "all")
    assert code == 3 and "in imagesTr and labelsTr beside it" in err
    (tmp_path / "none").mkdir()
    assert "holds no dataset.json" in prepare(tmp_path / "none")[2]


def test_fewer_cases_than_are_counted_are_a_part(prepare, own):
    code, _, err = prepare(second_generation(numTraining=7))
    assert code == 3
    assert "numTraining of dataset.json is 7, and there are 5 training cases" in err
    assert prepare(second_generation(numTraining=7), "--allow-partial")[0] == 0
    assert own().manifest.partial.startswith("numTraining of dataset.json is 7")
    for nothing in (0, None, "5"):
        assert prepare(second_generation(numTraining=nothing), "--force")[0] == 0


def test_a_listed_case_that_is_not_there_is_named(prepare):
    files = first_generation()
    del files["imagesTr/h_003.nii.gz"], files["labelsTr/h_003.nii.gz"]
    code, _, err = prepare(files)
    assert code == 3
    assert "4 of 5 cases that dataset.json lists (h_003 is not there). Numbers" in err
    code, out, _ = prepare(files, "--allow-partial")
    assert code == 0 and "not the dataset as published: 4 of 5 cases that dataset.json" in out


@pytest.mark.parametrize("made", [first_generation, second_generation])
def test_an_image_without_its_mask_is_a_problem_or_unlabelled(made, prepare, own):
    files = made()
    del files[next(name for name in files if name.startswith("labelsTr") and "_002" in name)]
    code, _, err = prepare(files)
    assert code == 3 and "no mask for imagesTr/" in err and "(1 of 5 images): give each" in err
    assert prepare(files, "--allow-unlabelled")[0] == 0
    (without,) = [id for id, split in splits(own()).items() if split == "unlabelled"
                  and id.endswith("_002")]  # fmt: skip
    assert without in ("h_002", "case_002")


def test_a_mask_without_its_image_and_a_missing_channel_are_problems(prepare):
    files = first_generation()
    del files["imagesTr/h_001.nii.gz"]
    assert (
        "h_001 is listed as imagesTr/h_001.nii.gz, and there is only labelsTr/h_001.nii.gz"
        in prepare(files)[2]
    )
    files = second_generation()
    del files["imagesTr/case_002_0001.nii.gz"]
    assert "no _0001 for case_002 (1 of 5 cases)" in prepare(files)[2]


def test_files_beside_the_list_are_not_used_and_named(prepare, own):
    files = first_generation()
    files["dataset.json"]["training"] = files["dataset.json"]["training"][:4]
    files["dataset.json"]["numTraining"] = 4
    code, out, _ = prepare(files)
    assert code == 0
    assert "note: 1 image of imagesTr (h_004) not in the list of dataset.json: not used" in out
    assert sorted(splits(own())) == ["h_000", "h_001", "h_002", "h_003"]


def test_a_list_may_give_masks_of_other_names_and_a_validation_set(prepare, own):
    files = first_generation()
    listed = files["dataset.json"].pop("training")
    files["labelsTr/other.nii.gz"] = files.pop("labelsTr/h_000.nii.gz")
    listed[0]["label"] = "labelsTr/other.nii.gz"
    files["dataset.json"] |= {"training": listed[:3], "validation": listed[3:4],
                              "test": listed[4:], "numTraining": 3}  # fmt: skip
    assert prepare(files)[0] == 0
    assert splits(own()) == {
        "h_000": "train", "h_001": "train", "h_002": "train", "h_003": "val", "h_004": "test",
    }  # fmt: skip
    assert np.array_equal(own().masks[0], mask(0))


def test_the_second_generation_may_list_its_cases_too(prepare, own):
    cases = {
        f"p{i}": {
            "images": [f"imagesTr/case_{i:03}_{channel:04}.nii.gz" for channel in (0, 1)],
            "label": f"labelsTr/case_{i:03}.nii.gz",
        }
        for i in (1, 2, 4)
    }
    assert prepare(second_generation(dataset=cases, numTraining=3))[0] == 0
    assert sorted(splits(own())) == ["p1", "p2", "p4"]
    elsewhere = cases | {"p9": {"images": ["../Dataset9/a_0000.nii.gz"], "label": "../b.nii.gz"}}
    code, _, err = prepare(second_generation(dataset=elsewhere, numTraining=4))
    assert code == 3 and "3 of 4 cases that dataset.json lists (p9 is not there)" in err


def test_the_first_generation_of_nnunet_lists_images_without_the_ends_of_their_channels(
    prepare, own
):
    files = second_generation()
    training = [
        {"image": f"./imagesTr/case_{i:03}.nii.gz", "label": f"./labelsTr/case_{i:03}.nii.gz"}
        for i in range(5)
    ]
    files["dataset.json"] = V1 | {"numTraining": 5, "training": training}
    assert prepare(files)[0] == 0
    assert own().manifest.card.modalities == ["_0000", "_0001"]
    assert sorted(splits(own()))[0] == "case_000"


def test_masks_of_floats_are_classes_and_those_of_another_size_are_refused(prepare):
    files = second_generation()
    files["labelsTr/case_000.nii.gz"] = nifti(mask(0).astype(np.float32), AFFINE)
    assert prepare(files)[0] == 0
    files["labelsTr/case_000.nii.gz"] = nifti(np.zeros((8, 6, 5), np.uint8), AFFINE)
    code, _, err = prepare(files, "--force")
    assert code == 3 and "case_000" in err


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("a/b", 2, 'names the dataset as you like, in letters, digits and _; got "a/b"'),
        ("", 2, "names the dataset as you like"),
        ("glas", 3, "glas is the name of a card that comes with the tool: take another name"),
        ("medsegbench-drive", 3, "medsegbench_drive is the name of a set of MedSegBench"),
    ],
)
def test_the_name_is_the_users_but_for_those_that_are_taken(name, code, told, bench, tmp_path):
    source = write(tmp_path / "raw", second_generation())
    found, _, err = bench("data", "prepare", f"nnunet:{name}", "--from", source,
                          "--data-root", tmp_path / "root")  # fmt: skip
    assert found == code and told in err


def test_numbers_of_cases_are_no_channels(prepare, own):
    """Four digits at the end of a name are a channel if the mask's name has them not."""
    files = first_generation()
    names = {name: name.replace("h_00", "h_000") for name in files if name.startswith(("im", "la"))}
    files = {names.get(name, name): content for name, content in files.items()}
    for case in files["dataset.json"]["training"]:
        case |= {key: path.replace("h_00", "h_000") for key, path in case.items()}
    assert prepare(files)[0] == 0
    assert own().manifest.card.modalities == []
    assert sorted(splits(own())) == ["h_0000", "h_0001", "h_0002", "h_0003", "h_0004"]


def test_paths_of_somebodys_disk_are_found_by_folder_and_name(prepare, own):
    files = first_generation()
    for i, case in enumerate(files["dataset.json"]["training"]):
        start = "/home/somebody/Task04" if i % 2 else "C:\\data\\Task04"
        case |= {key: path.replace(".", start, 1) for key, path in case.items()}
    assert prepare(files)[0] == 0
    assert len(own().manifest.cases) == 5
    for case in files["dataset.json"]["training"]:
        case |= {key: f"elsewhere/{key}.nii.gz" for key in case}
    code, _, err = prepare(files)
    assert code == 3 and "nothing of what it lists is there (1 case), such as elsewhere/im" in err


def test_a_card_of_ones_own_needs_no_channels_in_the_dataset_json(tmp_path, bench):
    write(tmp_path / "raw", second_generation(channel_names=None))
    card = tmp_path / "mine.yaml"
    card.write_text(
        "{name: mine, readers: [nnunet], is_volume: true, modalities: [_0001], mask: labels, "
        "classes: [background, liver, tumour]}"
    )
    words = ("--from", tmp_path / "raw", "--data-root", tmp_path / "root")
    assert bench("data", "prepare", card, *words)[0] == 0
    assert load(tmp_path / "root", "mine").images[0].shape == (8, 6, 4, 1)


def test_names_that_differ_in_their_case_alone_are_two_files(prepare, own):
    files = first_generation()
    files["imagesTr/H_000.nii.gz"] = nifti(np.stack([scan(0, 0)[::-1], scan(0, 1)], -1), AFFINE)
    files["labelsTr/H_000.nii.gz"] = nifti(mask(1), AFFINE)
    files["dataset.json"]["training"].append(
        {"image": "./imagesTr/H_000.nii.gz", "label": "./labelsTr/H_000.nii.gz"}
    )
    files["dataset.json"]["numTraining"] += 1
    code, out, err = prepare(files)
    assert code == 0, err
    assert "not in the list" not in out
    data = own()
    images = {case.id: data.images[i] for i, case in enumerate(data.manifest.cases)}
    assert not np.array_equal(images["H_000"], images["h_000"])


def test_a_label_that_is_listed_for_two_images_is_a_problem(prepare):
    files = first_generation()
    files["dataset.json"]["training"][0]["label"] = "./labelsTr/h_001.nii.gz"
    code, _, err = prepare(files)
    assert code == 3
    assert "lists labelsTr/h_001.nii.gz for two cases, h_000 and h_001" in err


def test_a_listed_name_that_fits_two_files_is_a_problem(prepare):
    files = first_generation()
    files["imagesTr/h_000.nii"] = gzip.decompress(files["imagesTr/h_000.nii.gz"])
    files["dataset.json"]["training"][0]["image"] = "./imagesTr/h_000.NII.GZ"
    code, _, err = prepare(files)
    assert code == 3
    assert "imagesTr/h_000.nii and imagesTr/h_000.nii.gz have names too much alike" in err
