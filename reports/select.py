"""What is read of trials that are shown together: budgets, order, scores, intervals, floors.

Frames of trials have the columns of `results.csv`. In the frames that `comparable` gives, the
column `budget` holds a `Budget`: it sorts as the label budgets do, and knows its text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reports.stats.intervals import INTERVALS, Interval, crossed_interval

BASELINE = "supervised"
"""The variant that others are compared with, if no control is named."""
METRICS = (("DC", "dc"), ("JI", "ji"))
"""Heads of columns, and the names of their scores."""
ALL_METRICS = ("dc", "ji", "hd95", "asd", "sensitivity", "precision", "nsd")
"""How scores are called of which a reader may ask for some; a longer name begins with its own."""
AGGREGATES = ("pooled", "case", "patient")
_IS_SCORE = re.compile(rf"((val|oracle)_)?(dc|ji)_({'|'.join(AGGREGATES)})")
GIVEN = frozenset({"dataset", "data_hash", "seed", "subset_seed"})
"""Settings of a trial that no preset decides."""
BY_INTENT = GIVEN | {"budget", "labelled", "method", "hyperparameters", "pretraining"}
"""Settings that tell the trials of one table apart by intent."""
HARMLESS = frozenset({"evaluate_on", "threads_per_trial"})
"""Settings whose change is no departure from a preset: told by itself, or a matter of rounding."""
_MANY = 12  # different sets of places


@dataclass(frozen=True, order=True)
class Budget:
    """How much was labelled, as the records state it."""

    order: float
    """By which budgets are sorted."""
    text: str
    """As a table prints it: 5 %, 7 patients."""
    share: float | None = field(default=None, compare=False)
    """Of the images with masks, in (0, 1]; None of a budget in cases or patients, or a list."""

    @property
    def is_whole_pool(self) -> bool:
        return self.share is not None and self.share >= 1


Configuration = tuple[str, Budget, str]
"""Dataset, label budget, variant: all trials that differ by the seed alone, one cell of a table."""
WHERE = ["dataset", "budget", "variant"]
"""The columns of a configuration."""


def named(configuration: Configuration) -> str:
    """As a footer names it: cps/glas/5 %."""
    dataset, budget, variant = configuration
    return f"{variant}/{dataset}/{budget.text}"


def columns(configuration: Configuration) -> dict[str, object]:
    """Of a CSV: the names that all tables share."""
    dataset, budget, variant = configuration
    return {"dataset": dataset, "budget": budget.text, "ratio": budget.share, "variant": variant}


def with_budgets(trials: pd.DataFrame) -> pd.DataFrame:
    """The frame with `Budget`s in the place of their texts."""
    found = zip(trials.budget_order, trials.budget, trials.ratio, strict=True)
    budgets = [
        Budget(float(order), str(text), None if pd.isna(share) else float(share))
        for order, text, share in found
    ]
    return trials.assign(budget=pd.Series(budgets, trials.index, dtype=object))


def lines(rows: pd.DataFrame) -> list[tuple[Budget, str]]:
    """Budget and variant of each line of a table, in its order."""
    return [
        (budget, variant)
        for budget in sorted(rows.budget.unique())
        for variant in variants_of(rows[rows.budget == budget])
    ]


def variants_of(rows: pd.DataFrame) -> list[str]:
    """In the order of a table: the one that `reports.names` gives them, else the usual one."""
    if "variant_place" not in rows:
        return ordered(rows.variant)
    places = dict(zip(rows.variant, rows.variant_place, strict=True))
    return sorted(places, key=places.__getitem__)


def datasets_of(rows: pd.DataFrame) -> list[str]:
    """In the order of a table, as `variants_of`."""
    if "dataset_place" not in rows:
        return sorted(rows.dataset.unique())
    places = dict(zip(rows.dataset, rows.dataset_place, strict=True))
    return sorted(places, key=places.__getitem__)


def in_order(rows: pd.DataFrame) -> Callable[[Configuration], tuple]:
    """By which configurations are sorted: label budget, then dataset, then variant."""
    datasets, variants = datasets_of(rows), variants_of(rows)
    return lambda key: (key[1], datasets.index(key[0]), variants.index(key[2]))


def recorded(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows under the names that the study has for datasets and variants."""
    if "recorded_variant" not in rows:
        return rows
    return rows.assign(dataset=rows.recorded_dataset, variant=rows.recorded_variant)


SELECTIONS = {"final": "", "val": "val_", "oracle": "oracle_"}
"""By what the epoch that is read was chosen → how the names of its scores begin.

final: the last one; val: on a validation set; oracle: on the evaluation set itself.
"""


