"""Synthetic images in the official layouts: for tests, the demo, and readers without the data.

A phantom is deterministic: equal options give equal bytes.
"""

import contextlib
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from benchmark import scratch
from benchmark.data import cards, lists
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.names import prepared as prepared_names
from benchmark.data.painting import (
    paint_eye,
    paint_glands,
    paint_heart,
    paint_short_axis,
    paint_skin,
)
from benchmark.data.prepare import prepare
from benchmark.data.prepared import Manifest, read_manifest
from benchmark.data.source import SYNTHETIC
from benchmark.errors import UserError, unknown
from benchmark.randomness import generator

OFFICIAL = {
    "glas": PhantomOptions(kind="glas", train=85, test=80, width=775, height=522),
    "ph2": PhantomOptions(kind="ph2", train=160, test=40, width=767, height=576),
    "hmeps": PhantomOptions(kind="hmeps", train=400, test=100, width=256, height=192),
    "la": PhantomOptions(kind="la", train=80, test=20, width=96, height=96, depth=48),
    "acdc": PhantomOptions(kind="acdc", train=70, val=10, test=20, width=96, height=112, depth=8),
    "acdc_h5": PhantomOptions(
        kind="acdc_h5", train=70, val=10, test=20, width=96, height=112, depth=8
    ),
}


def synthesise(options: PhantomOptions, out: Path) -> Path:
    """Write the phantom's official layout beneath `out`; returns the folder to prepare from."""
    if options.kind not in _WRITERS:
        raise unknown("phantom", options.kind, _WRITERS)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; name a new folder")
    folder = _WRITERS[options.kind](options, out)
    (folder / SYNTHETIC).write_text("These images are synthetic: bench data synth made them.\n")
    return folder


def ensure_prepared(card: Card, data_root: Path) -> Manifest:
    """Prepare a phantom dataset if it is not there as this version would make it.

    It needs no download, so one that is damaged, or of an earlier version, is made anew.
    """
    if card.name in prepared_names(data_root):
        with contextlib.suppress(UserError):
            manifest = read_manifest(data_root, card.name)
            if manifest.card == card:
                return manifest
    with scratch.folder("phantom") as folder:
        source = synthesise(card.phantom, folder / "phantom")
        return prepare(card, source, data_root).manifest


def write_glas(options: PhantomOptions, out: Path) -> Path:
    """The GlaS release: numbered BMP files with `_anno` masks of gland numbers, and Grade.csv."""
    folder = out / "Warwick QU Dataset (Released 2016_07_08)"
    folder.mkdir(parents=True)
    test_a = options.test - options.test // 4
    names = [f"train_{i + 1}" for i in range(options.train)]
    names += [f"testA_{i + 1}" for i in range(test_a)]
    names += [f"testB_{i + 1}" for i in range(options.test - test_a)]
    rows = []
    for i, name in enumerate(names):
        rng = generator("phantom glas", options.seed, name)
        malignant = bool(rng.random() < 0.5)
        image, glands = paint_glands(rng, options.height, options.width, malignant)
        Image.fromarray(image).save(folder / f"{name}.bmp")
        Image.fromarray(glands).save(folder / f"{name}_anno.bmp")
        rows.append([name, f" {i % 16 + 1}", f" {'malignant' if malignant else 'benign'}", " none"])
    head = ["name", "patient ID", " grade (GlaS)", " grade (Sirinukunwattana et al. 2015)"]
    with (folder / "Grade.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\r").writerows([head, *rows])
    return folder


def write_ph2(options: PhantomOptions, out: Path) -> Path:
    """The PH2 release: a folder per case; 1-bit lesion masks, but for one in colour as there."""
    folder = out / "PH2Dataset"
    for i in range(options.train + options.test):
        name = f"IMD{2 * i + 2:03d}"
        rng = generator("phantom ph2", options.seed, name)
        image, lesion = paint_skin(rng, options.height, options.width)
        mask = Image.fromarray(lesion * np.uint8(255))
        mask = mask.convert("RGB") if i == 0 else mask.convert("1")
        for part, file, picture in (
            ("Dermoscopic_Image", name, Image.fromarray(image)),
            ("lesion", f"{name}_lesion", mask),
        ):
            place = folder / "PH2 Dataset images" / name / f"{name}_{part}"
            place.mkdir(parents=True)
            picture.save(place / f"{file}.bmp")
    (folder / "PH2_dataset.txt").write_text("|| Name || Diagnosis ||\n", encoding="utf-8")
    return folder


