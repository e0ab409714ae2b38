"""Strong views of images, boxes that are pasted from one image into another, dropped channels.

Every random number comes from torch's global generator on the processor, so that a seed gives the
same view on every device; no input is changed in place. Nothing here turns or mirrors an image, so
the card's `symmetry` has no say in it: grey levels change where they are, and what is pasted stays
in its place, with its labels.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from benchmark.toolkit import grey_levels

_LEAST_BLUR = 0.1  # pixels
_WIDEST_BLUR = 2 / 256  # of the side: 2 pixels at the 256 that the sources train at
_PARTS = (grey_levels.brightened, grey_levels.contrasted)
_PARTS_OF_COLOURS = (
    grey_levels.brightened,
    grey_levels.contrasted_colours,
    grey_levels.saturated,
    grey_levels.hue_turned,
)


class Scale(NamedTuple):
    """How a dataset's images were standardised, all of them alike; one number for each channel.

    z = (v - mean) / std, v in [0, 1]. Volumes and their slices have constants of their own, which
    nobody is told: where the scale is None, [0, 1] goes from the least to the largest value of each
    image and channel, and three channels are no colours.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


class Strength(NamedTuple):
    """How far `jitter` goes: factors within 1 ± these, not below 0; hue within ± a share of the
    circle.
    """

    brightness: float = 0.5
    contrast: float = 0.5
    saturation: float = 0.5
    hue: float = 0.25


UNIMATCH = Strength()
"""LiheYoung/UniMatch@0324f3d more-scenarios/medical/dataset/acdc.py."""


def strong(
    x: Float[Tensor, "b c *s"],
    scale: Scale | None,
    *,
    p_jitter: float = 0.8,
    p_blur: float | None = None,
    strength: Strength = UNIMATCH,
) -> Float[Tensor, "b c *s"]:
    """The strong view: of images `jitter`, then `blur`; of volumes `stretch`, then `grain`.

    As `UNIMATCH`, the widest blur in proportion to the shorter side; of volumes as
    ZhenZHAO/AD-MT@03ef84c train_utils.py, whose code calls the noise a blur too.
    p_blur: of either; None: 0.5 of images, 0.2 of volumes, as there. strength: of images.
    """
    if x.ndim == 5:
        return grain(stretch(x, p=p_jitter), p=0.2 if p_blur is None else p_blur)
    widest = max(_WIDEST_BLUR * min(x.shape[2:]), _LEAST_BLUR)
    jittered = jitter(x, scale, p=p_jitter, strength=strength)
    return blur(jittered, p=0.5 if p_blur is None else p_blur, sigma=(_LEAST_BLUR, widest))


def jitter(
    x: Float[Tensor, "b c *s"],
    scale: Scale | None,
    *,
    p: float = 0.8,
    strength: Strength = UNIMATCH,
) -> Float[Tensor, "b c *s"]:
    """Brightness and contrast, of colours saturation and hue as well, each image in its own order.

    p: of an image to be changed. Colours are three channels of a known scale.
    """
    parts = _PARTS if scale is None or x.shape[1] != 3 else _PARTS_OF_COLOURS
    limits = [(max(0.0, 1 - s), 1 + s) for s in strength[:3]] + [(-strength.hue, strength.hue)]

    def change(v: Tensor) -> Tensor:
        amounts = [_uniform(*limit) for limit in limits]
        for part in torch.randperm(len(parts)).tolist():
            v = parts[part](v, amounts[part]).clamp(0, 1)
        return v

    return _some_changed(x, p, lambda image: _on_unit_scale(image, scale, change))


def stretch(
    x: Float[Tensor, "b c *s"], *, p: float = 0.8, contrast: float = 0.5, shift: float = 0.5
) -> Float[Tensor, "b c *s"]:
    """Grey levels times 1 ± contrast, then up to ± shift of their mean; p: of each volume."""

    def change(v: Tensor) -> Tensor:
        factor, amount = _uniform(1 - contrast, 1 + contrast), _uniform(-shift, shift)
        return grey_levels.stretched(v, factor, amount).clamp(0, 1)

    return _some_changed(x, p, lambda image: _on_unit_scale(image, None, change))


def blur(
    x: Float[Tensor, "b c *s"], *, p: float = 0.5, sigma: tuple[float, float] = (0.1, 1.0)
) -> Float[Tensor, "b c *s"]:
    """Gaussian along every axis, its deviation uniform in sigma, in pixels; p: of each image."""
    return _some_changed(x, p, lambda image: grey_levels.blurred(image, _uniform(*sigma)))


def grain(
    x: Float[Tensor, "b c *s"], *, p: float = 0.2, sigma: tuple[float, float] = (0.1, 1.0)
) -> Float[Tensor, "b c *s"]:
    """Gaussian noise on z-scores, its deviation uniform in sigma, cut off at two of it; p: of each.

    Unlike `teachers.noisy` it is drawn on the processor, whatever the images' device.
    """

    def change(image: Tensor) -> Tensor:
        noise = _uniform(*sigma) * torch.randn(image.shape).clamp(-2, 2)
        return image + noise.to(image.device)

    return _some_changed(x, p, change)


def channel_dropout(features: Sequence[Tensor], p: float = 0.5) -> list[Tensor]:
    """Whole channels of each image dropped with p, the others divided by 1 - p; each level anew."""
    kept = [(torch.rand(f.shape[:2]) >= p).to(f.device, f.dtype) / (1 - p) for f in features]
    return [f * k[(..., *[None] * (f.ndim - 2))] for f, k in zip(features, kept, strict=True)]


