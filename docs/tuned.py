"""What docs/tuning.md shows, from the CSVs in docs/tuning/: tables, and a figure.

Each part of that page between `<!-- made: NAME -->` and `<!-- end -->` is one of `PARTS`; `python
docs/remake.py tuning` writes them. `glas.csv` is that of benchmarks/tuning.py; `matched.csv` has
the tries of which the preset `matched` has its weights.
"""

import math
from collections.abc import Callable, Hashable
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import pandas as pd
from replicated import markdown, shown

from reports.figures import style

DOCS = Path(__file__).resolve().parent
FIGURE = DOCS / "images" / "tuning-glas.png"


def read(name: str = "glas") -> pd.DataFrame:
    return pd.read_csv(DOCS / "tuning" / f"{name}.csv")


def table() -> str:
    """Of each method Dice on the test set: as it is, tuned, and what no one can choose."""
    rows = []
    for method, own in read().groupby("method", sort=False):
        tries = own[own.inside.notna()]
        plain = own[own.variant == method].set_index("seed").test
        if tries.empty:
            rows.append([f"`{method}`", shown(plain), "", "", "", ""])
            continue
        (variant,) = tries[tries.chosen].variant.unique()
        tuned = tries[tries.chosen].set_index("seed").test
        best = tries.groupby("seed").test.max()
        of_own = tries.loc[tries.groupby("seed").inside.idxmax()].set_index("seed").test
        rows.append([
            f"`{method}`", shown(plain), f"{shown(tuned)} (`{variant}`)", shown(tuned - plain, "+"),
            shown(of_own), shown(best),
        ])  # fmt: skip
    heads = ["method", "as it is", "tuned", "tuned − as it is"]
    return markdown([*heads, "chosen seed by seed", "best of the tries on test"], rows)


def figure() -> None:
    """Each try of each seed: what it scored inside the labelled images, and on the test set."""
    rows = read().dropna(subset=["inside", "test"])
    found = style.looks(rows.method.unique())
    with style.style():
        drawn, axes = style.grid(1, 1, 3.6, 3.0)
        one = axes[0, 0]
        for method, look in found.items():
            own = rows[rows.method == method]
            one.plot(100 * own.inside, 100 * own.test, **look.dots(), label=method)
        chosen = rows[rows.chosen]
        one.plot(
            100 * chosen.inside, 100 * chosen.test, "o", ms=9, mfc="none", color="#7f7f7f",
            label="chosen",
        )  # fmt: skip
        one.set_xlabel("Dice in folds of the labelled images (%)")
        one.set_ylabel("Dice on the test set (%)")
        style.legend(drawn)
        drawn.savefig(FIGURE, dpi=160)


_WITHIN = 0.02  # of Dice: about twice what another order of the same sums moved such runs by


def matched() -> str:
    """Dice of the tries of each method by weight: the highest strong, the one that is used in
    brackets.
    """
    tries = read("matched")
    weights = sorted(tries.weight.unique())
    rows = []
    for method, own in tries.groupby("method"):
        best, used = own.dc_pooled.idxmax(), chosen(own)
        for threshold, line in own.groupby("threshold", dropna=False):
            at = dict(zip(line.weight, line.index, strict=True))
            name = f"`{method}`" + ("" if pd.isna(threshold) else f", threshold {threshold:g}")
            cells = []
            for weight in weights:
                text = f"{100 * own.dc_pooled[at[weight]]:.1f}" if weight in at else ""
                text = f"**{text}**" if at.get(weight) == best else text
                cells.append(f"[{text}]" if at.get(weight) == used else text)
            rows.append([name, *cells])
    return markdown(["method", *(f"{weight:g}" for weight in weights)], rows)


def chosen(tries: pd.DataFrame) -> Hashable:
    """Row of the try nearest to the method's own values among those close to the best."""
    close = tries[tries.dc_pooled > tries.dc_pooled.max() - _WITHIN]
    own = tries[tries.is_own].iloc[0]
    away = (close.weight / own.weight).map(math.log).abs()
    return (away + (close.threshold.fillna(0) != (own.threshold or 0))).idxmin()


PARTS: dict[str, Callable[[], str]] = {"tuned": table, "matched": matched}