def write_hmeps(options: PhantomOptions, out: Path) -> Path:
    """The HMEPS release: frames in .jpg and .jpeg, colour masks with the pupil in red, a table."""
    for part in ("fullFrames", "annotation/png"):
        (out / part).mkdir(parents=True)
    rows = []
    for i in range(options.train + options.test):
        subject = i // 8  # frames of one video
        rng = generator("phantom hmeps", options.seed, i)
        look = generator("phantom hmeps subject", options.seed, subject)
        blinks = bool(rng.random() < 0.08)
        frame, pupil, glint = paint_eye(rng, look, options.height, options.width, blinks)
        name = f"frame_{i:05d}.{'jpg' if i % 3 else 'jpeg'}"
        Image.fromarray(frame).save(out / "fullFrames" / name, quality=90)
        colours = np.stack([pupil, glint, np.zeros_like(pupil)], -1) * np.uint8(255)
        Image.fromarray(colours).save(out / "annotation/png" / f"frame_{i:05d}.png")
        rows.append([name, int(not blinks), int(blinks), "human", f"{subject}.0"])
    with (out / "annotation/annotations.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["filename", "eye", "blink", "exp", "sub"], *rows])
    return out


def write_la(options: PhantomOptions, out: Path) -> Path:
    """The LA release: a folder per case with lgemri.nrrd and laendo.nrrd, values 0 and 255."""
    import SimpleITK

    names = [f"PHANTOM{i:013d}" for i in range(options.train)]
    names += cards.find("la").test_ids[: options.test]
    shape = (options.width, options.height, options.depth)
    for name in names:
        folder = out / "Training Set" / name
        folder.mkdir(parents=True)
        image, atrium = paint_heart(generator("phantom la", options.seed, name), shape)
        for name, values in (("lgemri", image), ("laendo", atrium * np.uint8(255))):
            made = SimpleITK.GetImageFromArray(values.transpose())  # which takes z first
            SimpleITK.WriteImage(made, str(folder / f"{name}.nrrd"))
    return out


def write_acdc(options: PhantomOptions, out: Path) -> Path:
    """The ACDC release: a folder per patient with two frames, their masks, and Info.cfg.

    As there, frames are numbered by time, of patient090 the later one is end-diastole, sforms say
    voxels of 1 mm where qforms say how large they are, and there is a test set of its own.
    """
    import nibabel

    training, spacing = out / "database" / "training", (1.5, 1.5, 10.0)
    for patient in _acdc_patients(options):
        (folder := training / patient).mkdir(parents=True)
        ed, es = (11, 4) if patient == "patient090" else (1, 9)
        for frame, is_systole in ((ed, False), (es, True)):
            image, classes = _scan(options, patient, is_systole)
            for ending, array in (("", image.astype(np.int16) * 4), ("_gt", classes)):
                made = nibabel.Nifti1Image(array, np.diag([-1.0, -1.0, 1.0, 1.0]))
                made.header["pixdim"][1:4] = spacing
                made.set_qform(np.diag([-spacing[0], -spacing[1], spacing[2], 1.0]), 1)
                made.set_sform(np.diag([-1.0, -1.0, 1.0, 1.0]), 1, update_affine=False)
                made.header.set_xyzt_units("mm")
                nibabel.save(made, folder / f"{patient}_frame{frame:02d}{ending}.nii.gz")
        (folder / f"{patient}_4d.nii.gz").touch()
        (folder / "Info.cfg").write_text(f"ED: {ed}\nES: {es}\nGroup: NOR\nNbFrame: 30\n")
    (unused := out / "database" / "testing" / "patient101").mkdir(parents=True)
    for name in ("frame01.nii.gz", "frame01_gt.nii.gz", "4d.nii.gz"):
        (unused / f"patient101_{name}").touch()
    return out


def write_acdc_h5(options: PhantomOptions, out: Path) -> Path:
    """The same scans as SSL4MIS passes them on: HDF5 of volumes and of slices, and lists."""
    import h5py

    (out / "data" / "slices").mkdir(parents=True)

    def write(file: Path, image: ndarray, label: ndarray) -> None:
        with h5py.File(file, "w") as stream:
            stream.create_dataset("image", data=image, compression="gzip")
            stream.create_dataset("label", data=label, compression="gzip")

    for patient in _acdc_patients(options):
        for frame, is_systole in (("frame01", False), ("frame02", True)):
            image, classes = _scan(options, patient, is_systole)
            image, classes = image.transpose(2, 1, 0).astype(np.float32), classes.transpose(2, 1, 0)
            image = (image - image.min()) / (image.max() - image.min())
            write(out / "data" / f"{patient}_{frame}.h5", image, classes)
            for i in range(len(image)):
                slice_ = out / "data" / "slices" / f"{patient}_{frame}_slice_{i + 1}.h5"
                write(slice_, image[i], classes[i])
    for split, patients in _acdc_splits(options).items():
        lines = [f"{patient}_{frame}\n" for patient in patients for frame in ("frame01", "frame02")]
        (out / f"{split}.list").write_text("".join(lines))
    return out


def _acdc_splits(options: PhantomOptions) -> dict[str, list[str]]:
    """The first patients of each published list; patient090, which is odd, always among them."""
    numbers = {"train": options.train, "val": options.val, "test": options.test}
    chosen = {}
    for split, n in numbers.items():
        patients = list(lists.find("acdc", f"ssl4mis-{split}-patients").ids)
        patients.sort(key=lambda patient: patient != "patient090")
        chosen[split] = patients[:n]
    return chosen


def _acdc_patients(options: PhantomOptions) -> list[str]:
    return [patient for patients in _acdc_splits(options).values() for patient in patients]


def _scan(
    options: PhantomOptions, patient: str, contracted: bool
) -> tuple[UInt8[ndarray, "x y z"], UInt8[ndarray, "x y z"]]:
    shape = (options.width, options.height, options.depth)
    rng = generator("phantom acdc", options.seed, patient, int(contracted))
    return paint_short_axis(rng, shape, contracted=contracted)


_WRITERS: dict[str, Callable[[PhantomOptions, Path], Path]] = {
    "glas": write_glas,
    "ph2": write_ph2,
    "hmeps": write_hmeps,
    "la": write_la,
    "acdc": write_acdc,
    "acdc_h5": write_acdc_h5,
}
