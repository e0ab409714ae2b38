"""From a case's files to arrays, volumes above all, and back."""

import io
import math
import re
import unicodedata
import zipfile
from fractions import Fraction

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from benchmark.data import card as cards
from benchmark.data import decode, layouts, phantoms
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.decode import compact, label_box
from benchmark.data.prepare import prepare
from benchmark.data.prepared import data_hash, load
from benchmark.data.source import Source
from benchmark.data.split import for_trial
from benchmark.errors import UserError
from benchmark.randomness import generator
from benchmark.toolkit.method import Method
from benchmark.training.evaluate import evaluate
from benchmark.training.outputs import _write_nifti

OWN = Card(name="own", readers=["volume_pairs"], is_volume=True, channels=1)


def test_bytes_are_kept_and_standardised_by_their_own_mean_and_deviation():
    """Half 0, half 255: mean and deviation 1/2 of the range."""
    values = np.repeat(np.array([0, 255], np.uint8), 32).reshape(4, 4, 4)
    found = compact(values, is_standardised=False)
    assert np.array_equal(found.image[..., 0], values)
    assert (found.mean, found.std) == pytest.approx((0.5, 0.5))


def test_standardised_values_come_back_within_half_a_grey_level():
    values = generator("test").normal(0, 1, (8, 8, 8)).astype(np.float32)
    found = compact(values, is_standardised=True)
    back = (found.image[..., 0] / 255 - found.mean) / found.std
    assert np.abs(back - values).max() <= np.ptp(values) / 510 * 1.001


def test_a_label_box_has_margins_and_a_least_size_and_keeps_the_third_axis():
    """Foreground at x 10 … 12, margin 2: 8 … 15 is 7 wide; at least 9: one more on each side."""
    mask = np.zeros((32, 32, 5), np.uint8)
    mask[10:13, 1:31, 2] = 1
    x, y, z = label_box(mask, 2, 9)
    assert (x.start, x.stop) == (7, 16)
    assert (y.start, y.stop) == (0, 32)
    assert mask[x, y, z].shape == (9, 32, 5)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    root = tmp_path_factory.mktemp("volumes")
    phantoms.ensure_prepared(cards.find("phantom_la"), root)
    return load(root, "phantom_la")


class Threshold(Method):
    """Foreground where the standardised voxel is above 1."""

    def forward(self, x):
        return torch.cat([torch.ones_like(x), x], 1)


def test_a_sliding_window_over_pixelwise_logits_changes_nothing(phantom):
    data = for_trial(phantom, share=0.2, seed=0, evaluate_on="test")
    cpu = torch.device("cpu")
    predicted = evaluate(Threshold(), data, cpu, patch=[16, 16, 16]).predicted
    for row, labels in zip(data.evaluation.indices, predicted, strict=True):
        image = phantom.images[row][..., 0] / 255
        expected = (image - phantom.mean[row]) / phantom.std[row] > 1
        assert (labels != expected).mean() < 1e-4


def test_la_is_read_as_released_with_the_literatures_test_set(phantom):
    assert sorted(phantom.manifest.ids("test")) == sorted(cards.find("la").test_ids[:3])
    assert phantom.images[0].shape == (48, 48, 24, 1)
    assert set(np.unique(phantom.masks[0])) == {0, 1}


def test_the_testing_set_is_left_out_and_said(tmp_path):
    options = PhantomOptions(kind="la", train=3, test=2, width=20, height=18, depth=16)
    made = phantoms.synthesise(options, tmp_path / "la")
    extra = made / "Testing Set" / ("X" * 20)
    extra.mkdir(parents=True)
    for file in ("lgemri.nrrd", "laendo.nrrd"):
        source = next((made / "Training Set").glob(f"*/{file}"))
        (extra / file).write_bytes(source.read_bytes())
    (next((made / "Training Set").iterdir()) / "desktop.ini").write_text("")
    manifest = prepare(cards.find("la"), made, tmp_path / "root", allow_partial=True).manifest
    assert len(manifest.cases) == 5
    assert manifest.notes == ["1 cases of the Testing Set are not used"]
    assert len(manifest.ids("test")) == 2


