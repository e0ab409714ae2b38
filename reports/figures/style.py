"""Where figures are drawn and saved: the one module that knows Matplotlib."""

import io
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
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


def colours_of(mask: ndarray) -> ndarray:
    """Class numbers → the colour of each."""
    hues = len(CLASS_COLOURS) - 1
    return CLASS_COLOURS[np.where(mask > 0, (mask.astype(int) - 1) % hues + 1, 0)]


_MARKERS = "osD^vPX*<>hp8d"
_LINES = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (5, 1.5, 1.2, 1.5)), (0, (9, 2)))
_HANDLE, _LETTER, _LINE = 0.55, 0.06, 0.16  # inches that an entry of a legend takes
_NEAR = 1.25  # ranges of the scores from their middle: a floor beyond is far
_NAME, _AROUND = 0.1, 0.6  # inches: a name at a line's end; title and label of axes
_GREY = "#707070"
PIXELS = {"interpolation": "none"}
"""Of `Axes.imshow`: a file holds the pixels of the picture, and no more of them."""
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
    """One for each, in this order, the same in all figures; plain methods get theirs first: so most
    differ.
    """
    variants = list(dict.fromkeys(variants))
    names = sorted(variants, key=lambda name: name not in plain)
    found = {
        name: Look(
            _COLOURS[i % len(_COLOURS)],
            _MARKERS[i % len(_MARKERS)],
            _LINES[(i + i // len(_COLOURS)) % len(_LINES)],
        )
        for i, name in enumerate(names)
    }
    return {name: found[name] for name in variants}


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


def equal(axes: Sequence[Any], direction: str) -> None:
    """One range along "x" or "y" for all of these axes: places compare from panel to panel."""
    limits = [getattr(one, f"get_{direction}lim")() for one in axes]
    shared = (min(low for low, _ in limits), max(high for _, high in limits))
    for one in axes:
        getattr(one, f"set_{direction}lim")(shared)


def floors(axes: Sequence[Any], values: Sequence[float], direction: str = "y") -> None:
    """One range of scores for all of these axes, and a dotted line at the floor of each.

    A floor that lies far from the scores would press them together: it is written at the edge.
    """
    equal(axes, direction)
    low, high = getattr(axes[0], f"get_{direction}lim")()
    near = [value for value in values if abs(value - (low + high) / 2) <= _NEAR * (high - low)]
    margin = 0.03 * (high - low)
    limits = (min([low, *(v - margin for v in near)]), max([high, *(v + margin for v in near)]))
    for one, value in zip(axes, values, strict=True):
        getattr(one, f"set_{direction}lim")(limits)
        if value in near:
            line = one.axhline if direction == "y" else one.axvline
            line(value, zorder=1, label="floor", **FLOOR)
        else:
            _far_floor(one, value, direction)


def _far_floor(axes: Any, value: float, direction: str) -> None:
    """Which way it lies, and where: of a horizontal scale below it, where no score is."""
    if direction == "x":
        axes.set_xlabel(f"{axes.get_xlabel()}\n← floor {value:.1f}")
        return
    axes.annotate(
        f"↓ floor {value:.1f}", (0, 0), xytext=(3, 3), xycoords="axes fraction",
        textcoords="offset points", color=_GREY, fontsize=6,
    )  # fmt: skip


def name_ends(
    axes: Any, ends: Mapping[str, tuple[float, float]], looks: Mapping[str, Look]
) -> None:
    """The name of each line at the right of the axes, as near its end as those of others let it.

    ends: name → where it ends; what has no look is grey, and what is outside the axes is not
    named. The limits of the axes must not change after.
    """
    low, high = axes.get_ylim()
    names = sorted((n for n in ends if low <= ends[n][1] <= high), key=lambda n: ends[n][1])
    height = axes.figure.get_size_inches()[1] / axes.get_subplotspec().get_gridspec().nrows
    gap = _NAME * (high - low) / (height - _AROUND)
    places = spaced([ends[name][1] for name in names], gap, (low, high))
    for name, place in zip(names, places, strict=True):
        color = looks[name].color if name in looks else _GREY
        arrow = {"arrowstyle": "-", "color": color, "linewidth": 0.4}
        axes.annotate(
            name, ends[name], xytext=(1.06, place), textcoords=("axes fraction", "data"),
            color=color, fontsize=6, va="center", annotation_clip=False,
            arrowprops={**arrow, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)},
        )  # fmt: skip


def spaced(heights: Sequence[float], gap: float, limits: tuple[float, float]) -> list[float]:
    """Ascending heights moved as little as it takes (squared) to lie so far from each other.

    Within the limits, if there is room: else from the lower one up.
    """
    blocks: list[tuple[float, int]] = []  # sums of what each would be without the gaps below it
    for i, height in enumerate(heights):
        total, n = height - i * gap, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / n:
            total, n = total + blocks[-1][0], n + blocks[-1][1]
            blocks.pop()
        blocks.append((total, n))
    low, high = limits[0], limits[1] - (len(heights) - 1) * gap
    flat = [max(low, min(total / n, high)) for total, n in blocks for _ in range(n)]
    return [height + i * gap for i, height in enumerate(flat)]


def log_axis(axes: Any) -> None:
    """The x axis in logarithms, with round numbers at 1, 2 and 5 of each power of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.1)


def bare(axes: Any) -> None:
    """Nothing but the picture."""
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def make_room(figure: Figure, names: Iterable[str]) -> None:
    """As much broader as these names need, which stand to the left of the axes."""
    width, height = figure.get_size_inches()
    figure.set_size_inches(width + _LETTER * max(map(len, names)), height)


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
