"""Which file is whose mask, in folders as people have them; the files are empty."""

import unicodedata
from pathlib import Path

import pytest

from benchmark.data import cards, layouts
from benchmark.data.card import Card
from benchmark.data.layouts.groups import cut_groups, like_groups
from benchmark.data.layouts.layout import Case
from benchmark.data.layouts.names import mask_name
from benchmark.data.source import Source
from benchmark.errors import UserError

VOLUMES = {"readers": ["volume_pairs"], "is_volume": True, "channels": 1}


@pytest.fixture
def read(tmp_path):
    """A function: the layout of files with these names, some with a text."""

    def made(*names: str, texts: dict[str, str] | None = None, **card) -> layouts.Layout:
        for name in (*names, *(texts or {})):
            file = tmp_path / "data" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((texts or {}).get(name, ""), encoding="utf-8")
        return layouts.read(Source(tmp_path / "data"), Card(name="own", **card))

    return made


def pairs(layout: layouts.Layout) -> dict[str, tuple]:
    """Case → (split, images, masks) by the files' own names."""
    assert not layout.problems

    def named(files):
        return tuple(Path(file).name for file in files)

    return {case.id: (case.split, named(case.images), named(case.masks)) for case in layout.cases}


@pytest.mark.parametrize(
    ("image", "mask", "id"),
    [
        ("a.png", "a.bmp", "a"),
        ("ISIC_1.jpg", "ISIC_1_segmentation.png", "ISIC_1"),
        ("a.png", "a_mask.png", "a"),
        ("a.png", "a-Label.png", "a"),
        ("a.png", "mask_a.png", None),  # only before numbers
        ("001.png", "mask_001.png", "001"),
        ("img0001.png", "label0001.png", "0001"),
        ("001_image.png", "001_gt.png", "001"),
        ("x_0000.png", "x.png", "x"),
        ("A01.PNG", "a01.png", "A01"),
        ("A01.png", "a01_MASK.tif", "A01"),
        ("face_mask.png", "face_mask.png", "face_mask"),
        ("la\u0308sion.png", "l\u00e4sion.png", "l\u00e4sion"),
    ],
)
def test_names_that_belong_together_are_paired(image, mask, id, read):
    layout = read(f"image/{image}", f"mask/{mask}")
    assert [case.id for case in layout.cases] == ([id] if id else [])
    assert bool(layout.problems) == (id is None)
    if id:
        assert unicodedata.is_normalized("NFC", layout.cases[0].id)


@pytest.mark.parametrize(
    ("images", "masks", "paired"),
    [
        (["a.png", "A.png"], ["a.png", "A.png"], {"a", "A"}),  # equal names first
        (["aB.png", "Ab.png"], ["AB.png"], set()),  # may be either's
        (["a.png"], ["a_mask.png", "a_seg.png"], set()),  # which of them?
        (["a.png"], ["a.png", "a_mask.png"], {"a"}),
    ],
)
def test_names_that_may_mean_several_are_not_guessed(images, masks, paired, read):
    layout = read(*(f"image/{name}" for name in images), *(f"mask/{name}" for name in masks))
    assert {case.id for case in layout.cases} == paired
    n_lone = len(images) + len(masks) - 2 * len(paired)
    assert len(layout.problems) == (0 if not n_lone else 2 if not paired else 1)


def test_masks_of_one_image_are_in_the_order_of_their_numbers(read):
    masks = ["a_mask.png", *(f"a_mask_{i}.png" for i in range(1, 12))]
    layout = read("image/a.png", *(f"mask/{name}" for name in masks))
    assert pairs(layout) == {"a": ("", ("a.png",), tuple(masks))}
    assert mask_name("a_mask_2") == ("a", "mask", "2")


