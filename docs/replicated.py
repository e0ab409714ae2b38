"""What docs/replication.md shows, from the CSVs in docs/replication/: tables, and one figure.

Each part of that page between `<!-- made: NAME -->` and `<!-- end -->` is one of `PARTS`;
`python docs/remake.py replication` writes them.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import matplotlib

matplotlib.use("agg")

import pandas as pd

from reports.figures import style
from reports.select import ordered
from reports.stats.intervals import t_interval

DOCS = Path(__file__).resolve().parent
FIGURE = DOCS / "images" / "replication-ph2.png"
PRINTED = DOCS.parent / "results" / "published" / "arxiv_2504.01547v2.csv"


_SEEDS = 4  # of the baselines, where a cell does not say otherwise


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(DOCS / "replication" / f"{name}.csv")


def markdown(heads: list[str], rows: Iterable[list[str]]) -> str:
    """A table; the first column is words, the others numbers."""
    rule = ["---"] + ["---:"] * (len(heads) - 1)
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, rule, *rows])


def shown(values: pd.Series, sign: str = "") -> str:
    """Mean and half width of the 90 % t interval, of shares in per cent; "–" of no value."""
    values = 100 * values.dropna().to_numpy(float)
    if not len(values):
        return "–"
    mean, half, n, _ = t_interval(values)
    return f"{mean:{sign}.1f}" + (f" ± {half:.1f}" if n > 1 else " (n=1)")


def printed(dataset: str, percent: float, method: str) -> str:
    """Dice in the paper's Table 1 or 2; "–" where it has none."""
    table = pd.read_csv(PRINTED, dtype=str)
    found = table[
        (table.dataset == dataset)
        & (table.labelled_percent == f"{percent:g}")
        & (table.method == method)
    ]
    return f"{found.dc_mean.item()} ± {found.dc_ci90_half.item()}" if len(found) else "–"


def readings(name: str) -> str:
    """Of each method: the last step, the paper's reading, what is printed, and the gap."""
    trials = read(name)
    (dataset,), (percent,) = trials.dataset.unique(), trials.labelled_percent.unique()
    floor = 100 * trials.floor_dc_pooled.iloc[0]
    rows = [["floor: all foreground", "", f"{floor:.1f}", f"{floor:.1f}", "", ""]]
    for method in ordered(trials.variant):
        own = trials[trials.variant == method]
        gap = own.oracle_dc_pooled - own.dc_pooled
        rows.append([
            method, str(len(own)), shown(own.dc_pooled), shown(own.oracle_dc_pooled),
            printed(dataset, percent, method), shown(gap),
        ])  # fmt: skip
    heads = ["method", "seeds", "last step, argmax", "best epoch and threshold on test", "printed"]
    return markdown([*heads, "gap"], rows)


def choice() -> str:
    """Dice on the development set, and the paired difference from no pretraining.

    Of a variant that ran on two processors the second run; what is paired is of one of them.
    """
    trials, rows = read("choice"), []
    for percent, steps in sorted({*zip(trials.labelled_percent, trials.steps_before, strict=True)}):
        some = trials[(trials.labelled_percent == percent) & (trials.steps_before == steps)]
        for variant in dict.fromkeys(some.variant):
            own = some[some.variant == variant]
            own = own[own.run == own.run.max()]
            before = str(steps) if own.pretrained_dc_labelled.notna().any() else "–"
            line = [f"`{variant}`", f"{percent:g} %", before]
            for dataset in ("glas", "nuclei"):
                here = own[own.dataset == dataset]
                line += [shown(here.dc_pooled), _paired(trials, here, percent)]
            line += [str(own.groupby("dataset").size().max())]
            rows.append(line)
    none = "− no pretraining"
    heads = ["variant", "labelled", "steps before", "GlaS", none, "nuclei", none, "seeds"]
    return markdown(heads, rows)


_NONE = "ours[pretrain=false,rounds=1]"


def _paired(trials: pd.DataFrame, own: pd.DataFrame, percent: float) -> str:
    """The mean over seeds of the difference from the trials without a pretraining."""
    if own.empty or set(own.variant) == {_NONE}:
        return "–"
    none = trials[
        (trials.variant == _NONE)
        & (trials.labelled_percent == percent)
        & (trials.dataset == own.dataset.iloc[0])
    ]
    both = own.merge(none, on=["run", "seed"], suffixes=("", "_none"))
    return shown(both.dc_pooled - both.dc_pooled_none, "+")


