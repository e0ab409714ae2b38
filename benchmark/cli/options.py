"""Options that several verbs share, and how an app of verbs is made."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli import completion
from benchmark.wording import printable


class Verbosity:
    """Was -v given? Set while the command line is read, asked for when something goes wrong."""

    is_on = False


def _remember(value: bool) -> bool:
    Verbosity.is_on = value
    return value


def say(text: object = "", *, err: bool = False, nl: bool = True, dimmed: str = "") -> None:
    """Print for people: all that the verbs print goes through here.

    Names of files, cards, records of strangers: nothing of them steers the terminal. dimmed: a mark
    whose lines a terminal shows dim (a file or a pipe gets the mark alone).
    """
    shown = printable(str(text))
    if dimmed:
        lines = shown.split("\n")
        shown = "\n".join(typer.style(x, dim=True) if dimmed in x else x for x in lines)
    typer.echo(shown, err=err, nl=nl)


PLANNING = "planning …"
"""Said at once by what takes long to load: the imports of a plan take seconds."""
DATA, RESULTS = Path("data"), Path("results")
DataRoot = Annotated[Path, typer.Option(help="Folder of prepared datasets.")]
ResultsRoot = Annotated[Path, typer.Option("--results", help="Folder of studies.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", callback=_remember, help="More output, and tracebacks.")
]

Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[KEY=VALUE]...",
        help="Settings that replace the preset's, such as training.epochs=20 "
        "hyperparameters.cps.weight=1 training_of.cps.learning_rate=0.01.",
    ),
]
Datasets = Annotated[
    str | None,
    typer.Option(
        help='Dataset names, or "all": every prepared dataset except phantoms.',
        autocompletion=completion.datasets,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        "--labels",
        "--ratios",
        help='How much is labelled: in percent "1,5,20", "3cases", "7patients", "list:NAME".',
    ),
]
Unlabelled = Annotated[
    str | None,
    typer.Option(help='Part of the unlabelled images to use: "50%" or "200cases" [all].'),
]
ValAs = Annotated[
    str | None,
    typer.Option(help="How to use a validation set of the data: dev, train or ignore [dev]."),
]
SlicesOrVolumes = Annotated[
    bool | None,
    typer.Option(
        "--slices/--volumes",
        help="Train on the slices of volumes in 2D, and evaluate volumes [the card's dims].",
    ),
]
Address = Annotated[str | None, typer.Option(help='A running Ray cluster: "auto" or host:port.')]
GpusPerTrial = Annotated[
    str | None,
    typer.Option(
        help="0.25 lets four trials share a GPU; auto: as many as its memory and speed allow "
        "[1 if there is one]."
    ),
]
MaxConcurrent = Annotated[int | None, typer.Option(min=1, help="Trials at once [as many as fit].")]
Grace = Annotated[
    float,
    typer.Option(
        min=0,
        help="Seconds to finish in after Ctrl-C, SIGTERM or SLURM's USR1; then killed.",
    ),
]
KeepGoing = Annotated[
    bool,
    typer.Option("--keep-going", help="Do not stop when a variant's first 3 trials fail alike."),
]
Log = Annotated[
    str | None,
    typer.Option(
        "--log",
        metavar="NAMES",
        help="Show curves and pictures in tensorboard, wandb or mlflow as well; several with "
        "commas.",
    ),
]
TrialKey = Annotated[
    str | None,
    typer.Option(metavar="KEY", help="Run this one trial here, without Ray (or a key prefix)."),
]
Seeds = Annotated[
    str | None, typer.Option(help='How many ("10"), or which ("0-4,7") [the preset\'s].')
]
Preset = Annotated[
    str,
    typer.Option(
        help="paper, matched, ssl4mis, cpu, cpu3d, demo (bench list presets); or a file of your "
        "own, such as my-preset.yaml or results/paper/study.yaml (docs/presets.md).",
        autocompletion=completion.presets,
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what would run, and how long that takes.")
]


def examples(*lines: str) -> str:
    """What stands at the end of a verb's help: commands as they can be typed, none wrapped."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def new_app(help: str | None = None, *, completes: bool = False) -> typer.Typer:
    """An app of verbs. Its help is printed as written: no markup that would swallow brackets.

    completes: with the options that install completion in a shell.
    """
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=completes,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
