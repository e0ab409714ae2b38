"""The paragraph on data, training and statistics of a paper, every number from the records."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pandas as pd

from reports import settings as said
from reports.latex import latex_escape
from reports.report import Report
from reports.select import (
    BASELINE,
    WHERE,
    classes_of,
    datasets_of,
    on_own,
    recorded,
    subset_seeds,
    variants_of,
)
from reports.sheet import counted, sentence
from reports.stats.significance import MIN_PAIRS
from reports.tables import footers
from reports.tables.comparisons import ALPHA, TEST_NAMES
from reports.wording import listed

ENDINGS = {"text": "txt", "markdown": "md", "latex": "tex"}
"""Of the formats that it can have."""
_PACKAGES = {
    "python": "Python", "torch": "PyTorch", "numpy": "NumPy", "scipy": "SciPy", "ray": "Ray",
}  # fmt: skip


def written(report: Report, form: str) -> str:
    """The paragraph in one of the formats of `ENDINGS`, and a line end."""
    own = on_own(report.rows)
    rows = report.rows if own.empty else own
    parts = (
        _data(rows), _further(report.rows), _labelled(rows), _seeds(rows, report.crossed),
        _network(rows), _training(rows), _pretraining(rows), _scores(report, rows),
        _statistics(report, rows), _software(rows),
    )  # fmt: skip
    text = " ".join(sentence(line) for part in parts for line in part)
    return (latex_escape(text) if form == "latex" else text) + "\n"


def _data(rows: pd.DataFrame) -> Iterator[str]:
    """What is compared, on how many images, and what the network sees of them."""
    methods, datasets = variants_of(rows), datasets_of(rows)
    yield (
        f"we compare {counted(len(methods), 'method')} ({listed(methods)}) on "
        f"{counted(len(datasets), 'dataset')} ({listed(datasets)})"
    )
    tested = "test" if set(rows.evaluate_on) == {"test"} else "development"
    kind = _kind(rows)
    told = []
    for name, own in _by_dataset(rows):
        pool = (own.n_labelled.astype(float) + own.n_unlabelled.astype(float)).max()
        of = "" if (trained := _kind_trained(own)) == _kind(own) else f" {trained}s"
        training = "" if pd.isna(pool) else f"{int(pool)} training{of} and "
        told.append(f"{training}{counted(int(own.n_test.max()), f'{tested} {kind}')} in {name}")
    yield f"there are {listed(told)}"
    if size := _stated(rows, said.input_size):
        yield f"the network sees {size}"
    partial = rows[rows.data_partial.fillna("") != ""]
    for name, note in partial.groupby("dataset").data_partial.first().items():
        yield f"the dataset {name} is not the one that was published: {note}"


def _further(rows: pd.DataFrame) -> Iterator[str]:
    """The test sets of other data, if their scores stand beside those of the own."""
    own = on_own(rows)
    others = rows.drop(own.index)
    if own.empty or others.empty:
        return
    sizes = {name: int(one.n_test.max()) for name, one in _by_dataset(others)}
    told = [f"{name} ({counted(n, _kind(own))})" for name, n in sizes.items()]
    yield f"the same networks are tested on {listed(told)} too, without any further training"


def _kind(rows: pd.DataFrame) -> str:
    """What a case is: an image, a volume; of both, a case."""
    are_volumes = rows.settings.map(lambda s: bool(s.get("patch") or s.get("slices")))
    if are_volumes.all():
        return "volume"
    return "case" if are_volumes.any() else "image"


def _kind_trained(rows: pd.DataFrame) -> str:
    """The same of what a step sees: of volumes that are cut, a slice."""
    are_slices = rows.settings.map(lambda settings: bool(settings.get("slices")))
    return "slice" if are_slices.all() else _kind(rows)


def _by_dataset(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for name in datasets_of(rows):
        yield name, rows[rows.dataset == name]


def _labelled(rows: pd.DataFrame) -> Iterator[str]:
    """The budgets, in images of each dataset; what becomes of the others."""
    budgets = listed([budget.text for budget in sorted(rows.budget.unique())])
    told = []
    for name, own in _by_dataset(rows.dropna(subset=["n_labelled"])):
        counts = [_range(own[own.budget == b].n_labelled) for b in sorted(own.budget.unique())]
        told.append(f"{listed(counts)} {_kind_trained(own)}s in {name}")
    kind, counted_ones = _kind(rows), f" ({', '.join(told)})" if told else ""
    some = " that have them" if _have_some_no_mask(rows) else ""
    yield f"masks are given of {budgets} of the training {kind}s{some}{counted_ones}"
    users = rows[recorded(rows).variant != BASELINE]
    if users.empty:
        return
    part = _stated(users, lambda settings: settings.get("unlabelled", "all"))
    which = f"the other training {kind}s" if part == "all" else f"{part} of the others"
    but = f" by all methods but {_baseline(rows)}" if len(users) < len(rows) else ""
    yield f"{which} are used without their masks{but}"


def _have_some_no_mask(rows: pd.DataFrame) -> bool:
    """Are more images unlabelled than the share that is labelled leaves?"""
    shares = rows.dropna(subset=["n_labelled", "n_unlabelled", "ratio"]).astype(
        {"n_labelled": float, "n_unlabelled": float, "ratio": float}
    )
    pool = shares.n_labelled + shares.n_unlabelled
    return bool((shares.ratio * pool - shares.n_labelled > 1).any())


def _baseline(rows: pd.DataFrame) -> str:
    """As it is shown."""
    return rows[recorded(rows).variant == BASELINE].variant.iloc[0]


def _range(values: pd.Series) -> str:
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _seeds(rows: pd.DataFrame, crossed: pd.DataFrame) -> Iterator[str]:
    """How often, and what differs between the runs. crossed: with the seeds that were typed."""
    times = _range(rows.groupby(WHERE).seed.nunique())
    is_list = rows.settings.map(lambda settings: "labelled" in settings)
    moved = []
    if not is_list.all() and subset_seeds(crossed).nunique() != 1:
        lists = sorted(rows[is_list].budget.unique())
        but = f" (but that of {listed([one.text for one in lists])})" if lists else ""
        moved.append(f"the labelled subset{but}")
    if crossed.seed.nunique() != 1:
        moved += ["the initial weights", "the order of the data", "the augmentation"]
    if times == "1":
        yield "each method is trained with one seed on each dataset and label budget"
        return
    decides = f"; a seed decides {listed(moved)}" if moved else ""
    yield f"each method is trained with {times} seeds on each dataset and label budget{decides}"


def _network(rows: pd.DataFrame) -> Iterator[str]:
    network = _stated(rows, said.network)
    if not network:
        return
    trained = rows.parameters.astype(float)
    tested = rows.get("parameters_tested", trained).astype(float).fillna(trained)
    of_test = tested.dropna().astype(int)
    low, high = (
        (_amount(int(n)) for n in (of_test.min(), of_test.max())) if len(of_test) else ("", "")
    )
    size = low if low == high else f"{low} to {high}"
    yield f"the network is {network}{f' ({size} parameters at test)' if size else ''}"


def _amount(n: int) -> str:
    """1810000 → 1.81 million."""
    return f"{n}" if n < 1e5 else f"{n / 1e6:.3g} million"


def _training(rows: pd.DataFrame) -> Iterator[str]:
    steps = said.stated(rows, rows.steps.map(lambda n: counted(int(n), "step")))
    epochs = _stated(rows, lambda settings: said.epochs(settings, "training"))
    yield f"training takes {epochs}: {steps}" if epochs else f"training takes {steps}"
    yield from _stage(rows, "training")
    if batches := _stated(rows, said.batches):
        yield f"a step sees {batches}"
    if criterion := _stated(rows, said.criterion):
        yield f"the supervised loss is {criterion}"


def _stage(rows: pd.DataFrame, stage: str) -> Iterator[str]:
    """Optimiser, schedule and augmentation of training or pretraining."""
    if optimiser := _stated(rows, lambda settings: said.optimiser(settings, stage)):
        yield f"the optimiser of {stage} is {optimiser}"
    if schedule := _stated(rows, lambda settings: said.schedule(settings, stage)):
        yield f"its learning rate {schedule}"
    if augmentation := _stated(rows, lambda settings: said.augmentation(settings, stage)):
        yield f"the augmentation of {stage} is {augmentation}"


def _pretraining(rows: pd.DataFrame) -> Iterator[str]:
    """Of the methods that learn from images alone beforehand."""
    own = rows[rows.pretrain_steps.notna()]
    if own.empty:
        return
    steps = said.stated(own, own.pretrain_steps.map(lambda n: counted(int(n), "step")))
    yield (
        f"before, a pretraining of {steps} without any mask makes the "
        f"initial weights of {listed(variants_of(own))}"
    )
    yield from _stage(own, "pretraining")


def _scores(report: Report, rows: pd.DataFrame) -> Iterator[str]:
    """Which are reported, of which networks."""
    chosen = {
        "final": "the last training step; nothing is chosen on the evaluation set",
        "val": "the epoch with the best Jaccard on the validation set",
        "oracle": "the epoch that is best on the evaluation set itself, which nobody can choose "
        "without its masks (oracle)",
    }[report.reading.selection]
    over = {
        "pooled": "of all pixels together",
        "case": f"as means over {_kind(rows)}s",
        "patient": "as means over patients, the pixels of each together",
    }[report.reading.aggregate]
    named = {"dc": "Dice", "ji": "Jaccard"}
    scores = " and ".join(named[metric] for metric in report.reading.shares)
    yield f"we report {scores} in per cent {over}, of the network of {chosen}"
    if of_class := report.reading.of_class:
        yield f"scores are those of the class {of_class}"
    elif classes_of(rows):
        yield "of several classes scores are means over the foreground classes"
    yield from footers.tuned(rows)


def _statistics(report: Report, rows: pd.DataFrame) -> Iterator[str]:
    """Intervals and tests."""
    most = int(rows.groupby(WHERE).seed.nunique().max())
    if most == 1 and report.reading.ci == "seeds":
        yield "with one seed there are no intervals and no tests"
        return
    yield _interval(report)
    if rows.variant.nunique() < 2:
        return
    if most < MIN_PAIRS:
        yield f"differences are not tested: {MIN_PAIRS} seeds are needed"
        return
    to = report.control or "the best method"
    yield (
        f"differences in Dice from {to} are tested by a {TEST_NAMES[report.test]}, paired by seed, "
        f"with Holm's correction over the methods on each dataset and label budget, level {ALPHA:g}"
    )


def _interval(report: Report) -> str:
    reading = report.reading
    level = f"{100 * reading.ci_level:g} %"
    over = {
        "seeds": "over seeds, the evaluated images being fixed",
        "cases": "over cases, of the mean over seeds",
        "both": "over seeds and cases",
    }[reading.ci]
    kind = {"t": "Student-t", "logit-t": "Student-t (of log-odds)", "bootstrap": "BCa bootstrap"}
    return f"intervals are {level} {kind[reading.interval]} intervals {over}"


def _software(rows: pd.DataFrame) -> Iterator[str]:
    """Versions, settings, machines."""
    versions = ", ".join(sorted(set(rows.code_version)))
    devices = listed(sorted({str(device) for device in rows.device.dropna()} - {""}))
    yield (
        f"all runs are made with semiseg-bench {versions}{_packages(rows)}, preset "
        f"{footers.presets(rows)}{f', on {devices}' if devices else ''}"
    )


def _packages(rows: pd.DataFrame) -> str:
    """Of those that make numbers, each version that occurs."""
    recorded_packages = [own for own in rows.get("packages", []) if isinstance(own, Mapping)]
    told = []
    for name, shown in _PACKAGES.items():
        versions = sorted({str(own[name]) for own in recorded_packages if name in own})
        told += [f"{shown} {'/'.join(versions)}"] * bool(versions)
    return f" ({', '.join(told)})" if told else ""


def _stated(rows: pd.DataFrame, of: Callable[[Mapping[str, Any]], str]) -> str:
    """What the settings say, of all rows together."""
    return said.stated(rows, rows.settings.map(of))
