"""All tables of a report, from frames: which there are, and what they compare with what."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from reports.comparable import comparable, independent, with_reading
from reports.names import Names, called, put, with_groups
from reports.published.differences import Expected
from reports.published.matching import nothing_beside
from reports.published.paper import Paper
from reports.published.read import Unreadable
from reports.select import BASELINE, Reading, in_order, of_class, on_own, recorded
from reports.sheet import Sheet
from reports.tables import (
    cases,
    classes,
    comparisons,
    differences,
    distances,
    efficiency,
    footers,
    main,
    optimism,
    pretraining,
    published,
    published_distances,
    ranks,
    rates,
    variance,
)
from reports.wording import of_trials


@dataclass(frozen=True)
class Options:
    """What the reader asked for."""

    reading: Reading = field(default_factory=Reading)
    control: str | None = None
    """None: the baseline if it is there."""
    test: str = "sign-flip"
    with_costs: bool = False
    evaluate_on: str | None = None
    """test or dev; None: the test set if there are trials of it."""
    names: Names | None = None
    """How datasets and methods are shown; None: as the study calls them."""


@dataclass(frozen=True)
class Sources:
    """Where a report gets what the table of trials does not hold; asked when it is needed.

    Functions of the trials that are shown, but for the papers.
    """

    cases: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    """The lines of all their cases, for intervals over cases."""
    case_scores: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: pd.DataFrame()
    """The same of those trials that have them, for their worst and best cases."""
    pretrainings: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: pd.DataFrame()
    """A line for each that they started from (`benchmark.store.tables.pretrainings`)."""
    notes: Callable[[pd.DataFrame], list[str]] = lambda rows: []
    """What every table has to say of them."""
    papers: Callable[[], list[Paper]] = list
    """Printed results."""
    expected: Expected | None = None
    """The settings of a trial under a preset."""


class Report:
    """A study's trials that are shown, and tables of them, made when asked for.

    left_out: what `filters.filtered` said of the trials. Raises `names.Alike`.
    """

    def __init__(
        self,
        trials: pd.DataFrame,
        options: Options,
        sources: Sources | None = None,
        left_out: Sequence[str] = (),
    ):
        sources = sources or Sources()
        names = options.names or Names()
        self.trials = trials
        self.not_asked_for = list(left_out)
        rows, left_out = comparable(trials, options.evaluate_on)
        rows, renamed = put(rows, names)
        self.crossed, without = with_reading(rows, options.reading)
        """Every subset with every seed of weights, where they were run so."""
        self.all_classes, varied = independent(self.crossed)
        """The trials that are shown, as recorded."""
        self.rows = of_class(self.all_classes, options.reading.of_class)
        self._left_out = [*left_out, *without, *varied]
        self.pretrainings = sources.pretrainings(self.rows)
        self._left_out += sources.notes(recorded(self.rows))
        self._left_out += [*pretraining.doubtful(self.pretrainings), *renamed]
        self.reading = options.reading
        self.test = options.test
        self._options, self._sources = options, sources
        self.problems: list[str] = []
        """Why `tables` had to leave one out."""
        over_cases = sources.cases is not None and self.reading.ci != "seeds"
        self._cases = sources.cases(self.rows) if over_cases else None
        control = names.method(options.control or BASELINE)
        self.control = control if control in set(self.rows.variant) else None
        """The variant that differences are from, as it is shown."""
        self._made: dict[str, Sheet | None] = {}

    def named(self, trials: pd.DataFrame) -> pd.DataFrame:
        """Any trials of the study, under the names that are shown."""
        return called(trials, self._options.names or Names())

    def table(self, name: str) -> Sheet | None:
        """One of `TABLES`; None if the trials are not enough for it.

        Raises `Unreadable` for published results that are not as described.
        """
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def remade(self) -> "Report":
        """The same, nothing of it made yet: within `sheet.in_full` its lists go to their end."""
        return Report(self.trials, self._options, self._sources, self.not_asked_for)

    @cached_property
    def case_scores(self) -> pd.DataFrame:
        """Dice of every case of every trial that kept them."""
        return self._sources.case_scores(self.rows)

    @cached_property
    def oddities(self) -> list[str]:
        """Whatever makes the scores less than they seem."""
        return footers.oddities(self.rows, self.reading)

    def _make(self, name: str) -> Sheet | None:
        kind = TABLES[name]
        sheet = kind.make(self)
        if sheet is None:
            return None
        sheet = with_groups(
            replace(sheet, caption=f"{sheet.title} {of_trials(self.rows)}"), self.rows
        )
        if kind.says_all:
            return sheet
        own = self.reading if "class" in kind.reads else replace(self.reading, of_class="")
        read = [] if kind.says_reading else [footers.selection(own, self.rows)]
        left_out = [*self.oddities, *self._left_out, *self._unfiltered(kind)]
        return replace(
            sheet,
            notes=[*sheet.notes, *read, footers.evaluated(self.rows)],
            footer=[*sheet.footer, *left_out],
        )

    def _unfiltered(self, kind: "Table") -> list[str]:
        """What was left out by request, where that changes what the table says of the rest."""
        if not self.not_asked_for or not kind.among:
            return []
        return [f"{'; '.join(self.not_asked_for)}: {kind.among}"]

    def tables(self) -> list[Sheet]:
        """All for which the trials are enough; a published one that is unreadable is a problem."""
        sheets = []
        for name in TABLES:
            try:
                sheets.append(self.table(name))
            except Unreadable as error:
                self.problems = [*dict.fromkeys([*self.problems, str(error)])]  # asked twice
        return [sheet for sheet in sheets if sheet is not None]

    @cached_property
    def _papers(self) -> list[Paper]:
        return self._sources.papers()

    def lacking(self, name: str) -> str:
        """Why there is no such table, for the reader."""
        if name.startswith("published"):
            printed = nothing_beside(self.rows, self._papers, self.reading.of_class)
            return f"{TABLES[name].needs}: {printed}"
        return TABLES[name].needs

    def _published(self) -> Sheet | None:
        return published.sheet(self.rows, self.reading, self._papers, self._sources.expected)

    def _published_distances(self) -> Sheet | None:
        if self.reading.of_class:
            return None
        return published_distances.sheet(
            self.rows, self.reading, self._papers, self._sources.expected
        )

    def _main(self) -> Sheet:
        left_out = self._left_out + self._unfiltered(TABLES["table"])
        if self.control is None:
            left_out.append(f'no differences from a control: no "{BASELINE}" here, no --control')
        return main.sheet(
            self.rows,
            self.reading,
            with_costs=self._options.with_costs,
            cases=self._cases,
            left_out=left_out,
            test=self._options.test,
        )

    def _differences(self) -> Sheet | None:
        if self.control is None or self.rows.variant.nunique() < 2:
            return None
        test, place = self._options.test, in_order(self.rows)
        found = comparisons.against_control(self.rows, self.reading, self.control, test=test)
        if not found:  # no seed in common with the control
            return None
        found.sort(key=lambda comparison: place(comparison.key))
        made = differences.sheet(found, self.control, self.reading, test)
        unpaired = comparisons.unpaired(self.rows, self.control)
        return replace(made, footer=[*made.footer, *unpaired])


@dataclass(frozen=True)
class Table:
    """A table that a report can have."""

    make: Callable[[Report], Sheet | None]
    reads: frozenset[str]
    """Options that change it, or single values of them ("aggregate case"), besides those that
    change every table: what else is given does nothing, and is refused."""
    needs: str = ""
    """What the trials lack if it is None, for the reader."""
    among: str = ""
    """What it says of a trial that depends on the others: so on which of them are shown."""
    says_reading: bool = False
    """Its own footer says which scores it reads."""
    says_all: bool = False
    """Its own footer says all that `Report` adds to the others."""


_SCORE = frozenset({"selection", "aggregate", "class", "as-published"})
_LEVEL = frozenset({"ci-level"})
_MARKED = "marks are among the methods that are shown"
_SHARES = frozenset({"metric dc", "metric ji"})
_RATES = frozenset({"metric dc", "metric sensitivity", "metric precision", "metric nsd"})
METHODS_SECTION_READS = _SCORE | _LEVEL | _SHARES | {"ci", "interval", "test", "control"}
"""As `Table.reads`, of the paragraph on how the trials were made and compared."""

TABLES = {
    "table": Table(
        Report._main,
        _SCORE | _LEVEL | _SHARES | {"ci", "interval", "test", "costs", "layout"},
        among="marks, tests and Holm's correction are among the methods that are shown",
        says_all=True,
    ),
    "classes": Table(
        lambda r: classes.sheet(r.all_classes, replace(r.reading, of_class="")),
        (_SCORE - {"class"}) | _LEVEL | {"layout"},
        "no dataset of the trials has several classes besides the background, or their records are "
        "of a version that did not keep them apart",
        among=_MARKED,
    ),
    "differences": Table(
        Report._differences,
        _SCORE | _LEVEL | {"test", "control"},
        f"it needs {BASELINE}, or another variant that --control names, and a second one with a "
        "seed in common with it",
        among="Holm's correction is over the methods that are shown",
    ),
    "optimism": Table(
        lambda r: optimism.sheet(on_own(r.rows), r.reading),
        frozenset({"aggregate", "class", "ci-level", "layout"}),
        "only further test sets are shown, on which no epoch was chosen",
        says_reading=True,
    ),
    "label-efficiency": Table(
        lambda r: efficiency.sheet(r.rows, r.reading),
        _SCORE | _LEVEL,
        "it needs a method at two or more label budgets below 100 %, in percent",
        among="areas are over the label budgets that are shown",
    ),
    "ranks": Table(
        lambda r: ranks.sheet(on_own(r.rows), r.reading),
        _SCORE | _LEVEL,
        "it needs three or more methods on two or more datasets at one label budget",
        among="ranks are among the methods, and over the datasets, that are shown",
    ),
    "distances": Table(
        lambda r: None if r.reading.of_class else distances.sheet(r.rows, r.reading),
        _LEVEL | {"metric hd95", "metric asd"},
        "the trials have no surface distances, or one class is asked for: they are means over "
        "classes (classes.csv of each trial has those of each)",
        among=_MARKED,
        says_reading=True,
    ),
    "rates": Table(
        lambda r: None if r.reading.of_class else rates.sheet(r.rows, r.reading),
        _LEVEL | {"aggregate pooled", "aggregate case", "layout"} | _RATES,
        "the trials are of a version that did not measure sensitivity and precision, or one class "
        "is asked for: they are means over classes",
        says_reading=True,
    ),
    "cases": Table(
        lambda r: cases.sheet(r.rows, r.case_scores),
        frozenset(),
        "no trial has kept the scores of its cases (cases.csv)",
        says_reading=True,
    ),
    "pretraining": Table(
        lambda r: pretraining.sheet(r.rows, r.pretrainings),
        frozenset(),
        "no trial started from a pretraining that was examined",
        says_reading=True,
    ),
    "variance": Table(
        lambda r: variance.sheet(of_class(r.crossed, r.reading.of_class), r.reading),
        _SCORE,
        "it needs two or more labelled subsets, each with two or more seeds of weights "
        "(bench run --vary cross)",
    ),
    "published": Table(
        Report._published,
        _SCORE | _LEVEL | _SHARES,
        "no published result has the dataset, label budget and method of a trial",
        says_reading=True,
    ),
    "published-distances": Table(
        Report._published_distances,
        frozenset({"ci-level", "as-published"}),
        "no published result of these datasets, label budgets and methods has HD95 or ASD of what "
        "is asked for, or the trials have none",
        says_reading=True,
    ),
}
"""All of them, in the order of a report; the first is the main one."""
