"""Synthetic images in the official layouts: for tests, the demo, and readers without the data.

A phantom is deterministic: equal options give equal bytes.
"""

import contextlib
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from benchmark import scratch
from benchmark.data import card as cards
from benchmark.data.card import Card, PhantomOptions
from benchmark.data.prepare import prepare
from benchmark.data.prepared import Manifest, prepared_names, read_manifest
from benchmark.data.source import SYNTHETIC
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


_WRITERS: dict[str, Callable[[PhantomOptions, Path], Path]] = {
    "glas": write_glas,
    "ph2": write_ph2,
    "hmeps": write_hmeps,
    "la": write_la,
}


def paint_glands(
    rng: np.random.Generator, height: int, width: int, malignant: bool
) -> tuple[UInt8[ndarray, "h w 3"], UInt8[ndarray, "h w"]]:
    """An image of glands in stroma, and their numbers.

    A gland is a ring of dark epithelium around a pale lumen. What makes the task need labels: the
    stain varies from image to image, pale holes without epithelium lie in the stroma, and
    malignant glands are ragged and often without lumen.
    """
    stroma = np.array([0.80, 0.52, 0.70]) + rng.normal(0, 0.05, 3)
    epithelium = np.array([0.52, 0.32, 0.60]) + rng.normal(0, 0.07, 3)
    pale = np.array([0.90, 0.82, 0.88]) + rng.normal(0, 0.03, 3)
    fibres = _noise(rng, height, width, 24)[..., None] * 0.10
    nuclei = (_noise(rng, height, width, 5) > 0.9 + 0.5 * rng.random())[..., None]
    image = stroma + fibres
    image = np.where(nuclei, 0.5 * image + 0.5 * epithelium, image)

    glands = np.zeros((height, width), np.uint8)
    unit = min(height, width)
    for _ in range(rng.integers(2, 5)):  # holes: vessels and fat
        inside = _radius(rng, height, width, unit * rng.uniform(0.04, 0.10), 0.1) < 1
        image = np.where(inside[..., None], pale, image)
    for _ in range(rng.integers(8, 22)):
        radius = _radius(
            rng, height, width, unit * rng.uniform(0.08, 0.24), 0.35 if malignant else 0.12
        )
        body = radius < 1
        if glands[radius < 1.1].any() or not body.any():
            continue
        glands[body] = glands.max() + 1
        lumen = radius < rng.uniform(0.0, 0.4 if malignant else 0.65)
        crypt = epithelium + 0.16 * (_noise(rng, height, width, 6)[..., None])
        crypt = crypt + 0.14 * (radius < 0.85)[..., None]  # nuclei sit at the border
        image = np.where(body[..., None], np.where(lumen[..., None], pale, crypt), image)
    image = image * rng.uniform(0.85, 1.1) + rng.normal(0, 0.03, image.shape)
    return _bytes(image), glands


def paint_skin(
    rng: np.random.Generator, height: int, width: int
) -> tuple[UInt8[ndarray, "h w 3"], UInt8[ndarray, "h w"]]:
    """Skin with one lesion of blotched brown, hairs and a dark vignette."""
    tone = np.array([0.82, 0.62, 0.52]) + rng.normal(0, 0.05, 3)
    brown = np.array([0.45, 0.28, 0.20]) + rng.normal(0, 0.06, 3)
    unit = min(height, width)
    image = tone + 0.05 * _noise(rng, height, width, 20)[..., None]
    radius = _radius(rng, height, width, unit * rng.uniform(0.15, 0.45), 0.25, central=True)
    blotches = brown + 0.10 * _noise(rng, height, width, 24)[..., None]
    edge = (1 / (1 + np.exp((radius - 1) * rng.uniform(8, 30))))[..., None]  # soft or sharp
    image = edge * blotches + (1 - edge) * image
    y, x = np.mgrid[:height, :width]
    for _ in range(rng.integers(0, 12)):
        slope, offset = rng.normal(0, 1), rng.uniform(0, height)
        image[np.abs(y - slope * x - offset) < max(1.0, unit / 150)] *= 0.4
    image = image * (1.1 - 0.5 * np.hypot(y / height - 0.5, x / width - 0.5))[..., None]
    return _bytes(image + rng.normal(0, 0.02, image.shape)), (radius < 1).astype(np.uint8)


