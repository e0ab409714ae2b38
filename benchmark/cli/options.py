"""Options that several verbs share, and how an app of verbs is made."""

from pathlib import Path
from typing import Annotated

import typer

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


DATA, RESULTS = Path("data"), Path("results")
DataRoot = Annotated[Path, typer.Option(help="Folder of prepared datasets.")]
ResultsRoot = Annotated[Path, typer.Option("--results", help="Folder of studies.")]
Verbose = Annotated[
    bool, typer.Option("-v", "--verbose", callback=_remember, help="More output, and tracebacks.")
]


def new_app(help: str | None = None) -> typer.Typer:
    """An app of verbs. Its help is printed as written: no markup that would swallow brackets."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