@pytest.mark.parametrize("order", ["{split}/{kind}", "{kind}/{split}", "wrapped/{split}/{kind}"])
@pytest.mark.parametrize(
    "words", [("images", "masks"), ("IMG", "Labels"), ("imgs", "ground_truth")]
)
def test_splits_lie_above_or_below(order, words, read):
    names = [
        f"{order.format(split=split, kind=kind)}/{stem}.png"
        for split, stem in (("Training", "a"), ("TEST", "b"))
        for kind in words
    ]
    found = pairs(read(*names))
    assert found["a"][0] == "train" and found["b"][0] == "test"


def test_a_train_folder_alone_is_no_split(read):
    layout = read("train/image/a.png", "train/mask/a.png")
    assert layout.cases[0].split == ""
    assert layout.notes == ["there is no test folder: the test set is drawn from the train folder"]


def test_numbering_that_restarts_gives_every_frame_its_folder(read):
    """Also the frame that one patient alone has; a pattern finds whose each one is."""
    frames = {"pat01": 3, "pat02": 2, "pat03": 2}
    names = [
        f"{kind}/{who}/{i:03d}.png"
        for kind in ("images", "masks")
        for who, n in frames.items()
        for i in range(n)
    ]
    layout = read(*names, group="^([^_]+)")
    assert {case.id: case.group for case in layout.cases} == {
        f"{who}_{i:03d}": who for who, n in frames.items() for i in range(n)
    }


def test_whose_a_case_is_may_stand_in_its_path_alone(read):
    names = [
        f"{kind}/pat{i // 2:02d}/img{i:04d}.png" for kind in ("images", "masks") for i in range(4)
    ]
    layout = read(*names, group=r"(pat\d+)")
    assert {case.id: case.group for case in layout.cases} == {
        "img0000": "pat00", "img0001": "pat00", "img0002": "pat01", "img0003": "pat01",
    }  # fmt: skip


def test_a_name_that_says_nothing_is_not_looked_for_in_its_path(read):
    """A number that one name lacks may stand anywhere in its path."""
    names = [
        f"glas2018/{kind}/{who}.png" for kind in ("image", "mask") for who in ("p1", "p2", "x")
    ]
    (problem,) = read(*names, group=r"(\d+)").problems
    assert 'group "(\\d+)" says nothing of 1 of 3 cases (x)' in problem


@pytest.mark.parametrize(
    "people", [["anna1", "bert", "carl"], ["patient01", "patient02", "control"]]
)
def test_folders_within_images_are_all_taken_or_refused(people, read):
    names = [f"{kind}/{who}/0.png" for kind in ("images", "masks") for who in people]
    (problem,) = read(*names).problems
    assert "images and masks lie in 3 places" in problem


def test_what_is_called_as_an_image_and_not_read_is_named(read):
    pairs = ["image/1.png", "mask/1.png", "image/2.webp"]
    assert "1 file among images and masks not read (image/2.webp)" in read(*pairs).notes[0]
    *_, hint = read("mask/2.png").problems
    assert "not read (image/2.webp): of pictures PNG, BMP, JPEG, TIFF are read" in hint


def test_a_folder_with_as_many_pictures_as_masks_is_named(read):
    """DRIVE: mask/ holds the field of view, 1st_manual/ the vessels."""
    names = [
        f"training/{folder}/{i}{end}.tif"
        for i in (21, 22, 23)
        for folder, end in (("images", ""), ("mask", "_mask"), ("1st_manual", "_manual1"))
    ]
    assert any(note.startswith("1st_manual/ is not read") for note in read(*names).notes)


def test_busi_has_masks_beside_images_in_folders_that_are_no_splits(read):
    layout = read(
        "BUSI/benign/benign (1).png", "BUSI/benign/benign (1)_mask.png",
        "BUSI/benign/benign (1)_mask_1.png", "BUSI/normal/normal (1).png",
        "BUSI/normal/normal (1)_mask.png", "BUSI/about.txt",
    )  # fmt: skip
    assert pairs(layout) == {
        "benign (1)": (
            "", ("benign (1).png",), ("benign (1)_mask.png", "benign (1)_mask_1.png"),
        ),
        "normal (1)": ("", ("normal (1).png",), ("normal (1)_mask.png",)),
    }  # fmt: skip
    assert layout.stray == ["BUSI/about.txt"]


