"""What a mask holds as classes, by the rule of the card."""

from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from benchmark.data.card import Card

_NEARLY_WHOLE = 1e-3
_FAR, _MUCH_LARGER = 4, 1.1
_WHITE = ((250, 255), (65000, 65535))  # of 8 and of 16 bits, nearly
_SHARE_OF_WHITE, _SHADES = 0.2, 8


def classes(values: ndarray, card: Card, name: str = "the mask") -> UInt8[ndarray, "*s"]:
    """Classes 0 … k-1 by the card's rule; ValueError for values that the rule does not expect.

    name: of the file, for messages.
    """
    require_numbers(values, name)
    if values.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(f"{name} holds {int(np.isnan(values).sum())} NaN, which is no class")
    if card.mask.startswith(">"):
        return (values > threshold(card)).astype(np.uint8)
    values = _whole(values, name)
    if len(unnamed := _unnamed(values, card)):
        raise ValueError(
            f"{name} holds {_listed(unnamed)}, and what the card's values name is "
            f"{', '.join(map(str, card.values))}"
        )
    values = _renamed(values, card)
    if objection := _objection(np.unique(values), card):
        raise ValueError(f"{name} holds {objection}")
    return (values if card.mask == "labels" else values > 0).astype(np.uint8)


def require_numbers(values: ndarray, name: str) -> None:
    """ValueError for colours of a volume and the like."""
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{name} holds {values.dtype}, no numbers that could be classes")


def _objection(present: ndarray, card: Card) -> str:
    """What the rule has against the values that a mask holds; "" if nothing."""
    found = f"the values {_listed(present)}"
    if present.min() < 0:
        return (
            f"{found}: no class is negative. Values to be ignored are not supported: give them a "
            "class (mask: labels, and values: {-1: 0})"
        )
    if card.mask == "labels" and present.max() >= len(card.classes):
        return (
            f"{found}, and classes are 0 … {len(card.classes) - 1} ({card.name}): name one more, "
            f"or give it one of them in the card, as values: {{{present.max():g}: …}}"
        )
    if card.mask == "binary" and (present > 0).sum() > 1:
        return (
            f'{found}, and the card says "mask: binary" (0 and one other); use "> 127" for grey '
            'levels, "nonzero" for instance numbers or "labels" for classes'
            f"{_without_zero(present)}"
        )
    return ""


def _without_zero(present: ndarray) -> str:
    """What to say of two values of which none is 0."""
    if len(present) != 2 or 0 in present:
        return ""
    low, high = present.tolist()
    return f" (of {low:g} for the background: labels, and values: {{{low:g}: 0, {high:g}: 1}})"


class Mask(NamedTuple):
    """What a file of a mask holds, by the card's rule."""

    classes: UInt8[ndarray, "*s"]
    is_below_rule: bool = False
    """It holds something, and nothing above the N of a rule "> N"."""
    is_low_rule: bool = False
    """It is soft, reaches far beyond that N, and above half of what it reaches is much less."""
    has_rim: bool = False
    """Shades around what is full are object, under the rule "nonzero"."""
    value: float = 0.0
    """Of the foreground, under the rule "binary": 0 where there is none."""


def read(values: ndarray, card: Card, name: str = "the mask") -> Mask:
    """As `classes`, with what should be known of the values."""
    found = classes(values, card, name)
    is_above = card.mask.startswith(">")
    value = float(np.rint(values.max())) if card.mask == "binary" else 0.0
    is_below = is_above and bool(0 < values.max() <= threshold(card))
    is_low = is_above and _is_low(threshold(card), values, found)
    return Mask(found, is_below, is_low, card.mask == "nonzero" and _has_rim(values), value)


def _is_low(limit: float, values: ndarray, found: UInt8[ndarray, "*s"]) -> bool:
    """Of 1 and more: below that are the rules of instance numbers."""
    most = float(values.max())
    if limit < 1 or most <= _FAR * limit:
        return False
    return int(found.sum()) > _MUCH_LARGER * int((values > most / 2).sum())


def _has_rim(values: ndarray) -> bool:
    """Many shades up to white, of which white has its share: no numbers of instances."""
    objects = values[values > 0]
    if not objects.size or not any(low <= objects.max() <= high for low, high in _WHITE):
        return False
    is_full = float((objects > 0.9 * objects.max()).mean()) > _SHARE_OF_WHITE
    return is_full and len(np.unique(objects)) > _SHADES


def threshold(card: Card) -> float:
    """Of a rule "> N": the N."""
    return float(card.mask.removeprefix(">"))


def of_colours(
    colours: UInt8[ndarray, "h w 3"], card: Card, name: str = "the mask"
) -> UInt8[ndarray, "h w"]:
    """The classes of a coloured mask; ValueError for a colour that the card does not name."""
    numbers = (colours.astype(np.uint32) << [16, 8, 0]).sum(-1)
    known = {int(str(colour)[1:], 16): number for colour, number in card.values.items()}
    found, first = np.unique(numbers, return_inverse=True)
    unknown = [f"#{number:06x}" for number in found.tolist() if number not in known]
    if unknown:
        more = " …" if len(unknown) > 3 else ""
        raise ValueError(
            f"{name} has colours that the card's values do not name: {', '.join(unknown[:3])}"
            f"{more}. JPEG and smoothing change colours, and masks must have them as they were; "
            'of an object on black, mask: "> 127" with mask_channel: 0 takes what is bright'
        )
    named = np.array([known[number] for number in found.tolist()], np.uint8)
    return named[first].reshape(colours.shape[:2])


def _unnamed(values: ndarray, card: Card) -> ndarray:
    """What a mask holds beside the card's values, where these are all that there may be."""
    if 0 not in card.values:
        return np.array([])
    present = np.unique(values)
    return present[~np.isin(present, [number for number in card.values])]


def _renamed(values: ndarray, card: Card) -> ndarray:
    """Values as the card names them; the others stay as they are."""
    if not card.values:
        return values
    values = values.astype(np.int64)  # which holds both the values and the classes
    renamed = values.copy()
    for value, number in card.values.items():
        renamed[values == value] = number
    return renamed


def _whole(values: ndarray, name: str) -> ndarray:
    """Class numbers that a scale factor in the file has made nearly whole, whole again."""
    if values.dtype.kind != "f":
        return values
    rounded = np.rint(values)
    with np.errstate(invalid="ignore"):  # of infinite values
        odd = np.unique(values[~(np.abs(values - rounded) <= _NEARLY_WHOLE)])
    if len(odd):
        raise ValueError(
            f"{name} holds {_listed(odd)}: no whole numbers, and so no classes; of a soft mask the "
            'card says where the foreground begins, as in mask: "> 0.5"'
        )
    return rounded


def _listed(values: ndarray) -> str:
    return ", ".join(f"{value:g}" for value in values[:6]) + (" …" if len(values) > 6 else "")
