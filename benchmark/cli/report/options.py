"""Options of the verb report: each is declared here, with its help, and nowhere else."""

from pathlib import Path
from typing import Annotated

import typer

FORMATS = ("text", "markdown", "latex", "csv", "html")

Study = Annotated[str | None, typer.Option(help="Study to report [the newest].")]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="text, markdown, latex, csv, html (a page); several with commas [text; all "
        "with --out].",
    ),
]
Tables = Annotated[
    str | None,
    typer.Option(
        "--table",
        help="table, classes, label-efficiency, differences, optimism, ranks, distances, "
        "rates, pretraining, variance, cases, published, published-distances, or all; several "
        "with commas [table; all with --out].",
    ),
]
Published = Annotated[
    bool, typer.Option("--published", help="Compare with published results: --table published.")
]
MethodsSection = Annotated[
    bool,
    typer.Option(
        "--methods-section",
        help="Instead of tables the paragraph for a paper's methods section, from the records.",
    ),
]
Methods = Annotated[
    str | None,
    typer.Option(
        help='Only these, as the tables name them: "supervised,cps[weight=0.5]"; "ours[*]": all '
        "variants of a method."
    ),
]
Datasets = Annotated[str | None, typer.Option(help="Only these datasets.")]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels", "--ratios", help='Only these label budgets, as of bench run: "5,20", "3cases".'
    ),
]
Seeds = Annotated[
    str | None, typer.Option(help='Only these seeds: the first five ("5"), or "0-4,7".')
]
Metrics = Annotated[
    str | None,
    typer.Option(
        "--metric",
        help="Only these scores: dc, ji; of distances hd95, asd; of rates sensitivity, precision, "
        "nsd; several with commas.",
    ),
]
Names = Annotated[
    Path | None,
    typer.Option(
        help="YAML file with the names, the order and the groups in which datasets and methods "
        "are shown (docs/reading-results.md)."
    ),
]
EvaluateOn = Annotated[
    str | None, typer.Option(help="Trials evaluated on test, or on dev [test if there are].")
]
Selection = Annotated[
    str | None,
    typer.Option(
        help="final (nothing chosen), val (the best epoch on a validation set), or oracle "
        "(chosen on the test set) [final]."
    ),
]
Aggregate = Annotated[
    str | None,
    typer.Option(help="pooled (all pixels together), case or patient (mean over them) [pooled]."),
]
AsPublished = Annotated[
    bool,
    typer.Option(
        "--as-published",
        help="Report as the literature does: oracle, pooled, standard deviation with n, not n - 1.",
    ),
]
OfClass = Annotated[
    str | None,
    typer.Option("--class", metavar="NAME", help="One class instead of the mean over the classes."),
]
Resampled = Annotated[
    str,
    typer.Option(
        "--ci", help="What the interval is over: seeds, cases (--aggregate case), or both."
    ),
]
IntervalKind = Annotated[
    str,
    typer.Option(
        "--interval", help="Over seeds: t, logit-t, or bootstrap (BCa; 20 seeds or more)."
    ),
]
Level = Annotated[float, typer.Option("--ci-level", help="Level of the intervals.")]
Control = Annotated[
    str | None, typer.Option(help="Baseline variant for the differences [supervised].")
]
Test = Annotated[str, typer.Option(help="Paired test: sign-flip, t, or wilcoxon.")]
Costs = Annotated[
    bool, typer.Option("--costs", help="Also parameters, operations, seconds, memory.")
]
Layout = Annotated[
    str | None,
    typer.Option(
        help="LaTeX: wide, split (datasets below each other), transposed (methods in columns), "
        "ratio-per-column (label budgets in columns) [wide; split where that is too wide]."
    ),
]
Bare = Annotated[
    bool, typer.Option("--bare", help="LaTeX: the tabular alone, without caption and notes.")
]
Out = Annotated[
    Path | None, typer.Option(help="Write tables, figures and captions there instead of printing.")
]