def test_side_by_side_in_splits_and_with_equal_names(read):
    layout = read(
        "train/benign/1.png", "train/benign/1_mask.png", "train/malignant/1.png",
        "train/malignant/1_mask.png", "test/benign/2.png", "test/benign/2_mask.png",
    )  # fmt: skip
    assert {case.id: case.split for case in layout.cases} == {
        "benign_train_1": "train", "malignant_train_1": "train", "benign_2": "test",
    }  # fmt: skip


def test_side_by_side_an_image_may_be_called_mask(read):
    assert list(pairs(read("face_mask.png", "face_mask_mask.png"))) == ["face_mask"]


def test_side_by_side_what_lacks_a_partner_is_named(read):
    layout = read("a.png", "a_mask.png", "b.png", "c_mask.png")
    assert [problem.partition(":")[0] for problem in layout.problems] == [
        "no mask for b.png (1 of 2 images)",
        "no image for c_mask.png (1 of 2 masks)",
    ]


@pytest.mark.parametrize(
    "names",
    [
        ["images/siteA/a.png", "masks/siteB/a.png"],
        ["a.png", "b.png"],
        ["BraTS_1/BraTS_1_t1.png", "BraTS_1/BraTS_1_seg.png"],
        ["images/train/a.png", "labels/train/a.txt"],
    ],
)
def test_other_folders_are_refused_with_the_layouts(names, read):
    with pytest.raises(UserError, match=r"image/NAME\.png with mask/NAME\.png"):
        read(*names)


@pytest.mark.parametrize(
    "names",
    [
        ["TrainDataset/image/a", "TrainDataset/masks/a", "TestDataset/K/images/b",
         "TestDataset/K/masks/b"],
        ["TrainDataset/a", "TrainDataset/a_mask", "TestDataset/b", "TestDataset/b_mask"],
    ],
)  # fmt: skip
def test_a_split_of_unknown_names_is_refused_not_replaced(names, read):
    (problem,) = read(*(f"{name}.png" for name in names)).problems
    assert (
        "lie in 2 places, TestDataset" in problem and "Known are train, training, test" in problem
    )


def test_a_broken_link_in_a_masks_place_is_named(tmp_path):
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "a.png").write_text("")
    (tmp_path / "mask").symlink_to("/nowhere/masks")
    with pytest.raises(UserError, match="not readable: mask is a broken link, to /nowhere/masks"):
        layouts.read(Source(tmp_path), Card(name="own"))


def test_images_without_masks_are_one_line(read):
    (problem,) = read(*(f"image/{i}.png" for i in range(10)), *(f"mask/{i}.png" for i in range(4)))\
        .problems  # fmt: skip
    assert problem.startswith(
        "no mask for image/4.png, image/5.png, image/6.png and 3 more (6 of 10 images): give "
        "each a mask; or move them into a folder unlabelled/, or add --allow-unlabelled"
    )


SPLIT = [f"{split}/{kind}/{split}.png" for split in ("train", "test") for kind in ("image", "mask")]


@pytest.mark.parametrize(
    "names",
    [
        ["unlabelled/image/1.png", "unlabelled/image/2.png"],
        ["Unlabeled/images/1.png", "Unlabeled/images/2.png"],
        ["image/unlabelled/1.png", "image/unlabelled/2.png"],
        ["unlabelled/1.png", "unlabelled/2.png"],
        ["train/unlabelled/1.png", "train/unlabelled/2.png"],
        ["unlabelled/siteA/1.png", "unlabelled/siteB/2.png"],
    ],
)
def test_a_folder_of_unlabelled_images_needs_no_masks(names, read):
    layout = read(*SPLIT, *names)
    assert (layout.problems, layout.stray) == ([], [])
    assert [(c.id, c.images, c.masks) for c in layout.cases if c.split == "unlabelled"] == [
        ("1", (names[0],), ()),
        ("2", (names[1],), ()),
    ]
    assert {c.id: c.split for c in layout.cases if c.masks} == {"train": "train", "test": "test"}