def test_a_crop_around_the_label_is_named_as_the_leak_it_is(tmp_path):
    options = PhantomOptions(kind="la", train=2, test=2, width=160, height=150, depth=16)
    made = phantoms.synthesise(options, tmp_path / "la")
    card = cards.find("la").model_copy(update={"crop": "label_box", "expected": {}})
    manifest = prepare(card, made, tmp_path / "root").manifest
    assert "cropped around their labels" in manifest.partial
    assert all(case.shape[0] < 160 and case.shape[2] == 16 for case in manifest.cases)


def test_a_predicted_volume_is_read_back_by_other_tools(tmp_path):
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1, 2, 3] = 1
    _write_nifti(tmp_path / "a.nii.gz", labels)
    assert np.array_equal(np.asarray(nibabel.load(tmp_path / "a.nii.gz").dataobj), labels)


def write_nifti_pairs(folder, n=5, dtype=np.int16):
    for kind in ("image", "mask"):
        (folder / kind).mkdir(parents=True)
    for i in range(n):
        values = generator("nifti", i).integers(0, 900, (9, 8, 7))
        nibabel.save(
            nibabel.Nifti1Image(values.astype(dtype), np.eye(4)), folder / "image" / f"{i}.nii.gz"
        )
        mask = (values > 450).astype(np.uint8)
        nibabel.save(nibabel.Nifti1Image(mask, np.eye(4)), folder / "mask" / f"{i}.nii.gz")
    return folder


def test_nifti_pairs_need_a_card_and_no_code(tmp_path):
    manifest = prepare(OWN, write_nifti_pairs(tmp_path / "d"), tmp_path / "root").manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (4, 1)
    data = load(tmp_path / "root", "own")
    assert data.images[0].shape == (9, 8, 7, 1)
    standardised = (data.images[0] / 255 - data.mean[0]) / data.std[0]
    assert (standardised.mean(), standardised.std()) == pytest.approx((0, 1), abs=1e-6)


def test_a_damaged_volume_is_named(tmp_path):
    made = write_nifti_pairs(tmp_path / "d")
    (made / "image" / "2.nii.gz").write_bytes(b"nothing")
    with pytest.raises(UserError, match=r"2: image/2.nii.gz cannot be read"):
        prepare(OWN, made, tmp_path / "root")


def test_the_real_la_sample(samples, tmp_path):
    """Ten volumes; the standardised values of the h5 files come back."""
    import h5py

    preparation = prepare(cards.find("la"), samples / "la_h5_sample", tmp_path, allow_partial=True)
    manifest = preparation.manifest
    assert (len(manifest.ids("train")), len(manifest.ids("test"))) == (8, 2)
    assert manifest.partial == "8 of 80 train cases, 2 of 20 test cases"
    twins = {c.group for c in manifest.cases if c.id in cards.find("la").together[0]}
    assert len(twins) == 1 and twins != {""}
    data = load(tmp_path, "la")
    first = manifest.cases[0]
    with h5py.File(samples / "la_h5_sample" / first.id / "mri_norm2.h5") as file:
        values = file["image"][:]
        assert np.array_equal(file["label"][:], data.masks[0])
    back = (data.images[0][..., 0] / 255 - data.mean[0]) / data.std[0]
    assert np.abs(back - values).max() < np.ptp(values) / 500


def test_hmeps_without_its_table_or_with_unknown_frames_is_refused(tmp_path):
    options = PhantomOptions(kind="hmeps", train=12, test=4, width=48, height=32)
    made = phantoms.synthesise(options, tmp_path / "hmeps")
    table = made / "annotation" / "annotations.csv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join(lines[:-2]))
    card = cards.find("hmeps")
    with pytest.raises(UserError, match="gives no subject for 2 frames: frame_00014, frame_00015"):
        prepare(card, made, tmp_path / "root")
    table.unlink()
    with pytest.raises(UserError, match=r"annotations\.csv is missing"):
        prepare(card, made, tmp_path / "root")


def test_the_spacing_is_the_card_s_and_part_of_the_data(phantom):
    """LA's headers say 1 mm, its page 0.625 mm; without a card's word a voxel is the unit."""
    data = for_trial(phantom, share=0.2, seed=0, evaluate_on="test")
    assert {tuple(case.spacing) for case in data.cases} == {()}
    la = cards.find("la")
    assert la.spacing == [0.625, 0.625, 0.625]
    nothing = np.zeros(0, np.uint8)
    hashes = set()
    for spacing in ([], [1.0, 1.0, 1.0], [0.625, 0.625, 0.625]):
        card = la.model_copy(update={"spacing": spacing})
        manifest = phantom.manifest.model_copy(update={"card": card})
        hashes.add(data_hash(manifest, nothing, nothing))
    assert len(hashes) == 3
    for fields in ({"is_volume": False}, {"spacing": [1.0]}):
        with pytest.raises(ValueError, match="spacing is"):
            cards.Card.model_validate(la.model_dump() | fields)


