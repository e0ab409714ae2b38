"""The door for Python and notebooks: `import benchmark as sb`, and what `bench` does is there.

`benchmark/__init__.py` opens it when a name of it is asked for. docs/python.md shows it at work.
"""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, overload, runtime_checkable

import numpy as np
import pandas as pd

from benchmark.cli import main, report
from benchmark.cli.options import say
from benchmark.cluster.cluster import Cluster
from benchmark.errors import ExitCode, UserError, require_choice
from benchmark.store import datasets as kept
from benchmark.store import layout, record_file, tables
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record

Words = str | Sequence[str | int | float]
"""As it is typed ("supervised,cps"), or a list of such words."""
TextForm = Literal["text", "markdown", "latex", "csv"]
_WHERE = ["key", "dataset", "budget", "variant", "seed"]


@contextmanager
def _in_words() -> Iterator[None]:
    """What the world did, a full disk or a folder that is none, as `UserError`, as `bench` says."""
    try:
        yield
    except OSError as error:
        raise UserError(main.of_the_world(error), ExitCode.RESOURCES) from error


@runtime_checkable
class Model(Protocol):
    """A trained network, with all that its images need before it sees them."""

    def predict(self, image: np.ndarray) -> np.ndarray:
        """The class of each pixel, at the image's own size: 0 is the background.

        image: grey values as in a file, (h, w) or (h, w, channels); of volumes (x, y, z) or
        (x, y, z, channels).
        """
        ...

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """The probability of each class, (class, h, w) or (class, x, y, z), of the same images."""
        ...


class Trial:
    """One trial of a study, done or failed."""

    def __init__(self, study_folder: Path, found: Record):
        self.key: str = found.key
        self.label: str = found.label
        """cps/glas/5 %/seed 3"""
        self.folder: Path = trial_folder(study_folder, found.key)
        self.settings: dict[str, Any] = found.settings
        """All that could change its scores."""
        self.metrics: dict[str, int | float | None] = found.metrics
        """Columns of `results.csv`; empty of a trial that failed."""
        self.error: str = found.error
        """Why it failed; empty of one that is done."""

    def __repr__(self) -> str:
        return f"<trial {self.key}: {self.label}{', failed' if self.error else ''}>"

    def model(self) -> Model:
        """The network that was tested, from the file that `save="weights"` left beside its record.

        Raises `UserError` where there is none.
        """
        with _in_words():
            from benchmark.prediction import found

            return load_model(found.weights_file(self.key, [self.folder.parent.parent]))


