"""Where figures are drawn and saved: the one module that knows Matplotlib."""

import io
import math
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import LogLocator, NullLocator
from numpy import ndarray

from reports.select import ordered

FORMS = ("pdf", "svg", "png")
_STYLE = Path(__file__).with_name("figures.mplstyle")
# Okabe and Ito's colours, told apart by colour-blind readers; yellow is too pale for lines.
_COLOURS = (
    "#000000",
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#7f7f7f",
    "#8c510a",
)
CLASS_COLOURS = np.array(
    [
        (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)  # fmt: skip
"""Of masks: the background, then the classes in their order, as `bench data prepare --preview` has
them; of more classes they begin again."""
_MARKERS = "osD^vPX*<>hp8d"
_LINES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (9, 2)))
_HANDLE, _LETTER, _LINE = 0.55, 0.06, 0.16  # inches that an entry of a legend takes
FLOOR = {"color": "#8a8a8a", "linestyle": (0, (1, 2)), "linewidth": 1.0}


@dataclass(frozen=True)
class Look:
    """How one variant is drawn; marker and line differ too, for print in black and white."""

    color: str
    marker: str
    linestyle: str | tuple

    def line(self) -> dict:
        """For `Axes.plot` and `Axes.errorbar`."""
        return {"color": self.color, "marker": self.marker, "linestyle": self.linestyle}

    def dots(self) -> dict:
        """The same without a line."""
        return {"color": self.color, "marker": self.marker, "linestyle": "none"}


def looks(variants: Iterable[str], plain: Container[str] = ()) -> dict[str, Look]:
    """One for each, the same in all figures; plain methods get theirs first, so most differ."""
    names = sorted(ordered(variants), key=lambda name: name not in plain)
    found = {
        name: Look(
            _COLOURS[i % len(_COLOURS)],
            _MARKERS[i % len(_MARKERS)],
            _LINES[(i + i // len(_COLOURS)) % len(_LINES)],
        )
        for i, name in enumerate(names)
    }
    return {name: found[name] for name in ordered(found)}


@contextmanager
def style() -> Iterator[None]:
    """Everything inside is drawn, or saved, in the style of the reports."""
    with matplotlib.style.context(_STYLE):
        yield


def grid(rows: int, columns: int, width: float, height: float, **options) -> tuple[Figure, ndarray]:
    """A figure of rows × columns axes, each so many inches wide and high."""
    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)


def tiles(n: int) -> tuple[Figure, list]:
    """A figure of n axes of one size, two beside each other; and the axes."""
    columns = min(2, n)
    figure, axes = grid(math.ceil(n / columns), columns, 3.4, 2.5)
    for one in axes.flat[n:]:
        one.remove()
    return figure, list(axes.flat[:n])


def floor(axes: Any, value: float) -> None:
    """A dotted line across."""
    axes.axhline(value, zorder=1, label="floor", **FLOOR)


def log_axis(axes: Any) -> None:
    """The x axis in logarithms, with round numbers at 1, 2 and 5 of each power of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.1)


def legend(figure: Figure) -> None:
    """One for all axes, below them: never over the data, nor at the cost of their height."""
    handles: dict[str, Any] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    if "floor" in handles:
        handles["floor"] = handles.pop("floor")  # last
    longest = max((len(label) for label in handles), default=0)
    width, height = figure.get_size_inches()
    columns = max(1, min(int(width / (_HANDLE + _LETTER * longest)), len(handles)))
    figure.set_figheight(height + _LINE * math.ceil(len(handles) / columns))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns)


def class_legend(figure: Figure, names: Sequence[str]) -> None:
    """The colour of each foreground class, below the pictures."""
    hues = CLASS_COLOURS[1:] / 255
    patches = [
        Patch(facecolor=hues[i % len(hues)], edgecolor="black", linewidth=0.3, label=name)
        for i, name in enumerate(names)
    ]
    width, height = figure.get_size_inches()
    longest = max(map(len, names))
    columns = max(1, min(int(width / (_HANDLE + _LETTER * longest)), len(names)))
    figure.set_figheight(height + _LINE * math.ceil(len(names) / columns))
    figure.legend(handles=patches, loc="outside lower center", ncols=columns, fontsize=6)


def saved(figure: Figure, form: str) -> bytes:
    """As "pdf", "svg" or "png" (200 dots per inch); equal figures give equal bytes."""
    undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {"Software": None}}
    stream = io.BytesIO()
    with style():
        figure.savefig(stream, format=form, metadata=undated[form])
    return stream.getvalue()