@dataclass(frozen=True)
class Reading:
    """Which of the stored scores a table shows."""

    selection: str = "final"  # one of SELECTIONS
    aggregate: str = "pooled"  # pooled | case
    ci_level: float = 0.90
    ci: str = "seeds"  # what the interval resamples: seeds | cases | both
    interval: str = "t"  # over seeds: t | logit-t | bootstrap
    ddof: int = 1  # of t
    of_class: str = ""  # one class by name; "": the mean over the foreground classes
    metrics: tuple[str, ...] = ()  # of ALL_METRICS, those that are shown; (): all

    def shown(self, metrics: Sequence[str]) -> list[str]:
        """Of a table's scores those that were asked for, hd95_joint by hd95; all if none was."""
        asked = [name for name in metrics if name.startswith(self.metrics)]
        return asked or list(metrics)

    @property
    def shares(self) -> dict[str, str]:
        """Of Dice and Jaccard those that are shown: name → head of the column."""
        shown = self.shown([name for _, name in METRICS])
        return {name: label for label, name in METRICS if name in shown}

    def column(self, metric: str) -> str:
        """Name of the column in `results.csv`."""
        return f"{SELECTIONS[self.selection]}{metric}_{self.aggregate}"


class Cost(NamedTuple):
    """What a trial of a configuration takes: medians over seeds (NaN where not measured)."""

    parameters: float
    """Of all networks that are trained."""
    flops: float
    """Of a step, forward and backward."""
    seconds: float
    """Of a step."""
    total: float
    """Seconds of all steps, with the whole pretraining that the trial started from, if any."""
    memory: float
    """Peak, in MiB."""


def costs(rows: pd.DataFrame) -> dict[Configuration, Cost]:
    """Configuration → what a trial of it takes."""
    before = rows.seconds_pretrain if "seconds_pretrain" in rows else pd.Series(0.0, rows.index)
    measured = pd.DataFrame(
        {
            "parameters": rows.parameters,
            "flops": rows.flops_per_step,
            "seconds": rows.seconds_train / rows.steps,
            "total": rows.seconds_train.astype(float) + before.astype(float).fillna(0),
            "memory": rows.peak_memory_mib,
        }
    ).astype(float)
    medians = measured.groupby([rows[name] for name in WHERE]).median()
    return {key: Cost(*map(float, line)) for key, line in medians.iterrows()}


def on_own(rows: pd.DataFrame) -> pd.DataFrame:
    """Without further test sets, on which no epoch was chosen: the keys of these have a "/"."""
    return rows[~rows.key.astype(str).str.contains("/", regex=False)]


def subset_seeds(rows: pd.DataFrame) -> pd.Series:
    """The seed of the labelled subset of each trial, which most often is that of its weights."""
    if "subset_seed" not in rows:
        return rows.seed
    return rows.subset_seed.astype(float).fillna(rows.seed).astype(int)