def test_what_else_lies_among_unlabelled_images_is_ignored_and_named(read):
    """Masks in such a folder are of no use, and an image there may be called as one of train."""
    layout = read(*SPLIT, "unlabelled/image/train.png", "unlabelled/mask/train.png", "notes.txt")
    assert layout.stray == ["notes.txt", "unlabelled/mask/train.png"]
    assert sorted(c.id for c in layout.cases) == ["test", "train_train", "unlabelled_train"]


def test_side_by_side_and_of_volumes_they_are_found_too(read):
    layout = read("a.png", "a_mask.png", "b.png", "b_mask.png", "unlabelled/c.png")
    assert [(c.id, c.split) for c in layout.cases if not c.masks] == [("c", "unlabelled")]
    layout = read("imagesTr/a_0000.nii.gz", "labelsTr/a.nii.gz", "unlabelled/b.nii.gz", **VOLUMES)
    assert [(c.id, c.split) for c in layout.cases if not c.masks] == [("b", "unlabelled")]


def test_images_without_a_partner_are_unlabelled_if_the_card_says_so(read):
    names = ("train/image/a.png", "train/mask/a.png", "train/image/b.png", "test/image/c.png",
             "test/mask/c.png")  # fmt: skip
    layout = read(*names, unlabelled="missing")
    assert {c.id: c.split for c in layout.cases} == {"a": "train", "b": "unlabelled", "c": "test"}
    (problem,) = read(*names, "test/image/d.png", unlabelled="missing").problems
    assert problem == (
        "no mask for test/image/d.png (1 of 4 images, to be evaluated): give each a mask, or move "
        "them away (what is evaluated cannot be unlabelled)"
    )


def test_two_files_of_one_name_are_named(read):
    (problem,) = read("image/a.png", "image/a.jpg", "mask/a.png").problems
    assert "files of equal names, image/a.jpg and image/a.png: keep one of them" in problem


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("a.NII.GZ", "a.nii"),
        ("a.nrrd", "a.seg.nrrd"),
        ("a.mha", "a_seg.mha"),
        ("a_0000.nii.gz", "a.nii.gz"),
    ],
)
def test_volumes_of_every_kind_are_paired(image, mask, read):
    layout = read(f"imagesTr/{image}", f"labelsTr/{mask}", **VOLUMES)
    assert pairs(layout) == {"a": ("", (image,), (mask,))}


def test_nnunet_says_split_and_kind_in_one_word(read):
    layout = read(
        "imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz", "dataset.json",
        "imagesTs/b_0000.nii.gz", "imagesTs/b_0001.nii.gz", "labelsTs/b.nii.gz",
        **VOLUMES | {"channels": 2}, modalities=["_0001", "_0000"],
    )  # fmt: skip
    assert pairs(layout) == {
        "a": ("train", ("a_0001.nii.gz", "a_0000.nii.gz"), ("a.nii.gz",)),
        "b": ("test", ("b_0001.nii.gz", "b_0000.nii.gz"), ("b.nii.gz",)),
    }


def test_channels_that_the_card_does_not_name_are_refused_with_how_to(read):
    layout = read(
        "imagesTr/a_0000.nii.gz", "imagesTr/a_0001.nii.gz", "labelsTr/a.nii.gz", **VOLUMES
    )
    assert "modalities: [_0000, _0001]" in layout.problems[-1]


BRATS = [f"B/B_{i}/B_{i}_{m}.nii.gz" for i in (1, 2) for m in ("t1", "t1ce", "flair", "seg")]
TWO = VOLUMES | {"channels": 2, "modalities": ["_t1", "_flair"]}


def test_brats_has_a_folder_for_each_case(read):
    layout = read(*BRATS, **TWO)
    assert pairs(layout) == {
        f"B_{i}": ("", (f"B_{i}_t1.nii.gz", f"B_{i}_flair.nii.gz"), (f"B_{i}_seg.nii.gz",))
        for i in (1, 2)
    }
    assert layout.stray == ["B/B_1/B_1_t1ce.nii.gz", "B/B_2/B_2_t1ce.nii.gz"]


