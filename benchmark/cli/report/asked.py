"""What was typed of a report, and what it means; what would do nothing is refused."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.report.options import FORMATS
from benchmark.errors import UserError, require_choice

if TYPE_CHECKING:
    from reports.filters import Filter
    from reports.latex import Style
    from reports.report import Options
    from reports.select import Reading


@dataclass(frozen=True)
class Asked:
    """Options of `bench report`, as typed; `options` has what they are for."""

    form: str | None = None
    table: str | None = None
    published: bool = False
    methods_section: bool = False
    methods: str | None = None
    datasets: str | None = None
    labels: str | None = None
    seeds: str | None = None
    metric: str | None = None
    names: Path | None = None
    evaluate_on: str | None = None
    selection: str | None = None
    aggregate: str | None = None
    as_published: bool = False
    of_class: str | None = None
    ci: str = "seeds"
    interval: str = "t"
    ci_level: float = 0.90
    control: str | None = None
    test: str = "sign-flip"
    costs: bool = False
    layout: str | None = None
    bare: bool = False
    out: Path | None = None

    @property
    def tables(self) -> list[str]:
        """The tables that were asked for; none: the usual ones."""
        names = _parts(self.table)
        return names + ["published"] * (self.published and not {"published", "all"} & set(names))

    @property
    def forms(self) -> list[str]:
        """The formats, the usual ones where none was asked for."""
        if self.form is None and self.out is not None and not self.methods_section:
            return [name for name in FORMATS if name != "html" or not self.tables]
        return _parts(self.form) or ["text"]

    @property
    def shown(self) -> list[str]:
        """The tables that are made."""
        is_whole = self.out is not None or "html" in self.forms
        return self.tables or (["all"] if is_whole else ["table"])

    def check(self) -> None:
        """Refuse what contradicts itself, and options that nothing reads of what is made."""
        self._check_choices()
        self._check_forms()
        self._check_reading()
        self._check_idle()

    def _check_choices(self) -> None:
        from benchmark.study.settings import CHOICES
        from reports.latex import LAYOUTS
        from reports.report import TABLES
        from reports.select import AGGREGATES, ALL_METRICS, SELECTIONS
        from reports.stats.intervals import INTERVALS
        from reports.stats.significance import TESTS

        for option, typed, choices in (
            ("--format", self.forms, FORMATS),
            ("--table", self.tables, (*TABLES, "all")),
            ("--metric", _parts(self.metric), ALL_METRICS),
            ("--layout", [self.layout], (None, *LAYOUTS)),
            ("--selection", [self.selection], (None, *SELECTIONS)),
            ("--aggregate", [self.aggregate], (None, *AGGREGATES)),
            ("--evaluate-on", [self.evaluate_on], (None, *CHOICES["conditions.evaluate_on"])),
            ("--ci", [self.ci], ("seeds", "cases", "both")),
            ("--interval", [self.interval], INTERVALS),
            ("--test", [self.test], TESTS),
        ):
            for one in typed:
                if one is not None:
                    require_choice(option, one, filter(None, choices))

    def _check_forms(self) -> None:
        from reports.methods_section import ENDINGS

        if self.methods_section and self.form is not None:
            for form in self.forms:
                require_choice("--format of a methods section", form, ENDINGS)
        if self.out is not None and self.out.exists() and not self.out.is_dir():
            raise UserError(f"--out takes a folder, {self.out} is a file")
        if "html" in self.forms and self.tables:
            raise UserError(
                "the page (--format html) has all tables: leave --table and --published out, or "
                "take text, markdown, latex, csv"
            )
        of_latex = {"--layout": self.layout is not None, "--bare": self.bare}
        for option in (name for name, is_given in of_latex.items() if is_given):
            if "latex" not in self.forms:
                raise UserError(f"{option} is of LaTeX alone: add --format latex")

    def _check_reading(self) -> None:
        if self.as_published and (self.selection or self.aggregate):
            raise UserError(
                "--as-published means oracle and pooled: leave --selection and --aggregate out"
            )
        if self.aggregate == "patient" and (self.of_class or "classes" in self.tables):
            raise UserError(
                "scores of single classes are pooled or means over cases: leave --aggregate "
                "patient out, or --class and --table classes"
            )
        if self.interval != "t" and (self.as_published or self.ci != "seeds"):
            raise UserError(
                f"--interval {self.interval} applies to seeds only; not with --ci or --as-published"
            )
        if not 0 < self.ci_level < 1:
            raise UserError(
                f"--ci-level must lie between 0 and 1, such as 0.90; got {self.ci_level}"
            )
        if self.ci != "seeds" and (self.aggregate, self.selection or "final") != ("case", "final"):
            given = [] if self.aggregate == "case" else ["give --aggregate case"]
            if self.selection not in (None, "", "final"):
                given.append(f"leave --selection {self.selection} out")
            raise UserError(
                f"--ci {self.ci} needs the scores of each case at the final step: "
                f"{' and '.join(given)}"
            )

    def _check_idle(self) -> None:
        """Each table declares the options that it reads, and so does the methods section."""
        from reports.report import METHODS_SECTION_READS, TABLES

        shown = set(self.shown)
        for option, value in self._given():
            words, typed = {option, f"{option} {value}"}, f"--{option} {value}".rstrip()
            readers = [name for name, table in TABLES.items() if words & table.reads]
            if self.methods_section and not words & METHODS_SECTION_READS:
                raise UserError(f"{typed} changes nothing in the methods section: leave it out")
            if not self.methods_section and not shown & {*readers, "all"}:
                raise UserError(f"{typed} affects only {_named(readers)}")

    def _given(self) -> Iterator[tuple[str, str]]:
        """What was typed of the options that not every table reads, with its value."""
        texts = {
            "selection": self.selection, "aggregate": self.aggregate, "class": self.of_class,
            "control": self.control, "layout": self.layout,
            "ci": self.ci if self.ci != "seeds" else None,
            "interval": self.interval if self.interval != "t" else None,
            "ci-level": f"{self.ci_level:g}" if self.ci_level != 0.90 else None,
            "test": self.test if self.test != "sign-flip" else None,
        }  # fmt: skip
        flags = {"costs": self.costs, "as-published": self.as_published}
        if self.methods_section:  # there are no tables then
            texts["table"] = self.table
            flags |= {"published": self.published, "bare": self.bare}
        yield from ((option, text) for option, text in texts.items() if text is not None)
        yield from (("metric", metric) for metric in _parts(self.metric))
        yield from ((option, "") for option, is_given in flags.items() if is_given)

    def reading(self) -> "Reading":
        """Which of the stored scores are read."""
        from reports.select import Reading

        return Reading(
            selection=self.selection or ("oracle" if self.as_published else "final"),
            aggregate=self.aggregate or "pooled",
            ci_level=self.ci_level,
            ci=self.ci,
            interval=self.interval,
            ddof=0 if self.as_published else 1,
            of_class=self.of_class or "",
            metrics=tuple(_parts(self.metric)),
        )

    def options(self) -> "Options":
        """Of the report."""
        from benchmark.cli.report import naming
        from reports.report import Options

        control = None if self.control is None else _variant(self.control)
        return Options(
            self.reading(), control, self.test, self.costs, self.evaluate_on,
            names=naming.read(self.names) if self.names is not None else None,
        )  # fmt: skip

    def filter(self) -> "Filter":
        """The trials that are shown."""
        from benchmark.data.split.budget import Budget
        from benchmark.study.syntax import parse_seeds, split_outside_brackets
        from reports.filters import Filter

        return Filter(
            methods=tuple(map(_variant, split_outside_brackets(self.methods or ""))),
            datasets=tuple(name.lower() for name in _parts(self.datasets)),
            labels=tuple(Budget.parse(part).text for part in _parts(self.labels)),
            seeds=tuple(parse_seeds(self.seeds)) if self.seeds is not None else (),
        )

    def latex(self) -> "Style":
        """How tables are typeset."""
        from reports.latex import Style

        return Style(self.layout, is_bare=self.bare)


def _parts(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _variant(text: str) -> str:
    """As records name it: cps[weight=0.50] is cps[weight=0.5]."""
    from benchmark.study.syntax import Variant

    return text if text.endswith("[*]") else Variant.parse(text).name


def _named(tables: list[str]) -> str:
    """Tables that would read an option."""
    if tables == ["table"]:
        return "the main table; add --table table"
    if len(tables) == 1:
        return f"the table {tables[0]}; add --table {tables[0]}"
    return f"the tables {', '.join(tables)}: add one of them with --table"