def classes_of(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Dataset → names of its foreground classes, where there are several and the records know."""
    if "classes" not in rows:
        return {}
    found = rows.groupby("dataset").classes.first()
    return {name: list(classes[1:]) for name, classes in found.items() if len(classes) > 2}


def of_class(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows with the scores of one class in the place of the means over classes; as they are if
    none is named.

    Only datasets that have a class of this name are left: none, if none has. A score that was not
    kept of each class, as those over patients are not, is NaN.
    """
    if not name:
        return rows
    means = [column for column in rows.columns if _IS_SCORE.fullmatch(column)]
    parts = []
    for dataset, classes in classes_of(rows).items():
        trials = rows[rows.dataset == dataset]
        if name not in classes:
            continue
        ending = f"_class_{classes.index(name) + 1}"
        scores = [column for column in rows.columns if column.endswith(ending)]
        own = {column.removesuffix(ending): trials[column] for column in scores}
        parts.append(trials.assign(**dict.fromkeys(means, np.nan) | own))
    return pd.concat(parts) if parts else rows[:0]


def intervals(
    rows: pd.DataFrame, reading: Reading, metric: str, cases: pd.DataFrame | None = None
) -> dict[Configuration, Interval]:
    """Configuration → mean and interval of a metric, dc or ji.

    cases: for intervals over cases; a line per trial and case with dataset, budget, variant, seed,
    case and the metric.
    """
    if reading.ci != "seeds":
        return _crossed(cases, reading, metric)
    grouped = rows.groupby(WHERE)[reading.column(metric)]
    make = INTERVALS[reading.interval]
    options = {"level": reading.ci_level}
    if reading.interval == "t":
        options["ddof"] = reading.ddof
    return {key: make(values.to_numpy(float), **options) for key, values in grouped}


def _crossed(cases: pd.DataFrame, reading: Reading, metric: str) -> dict[Configuration, Interval]:
    found = {}
    for key, group in cases.groupby(WHERE):
        matrix = group.pivot(index="seed", columns="case", values=metric).to_numpy(float)
        if (without := np.isnan(matrix).all(0)).any():  # cases in which no class occurs
            matrix = matrix[:, ~without]
        crossed = crossed_interval(matrix, reading.ci_level)
        found[key] = Interval(crossed.mean, getattr(crossed, reading.ci), len(matrix))
    return found


def by_seed(rows: pd.DataFrame, column: str) -> dict[tuple[str, Budget], pd.DataFrame]:
    """(dataset, budget) → values of a column: a line a seed, a column a variant; NaN if missing."""
    return {
        key: group.pivot(index="seed", columns="variant", values=column).astype(float)
        for key, group in rows.groupby(["dataset", "budget"])
    }


class Floor(NamedTuple):
    """The better of the two trivial predictions on a dataset."""

    name: str
    """foreground, background, or of several classes one's name: what is predicted everywhere."""
    values: dict[str, float]
    """Of dc and ji."""


def floors(rows: pd.DataFrame, aggregate: str) -> dict[str, Floor]:
    """The floor of each dataset: a method below it has learnt nothing.

    All trials of one size share it; of several sizes it is the highest.
    """
    found = {}
    for dataset, trials in rows.groupby("dataset"):
        column = f"all_{{}}_{{}}_{aggregate}"
        highest = {n: trials[column.format(n, "dc")].max() for n in ("foreground", "background")}
        name = max(highest, key=highest.__getitem__)
        of_it = trials[column.format(name, "dc")].astype(float).to_numpy()
        first = trials.iloc[int(np.nan_to_num(of_it, nan=-1).argmax())]
        values = {metric: float(first[column.format(name, metric)]) for metric in ("dc", "ji")}
        number = first.get("all_foreground_class")
        if name == "foreground" and pd.notna(number):
            known = classes_of(trials).get(dataset, [])
            name = known[int(number) - 1] if known else f"class {int(number)}"
        found[dataset] = Floor(name, values)
    return found


class Complete(NamedTuple):
    """Variants that were run in all of some places, which are datasets or label budgets."""

    where: list
    """The places, ascending."""
    variants: list[str]
    left_out: list[str]
    """Variants that were not run in all of them."""


def most_complete(run: Mapping[str, frozenset], least_variants: int = 1) -> Complete | None:
    """Of variants and the places of each: the places that keep the most scores comparable.

    That is, most variants times places. So a variant that was run in one place more, or less,
    changes nothing for the others. Of very many different sets of places what two of them have in
    common is tried, and no more. None if so many variants have not two places in common.
    """

    def scores(places: frozenset) -> tuple[int, int, list]:
        variants = sum(own >= places for own in run.values())
        return variants * len(places), variants, sorted(places)

    each = set(run.values())
    if len(each) > _MANY:  # of which the sets in common may be as many as 2 to the power of that
        shared = {one & other for one in each for other in each}
    else:
        shared = set()  # what any of the variants have in common
        for own in each:
            shared |= {own} | {own & places for places in shared}
    enough = [s for s in shared if len(s) >= 2 and scores(s)[1] >= least_variants]
    common = max(enough, key=scores, default=None)
    if common is None:
        return None
    names = ordered(run)
    return Complete(
        sorted(common),
        [name for name in names if run[name] >= common],
        [name for name in names if not run[name] >= common],
    )


def ordered(variants: Iterable[str]) -> list[str]:
    """The baseline first, then by name, numbers by their size: rounds=3 before rounds=10."""
    return sorted(set(variants), key=lambda name: (name != BASELINE, _pieces(name)))


def _pieces(name: str) -> list[str | int]:
    """Text and whole numbers by turns."""
    pieces = re.split(r"(\d+)", name)
    return [int(piece) if i % 2 else piece for i, piece in enumerate(pieces)]


def flat(
    values: Mapping[str, Any], leave: frozenset[str], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Nested settings as dotted names with their values."""
    for name, value in values.items():
        if name in leave:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, frozenset(), f"{prefix}{name}.")
        else:
            yield prefix + name, value