def paint_eye(
    rng: np.random.Generator,
    look: np.random.Generator,
    height: int,
    width: int,
    blinks: bool,
) -> tuple[UInt8[ndarray, "h w"], UInt8[ndarray, "h w"], UInt8[ndarray, "h w"]]:
    """An infrared frame of an eye, its pupil, and the glint in it; no pupil where it blinks.

    look: generator of what all frames of one subject share.
    """
    unit = min(height, width)
    skin_tone, iris_tone, pupil_tone = look.uniform(0.5, 0.8), look.uniform(0.3, 0.5), 0.12
    image = skin_tone + 0.08 * _noise(rng, height, width, 16)
    pupil = glint = np.zeros((height, width), bool)
    if not blinks:
        y, x = np.mgrid[:height, :width]
        dy = y - height * rng.uniform(0.35, 0.65)
        dx = x - width * rng.uniform(0.35, 0.65)
        iris = np.hypot(dx, dy) < unit * 0.3
        pupil = np.hypot(dx / rng.uniform(0.9, 1.1), dy) < unit * rng.uniform(0.08, 0.2)
        glint = np.hypot(dx - unit * 0.04, dy + unit * 0.03) < unit * 0.02
        image = np.where(iris, iris_tone + 0.06 * _noise(rng, height, width, 5), image)
        image = np.where(pupil, pupil_tone, image)
        image = np.where(glint, 1.0, image)
        for _ in range(rng.integers(2, 9)):  # lashes are as dark as the pupil
            image[np.abs(dx + rng.uniform(-unit, unit) / 2 + dy * rng.normal(0, 0.4)) < 1.5] *= 0.4
    image = image * rng.uniform(0.8, 1.15) + rng.normal(0, 0.03, image.shape)
    return _bytes(image), pupil.astype(np.uint8), glint.astype(np.uint8)


def paint_heart(
    rng: np.random.Generator, shape: tuple[int, int, int]
) -> tuple[UInt8[ndarray, "x y z"], UInt8[ndarray, "x y z"]]:
    """A scan with one atrium among other chambers that are as bright but lie elsewhere."""
    grid = np.stack(np.mgrid[tuple(slice(0, side) for side in shape)], -1) / np.array(shape)
    image = 0.25 + 0.1 * np.sin(grid @ rng.normal(0, 6, 3))  # uneven coil
    atrium = _ellipsoid(rng, grid, centre=(0.5, 0.55, 0.5), size=0.17)
    for centre in ((0.25, 0.3, 0.5), (0.75, 0.3, 0.5), (0.5, 0.12, 0.5)):
        other = _ellipsoid(rng, grid, centre=centre, size=0.14) & ~atrium
        image = np.where(other, 0.55 + 0.1 * rng.random(), image)
    image = np.where(atrium, 0.6 + 0.1 * rng.random(), image)
    return _bytes(image + rng.normal(0, 0.07, shape)), atrium.astype(np.uint8)


def _ellipsoid(rng, grid: Float[ndarray, "x y z 3"], *, centre, size: float) -> ndarray:
    middle = np.array(centre) + rng.normal(0, 0.03, 3)
    axes = size * rng.uniform(0.8, 1.25, 3)
    return (((grid - middle) / axes) ** 2).sum(-1) < 1


def _bytes(image: Float[ndarray, "*s"]) -> UInt8[ndarray, "*s"]:
    return (image.clip(0, 1) * 255).astype(np.uint8)


def _radius(
    rng: np.random.Generator,
    height: int,
    width: int,
    size: float,
    raggedness: float,
    *,
    central: bool = False,
) -> Float[ndarray, "h w"]:
    """Distance from a random centre, in units of a random closed outline (below 1 is inside)."""
    y, x = np.mgrid[:height, :width]
    low, high = (0.35, 0.65) if central else (0.0, 1.0)
    dy, dx = y - rng.uniform(low, high) * height, x - rng.uniform(low, high) * width
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.8)
    along = (dx * np.cos(turn) + dy * np.sin(turn)) / stretch
    across = -dx * np.sin(turn) + dy * np.cos(turn)
    angle = np.arctan2(across, along)
    outline = np.ones_like(angle)
    for k in range(2, 8):
        outline += raggedness / k * 2 * rng.normal() * np.cos(k * angle + rng.uniform(0, 2 * np.pi))
    return np.hypot(along, across) / (size * outline.clip(0.3))


def _noise(rng: np.random.Generator, height: int, width: int, scale: int) -> Float[ndarray, "h w"]:
    """Smooth unit noise with spots of about `scale` pixels."""
    coarse = rng.normal(size=(max(2, height // scale), max(2, width // scale))).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth, dtype=np.float64)
