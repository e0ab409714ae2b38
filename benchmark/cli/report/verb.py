"""`bench report …`: what is typed, to tables, figures, a page or a paragraph."""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.cli.options import RESULTS, ResultsRoot, Verbose, examples, new_app, say
from benchmark.cli.report import options
from benchmark.cli.report.asked import Asked

if TYPE_CHECKING:
    from reports.sheet import Sheet

app = new_app()


@app.command(
    short_help="Tables with intervals, tests, figures, a page.",
    epilog=examples(
        "bench report",
        "bench report --study paper --format latex > table.tex",
        "bench report --table differences --control cps",
        "bench report --methods cps,bcp --labels 5 --metric dc",
        "bench report --out report",
    ),
)
def report(
    study: options.Study = None,
    form: options.Format = None,
    table: options.Tables = None,
    published: options.Published = False,
    methods_section: options.MethodsSection = False,
    methods: options.Methods = None,
    datasets: options.Datasets = None,
    labels: options.Labels = None,
    seeds: options.Seeds = None,
    metric: options.Metrics = None,
    names: options.Names = None,
    evaluate_on: options.EvaluateOn = None,
    selection: options.Selection = None,
    aggregate: options.Aggregate = None,
    as_published: options.AsPublished = False,
    of_class: options.OfClass = None,
    ci: options.Resampled = "seeds",
    interval: options.IntervalKind = "t",
    ci_level: options.Level = 0.90,
    control: options.Control = None,
    test: options.Test = "sign-flip",
    costs: options.Costs = False,
    layout: options.Layout = None,
    bare: options.Bare = False,
    out: options.Out = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Report a study: tables with confidence intervals, tests, figures, a page."""
    asked = Asked(
        form=form, table=table, published=published, methods_section=methods_section,
        methods=methods, datasets=datasets, labels=labels, seeds=seeds, metric=metric, names=names,
        evaluate_on=evaluate_on, selection=selection, aggregate=aggregate,
        as_published=as_published, of_class=of_class, ci=ci, interval=interval, ci_level=ci_level,
        control=control, test=test, costs=costs, layout=layout, bare=bare, out=out,
    )  # fmt: skip
    _report(asked, study, results_root)


def _report(asked: Asked, study: str | None, results_root: Path) -> None:
    from benchmark.cli.report import output
    from benchmark.cli.report.study import made
    from benchmark.store import layout

    name = layout.chosen_study(results_root, study)
    if study is None:
        say(f"study: {name} (the newest; --study names another)", err=True)
    asked.check()
    folder = results_root / name
    report = made(folder, asked.options(), asked.filter())
    output.give(report, folder, asked)
    for problem in report.problems:
        say(f"left out: {problem}", err=True)


def print_main(folder: Path, configurations: set[str]) -> None:
    """The main table of a study, limited to trials of these configurations."""
    from benchmark.cli.report import output
    from benchmark.cli.report.study import NothingDone, made
    from reports.report import Options

    try:
        report = made(folder, Options(), configurations=configurations)
    except NothingDone as error:
        say(error)
        return
    say(output.printed(output.wanted(report, ["table"]), "text"), nl=False)


def one_table(
    folder: Path,
    name: str,
    *,
    methods: str | None = None,
    datasets: str | None = None,
    labels: str | None = None,
    seeds: str | None = None,
    metric: str | None = None,
    names: Path | None = None,
    evaluate_on: str | None = None,
    selection: str | None = None,
    aggregate: str | None = None,
    as_published: bool = False,
    of_class: str | None = None,
    ci: str = "seeds",
    interval: str = "t",
    ci_level: float = 0.90,
    control: str | None = None,
    test: str = "sign-flip",
    costs: bool = False,
) -> "Sheet":
    """A table of a study, for Python: the options of the verb by their names.

    Raises `UserError` (exit code 7) where the trials are not enough for it.
    """
    from benchmark.cli.report import output
    from benchmark.cli.report.study import made

    asked = Asked(
        table=name, methods=methods, datasets=datasets, labels=labels, seeds=seeds, metric=metric,
        names=names, evaluate_on=evaluate_on, selection=selection, aggregate=aggregate,
        as_published=as_published, of_class=of_class, ci=ci, interval=interval, ci_level=ci_level,
        control=control, test=test, costs=costs,
    )  # fmt: skip
    asked.check()
    (sheet,) = output.wanted(made(folder, asked.options(), asked.filter()), [name])
    return sheet
