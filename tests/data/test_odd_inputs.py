"""What people have: the same eight cases, written as others write them.

Read right they are the same arrays as the plain ones; else they are refused with the reason, or
named. Each test is one input of which somebody reported that it went wrong somewhere.
"""

import gzip
import io
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from PIL.ImageFilter import GaussianBlur

from benchmark.data.card import Card
from benchmark.data.prepare import prepare
from benchmark.data.prepared import Prepared, load
from benchmark.errors import ExitCode, UserError
from tests.one_case import RAS, flipped, nifti, picture

SIDE, N = 24, 8
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
PLACES = [(7 + i, 16 - i, 3 + i % 3) for i in range(N)]
DISCS = [((ROWS - y) ** 2 + (COLUMNS - x) ** 2 < r * r).astype(np.uint8) for y, x, r in PLACES]
NOISE = np.random.default_rng(0).normal(0, 6, (N, SIDE, SIDE))
IMAGES = [
    (80 + 60 * disc + noise).astype(np.uint8) for disc, noise in zip(DISCS, NOISE, strict=True)
]
FLAT = Card(name="own", channels=1, size=[SIDE, SIDE], test_ids=["c0", "c1"])

DEPTH = 6
BALLS = [
    np.stack([disc * (1 <= z <= 3) for z in range(DEPTH)], -1).astype(np.uint8) for disc in DISCS
]
SCANS = [
    (1000 + 80.0 * ball + np.random.default_rng(i).normal(0, 15, ball.shape)).astype(np.int16)
    for i, ball in enumerate(BALLS)
]
DEEP = Card(name="own", channels=1, is_volume=True, readers=["volume_pairs"], test_ids=["c0", "c1"])


def with_fields(card: Card, **fields) -> Card:
    return Card.model_validate(card.model_dump(exclude_unset=True) | fields)


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def flat(image=picture, mask=lambda disc: picture(255 * disc), names="image/{}.png mask/{}.png"):
    """Files of the flat cases: how an image and a mask are encoded, and where they lie."""
    where = names.split(" ")
    files = {where[0].format(f"c{i}"): image(values) for i, values in enumerate(IMAGES)}
    return files | {where[1].format(f"c{i}"): mask(disc) for i, disc in enumerate(DISCS)}


def deep(image=nifti, mask=nifti, names="image/{}.nii.gz mask/{}.nii.gz", scans=SCANS):
    where = names.split(" ")
    files = {where[0].format(f"c{i}"): image(values) for i, values in enumerate(scans)}
    return files | {where[1].format(f"c{i}"): mask(ball) for i, ball in enumerate(BALLS)}


def prepared(card: Card, source: Path, root: Path) -> Prepared:
    prepare(card, source, root)
    return load(root, card.name)


def greys_of(found: Prepared) -> list[np.ndarray]:
    """Standardised, as a network sees them."""
    return [
        (image / np.iinfo(image.dtype).max - mean) / std
        for image, mean, std in zip(found.images, found.mean, found.std, strict=True)
    ]


def on_its_side(values: np.ndarray) -> bytes:
    """Orientation 6: to be turned clockwise."""
    tags = Image.Exif()
    tags[0x0112] = 6
    return picture(np.rot90(values), exif=tags)


def quantised(disc: np.ndarray) -> bytes:
    return picture(Image.fromarray(255 * np.dstack([disc] * 3)).quantize(2))


def in_alpha(disc: np.ndarray) -> bytes:
    return picture(np.dstack([0 * disc] * 3 + [255 * disc]))


COLOURS = np.array([(0, 0, 0), (255, 0, 0)], np.uint8)

