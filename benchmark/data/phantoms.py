"""Invented images in the official layouts: for tests, the demo, and readers without the data.

A phantom is deterministic: equal options give equal bytes.
"""

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from benchmark.data import cards, paint, pool
from benchmark.data.cards import Card, PhantomOptions
from benchmark.data.prepare import prepare, require_writable
from benchmark.data.source import INVENTED
from benchmark.errors import UserError, unknown
from benchmark.randomness import generator

OFFICIAL = {
    "glas": PhantomOptions(kind="glas", train=85, test=80, width=775, height=522),
    "ph2": PhantomOptions(kind="ph2", train=160, test=40, width=767, height=576),
    "hmeps": PhantomOptions(kind="hmeps", train=400, test=100, width=256, height=192),
    "la": PhantomOptions(kind="la", train=80, test=20, width=96, height=96, depth=48),
}


def synthesise(options: PhantomOptions, out: Path) -> Path:
    """Write the phantom's official layout beneath `out`; returns the folder to prepare from."""
    if options.kind not in _WRITERS:
        raise unknown("phantom", options.kind, _WRITERS)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; name a new folder")
    folder = _WRITERS[options.kind](options, out)
    (folder / INVENTED).write_text("These images were invented by bench data synth.\n")
    return folder


def ensure_prepared(card: Card, data_root: Path) -> pool.Manifest:
    """Prepare a phantom dataset if it is not there yet: it needs no download."""
    if card.name in pool.prepared_names(data_root):
        manifest = pool.read_manifest(data_root, card.name)
        if manifest.card == card:
            return manifest
    require_writable(data_root)
    with tempfile.TemporaryDirectory() as folder:
        source = synthesise(card.phantom, Path(folder) / "phantom")
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
        image, glands = paint.glands(rng, options.height, options.width, malignant)
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
        image, lesion = paint.skin(rng, options.height, options.width)
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
        frame, pupil, glint = paint.eye(rng, look, options.height, options.width, blinks)
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
    import nrrd

    names = [f"PHANTOM{i:013d}" for i in range(options.train)]
    names += cards.find("la").test_ids[: options.test]
    shape = (options.width, options.height, options.depth)
    for name in names:
        folder = out / "Training Set" / name
        folder.mkdir(parents=True)
        image, atrium = paint.heart(generator("phantom la", options.seed, name), shape)
        nrrd.write(str(folder / "lgemri.nrrd"), image)
        nrrd.write(str(folder / "laendo.nrrd"), atrium * np.uint8(255))
    return out


_WRITERS: dict[str, Callable[[PhantomOptions, Path], Path]] = {
    "glas": write_glas,
    "ph2": write_ph2,
    "hmeps": write_hmeps,
    "la": write_la,
}
