"""The verbs new method and new dataset: a commented file to begin with."""

import re
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import Verbose, examples, new_app, say
from benchmark.errors import UserError
from benchmark.wording import command

app = new_app("Write a commented file to begin with; nothing is overwritten.")
Into = Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write it.")]


@app.command(
    short_help="A method: a file that keeps the contract.",
    epilog=examples("bench new method mean_field", "bench new method mean_field --into methods"),
)
def method(
    name: Annotated[str, typer.Argument(help="Its name: lower-case letters, digits and _.")],
    into: Into = Path(),
    verbose: Verbose = False,
) -> None:
    """Write the file of a method that keeps the contract, with comments on what to replace.

    It is pseudo-labelling, complete. docs/own-method.md goes on from there.
    """
    from benchmark.contract import skeleton

    file = skeleton.write(name, into)
    say(f"wrote {file}\nnext:  {command('bench', 'check', file)}")


@app.command(
    short_help="A dataset: a card of what a folder holds.",
    epilog=examples("bench new dataset my-images", "bench new dataset scans.zip --name scans"),
)
def dataset(
    folder: Annotated[
        Path, typer.Argument(help="Folder, zip or tar of images and masks, as they lie there.")
    ],
    name: Annotated[
        str | None, typer.Option(help="What --datasets is to take [the folder's name].")
    ] = None,
    into: Into = Path(),
    verbose: Verbose = False,
) -> None:
    """Write the card of a dataset, filled in from what its folder holds; every mask is read.

    It can be prepared as it is. What the files do not say stands in comments.
    """
    from benchmark.data import names
    from benchmark.data.draft import look, text
    from benchmark.files import write_new

    named = _name(folder if name is None else Path(name))
    if named in names.cards():
        raise UserError(f'a dataset "{named}" has a card already: choose a name with --name')
    file = into / f"{named}.yaml"
    if file.exists():
        raise UserError(f"{file} is there already, and is not overwritten")
    write_new(file, text.card(look.found(named, folder), folder))
    typed = command("bench", "data", "prepare", file, "--from", folder, "--preview", f"{named}.png")
    say(f"wrote {file}: check each line of it\nnext:  {typed}")


def _name(path: Path) -> str:
    """In the letters of a dataset's name."""
    stem = re.sub(r"\.(zip|npz|tar|tgz|tar\.\w+)$", "", path.absolute().name.lower())
    made = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")[:100]
    if not made:
        raise UserError(f"{path} makes no name of letters and digits: choose one with --name")
    return made
