"""Invented images in the official layouts: for tests, the demo, and readers without the data.

A phantom is deterministic: equal options give equal bytes.
"""

import csv
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

from benchmark.data import pool
from benchmark.data.cards import Card, PhantomOptions
from benchmark.data.prepare import prepare, require_writable
from benchmark.errors import UserError, unknown
from benchmark.randomness import generator

OFFICIAL = {"glas": PhantomOptions(kind="glas", train=85, test=80, width=775, height=522)}


def synthesise(options: PhantomOptions, out: Path) -> Path:
    """Write the phantom's official layout beneath `out`; returns the folder to prepare from."""
    if options.kind not in _WRITERS:
        raise unknown("phantom", options.kind, _WRITERS)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not empty; name a new folder")
    return _WRITERS[options.kind](options, out)


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
        image, glands = glas_image(rng, options.height, options.width, malignant)
        Image.fromarray(image).save(folder / f"{name}.bmp")
        Image.fromarray(glands).save(folder / f"{name}_anno.bmp")
        rows.append([name, f" {i % 16 + 1}", f" {'malignant' if malignant else 'benign'}", " none"])
    head = ["name", "patient ID", " grade (GlaS)", " grade (Sirinukunwattana et al. 2015)"]
    with (folder / "Grade.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\r").writerows([head, *rows])
    return folder


_WRITERS: dict[str, Callable[[PhantomOptions, Path], Path]] = {"glas": write_glas}


def glas_image(
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
    return (image.clip(0, 1) * 255).astype(np.uint8), glands


def _radius(
    rng: np.random.Generator, height: int, width: int, size: float, raggedness: float
) -> Float[ndarray, "h w"]:
    """Distance from a random centre, in units of a random closed outline (below 1 is inside)."""
    y, x = np.mgrid[:height, :width]
    dy, dx = y - rng.uniform(0, height), x - rng.uniform(0, width)
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