def test_a_case_without_one_of_its_modalities_is_named_with_it(read):
    layout = read(*(name for name in BRATS if name != "B/B_2/B_2_flair.nii.gz"), **TWO)
    assert layout.problems == [
        "no _flair for B_2 (1 of 2 cases): the card's modalities are _t1, _flair"
    ]


def test_cases_may_be_named_by_their_folders_alone(read):
    names = [f"c{i}/{part}.nii.gz" for i in (1, 2) for part in ("image", "label")]
    assert list(pairs(read(*names, **VOLUMES))) == ["c1", "c2"]


def test_la_may_be_flat(read):
    ids = ["A" * 20, "B" * 20]
    layout = read(*(f"h5/{id}.h5" for id in ids), "h5/train.list", readers=["la", "la_h5"])
    assert [case.id for case in layout.cases] == ids
    assert layout.cases[0].masks == (f"h5/{ids[0]}.h5:label",)
    assert not layout.stray


PATIENTS = [f"{kind}/{stem}.png" for kind in ("image", "mask") for stem in ("p1_a", "p1_b", "p2_a")]


@pytest.mark.parametrize("pattern", [r"^(p\d+)_", r"^p\d+", "(p.)_[ab]"])
def test_groups_by_a_pattern(pattern, read):
    layout = read(*PATIENTS, group=pattern)
    assert not layout.problems
    assert [case.group for case in layout.cases] == ["p1", "p1", "p2"]


@pytest.mark.parametrize(
    "table",
    [
        "case,group\np1_a,x\np1_b,x\np2_a,y\n",
        "\ufeffgroup; case ;age\nx;p1_a.png;1\nx;p1_b.nii.gz;2\ny;p2_a;3\nz;other;4\n",
    ],
)
def test_groups_from_a_table(table, read):
    layout = read(*PATIENTS, texts={"about/Patients.csv": table}, group="Patients.csv")
    assert not layout.problems and not layout.stray
    assert [case.group for case in layout.cases] == ["x", "x", "y"]


@pytest.mark.parametrize(
    ("group", "table", "told"),
    [
        ("^(p1)", "", "says nothing of 1 of 3 cases (p2_a)"),
        ("^q", "", "says nothing of 3 of 3 cases (p1_a, p1_b, p2_a)"),
        ("t.csv", "case,group\np1_a,x\np1_b,\n", "says nothing of 2 of 3 cases (p1_b, p2_a)"),
        ("t.csv", "id,patient\np1_a,x\n", 't.csv has no column "case", but id, patient'),
        ("t.csv", "case,group\np1_a,x\np1_a,y\n", 't.csv gives more than one "group" for p1_a'),
        ("u.csv", "case,group\n", "takes groups from u.csv, but there is no such file"),
    ],
)
def test_groups_that_are_not_known_are_named(group, table, told, read):
    (problem,) = read(*PATIENTS, texts={"t.csv": table}, group=group).problems
    assert told in problem


def test_groups_that_are_no_pattern_or_not_there_are_refused(read):
    with pytest.raises(ValueError, match="is no regular expression"):
        Card(name="own", group="^(p1")
    (problem,) = read(*PATIENTS, subset="groups").problems
    assert "nothing says whose the cases are" in problem


def test_a_given_split_that_cuts_groups_is_told():
    cases = [
        Case(f"c{i}", split, group, (), ())
        for i, (split, group) in enumerate(
            [("train", "p1"), ("test", "p1"), ("train", "p2"), ("test", ""), ("train", "")]
        )
    ]
    assert cut_groups(cases) == [
        "1 of 2 groups (patients, subjects) have cases in train and test: p1"
    ]
    assert cut_groups(cases[1:]) == []