class Study:
    """A study on disk. Its tables are read once, when they are asked for; load it again for later
    ones.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.name = folder.name

    def __repr__(self) -> str:
        done = sum(found.is_done for found in self._records)
        return f"<study {self.name}: {done} of {len(self._records)} trials done>"

    @cached_property
    def _records(self) -> list[Record]:
        with _in_words():
            there = record_file.survey(self.folder)
            for note in there.notes:
                say(note, err=True)
            return kept.with_units(self.folder, there.records)

    @cached_property
    def trials(self) -> pd.DataFrame:
        """One row a trial, also of those that failed: the columns of `results.csv`."""
        return tables.table(self._records)

    @cached_property
    def cases(self) -> pd.DataFrame:
        """One row a case of each done trial: dc, ji, tp, fp, fn and surface distances."""
        return self._lines("cases.csv")

    @cached_property
    def classes(self) -> pd.DataFrame:
        """One row a class of a case; of datasets with several classes besides the background."""
        return self._lines("classes.csv")

    @cached_property
    def history(self) -> pd.DataFrame:
        """One row an epoch: learning rate, terms of the loss, diagnostics, scores on the way."""
        return self._lines("history.csv")

    def _lines(self, name: str) -> pd.DataFrame:
        with _in_words():
            lines = tables.stacked(self.folder, self.trials, name)
        return lines[[*_WHERE, *lines.columns.difference(_WHERE, sort=False)]]

    def trial(self, key: str) -> Trial:
        """The one trial whose key starts so; `UserError` if there is none, or more than one."""
        found = [one for one in self._records if key and one.key.startswith(key)]
        if len(found) != 1:
            raise UserError(
                f"trial() takes a key of this study, or how one alone begins; {len(found)} of "
                f"{self.name} start with {key!r}. The column key of .trials has them"
            )
        return Trial(self.folder, found[0])

    @overload
    def report(
        self, table: str = ..., *, form: Literal["frame"] = ..., **options: Any
    ) -> pd.DataFrame: ...

    @overload
    def report(self, table: str = ..., *, form: TextForm, **options: Any) -> str: ...

    def report(
        self, table: str = "table", *, form: str = "frame", **options: Any
    ) -> pd.DataFrame | str:
        """A table of `bench report`, by the name that `--table` has for it.

        form: frame, the scores in full precision (shares, not percentages), a line a score or a
        row; or the table as it is printed: text, markdown, latex, csv.
        options: those of `bench report`, as typed there and by the same names: methods, datasets,
        labels, seeds, metric, names, selection, aggregate, as_published,
        of_class (`--class`), ci, interval, ci_level, control, test, costs, evaluate_on.
        Raises `UserError` where the trials are not enough for it.
        """
        from reports.render import ENDINGS, rendered

        require_choice("form", form, ("frame", *ENDINGS))
        known = [*inspect.signature(report.one_table).parameters][2:]  # behind folder and name
        for name in options:
            require_choice("an option of report()", name, known)
        with _in_words():
            sheet = report.one_table(self.folder, table, **options)
        if form == "frame":
            return sheet.data.copy()
        return rendered(sheet, form)


def load_study(path: str | Path) -> Study:
    """The study in this folder, such as "results/demo"; `UserError` if there is none."""
    folder = Path(path).expanduser()
    if not layout.is_study(folder):
        names = layout.studies(folder)
        within = f"; it holds the studies {', '.join(names)}" if names else ""
        raise UserError(
            f"load_study() takes the folder of one study, such as results/demo; {folder} is "
            f"none{within}",
            ExitCode.DATA,
        )
    return Study(folder)


def load_model(file: str | Path) -> Model:
    """The network of a file that `save="weights"` wrote, wherever the file lies now.

    `UserError` for a file that is missing, damaged, or of a method that is not installed.
    """
    with _in_words():
        from benchmark.prediction import trained

        return trained.load(Path(file).expanduser())


def run(
    preset: str = "paper",
    *,
    settings: Mapping[str, Any] | None = None,
    methods: Words | None = None,
    ablation: Words | None = None,
    tuned: str | None = None,
    datasets: Words | None = None,
    labels: Words | int | float | None = None,
    unlabelled: str | None = None,
    seeds: int | str | Sequence[int] | None = None,
    vary: str | None = None,
    study: str | None = None,
    network: str | None = None,
    weights: str | None = None,
    evaluate_on: str | None = None,
    val_as: str | None = None,
    slices: bool | None = None,
    address: str | None = None,
    gpus_per_trial: int | float | str | None = None,
    max_concurrent: int | None = None,
    grace: int | float = Cluster.grace,
    keep_going: bool = False,
    shard: str | None = None,
    save: Words | None = None,
    log: Words | None = None,
    also_test: Words | None = None,
    nsd: Sequence[int | float] | None = None,
    rerun: Words | None = None,
    trial: str | None = None,
    data_root: str | Path = "data",
    results: str | Path = "results",
) -> Study:
    """Run the trials that have no result yet, as `bench run` does; the study that they are in.

    Keywords are the options of `bench run`, explained by its `--help`; settings are what is typed
    there as KEY=VALUE: `{"training.epochs": 20, "size": [64, 64]}`. Several methods, datasets,
    labels and the like are a list, or a text as it is typed; seeds are how many, or which.

    Trials that fail are rows of `.trials` with their reason, and counted on stderr. Interrupting
    the cell stops the run; the same call continues. Ray ends with the call.
    """
    from benchmark.cli import grid
    from benchmark.cli import run as verb

    typed = {
        "methods": _typed(methods),
        "datasets": _typed(datasets),
        "labels": _typed(labels),
        "seeds": _seeds(seeds),
        "vary": vary,
        "name": study,
        "evaluate_on": evaluate_on,
        "val_as": val_as,
        "unlabelled": unlabelled,
        "also_test": _typed(also_test),
        "slices": slices,
        "ablation": _typed(ablation),
        "tuned": tuned,
    }
    overrides = [f"{name}={_value(value)}" for name, value in (settings or {}).items()]
    overrides = verb.with_flags(overrides, network, weights, _typed(nsd))
    overrides += grid.listed({"save": _typed(save), "log": _typed(log)})
    roots = (Path(data_root).expanduser(), Path(results).expanduser())
    with _in_words():
        plan = verb.planned(preset, overrides, typed, roots, shard=shard, rerun=_typed(rerun))
        for note in plan.notes:
            say(f"note: {note}", err=True)
        where = grid.cluster(
            address, _typed(gpus_per_trial), max_concurrent, suffix=plan.shard.suffix,
            keeps_going=keep_going, grace=float(grace),
        )  # fmt: skip
        failed = verb.carried_out(plan, roots[0], where, trial=trial)
    if failed:
        say(f"{failed} failed: the rows of .trials with the status failed say why", err=True)
    return Study(plan.folder)


def _typed(value: Words | int | float | None) -> str | None:
    """As on the command line."""
    if value is None or isinstance(value, str):
        return value
    return ",".join(map(str, value)) if isinstance(value, Sequence) else f"{value}"


def _seeds(value: int | str | Sequence[int] | None) -> str | None:
    """3 are three, [3] is that one."""
    return f"{_typed(value)}," if isinstance(value, list | tuple | range) else _typed(value)


def _value(value: Any) -> str:
    """A setting as it is typed; texts as they stand."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def methods() -> pd.DataFrame:
    """One row a method: what it is, its hyper-parameters with their defaults.

    Columns: method, sentence, hyperparameters (a dictionary), package (whose it is, if it is not
    the tool's) and problem (why it cannot be loaded, if it cannot).
    """
    from benchmark.study import methods as found

    return pd.DataFrame([_method(name) for name in found.names()])