READ_RIGHT: dict[str, tuple[dict, Callable[[], dict[str, bytes]]]] = {
    "images that EXIF turns": ({}, lambda: flat(on_its_side)),
    "a palette as a quantiser orders it": ({}, lambda: flat(mask=quantised)),
    "the object in the alpha channel": ({"mask_channel": 3}, lambda: flat(mask=in_alpha)),
    "soft masks": (
        {"mask": "> 0.5"},
        lambda: flat(
            mask=lambda disc: picture(0.9 * disc.astype(np.float32), "tiff"),
            names="image/{}.png mask/{}.tif",
        ),
    ),
    "folders of CVC-ClinicDB": (
        {},
        lambda: {
            n.replace("GT", "Ground Truth"): c
            for n, c in flat(names="Original/{}.png GT/{}.png").items()
        },
    ),
    "masks beside the images": ({}, lambda: flat(names="benign/{}.png benign/{}_mask.png")),
    "masks whose names say so": ({}, lambda: flat(names="image/{}.png mask/{}_segmentation.png")),
    "folders the other way round": ({}, lambda: flat(names="Images/{}.PNG MASKS/{}.png")),
    "colours for classes": (
        {"mask": "labels", "values": {"#000000": 0, "#ff0000": 1}},
        lambda: flat(mask=lambda disc: picture(COLOURS[disc])),
    ),
    "one bit": (
        {"mask": "labels"},
        lambda: flat(mask=lambda disc: picture(Image.fromarray(255 * disc).convert("1"))),
    ),
}


@pytest.mark.parametrize("name", READ_RIGHT)
def test_pictures_are_read_right(name, tmp_path):
    fields, files = READ_RIGHT[name]
    source = write(tmp_path / "from", files())
    found = prepared(with_fields(FLAT, **fields), source, tmp_path / "root")
    plain = prepared(FLAT, write(tmp_path / "plain", flat()), tmp_path / "other")
    assert [c.id for c in found.manifest.cases] == [c.id for c in plain.manifest.cases]
    assert np.array_equal(found.masks, plain.masks) and found.masks.sum() == sum(map(np.sum, DISCS))
    assert np.array_equal(found.images, plain.images)
    remarks = [why for why in found.manifest.faults if "as EXIF says" not in why]
    assert remarks == []
    assert (remarks != found.manifest.faults) == (name == "images that EXIF turns")


def test_sixteen_bits_are_the_same_picture(tmp_path):
    """Twelve bits in sixteen: of 256 levels five would be left."""
    deeper = write(tmp_path / "from", flat(lambda v: picture(v.astype(np.uint16) * 16)))
    found = prepared(FLAT, deeper, tmp_path / "root")
    plain = prepared(FLAT, write(tmp_path / "plain", flat()), tmp_path / "other")
    assert np.allclose(greys_of(found), greys_of(plain), atol=1e-6)


def test_names_of_a_mac_and_of_windows_are_one(tmp_path):
    """An ä as a letter and two dots, and as one letter."""
    files = {
        unicodedata.normalize(form, f"{kind}/{i}ä.png"): picture(v)
        for kind, form, values in (("image", "NFD", IMAGES), ("mask", "NFC", DISCS))
        for i, v in enumerate(values)
    }
    card = with_fields(FLAT, test_ids=[])
    assert len(prepared(card, write(tmp_path / "from", files), tmp_path / "root").masks) == N


