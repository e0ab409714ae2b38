"""A drawn figure within the page: its bytes, its extent, what it is of."""

import base64
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_MEDIA = {"svg": "image/svg+xml", "png": "image/png"}
_ASPECT, _WIDTH = 1.9, 780  # a picture beyond either has a line of its own


@dataclass(frozen=True)
class Picture:
    """A figure or a panel, drawn."""

    name: str
    """Its id: letters and hyphens."""
    title: str
    alt: str
    content: bytes
    kind: str
    """"svg" or "png"."""
    told: Sequence[str] = ()
    """Its numbers in words, one by one."""
    of: Mapping[str, str] = field(default_factory=dict)
    """Of which dataset and label budget all of it is: name of a facet → value."""

    @property
    def size(self) -> int:
        """Bytes that it takes in the file, with what stands around it."""
        words = [self.title, self.alt, *self.told]
        return 4 * math.ceil(len(self.content) / 3) + len("".join(words).encode()) + 1000


def data_uri(picture: Picture) -> str:
    """The picture as an address."""
    return f"data:{_MEDIA[picture.kind]};base64,{base64.b64encode(picture.content).decode()}"


def extent(picture: Picture) -> tuple[int, int] | None:
    """Width and height in the browser's pixels, so that the page does not move while it loads."""
    found = (_extent_of_png if picture.kind == "png" else _extent_of_svg)(picture.content)
    return found if found is not None and min(found) > 0 else None


def _extent_of_png(content: bytes) -> tuple[int, int] | None:
    header = content[:4096]
    per_metre = 96 / 0.0254
    at = header.find(b"pHYs")
    if at >= 0:
        per_metre = int.from_bytes(header[at + 4 : at + 8]) or per_metre
    scale = 96 / 0.0254 / per_metre
    width, height = (int.from_bytes(header[start : start + 4]) for start in (16, 20))
    return round(scale * width), round(scale * height)


def _extent_of_svg(content: bytes) -> tuple[int, int] | None:
    box = re.search(rb'<svg[^>]*\sviewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"', content)
    if box is None:
        return None
    return round(float(box[1]) * 96 / 72), round(float(box[2]) * 96 / 72)


def is_wide(picture: Picture) -> bool:
    """Does it need the whole breadth of the page?"""
    found = extent(picture)
    return found is not None and (found[0] > _WIDTH or found[0] > _ASPECT * found[1])