def baselines(percent: float, evaluated_on: str) -> str:
    """Dice, and the paired difference from supervised in the same run, by augmentation.

    Runs were made on different processors, where the same seed gives other rounding: what is
    paired is paired within one of them.
    """
    trials = read("baselines")
    trials = trials[(trials.labelled_percent == percent) & (trials.evaluated_on == evaluated_on)]
    seconds = read("step_cost").set_index("method").of_supervised  # of methods as they are
    rows = []
    for variant in ordered(trials.variant):
        line, found = [f"`{variant}`"], trials[trials.variant == variant]
        for augmentation in ("symmetries", "nnunet"):
            own = found[found.augmentation == augmentation]
            control = trials[
                (trials.variant == "supervised") & (trials.augmentation == augmentation)
            ]
            both = own.merge(control, on=["run", "seed"], suffixes=("", "_control"))
            gain = both.dc_pooled - both.dc_pooled_control
            means = [
                shown(of_run) + (f" (n={len(of_run)})" if len(of_run) < _SEEDS else "")
                for _, of_run in own.groupby("run").dc_pooled
            ]
            is_control = variant == "supervised" or own.empty
            line += [", ".join(means) or "–", "–" if is_control else shown(gain, "+")]
        times = f"{seconds[variant]:.1f}" if variant in seconds else "–"
        rows.append([*line, f"{found.flops_per_step.mean() / 1e9:.0f}", times])
    heads = ["variant", "symmetries", "− supervised", "nnunet", "− supervised"]
    return markdown([*heads, "GFLOPs a step", "its time"], rows)


def pretrainings() -> str:
    """What the pretrainings had learnt, means over seeds."""
    found = read("pretrainings")
    names = ["error_own", "error_permuted", "error_constant", "variance", "mask_brightness"]
    rows = []
    for where, own in found.groupby(["dataset", "steps", "kind"], sort=True):
        dataset, steps, kind = where
        share = own[["mask_share_0", "mask_share_1"]].max(axis=1).mean()
        means = [f"{own[name].mean():.3f}" for name in names]
        ratio = (own.error_own / own.error_permuted).mean()
        fit = "–" if own.pretrained_dc_dev.isna().all() else shown(own.pretrained_dc_dev)
        rows.append([
            f"{dataset}, {kind}", str(steps), *means[:2], f"{ratio:.2f}", *means[2:],
            f"{100 * share:.0f} %", fit, str(len(own)),
        ])  # fmt: skip
    heads = ["", "steps", "own", "another's", "own / another's", "constant", "variance"]
    heads += ["brightness", "largest class", "Dice of the mask", "seeds"]
    return markdown(heads, rows)


_TIMES = (125, 500, 999)


def rounds() -> str:
    """What the rounds of trained networks use, on the development set, means over times t'."""
    found, rows = read("rounds"), []
    for variant, number in dict.fromkeys(zip(found.variant, found["round"], strict=True)):
        own = found[(found.variant == variant) & (found["round"] == number)]
        errors = [f"{own[name].mean():.3f}" for name in ("own", "permuted", "constant")]
        ratios = [_ratio(own[own.t == t]) for t in _TIMES]
        dice = [f"{100 * own[name].mean():.1f}" for name in ("dice_again", "dice_of_another_image")]
        rows.append([f"`{variant}`", str(number), *errors, *ratios, *dice])
    heads = ["variant", "round", "own", "another's", "constant"]
    heads += [f"own / another's at {t}" for t in _TIMES]
    return markdown([*heads, "Dice of m_r", "from another's image"], rows)


def _ratio(at: pd.DataFrame) -> str:
    """Of both errors, over seeds; of a time that the variant never sees "–"."""
    return f"{(at.own / at.permuted).mean():.2f}" if len(at) else "–"


def figure() -> None:
    """Dice over the epochs of both readings on PH2: seeds faint, their mean strong, the floor."""
    history, trials = read("ph2_1_percent_paper_history"), read("ph2_1_percent_paper")
    floor = 100 * trials.floor_dc_pooled.iloc[0]
    history = history.sort_values(["variant", "seed", "epoch"])
    history["best"] = history.groupby(["variant", "seed"]).best_threshold_dc_pooled.cummax()
    methods = ordered(history.variant)
    with style.style():
        drawn, axes = style.grid(2, 3, 2.3, 1.9, sharex=True, sharey=True)
        for one, method in zip(axes.flat, methods, strict=True):
            own = history[history.variant == method]
            for column, colour, label in (
                ("best", "#d55e00", "best epoch and threshold so far, on test"),
                ("dc_pooled", "#0072b2", "this epoch, argmax"),
            ):
                for _, seed in own.groupby("seed"):
                    one.plot(seed.epoch, 100 * seed[column], color=colour, alpha=0.2, lw=0.5)
                mean = 100 * own.groupby("epoch")[column].mean()
                one.plot(mean.index, mean, color=colour, lw=1.6, label=label)
            one.axhline(floor, zorder=1, label="floor", **style.FLOOR)
            one.set_title(method)
            one.set_ylim(0, 90)
        for one in axes[-1]:
            one.set_xlabel("epoch")
        for one in axes[:, 0]:
            one.set_ylabel("Dice (%)")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        drawn.legend(handles, labels, loc="outside lower center", ncols=3)
        drawn.savefig(FIGURE, dpi=160)


PARTS: dict[str, Callable[[], str]] = {
    "ph2": lambda: readings("ph2_1_percent_paper"),
    "glas-1": lambda: readings("glas_1_percent_paper"),
    "glas-5": lambda: readings("glas_5_percent_paper"),
    "choice": choice,
    "baselines-20": lambda: baselines(20, "dev"),
    "baselines-5": lambda: baselines(5, "dev"),
    "baselines-test": lambda: baselines(20, "test"),
    "pretrainings": pretrainings,
    "rounds": rounds,
}