def test_moments_are_exact_whatever_processor_sums():
    """Of sums of whole numbers, rounded once: they are in the keys of trials."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        levels = rng.integers(0, 256, (97, 31), dtype=np.uint8)
        values = [int(v) for v in levels.ravel()]
        n, total, squares = len(values), sum(values), sum(v * v for v in values)
        mean = Fraction(total, 255 * n)
        variance = Fraction(squares, 255**2 * n) - mean**2
        assert decode.grey_moments(levels) == (float(mean), math.sqrt(float(variance)))
    assert decode.grey_moments(np.full((4, 4), 51, np.uint8)) == (0.2, 1e-6)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        (np.int16, -11000, 32000),
        (np.int16, -32768, 32767),
        (np.int8, -128, 127),
        (np.int32, -(2**31), 2**31 - 1),
        (np.uint16, 0, 65535),
        (np.int64, -(2**40), 2**40),
        (np.float16, -60000.0, 60000.0),
    ],
)
def test_the_width_of_greys_does_not_wrap_in_the_files_own_type(dtype, low, high):
    """Levels rise with the values, from 0 to 255; the middle is 127.5, either neighbour of it."""
    middle = low / 2 + high / 2
    values = np.array([low, middle, high]).astype(dtype).reshape(3, 1, 1)
    levels = compact(values, is_standardised=False).image.ravel()
    assert levels[0] == 0 and levels[1] in (127, 128) and levels[2] == 255


def test_what_is_no_grey_is_no_volume():
    with pytest.raises(ValueError, match="no grey values, but complex64"):
        compact(np.ones((2, 2, 2), np.complex64), is_standardised=False)


THREE = Card(name="own", mask="labels", classes=["background", "one", "two"])
SOFT = Card(name="own", mask="> 0.5")
BINARY = Card(name="own")


@pytest.mark.parametrize(
    ("card", "values", "classes"),
    [
        (THREE, np.array([0.0, 0.9995, 2.0000001]), [0, 1, 2]),  # a scale factor in the header
        (THREE, np.array([0, 1, 2], np.int64), [0, 1, 2]),
        (SOFT, np.array([0.0, 0.4, 0.5, 0.51, 1.0]), [0, 0, 0, 1, 1]),
        (BINARY, np.array([0.0, 255.0]), [0, 1]),
        (BINARY, np.array([False, True]), [0, 1]),
    ],
)
def test_masks_survive_their_casts(card, values, classes):
    assert decode._classes(values, card).tolist() == classes


@pytest.mark.parametrize(
    ("card", "values", "told"),
    [
        (THREE, np.array([0, 0.99608, 2.0]), "mask values 0.99608 are no whole numbers"),
        (THREE, np.array([-1, 0, 2]), "mask values -1, 0, 2: no class is negative"),
        (BINARY, np.array([-1.0, 0.0]), "mask values -1, 0: no class is negative"),
        (THREE, np.array([0, np.nan]), "1 mask values are NaN"),
        (SOFT, np.array([0, np.nan, np.nan]), "2 mask values are NaN"),
        (THREE, np.array([0, np.inf]), "mask values inf are no whole numbers"),
        (THREE, np.array([0, 3]), "mask values 0, 3, but classes 0 … 2"),
        (THREE, np.array([0, 256 + 1]), "mask values 0, 257, but classes 0 … 2"),
        (THREE, np.array([0, 1 + 1j]), "mask values are complex128, no numbers"),
        (BINARY, np.array([0, 0.9]), "mask values 0.9 are no whole numbers"),
    ],
)
def test_masks_that_would_not_are_refused_with_the_value(card, values, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        decode._classes(values, card)


DISC = np.zeros((8, 8), np.uint8)
DISC[2:5, 1:4] = 1


def palette(colours: list[int], numbers: np.ndarray) -> Image.Image:
    image = Image.fromarray(numbers).convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette([level for colour in colours for level in colour])
    return image


BLACK, GREY, WHITE, RED = (0, 0, 0), (128, 128, 128), (255, 255, 255), (255, 0, 0)


@pytest.mark.parametrize(
    ("rule", "colours", "numbers"),
    [
        ("binary", [BLACK, WHITE], DISC),
        ("binary", [WHITE, BLACK], 1 - DISC),  # as Pillow's quantize may order them
        ("nonzero", [WHITE, BLACK], 1 - DISC),
        ("> 127", [WHITE, BLACK], 1 - DISC),
        ("> 127", [BLACK, WHITE], DISC),
        ("labels", [BLACK, GREY], DISC),
        ("labels", [BLACK, RED], DISC),  # PASCAL VOC
        ("binary", [RED, BLACK], DISC),  # colours say nothing of order
    ],
)
def test_a_palette_is_read_by_its_colours_where_they_have_an_order(rule, colours, numbers):
    card = Card(name="own", mask=rule)
    assert np.array_equal(
        decode._classes(decode._grey(palette(colours, numbers), card), card), DISC
    )


def test_a_palette_whose_order_is_unknown_is_refused():
    labels = Card(name="own", mask="labels")
    with pytest.raises(ValueError, match="mask values 0, 255, but classes 0 … 1"):
        decode._classes(decode._grey(palette([WHITE, BLACK], 1 - DISC), labels), labels)
    with pytest.raises(ValueError, match="a palette of colours, and a rule for greys"):
        decode._grey(palette([BLACK, RED], DISC), Card(name="own", mask="> 127"))


def test_an_object_in_the_alpha_channel_is_named_and_can_be_read():
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 3] = 255 * DISC
    image = Image.fromarray(pixels)
    with pytest.raises(ValueError, match="mask_channel: 3 in the card reads that"):
        decode._grey(image, BINARY)
    assert np.array_equal(decode._grey(image, Card(name="own", mask_channel=3)) // 255, DISC)
    opaque = np.dstack([255 * DISC] * 3 + [np.full_like(DISC, 255)])
    assert np.array_equal(decode._grey(Image.fromarray(opaque), BINARY) // 255, DISC)


def test_a_picture_that_says_it_lies_on_its_side_is_turned_with_its_mask(tmp_path):
    """Orientation 6: turn clockwise. The mask was drawn on the upright picture."""
    upright = np.zeros((6, 8), np.uint8)
    upright[1, 2] = 200
    for folder in ("image", "mask"):
        (tmp_path / folder).mkdir()
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(np.rot90(upright)).save(tmp_path / "image" / "a.png", exif=tags)
    Image.fromarray(upright).save(tmp_path / "mask" / "a.png")
    card = Card(name="own", channels=1, size=[6, 8])
    source = Source(tmp_path)
    (case,) = layouts.read_pairs(source).cases
    found = decode.decode(source, card, case)
    assert np.array_equal(found.image[..., 0], upright)
    assert np.array_equal(found.mask, upright // 200)


def test_several_pages_are_refused(tmp_path):
    for folder in ("image", "mask"):
        (tmp_path / folder).mkdir()
    page = Image.fromarray(255 * DISC)
    page.save(tmp_path / "image" / "a.png")
    page.save(tmp_path / "mask" / "a.tif", save_all=True, append_images=[page])
    source = Source(tmp_path)
    (case,) = layouts.read_pairs(source).cases
    with pytest.raises(ValueError, match=r"mask/a\.tif has 2 pages"):
        decode.decode(source, Card(name="own", channels=1), case)


BALL = np.zeros((10, 8, 6), np.uint8)
BALL[1:4, 2:7, 0:2] = 1
RAS = np.array([[0.7, 0, 0, -3], [0, 0.7, 0, 5], [0, 0, 2.0, 1], [0, 0, 0, 1]])


def flipped(array: np.ndarray, affine: np.ndarray, axes: tuple[int, ...]):
    """The same voxels at the same places, counted from the other end along some axes."""
    turned = affine.copy()
    for axis in axes:
        turned[:3, 3] += turned[:3, axis] * (array.shape[axis] - 1)
        turned[:3, axis] *= -1
    return np.flip(array, axes), turned


def volumes(tmp_path, mask, mask_affine, affine=RAS, name="a.nii.gz", kind=nibabel.Nifti1Image):
    """One case; its image is bright where the ball is."""
    for folder, array, where in (("image", 200 * BALL, affine), ("mask", mask, mask_affine)):
        (tmp_path / folder).mkdir()
        file = tmp_path / folder / "a.nii.gz"
        nibabel.save(kind(np.ascontiguousarray(array), where), file)
        file.rename(tmp_path / folder / name)
    source = Source(tmp_path)
    (case,) = layouts.read_volume_pairs(source).cases
    return decode.decode(source, OWN, case)


@pytest.mark.parametrize("axes", [(), (0,), (0, 1), (0, 1, 2)])
def test_a_mask_that_lies_the_other_way_round_is_turned(axes, tmp_path):
    found = volumes(tmp_path, *flipped(BALL, RAS, axes))
    assert np.array_equal(found.mask, BALL) and np.array_equal(found.image[..., 0] > 0, BALL)


def test_axes_in_another_order_too(tmp_path):
    affine = RAS[:, [2, 0, 1, 3]]
    found = volumes(tmp_path, BALL.transpose(2, 0, 1), affine)
    assert np.array_equal(found.mask, BALL)


def test_a_mask_saved_with_the_identity_is_in_the_images_order(tmp_path):
    assert np.array_equal(volumes(tmp_path, BALL, np.eye(4)).mask, BALL)


def test_an_image_with_the_identity_and_a_mask_that_fits_when_turned(tmp_path):
    mask, affine = flipped(BALL, np.eye(4), (0, 1))
    assert np.array_equal(volumes(tmp_path, mask, affine, np.eye(4)).mask, BALL)


def test_a_mask_that_lies_elsewhere_is_refused_with_how_far(tmp_path):
    elsewhere = RAS.copy()
    elsewhere[0, 3] += 20
    with pytest.raises(ValueError, match="lie elsewhere in the patient, by up to 20 mm"):
        volumes(tmp_path, BALL, elsewhere)


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("a.NII.GZ", nibabel.Nifti1Image, (10, 8, 6)),
        ("a.nii", nibabel.Nifti1Image, (10, 8, 6)),  # packed, under a name that does not say so
        ("a.nii.gz", nibabel.Nifti2Image, (10, 8, 6)),
        ("a.nii.gz", nibabel.Nifti1Image, (10, 8, 6, 1)),
    ],
)
def test_volumes_are_read_by_what_they_hold(name, kind, shape, tmp_path):
    found = volumes(tmp_path, BALL.reshape(shape), RAS, name=name, kind=kind)
    assert np.array_equal(found.mask, BALL)


def save_pair(tmp_path, image: str, mask: str) -> list[str]:
    """Ids of the cases that come of these two names, if they are paired."""
    for folder, name in (("image", image), ("mask", mask)):
        (tmp_path / folder).mkdir()
        Image.fromarray(255 * DISC).save(tmp_path / folder / name)
    layout = layouts.read_pairs(Source(tmp_path))
    return [case.id for case in layout.cases] if not layout.problems else layout.problems


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("ISIC_1.jpg", "ISIC_1_segmentation.png"),
        ("a.png", "a_mask.png"),
        ("a.png", "a-Label.png"),
        ("la\u0308sion.png", "l\u00e4sion.png"),
    ],
)
def test_masks_whose_names_say_mask_are_paired(image, mask, tmp_path):
    (id,) = save_pair(tmp_path, image, mask)
    assert id == unicodedata.normalize("NFC", image.partition(".")[0])


def test_a_name_that_ends_so_itself_stays(tmp_path):
    assert save_pair(tmp_path, "face_mask.png", "face_mask.png") == ["face_mask"]


def test_zips_with_the_slashes_of_windows_are_read(tmp_path):
    content = io.BytesIO()
    Image.fromarray(255 * DISC).save(content, "png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as stream:
        for folder in ("image", "mask"):
            info = zipfile.ZipInfo("x")
            info.filename = f"{folder}\\00.png"
            stream.writestr(info, content.getvalue())
    source = Source(tmp_path / "a.zip")
    (case,) = layouts.read_pairs(source).cases
    card = Card(name="own", channels=1, size=[8, 8])
    assert np.array_equal(decode.decode(source, card, case).mask, DISC)
