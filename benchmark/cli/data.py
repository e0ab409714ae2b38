"""Verbs on data: prepare, check, subsets, synth; a part of the command line of `cli`."""

from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli_studies import DATA, DataRoot, Verbose
from benchmark.errors import require_choice, unknown

app = typer.Typer(help="Prepare datasets, or invent phantoms.", no_args_is_help=True)


@app.command()
def prepare(
    card: Annotated[str, typer.Argument(help="Name of a dataset, or path to a card (.yaml).")],
    source: Annotated[Path, typer.Option("--from", help="The folder or zip, as downloaded.")],
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Accept a part of the dataset.")
    ] = False,
    crop: Annotated[
        str | None,
        typer.Option(help="Of volumes: label_box, for replication only (it leaks) [the card's]."),
    ] = None,
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """Read a dataset once, check every file, store it ready for training."""
    from benchmark import listing
    from benchmark.data import cards
    from benchmark.data.prepare import prepare as prepare_data

    outcome = prepare_data(
        cards.with_crop(cards.find(card), crop),
        source,
        data_root,
        allow_partial=allow_partial,
        progress=_reading,
    )
    typer.echo(listing.describe_prepared(outcome))


def _reading(cases):
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(cases, "reading", console=console, disable=not console.is_terminal)


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="A prepared dataset.")],
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """Read a prepared dataset again and compare it with what was prepared."""
    from benchmark import listing
    from benchmark.data import pool

    typer.echo(listing.describe_manifest(pool.load(data_root, name).manifest))
    typer.echo("  the arrays are those that were prepared")


@app.command()
def subsets(
    name: Annotated[str, typer.Argument(help="A prepared dataset.")],
    ratio: Annotated[str, typer.Option(help="Labelled share in percent; several with commas.")],
    seed: Annotated[int, typer.Option(help="Of the trial.")] = 0,
    evaluate_on: Annotated[str, typer.Option(help="test, or dev.")] = "test",
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """The labelled cases of a trial, one a line: the same for every method and on every machine."""
    from benchmark.data import pool, splits
    from benchmark.selectors import parse_ratios

    require_choice("--evaluate-on", evaluate_on, ("test", "dev"))
    train, _ = pool.split_ids(pool.read_manifest(data_root, name), evaluate_on)
    for share in parse_ratios(ratio):
        chosen = splits.labelled_subset(train, name, seed, share)
        typer.echo(f"{100 * share:g} % = {len(chosen)}/{len(train)}, seed {seed}", err=True)
        typer.echo("\n".join(sorted(chosen)))


@app.command()
def synth(
    kind: Annotated[str, typer.Argument(help="Whose official layout: glas, ph2, hmeps, la.")],
    out: Annotated[Path, typer.Option(help="New folder to write to.")],
    seed: Annotated[int, typer.Option(help="Other seeds, other images.")] = 0,
    verbose: Verbose = False,
) -> None:
    """Invent a dataset in the official layout of a real one."""
    from benchmark.data import phantoms

    if kind not in phantoms.OFFICIAL:
        raise unknown("phantom", kind, phantoms.OFFICIAL)
    folder = phantoms.synthesise(phantoms.OFFICIAL[kind].model_copy(update={"seed": seed}), out)
    typer.echo(f"wrote {folder}\nnext:  bench data prepare {kind} --from '{out}'")
    typer.echo("These images are invented: prepare them under another --data-root than real data.")
