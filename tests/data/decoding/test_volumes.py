"""From a case's files to arrays, volumes above all, and back."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
import torch

from benchmark.data import cards, phantoms
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.decoding.case import Seen
from benchmark.data.decoding.volumes import label_box
from benchmark.data.native import to_native
from benchmark.data.prepare import prepare
from benchmark.data.prepared import CaseEntry, data_hash, load
from benchmark.data.split.budget import Budget
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial
from benchmark.errors import UserError
from benchmark.randomness import generator
from benchmark.toolkit.method import Method
from benchmark.training.evaluate import evaluate
from benchmark.training.inference import View
from tests.one_case import BALL, RAS, decoded, flipped, itk, nifti

OWN = Card(name="own", readers=["volume_pairs"], is_volume=True, channels=1)


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
    data = for_trial(phantom, Roles(), budget=Budget.of_share(0.2), seed=0)
    cpu = torch.device("cpu")
    predicted = evaluate(Threshold(), View(data, cpu, [16, 16, 16])).predicted
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
    manifest = prepare(card, made, tmp_path / "root", allow_partial=True).manifest
    assert "cropped around their labels" in manifest.partial
    assert all(case.shape[0] < 160 and case.shape[2] == 16 for case in manifest.cases)


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
    data = for_trial(phantom, Roles(), budget=Budget.of_share(0.2), seed=0)
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
            Card.model_validate(la.model_dump() | fields)


def pair(folder, mask, mask_affine, affine=RAS, **options):
    """One case as NIfTI; its image is bright where the ball is."""
    images = {"a.nii.gz": nifti(200 * BALL, affine)}
    return decoded(folder, OWN, images, {"a.nii.gz": nifti(mask, mask_affine, **options)})


def is_the_ball(found) -> bool:
    return np.array_equal(found.mask, BALL) and np.array_equal(found.image[..., 0] > 0, BALL)


@pytest.mark.parametrize("axes", [(), (0,), (0, 1), (0, 1, 2)])
def test_a_mask_that_lies_the_other_way_round_is_turned(axes, tmp_path):
    assert is_the_ball(pair(tmp_path, *flipped(BALL, RAS, axes)))


@pytest.mark.parametrize("axes", [(0,), (0, 1), (0, 1, 2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_an_image_is_turned_to_the_right_the_front_and_upwards(axes, order, tmp_path):
    """Whatever the order of its axes; the mask lies as most do."""
    array, affine = flipped(200 * BALL, RAS, axes)
    images = {"a.nii.gz": nifti(array.transpose(order), affine[:, [*order, 3]])}
    found = decoded(tmp_path, OWN, images, {"a.nii.gz": nifti(BALL)})
    assert is_the_ball(found)
    assert found.spacing == (0.7, 0.7, 2.0)
    assert found.source_shape == tuple(BALL.shape[axis] for axis in order)


def test_a_mask_whose_axes_are_in_another_order(tmp_path):
    assert is_the_ball(pair(tmp_path, BALL.transpose(2, 0, 1), RAS[:, [2, 0, 1, 3]]))


def test_a_mask_saved_with_the_identity_is_in_the_images_order_and_that_is_said(tmp_path):
    found = pair(tmp_path, BALL, np.eye(4))
    assert is_the_ball(found) and found.seen == {Seen.BY_ORDER}


def test_so_it_is_where_the_image_is_turned(tmp_path):
    """The mask's voxels are in the order of the image's file, not of what is stored."""
    array, affine = flipped(BALL, RAS, (0, 1))
    images = {"a.nii.gz": nifti(200 * array, affine)}
    assert is_the_ball(decoded(tmp_path, OWN, images, {"a.nii.gz": nifti(array, np.eye(4))}))


def test_an_image_with_the_identity_and_a_mask_that_fits_when_turned(tmp_path):
    mask, affine = flipped(BALL, np.eye(4), (0, 1))
    assert is_the_ball(pair(tmp_path, mask, affine, np.eye(4)))


@pytest.mark.parametrize(
    ("mm", "told"), [(20, "by up to 28.6 voxels"), (0.5, "by up to 0.714 voxels"), (0.35, "")]
)
def test_a_mask_that_lies_elsewhere_is_refused_with_how_far(mm, told, tmp_path):
    """Voxels are 0.7 mm long there, and 2 mm along another axis; half a voxel is 0.35 mm."""
    elsewhere = RAS.copy()
    elsewhere[0, 3] += mm
    if not told:
        assert is_the_ball(pair(tmp_path, BALL, elsewhere))
        return
    told = rf"mask/a\.nii\.gz lies elsewhere in the patient than image/a\.nii\.gz, {told}"
    with pytest.raises(ValueError, match=told):
        pair(tmp_path, BALL, elsewhere)


@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        ("a.NII.GZ", nibabel.Nifti1Image, (10, 8, 6)),
        ("a.nii", nibabel.Nifti1Image, (10, 8, 6)),  # packed, under a name that does not say so
        ("a.nii.gz", nibabel.Nifti2Image, (10, 8, 6)),
        ("a.nii.gz", nibabel.Nifti1Image, (10, 8, 6, 1)),
        ("a.nii.gz", nibabel.Nifti1Image, (10, 8, 6, 1, 1)),
    ],
)
def test_volumes_are_read_by_what_they_hold(name, kind, shape, tmp_path):
    masks = {name: nifti(BALL.reshape(shape), kind=kind)}
    assert is_the_ball(decoded(tmp_path, OWN, {name: nifti(200 * BALL)}, masks))


@pytest.mark.parametrize("name", ["a.nrrd", "a.NRRD", "a.mha", "a.seg.nrrd"])
def test_volumes_of_itk_lie_where_a_nifti_of_the_same_affine_does(name, tmp_path):
    array, affine = flipped(BALL, RAS, (1,))
    for_itk = itk(tmp_path, name.lower(), array, affine)
    found = decoded(tmp_path, OWN, {"a.nii.gz": nifti(200 * BALL)}, {name: for_itk})
    assert is_the_ball(found)
    as_image = itk(tmp_path, name.lower(), 200 * array, affine)
    found = decoded(tmp_path / "other", OWN, {name: as_image}, {"a.nii.gz": nifti(BALL)})
    assert is_the_ball(found) and found.spacing == (0.7, 0.7, 2.0)


def test_a_file_of_itk_that_says_nothing_stays_as_it_is(tmp_path):
    content = [itk(tmp_path, "x.nrrd", array) for array in (200 * BALL, BALL)]
    found = decoded(tmp_path, OWN, {"a.nrrd": content[0]}, {"a.nrrd": content[1]})
    assert is_the_ball(found) and found.affine is None and found.spacing == ()


@pytest.mark.parametrize(
    ("affine", "unit", "spacing"),
    [
        (RAS, "unknown", (0.7, 0.7, 2.0)),
        (RAS, "mm", (0.7, 0.7, 2.0)),
        (np.diag([7e-4, 7e-4, 2e-3, 1]), "meter", (0.7, 0.7, 2.0)),
        (np.diag([700, 700, 2000, 1]), "micron", (0.7, 0.7, 2.0)),
        (np.diag([-1, -1, 1, 1]), "mm", ()),  # what a header says that says nothing
        (None, "unknown", ()),
    ],
)
def test_the_size_of_a_voxel_is_the_headers_in_mm(affine, unit, spacing, tmp_path):
    images = {"a.nii.gz": nifti(200 * BALL, affine, unit=unit)}
    found = decoded(tmp_path, OWN, images, {"a.nii.gz": nifti(BALL, affine, unit=unit)})
    assert found.spacing == spacing


@pytest.mark.parametrize(
    ("spacing", "affine", "unit", "expected"),
    [
        ([0.625] * 3, np.eye(4), "mm", (0.625, 0.625, 0.625)),
        ([0.7, 0.7, 2.0], RAS, "mm", (0.7, 0.7, 2.0)),
        ([0.5, 0.5, 2.0], RAS, "unknown", (0.5, 0.5, 2.0)),
        ([0.5, 0.5, 2.0], RAS, "mm", "voxels of 0.7×0.7×2 mm in image/a.nii.gz, 0.5×0.5×2 mm in"),
    ],
)
def test_the_card_s_spacing_counts_where_the_file_has_none(
    spacing, affine, unit, expected, tmp_path
):
    """Or names no unit, which is noted; one that does must not be contradicted."""
    card = OWN.model_copy(update={"spacing": spacing})
    files = [{"a.nii.gz": nifti(v, affine, unit=unit)} for v in (200 * BALL, BALL)]
    if isinstance(expected, str):
        with pytest.raises(ValueError, match=expected):
            decoded(tmp_path, card, *files)
        return
    found = decoded(tmp_path, card, *files)
    assert found.spacing == expected
    assert (Seen.OTHER_SPACING in found.seen) == (unit == "unknown")


def test_the_voxels_of_a_nrrd_without_a_space_are_used_unless_the_card_has_others(tmp_path):
    """As pynrrd writes them: spacings, and no word on the patient."""
    header = "NRRD0004\ntype: uint8\ndimension: 3\nsizes: 10 8 6\nspacings: 0.8 0.9 2.5\n"
    raw = f"{header}encoding: raw\n\n".encode() + BALL.tobytes("F")
    files = {"a.nrrd": raw}
    assert decoded(tmp_path, OWN, files, files).spacing == (0.8, 0.9, 2.5)
    card = OWN.model_copy(update={"spacing": [5.0, 5.0, 5.0]})
    found = decoded(tmp_path, card, files, files)
    assert found.spacing == (5, 5, 5) and Seen.OTHER_SPACING in found.seen


def test_a_mask_of_a_part_of_the_image_is_filled_up(tmp_path):
    """As Slicer crops segments: its origin says where it belongs."""
    affine = RAS.copy()
    affine[:3, 3] += RAS[:3, :3] @ [1, 2, 0]
    part = BALL[1:6, 2:7, :4]
    assert is_the_ball(pair(tmp_path / "nifti", part, affine))
    content = itk(tmp_path, "a.seg.nrrd", part, affine)
    images = {"a.nii.gz": nifti(200 * BALL)}
    assert is_the_ball(decoded(tmp_path / "nrrd", OWN, images, {"a.seg.nrrd": content}))


def test_oblique_volumes_are_matched_though_the_nearest_axes_tie(tmp_path):
    """At 45° each axis is as near to the right as to the front; stored in another order."""
    half = np.sqrt(0.5)
    turn = np.array([[half, -half, 0, 0], [half, half, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    affine = turn @ RAS
    swapped = affine[:, [1, 0, 2, 3]]
    found = pair(tmp_path, BALL.transpose(1, 0, 2), swapped, affine)
    assert np.array_equal(found.mask > 0, found.image[..., 0] > 0) and found.mask.any()


def test_several_channels_come_in_one_file_or_in_a_file_each(tmp_path):
    """The second lies the other way round, and is turned to the first."""
    first, second = 200 * BALL, 100 * BALL + np.uint8(7)
    card = OWN.model_copy(update={"channels": 2})
    mask = {"a.nii.gz": nifti(BALL)}
    joined = {"a.nii.gz": nifti(np.stack([first, second], -1))}
    found = decoded(tmp_path / "one", card, joined, mask)
    assert np.array_equal(found.image, np.stack([first, second], -1))
    assert len(found.mean) == len(found.std) == 2
    apart = {"a_0.nii.gz": nifti(first), "a_1.nii.gz": nifti(*flipped(second, RAS, (0,)))}
    assert np.array_equal(decoded(tmp_path / "two", card, apart, mask).image, found.image)
    with pytest.raises(ValueError, match=r"2 channels in .*, and channels: 1 in the card"):
        decoded(tmp_path / "three", OWN, apart, mask)
    short = apart | {"a_1.nii.gz": nifti(second[:5])}
    with pytest.raises(ValueError, match=r"image/a_1\.nii\.gz has another size"):
        decoded(tmp_path / "four", card, short, mask)


def test_a_mask_of_several_layers_is_refused(tmp_path):
    layers = np.stack([BALL, 1 - BALL], -1)
    with pytest.raises(ValueError, match="2 layers"):
        pair(tmp_path, layers, RAS)


def test_numbers_that_are_not_finite_are_named(tmp_path):
    values = np.where(BALL, np.nan, 1.0).astype(np.float32)
    told = r"image/a\.nii\.gz holds 30 values that are not finite"
    with pytest.raises(ValueError, match=told):
        decoded(tmp_path, OWN, {"a.nii.gz": nifti(values)}, {"a.nii.gz": nifti(BALL)})


def case_of(found) -> CaseEntry:
    return CaseEntry(
        id="a",
        split="test",
        group="",
        foreground=0.1,
        shape=list(found.mask.shape),
        source_shape=list(found.source_shape),
        affine=found.affine.tolist(),
        start=list(found.start),
    )


@pytest.mark.parametrize("axes", [(), (0,), (1, 2)])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
@pytest.mark.parametrize("crop", ["none", "label_box"])
def test_what_is_stored_goes_back_to_how_the_file_had_it(crop, order, axes, tmp_path):
    """Along x the box is 112 of 160 voxels long; the mask of the file comes back, whole."""
    whole = np.zeros((160, 8, 6), np.uint8)
    whole[70:74, 2:7, 0:2] = 1
    array, affine = flipped(whole, RAS, axes)
    mask, affine = array.transpose(order), affine[:, [*order, 3]]
    card = OWN.model_copy(update={"crop": crop})
    files = ({"a.nii.gz": nifti(v, affine)} for v in (200 * mask, mask))
    found = decoded(tmp_path, card, *files)
    assert found.mask.shape[0] == (160 if crop == "none" else 112)
    assert np.array_equal(to_native(found.mask, case_of(found)), mask)
    assert np.allclose(found.affine, affine)


def test_a_sform_that_contradicts_the_voxels_of_the_header_gives_way_to_the_qform(tmp_path):
    """As of ACDC: the sform says 1 mm (MIC-DKFZ/nnUNet issue 2741), the qform 1.32 by 10."""
    values = np.arange(480, dtype=np.int16).reshape(10, 8, 6)

    def with_forms(array, *, is_wrong):
        image = nibabel.Nifti1Image(array, np.diag([-1.5, -1.5, 10.0, 1.0]))
        image.set_qform(np.diag([-1.5, -1.5, 10.0, 1.0]), 1)
        if is_wrong:
            image.set_sform(np.diag([-1.0, -1.0, 1.0, 1.0]), 1, update_affine=False)
        return gzip.compress(image.to_bytes())

    mask = with_forms(BALL, is_wrong=True)
    for i, image_is_wrong in enumerate((True, False)):
        folder = tmp_path / str(i)
        image = with_forms(values, is_wrong=image_is_wrong)
        found = decoded(folder, OWN, {"a.nii.gz": image}, {"a.nii.gz": mask})
        assert found.spacing == (1.5, 1.5, 10.0)
        assert (found.mask == BALL[::-1, ::-1]).all()  # to the right and to the front
        assert Seen.BY_ORDER not in found.seen


def placed(size: tuple[slice, ...], affine: np.ndarray) -> tuple[bytes, bytes]:
    return nifti(200 * BALL, affine), nifti(np.ascontiguousarray(BALL[size]), affine)


@pytest.mark.parametrize(
    "size",
    [
        (slice(None, None, 2),) * 3,  # of half the resolution
        (slice(None), slice(None), slice(0, 4)),  # of another case, or cut out with its affine kept
        (slice(2, None), slice(1, None), slice(None)),
    ],
)
@pytest.mark.parametrize("affine", [RAS, np.eye(4)])
def test_a_smaller_mask_that_says_it_begins_where_the_image_does_is_refused(tmp_path, size, affine):
    image, mask = placed(size, affine)
    with pytest.raises(ValueError, match="the mask has another size than the image"):
        decoded(tmp_path, OWN, {"a.nii.gz": image}, {"a.nii.gz": mask})


def test_a_mask_that_was_filled_up_is_told(tmp_path):
    affine = RAS.copy()
    affine[:3, 3] += RAS[:3, :3] @ [1, 2, 0]
    assert Seen.FILLED_UP in pair(tmp_path / "part", BALL[1:6, 2:7, :4], affine).seen
    assert Seen.FILLED_UP not in pair(tmp_path / "whole", BALL, RAS).seen


def test_a_mask_that_simpleitk_was_told_nothing_of_is_paired_voxel_by_voxel(tmp_path):
    """SimpleITK.GetImageFromArray: origin 0, spacing 1, which NIfTI has as diag(-1, -1, 1)."""
    found = pair(tmp_path, BALL, np.diag([-1.0, -1, 1, 1]))
    assert np.array_equal(found.mask, BALL) and Seen.BY_ORDER in found.seen


@pytest.mark.parametrize(("unit", "spacing"), [("mm", (1.0, 1.0, 1.0)), ("unknown", ())])
def test_voxels_of_one_millimetre_are_believed_where_the_file_says_mm_and_where_it_lies(
    tmp_path, unit, spacing
):
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = [-90, -126, -72]
    files = {"a.nii.gz": nifti(200 * BALL, affine, unit=unit)}
    found = decoded(tmp_path, OWN, files, {"a.nii.gz": nifti(BALL, affine, unit=unit)})
    assert found.spacing == spacing


def test_the_image_in_the_place_of_its_mask_is_seen(tmp_path):
    files = {"a.nii.gz": nifti(np.arange(BALL.size).reshape(BALL.shape).astype(np.int16))}
    card = OWN.model_copy(update={"mask": "nonzero"})
    assert Seen.IMAGE_AGAIN in decoded(tmp_path, card, files, files).seen
    assert Seen.IMAGE_AGAIN not in pair(tmp_path / "own", BALL, RAS).seen


@pytest.mark.parametrize(
    ("at", "damage"), [(123, b"\7"), (296, struct.pack("<4f", 1e18, 1, 0, 0))]
)  # the unit of lengths; the second line of the sform
def test_a_header_that_tells_nothing_sensible_is_as_one_that_tells_nothing(tmp_path, at, damage):
    raw = bytearray(gzip.decompress(nifti(200 * BALL)))
    raw[at : at + len(damage)] = damage
    files = {"a.nii": bytes(raw)}
    found = decoded(tmp_path, OWN, files, {"a.nii.gz": nifti(BALL)})
    assert is_the_ball(found)