def test_a_zip_with_the_slashes_of_windows(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as stream:
        for name, content in flat().items():
            info = zipfile.ZipInfo("x")
            info.filename = name.replace("/", "\\")
            stream.writestr(info, content)
    assert len(prepared(FLAT, tmp_path / "a.zip", tmp_path / "root").masks) == N


def test_empty_masks_are_cases_like_others(tmp_path, bench):
    files = flat() | {f"mask/c{i}.png": picture(0 * DISCS[i]) for i in (0, 3, 5)}
    write(tmp_path / "from", files)
    (tmp_path / "own.yaml").write_text("name: own\nchannels: 1\nsize: [24, 24]\ntest_ids: [c0]\n")
    words = ("data", "prepare", tmp_path / "own.yaml", "--from", tmp_path / "from")
    code, out, _ = bench(*words, "--data-root", tmp_path / "root")
    assert code == 0 and "cases without foreground: 3" in out
    assert "class 1 foreground: " in out and "in 5 of 7 train and 0 of 1 test cases" in out


def test_codes_that_look_like_numbers_or_nothing_are_names(tmp_path):
    odd = ["NA", "nan", "None", "null", "1", "01", "001", "1e3"]
    files = {}
    for name, image, disc in zip(odd, IMAGES, DISCS, strict=True):
        files |= {f"test/image/{name}.png": picture(image), f"test/mask/{name}.png": picture(disc)}
    files |= {f"train/{name}": content for name, content in flat().items()}
    found = prepared(with_fields(FLAT, test_ids=[]), write(tmp_path / "f", files), tmp_path / "r")
    assert sorted(found.manifest.ids("test")) == sorted(odd)


VOLUMES_READ_RIGHT: dict[str, tuple[dict, Callable[[], dict[str, bytes]]]] = {
    "masks that lie the other way round": (
        {}, lambda: deep(mask=lambda ball: nifti(*flipped(ball, RAS, (0, 1)))),
    ),
    "images and masks that do": (
        {},
        lambda: deep(
            lambda scan: nifti(*flipped(scan, RAS, (0, 1))),
            lambda ball: nifti(*flipped(ball, RAS, (2,))),
        ),
    ),
    "a fourth axis of one": (
        {}, lambda: deep(lambda v: nifti(v[..., None]), lambda v: nifti(v[..., None])),
    ),
    "capitals": ({}, lambda: deep(names="image/{}.NII.GZ mask/{}.NII.GZ")),
    "NIfTI-2": ({}, lambda: deep(lambda v: nifti(v, kind=nibabel.Nifti2Image))),
    "classes of BraTS": (
        {"mask": "labels", "values": {4: 1}}, lambda: deep(mask=lambda ball: nifti(4 * ball)),
    ),
    "labels that a scale factor bent": (
        {"mask": "labels"}, lambda: deep(mask=lambda ball: nifti(ball * np.float64(1.0004))),
    ),
    "-1 for what is to be left out": (
        {"mask": "labels", "values": {-1: 0}},
        lambda: deep(mask=lambda ball: nifti(np.where(ball, 1, -1).astype(np.int8))),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VOLUMES_READ_RIGHT)
def test_volumes_are_read_right(name, tmp_path):
    fields, files = VOLUMES_READ_RIGHT[name]
    source = write(tmp_path / "from", files())
    found = prepared(with_fields(DEEP, **fields), source, tmp_path / "root")
    plain = prepared(DEEP, write(tmp_path / "plain", deep()), tmp_path / "other")
    assert all(np.array_equal(a, b) for a, b in zip(found.masks, plain.masks, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(found.images, plain.images, strict=True))
    assert found.manifest.faults == []
    assert {tuple(case.spacing) for case in found.manifest.cases} == {(0.7, 0.7, 2.0)}


def wide(scan: np.ndarray) -> np.ndarray:
    """The same picture in int16 of which the range does not fit into int16."""
    return np.rint((scan.astype(float) - 1000) * 250).clip(-11000, 32000).astype(np.int16)


def hot(scan: np.ndarray) -> np.ndarray:
    values = scan.astype(np.float32)
    values[0, 0, 0] = 1e6
    return values


@pytest.mark.parametrize("change", [wide, hot])
def test_a_volume_is_the_same_picture_within_a_grey_level(change, tmp_path):
    """But for the one hot voxel, which is as bright as the brightest that are kept."""
    found = prepared(DEEP, write(tmp_path / "f", deep(lambda v: nifti(change(v)))), tmp_path / "r")
    plain = prepared(DEEP, write(tmp_path / "plain", deep()), tmp_path / "other")
    for ours, theirs in zip(greys_of(found), greys_of(plain), strict=True):
        assert np.sort(np.abs(ours - theirs).ravel())[-2] < 0.2
        assert np.corrcoef(ours.ravel()[1:], theirs.ravel()[1:])[0, 1] > 0.998


def test_soft_tissue_keeps_its_shades_within_the_range_of_ct(tmp_path):
    """Tissue of 80 HU contrast within -1024 … 3071: of 256 levels it would have five or so."""

    def ct(scan: np.ndarray) -> bytes:
        values = scan - np.int16(960)
        values[:4], values[-1, -1] = -1024, 3071
        return nifti(values)

    found = prepared(DEEP, write(tmp_path / "from", deep(ct)), tmp_path / "root")
    for image, ball in zip(found.images, BALLS, strict=True):
        tissue = image[4:-1, :, :, 0]
        assert len(np.unique(tissue)) > 64 and len(np.unique(tissue[ball[4:-1] > 0])) > 20
    assert found.manifest.faults == []


def test_each_volume_has_the_voxels_of_its_header(tmp_path):
    thickness = [0.5, 1, 2, 5, 0.5, 1, 2, 5]
    files = {}
    for i, mm in enumerate(thickness):
        affine = np.diag([0.7, 0.7, mm, 1])
        files[f"image/c{i}.nii.gz"] = nifti(SCANS[i], affine)
        files[f"mask/c{i}.nii.gz"] = nifti(BALLS[i], affine)
    found = prepared(DEEP, write(tmp_path / "from", files), tmp_path / "root").manifest
    expected = {f"c{i}": [0.7, 0.7, mm] for i, mm in enumerate(thickness)}
    assert {case.id: case.spacing for case in found.cases} == expected


def coloured(ball: np.ndarray) -> bytes:
    """As ITK-SNAP exports colours."""
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    values = np.zeros(ball.shape, kind)
    values["R"] = 255 * ball
    return gzip.compress(nibabel.Nifti1Image(values, RAS).to_bytes())


def two_pages(disc: np.ndarray) -> bytes:
    stream = io.BytesIO()
    empty = Image.fromarray(0 * disc)
    empty.save(stream, "tiff", save_all=True, append_images=[Image.fromarray(255 * disc)])
    return stream.getvalue()


def images_as(kind: str) -> dict[str, bytes]:
    return {f"{kind}/c{i}.png": picture(values) for i, values in enumerate(IMAGES)}


def split_in_two(files: dict[str, bytes]) -> dict[str, bytes]:
    """c0 … c3 beneath train/, c4 … c7 beneath test/."""
    return {f"{'train' if name[-5] < '4' else 'test'}/{name}": c for name, c in files.items()}


def shaded(disc: np.ndarray) -> bytes:
    return picture(Image.fromarray(255 * disc).resize((12, 12)).resize((SIDE, SIDE)))


REFUSED: dict[str, tuple[Card, dict, Callable[[], dict[str, bytes]], str]] = {
    "alpha": (FLAT, {}, lambda: flat(mask=in_alpha), "mask_channel: 3 in the card reads that"),
    "soft masks": (
        FLAT, {},
        lambda: flat(
            mask=lambda d: picture(0.9 * d.astype(np.float32), "tiff"),
            names="image/{}.png mask/{}.tif",
        ),
        'the mask holds 0.9: no whole numbers, and so no classes; of a soft mask the card says '
        'where the foreground begins, as in mask: "> 0.5" (8 cases)',
    ),
    "grey masks": (
        FLAT, {}, lambda: flat(mask=shaded),
        "c2, c3, c4 and 5 more (8 cases), such as c2: mask/c2.png holds the values 0, ",
    ),
    "volumes under a card for pictures": (
        FLAT, {}, deep, "volumes need is_volume: true and readers: [volume_pairs] in the card",
    ),
    "DICOM": (
        DEEP, {}, lambda: deep(names="image/{}.dcm mask/{}.dcm"), "DICOM is not read: convert",
    ),
    "test ids that nobody has": (
        FLAT, {"test_ids": ["c0", "01.png"]}, flat,
        "the card's test_ids name 1 case that is not there: 01.png (cases are called c0, c1, c2",
    ),
    "test ids beside a test folder": (
        FLAT, {"test_ids": ["c4", "c5"]}, lambda: split_in_two(flat()),
        "the files come with a test set of 4 cases, and the card's test_ids name another (2 of",
    ),
    "masks that are the images": (
        FLAT, {"mask": "nonzero"}, lambda: images_as("image") | images_as("mask"),
        "every mask is its image again, pixel for pixel: where are the masks?",
    ),
    "0/1 under a rule for 0/255": (
        FLAT, {"mask": "> 127"}, lambda: flat(mask=picture), "no mask has a foreground pixel",
    ),
    "pages": (
        FLAT, {}, lambda: flat(mask=two_pages, names="image/{}.png mask/{}.tif"),
        "the mask has 2 pages, and which of them counts is not said (8 cases)",
    ),
    "PraNet's folders": (
        FLAT, {"test_ids": []},
        lambda: flat(names="TrainDataset/image/{}.png TrainDataset/masks/{}.png")
        | flat(names="TestDataset/Kvasir/images/{}.png TestDataset/Kvasir/masks/{}.png"),
        "images and masks lie in 2 places, TestDataset/Kvasir, TrainDataset: these names do not",
    ),
    "images without masks": (
        FLAT, {},
        lambda: {n: c for n, c in flat().items() if n not in ("mask/c4.png", "mask/c5.png")},
        "no mask for image/c4.png, image/c5.png (2 of 8 images): give each a mask; or move them "
        "into a folder unlabelled/, or add --allow-unlabelled",
    ),
    "BraTS without a map": (
        DEEP, {"mask": "labels", "classes": list("abcd")},
        lambda: deep(mask=lambda ball: nifti(4 * ball)),
        "the mask holds the values 0, 4, and classes are 0 … 3 (own): name one more, or give "
        "it one of them in the card, as values: {4: …}",
    ),
    "-1": (
        DEEP, {"mask": "labels"},
        lambda: deep(mask=lambda ball: nifti(np.where(ball, 1, -1).astype(np.int8))),
        "the mask holds the values -1, 1: no class is negative",
    ),
    "labels that a scale factor bent too far": (
        DEEP, {"mask": "labels"}, lambda: deep(mask=lambda ball: nifti(ball * 0.99608)),
        "the mask holds 0.99608: no whole numbers",
    ),
    "colours in NIfTI": (
        DEEP, {}, lambda: deep(mask=coloured), "('B', 'u1')], no numbers that could be classes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_right_is_refused_in_one_line_and_leaves_nothing(name, tmp_path):
    card, fields, files, told = REFUSED[name]
    source = write(tmp_path / "from", files())
    with pytest.raises(UserError) as refusal:
        prepare(with_fields(card, **fields), source, tmp_path / "root")
    lines = str(refusal.value).splitlines()
    assert refusal.value.exit_code == ExitCode.DATA
    assert told in lines[-1] and len(lines) <= 5, lines
    assert {f.name for f in (tmp_path / "root").glob("*")} <= {".own.lock"}


NAMED: dict[str, tuple[Card, dict, Callable[[], dict[str, bytes]], str]] = {
    "a class that is nowhere": (
        DEEP, {"mask": "labels", "classes": list("abcd")},
        lambda: deep(mask=lambda b: nifti(b * np.array([1, 3, 1, 3, 1, 3], np.uint8))),
        "class 2 (c) does not occur in any mask",
    ),
    "one picture with two masks": (
        FLAT, {}, lambda: flat() | {"image/c4.png": picture(IMAGES[5])},
        "1 image with more than one mask (c4=c5)",
    ),
    "test images that are in train": (
        FLAT, {"test_ids": []},
        lambda: {f"{s}/{n}": c for s in ("train", "test") for n, c in flat().items()},
        "8 test images are in the train pool too, byte for byte",
    ),
    "colours made grey": (
        FLAT, {},
        lambda: flat(lambda v: picture(np.dstack([v, v, 255 - v]))),
        "8 coloured images made grey, as the card has channels: 1",
    ),
    "two values of one class": (
        FLAT, {}, lambda: flat() | {"mask/c5.png": picture(2 * DISCS[5])},
        "masks of one class hold different values (2 in 1, 255 in 7): if these are classes",
    ),
    "a soft rim": (
        FLAT, {"mask": "nonzero"},
        lambda: flat(mask=lambda d: picture(Image.fromarray(255 * d).filter(GaussianBlur(0.6)))),
        "5 masks of shades up to white, all of which \"nonzero\" takes for the object (c2, c4, c5",
    ),
    "one object by three people": (
        FLAT, {"mask": "nonzero"},
        lambda: {n: c for n, c in flat().items() if n != "mask/c5.png"}
        | {f"mask/c5_mask_{i}.png": picture(255 * DISCS[5]) for i in (1, 2, 3)},
        "1 image with several masks that overlap and are taken together (c5)",
    ),
    "some masks of 0 and 1": (
        FLAT, {"mask": "> 127"}, lambda: flat() | {"mask/c5.png": picture(DISCS[5])},
        "1 mask without foreground, which hold values but none above the card's rule (c5)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMED)
def test_what_is_read_but_not_as_it_seems_is_named(name, tmp_path):
    card, fields, files, told = NAMED[name]
    source = write(tmp_path / "from", files())
    found = prepared(with_fields(card, **fields), source, tmp_path / "root")
    (fault,) = [line for line in found.manifest.faults if line.startswith(told[:12])]
    assert told in fault