def boxes(
    x: Float[Tensor, "b c *s"],
    p: float = 0.5,
    *,
    part: tuple[float, float] = (0.02, 0.4),
    ratio: tuple[float, float] = (0.3, 10 / 3),
) -> Bool[Tensor, " b *s"]:
    """A box in each image with p, else none; where it is, is True.

    part: of the image that is in the box, uniform; ratio: of its sides (`box_sides`), uniform where
    such a box fits; its place is uniform where it fits. UniMatch draws ratio and place until the
    box fits, which allows the same boxes but is another law.
    """
    sides, found = x.shape[2:], []
    for has_one in (torch.rand(len(x)) < p).tolist():
        share = _uniform(*part)
        elongation = _uniform(max(ratio[0], share), min(ratio[1], 1 / share))
        box = box_sides(sides, share, elongation)
        found.append(_placed(sides, box if has_one else (0,) * len(box)))
    return torch.stack(found).to(x.device)


def box_sides(sides: Sequence[int], part: float, ratio: float) -> tuple[int, ...]:
    """Of a box that is this part of an image of these sides, rounded down.

    Shares of the sides, height and width: √(part · ratio), √(part / ratio), so ratio is that of
    height and width in square images; of volumes ∛(part / ratio), ∛(part · ratio), ∛part.
    """
    if len(sides) == 2:
        shares = [math.sqrt(part * ratio), math.sqrt(part / ratio)]
    else:
        shares = [(part / ratio) ** (1 / 3), (part * ratio) ** (1 / 3), part ** (1 / 3)]
    return tuple(min(side, int(side * share)) for side, share in zip(sides, shares, strict=True))


def shared_box(x: Float[Tensor, "b c *s"], side: float = 2 / 3) -> Bool[Tensor, " b *s"]:
    """One box for the whole batch, of this share of each side (rounded down), anywhere inside.

    BCP, DeepMed-Lab-ECNU/BCP@7879f98, where the last place of each axis is never drawn.
    """
    sides = x.shape[2:]
    box = _placed(sides, [math.floor(round(side * have, 9)) for have in sides])
    return box.to(x.device).expand(len(x), *sides)


def beta_boxes(x: Float[Tensor, "b c *s"], concentration: float = 4.0) -> Bool[Tensor, " b *s"]:
    """A box of the batch's size around a centre of each image's own, cut off at the edges.

    Sides √(1 - λ) of the image's, λ from Beta(concentration, concentration); the centre is uniform
    from an eighth of each side on. CutMix as ZhenZHAO/AD-MT@03ef84c has it.
    """
    mixed = torch.distributions.Beta(concentration, concentration).sample().item()
    halves = [int(side * math.sqrt(1 - mixed)) // 2 for side in x.shape[2:]]
    found = []
    for _ in range(len(x)):
        box = torch.zeros(x.shape[2:], dtype=torch.bool)
        centre = [int(torch.randint(side // 8, side, ())) for side in x.shape[2:]]
        place = zip(centre, halves, strict=True)
        box[tuple(slice(max(0, at - half), at + half) for at, half in place)] = True
        found.append(box)
    return torch.stack(found).to(x.device)


def paste(
    a: Shaped[Tensor, " b *any"], b: Shaped[Tensor, " b *any"], box: Bool[Tensor, " b *s"]
) -> Shaped[Tensor, " b *any"]:
    """Inside the box b, elsewhere a: images (b, c, *s), or labels and the like (b, *s)."""
    return torch.where(box if a.ndim == box.ndim else box[:, None], b, a)


def cutmix(
    x: Float[Tensor, "b c *s"], *targets: Shaped[Tensor, " b *s"], p: float = 0.5
) -> tuple[Tensor, ...]:
    """With p an image gets a box of another one, and of each target what goes with it.

    That is the batch's in reverse order; of an odd number, which has a middle, the one before. Of a
    single image nothing changes.
    """
    box = boxes(x, p)
    other = [a.roll(1, 0) if len(a) % 2 else a.flip(0) for a in (x, *targets)]
    return tuple(paste(a, b, box) for a, b in zip((x, *targets), other, strict=True))


def _placed(sides: Sequence[int], box: Sequence[int]) -> Bool[Tensor, "*s"]:
    """A box of these sides, its place uniform where it fits."""
    inside = torch.zeros(tuple(sides), dtype=torch.bool)
    starts = [int(torch.randint(s - b + 1, ())) for s, b in zip(sides, box, strict=True)]
    inside[tuple(slice(at, at + b) for at, b in zip(starts, box, strict=True))] = True
    return inside


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * torch.rand(()).item()


def _some_changed(
    x: Float[Tensor, "b c *s"], p: float, change: Callable[[Tensor], Tensor]
) -> Float[Tensor, "b c *s"]:
    """Each image changed with p, the others as they are; it lies in memory as x does."""
    view = x.clone()
    for image in torch.nonzero(torch.rand(len(x)) < p).flatten().tolist():
        view[image] = change(x[image])
    return view


def _on_unit_scale(
    image: Float[Tensor, " c *s"], scale: Scale | None, change: Callable[[Tensor], Tensor]
) -> Float[Tensor, " c *s"]:
    """Changed as values in [0, 1], and back."""
    space = tuple(range(1, image.ndim))
    if scale is None:
        black, white = image.amin(space, keepdim=True), image.amax(space, keepdim=True)
    else:
        mean, std = (torch.tensor(values)[(..., *[None] * len(space))] for values in scale)
        black, white = ((level - mean) / std for level in (0, 1))
        black, white = black.to(image.device), white.to(image.device)
    contrast = (white - black).clamp(min=torch.finfo(image.dtype).tiny)  # of one grey level
    return change(((image - black) / contrast).clamp(0, 1)) * contrast + black
