"""Which rule reads masks that hold these values. Pure."""

import math
from typing import Any, NamedTuple

_MOST_CLASSES = 20  # more are taken for instances, or for shades
_FULL = {1: 0.5, 255: 127, 65535: 32767}
"""Half of what a soft mask holds at most, by that."""
_BYTE = 255


class Values(NamedTuple):
    """What all masks hold together."""

    numbers: frozenset[float] = frozenset()
    colours: frozenset[str] = frozenset()
    """Such as "#ff0000", of coloured masks."""
    channel: int | None = None
    """The one that holds the object, where the masks have several."""
    are_lossy: bool = False
    """JPEG, which changes values near edges."""
    most_objects: int = 1
    """How many values beside 0 one mask holds, at most."""


class Rule(NamedTuple):
    """Fields of a card, and a remark on the rule."""

    fields: dict[str, Any]
    remark: str


def of(found: Values) -> Rule:
    """The rule that is most likely meant, and the classes."""
    rule = _of_colours(found.colours) if found.colours else _of_numbers(found)
    channel = {} if found.channel is None else {"mask_channel": found.channel}
    return rule._replace(fields={"classes": ["background", "foreground"], **rule.fields, **channel})


def _of_numbers(found: Values) -> Rule:
    if not all(map(math.isfinite, found.numbers)):
        raise ValueError("a mask holds numbers that are not finite")
    objects = sorted(number for number in found.numbers if number != 0)
    is_whole = all(number == int(number) for number in objects)
    if objects and (found.are_lossy or not is_whole):
        half = next((half for most, half in _FULL.items() if objects[-1] <= most), objects[-1] / 2)
        return Rule({"mask": f"> {half}"}, "the masks are soft: foreground is what lies above it")
    is_one_class = len(objects) < 2 or (objects == [1, _BYTE] and found.most_objects < 2)
    if is_one_class and 0 in found.numbers:
        return Rule({"mask": "binary"}, f"0 and {_listed(objects) or 'nothing else'}")
    if len(objects) >= _MOST_CLASSES and objects[-1] in _FULL:
        half, most = _FULL[int(objects[-1])], objects[-1]
        return Rule({"mask": f"> {half}"}, f"{len(objects)} shades up to {most:g} were found")
    if len(objects) >= _MOST_CLASSES:
        return Rule({"mask": "nonzero"}, f"instance numbers up to {objects[-1]:g}")
    return _of_classes([int(number) for number in objects], has_zero=0 in found.numbers)


def _of_classes(numbers: list[int], *, has_zero: bool) -> Rule:
    """Values below 0 become background: no class is negative; so does the least if none is 0."""
    background = [number for number in numbers if number < 0]
    if not has_zero and not background:
        background = numbers[:1]
    positive = [number for number in numbers if number not in background]
    fields: dict[str, Any] = {
        "mask": "labels",
        "classes": ["background", *(f"class_{i + 1}" for i in range(max(1, len(positive))))],
    }
    if positive != list(range(1, len(positive) + 1)) or len(positive) < len(numbers):
        order = {number: i + 1 for i, number in enumerate(positive)}
        zero = {0: 0} if has_zero else {}
        fields["values"] = zero | {number: order.get(number, 0) for number in numbers}
    said = [f"{'0, ' if has_zero else ''}{_listed(numbers)}"]
    if not has_zero:
        said.append(f"no mask holds 0: {background[0]} is taken for the background")
    if _BYTE in numbers:
        said.append("255 often marks what is no class (void): values: {255: 0} makes it background")
    if _BYTE in numbers and len(numbers) > 2:
        said.append('if these are shades of one object: mask: "> 127"')
    else:
        said.append("if these count objects of one class: nonzero")
    return Rule(fields, "; ".join(said))


def _of_colours(colours: frozenset[str]) -> Rule:
    """Black is the background, else the first of the colours."""
    ordered = sorted(colours, key=lambda colour: (colour != "#000000", colour))
    names = [f"colour_{colour[1:]}" for colour in ordered[1:]]
    fields = {
        "mask": "labels",
        "classes": ["background", *names],
        "values": {colour: i for i, colour in enumerate(ordered)},
    }
    return Rule(fields, "the masks are coloured")


def _listed(numbers: list[int] | list[float]) -> str:
    shown = ", ".join(f"{number:g}" for number in numbers[:6])
    return f"{shown}, …" if len(numbers) > 6 else shown
