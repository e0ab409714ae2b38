"""What synthetic images show: glands, skin, eyes, hearts, each painted from a random generator."""

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image


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


def paint_short_axis(
    rng: np.random.Generator, shape: tuple[int, int, int], *, contracted: bool
) -> tuple[UInt8[ndarray, "x y z"], UInt8[ndarray, "x y z"]]:
    """A short-axis scan of a heart, from base to apex, and its classes.

    Class 1 is the right ventricle, 2 the myocardium, a dark ring around 3, the left ventricle.
    Vessels elsewhere are as bright, the last slice lies beyond the apex, and the first beyond the
    base where the heart is contracted.
    """
    width, height, depth = shape
    x, y, z = (
        grid / side for grid, side in zip(np.mgrid[:width, :height, :depth], shape, strict=True)
    )
    centre = np.array([0.5, 0.5]) + rng.normal(0, 0.04, 2)
    taper = np.sqrt(np.clip(1 - (z / 0.9) ** 2, 0, 1))
    cavity = rng.uniform(0.08, 0.11) * (0.6 if contracted else 1.0) * taper
    wall = cavity + rng.uniform(0.04, 0.06) * (1.4 if contracted else 1.0) * (taper > 0)
    dx, dy = x - centre[0], y - centre[1]
    from_left = np.hypot(dx, dy)
    side = np.hypot(dx + 1.5 * wall, (dy + 0.3 * wall) / 1.5)
    classes = np.zeros(shape, np.uint8)
    classes[(side < 1.1 * wall) & (from_left >= wall)] = 1
    classes[from_left < wall] = 2
    classes[from_left < cavity] = 3
    if contracted:
        classes[..., 0] = 0
    tone = np.array([0.25, 0.75, 0.2, 0.8]) + rng.normal(0, 0.04, 4)
    image = tone[classes] + 0.1 * np.sin(6 * x * rng.normal(1, 0.3) + 5 * y)
    for _ in range(rng.integers(3, 7)):  # vessels, stomach and lungs
        near = np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 1)) < rng.uniform(0.04, 0.1)
        image = np.where(near & (classes == 0), rng.choice([0.05, 0.75]), image)
    return _bytes(image + rng.normal(0, 0.05, shape)), classes