@pytest.mark.parametrize(
    ("groups", "named"),
    [
        (["P0", "p0", "p1"], "P0=p0"),
        (["pat 7", "Pat-07", "pat_70"], "Pat-07=pat 7"),
        (["1", "01", "001", "10"], "001=01=1"),
        (["p1-2", "p12", "p1", "p2", "", ""], None),
        (["left", "Lefty"], None),
    ],
)
def test_patients_that_are_written_two_ways_are_told(groups, named):
    found = like_groups([Case(f"c{i}", "train", group, (), ()) for i, group in enumerate(groups)])
    assert [line.partition("apart: ")[2].partition(". ")[0] for line in found] == (
        [named] if named else []
    )


@pytest.mark.parametrize("path", ["{kind}s/p{p}/{i}.png", "p{p}/{kind}s/{i}.png"])
def test_numbered_folders_are_patients_and_no_split(path, read):
    names = [
        path.format(kind=kind, p=p, i=i)
        for kind in ("image", "mask") for p in (1, 2, 3) for i in (0, 1)
    ]  # fmt: skip
    layout = read(*names)
    assert not layout.problems
    assert [case.id for case in layout.cases] == [f"p{p}_{i}" for p in (1, 2, 3) for i in (0, 1)]
    assert all(case.split == "" for case in layout.cases)
    (note,) = layout.notes
    assert note.startswith("3 numbered folders (p1, p2, p3) are taken together")


@pytest.mark.parametrize("word", ["fold", "set", "part", "Split"])
def test_numbered_folders_that_may_be_splits_are_refused(word, read):
    names = [
        f"{word}{p}/{kind}/{i}.png" for kind in ("image", "mask") for p in (1, 2) for i in "ab"
    ]
    (problem,) = read(*names).problems
    assert "these names do not say which are for training" in problem


RELEASED_BRATS = [
    f"MICCAI_BraTS_2019_Data_Training/{grade}/{id}/{id}_{end}.nii.gz"
    for grade, id in (("HGG", "BraTS19_CBICA_AAB_1"), ("LGG", "BraTS19_TCIA13_654_1"))
    for end in ("flair", "t1", "t1ce", "t2", "seg")
]


def test_brats_has_a_modality_of_the_four_and_nothing_left_over(read):
    card = {"readers": ["brats19"], "is_volume": True, "modalities": ["_flair"]}
    layout = read(*RELEASED_BRATS, "MICCAI_BraTS_2019_Data_Training/name_mapping.csv", **card)
    assert pairs(layout) == {
        id: ("", (f"{id}_flair.nii.gz",), (f"{id}_seg.nii.gz",))
        for id in ("BraTS19_CBICA_AAB_1", "BraTS19_TCIA13_654_1")
    }
    assert layout.stray == []


def test_brats_names_what_lacks_a_modality_or_the_mask(read):
    card = {"readers": ["brats19"], "is_volume": True, "channels": 2, "modalities": ["_t2", "_t1"]}
    without = [
        name
        for name in RELEASED_BRATS
        if not name.endswith(("AAB_1_t1.nii.gz", "654_1_seg.nii.gz"))
    ]
    layout = read(*without, **card)
    assert [case.id for case in layout.cases] == []
    assert (
        "no mask for MICCAI_BraTS_2019_Data_Training/LGG/BraTS19_TCIA13_654_1"
        in (layout.problems[0])
    )
    assert (
        "no image for MICCAI_BraTS_2019_Data_Training/HGG/BraTS19_CBICA_AAB_1"
        in (layout.problems[1])
    )


def test_the_card_of_brats_has_the_published_test_and_validation_cases():
    """Counts and ends of HiLab-git/SSL4MIS@06df604 data/BraTS2019/{test,val}.txt."""
    card = cards.find("brats19")
    assert (len(card.test_ids), len(card.val_ids)) == (60, 25)
    assert len({*card.test_ids, *card.val_ids}) == 85
    assert card.test_ids[:2] == ["BraTS19_TCIA02_309_1", "BraTS19_CBICA_AYA_1"]
    assert card.val_ids[:2] == ["BraTS19_CBICA_AAP_1", "BraTS19_TCIA10_282_1"]
    assert card.expected == {"train": 250, "val": 25, "test": 60}