def _method(name: str) -> dict[str, Any]:
    from benchmark.study import methods as found

    row = {"method": name, "sentence": "", "hyperparameters": {}, "package": "", "problem": ""}
    try:
        row["hyperparameters"] = found.hyperparameters(name)
        row["sentence"] = next(iter(found.header(name).splitlines()), "")
        row["package"] = str(found.offered(name) or "")
    except UserError as error:
        row["problem"] = str(error)
    return row


def datasets(data_root: str | Path = "data") -> pd.DataFrame:
    """One row a dataset that has a card or is prepared.

    Columns: dataset, title, is_prepared, classes (a list, the background first), train,
    unlabelled, val and test (how many cases, once it is prepared), terms, homepage and problem
    (why card or data cannot be read, if they cannot).
    """
    from benchmark.data import names, prepared

    root = Path(data_root).expanduser()
    with _in_words():
        there = names.prepared(root)
        known = sorted({*names.cards(), *there})
        found = pd.DataFrame([_dataset(name, root, name in there) for name in known])
    return found.astype(dict.fromkeys(prepared.SPLITS, "Int64"))


def _dataset(name: str, data_root: Path, is_prepared: bool) -> dict[str, Any]:
    from benchmark.data import cards, prepared

    row: dict[str, Any] = {"dataset": name, "title": "", "is_prepared": is_prepared, "classes": []}
    row |= dict.fromkeys(prepared.SPLITS) | {"terms": "", "homepage": "", "problem": ""}
    try:
        manifest = prepared.read_manifest(data_root, name) if is_prepared else None
        card = manifest.card if manifest else cards.find(name)
    except UserError as error:
        return row | {"problem": str(error)}
    if manifest:
        row |= {split: len(manifest.ids(split)) for split in prepared.SPLITS}
    described = ("title", "classes", "terms", "homepage")
    return row | {field: getattr(card, field) for field in described}
