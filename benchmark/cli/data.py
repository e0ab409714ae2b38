"""The verbs on data: prepare, check, subsets, synth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import DATA, DataRoot, Verbose, new_app, say
from benchmark.errors import require_choice, unknown
from benchmark.wording import command

if TYPE_CHECKING:
    from benchmark.data.prepare import Preparation
    from benchmark.data.prepared import Manifest

app = new_app("Prepare datasets, or generate synthetic ones.")
_STRAY = 5  # files that are named


@app.command(short_help="Read a dataset once and store it for training.")
def prepare(
    card: Annotated[str, typer.Argument(help="Name of a dataset, or path to a card (.yaml).")],
    source: Annotated[Path, typer.Option("--from", help="The folder or zip, as downloaded.")],
    allow_partial: Annotated[
        bool, typer.Option("--allow-partial", help="Accept a part of the dataset.")
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Read all again, though no file seems to have changed."),
    ] = False,
    crop: Annotated[
        str | None,
        typer.Option(
            help="Crop volumes around the label (label_box); leaks the answer, for replication "
            "only [the card's]."
        ),
    ] = None,
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """Read a dataset once, check every file, store it ready for training."""
    from benchmark.data import card as cards
    from benchmark.data.prepare import prepare as prepare_data

    made = prepare_data(
        cards.with_crop(cards.find(card), crop),
        source,
        data_root,
        allow_partial=allow_partial,
        again=force,
        progress=_reading,
    )
    say("\n".join(_described(made)))


def _reading(cases):
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(cases, "reading", console=console, disable=not console.is_terminal)


@app.command(short_help="Compare a prepared dataset with what it was.")
def check(
    name: Annotated[str, typer.Argument(help="A prepared dataset.")],
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """Read a prepared dataset again and compare it with what was prepared."""
    from benchmark.data import prepared

    say("\n".join(_manifest(prepared.load(data_root, name).manifest)))
    say("  the arrays are those that were prepared")


@app.command(short_help="The labelled cases of a trial, one a line.")
def subsets(
    name: Annotated[str, typer.Argument(help="A prepared dataset.")],
    ratio: Annotated[str, typer.Option(help="Labelled share in percent; several with commas.")],
    seed: Annotated[int, typer.Option(help="Seed of the trial.")] = 0,
    evaluate_on: Annotated[str, typer.Option(help="test, or dev.")] = "test",
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """The labelled cases of a trial, one a line: the same for every method and on every machine."""
    from benchmark.data import prepared, split
    from benchmark.study.settings import CHOICES
    from benchmark.study.syntax import Budget, parse_ratios

    require_choice("--evaluate-on", evaluate_on, CHOICES["conditions.evaluate_on"])
    train, _ = split.split_ids(prepared.read_manifest(data_root, name), evaluate_on)
    for share in parse_ratios(ratio):
        chosen = split.labelled_subset(train, name, seed, share)
        budget = Budget.of_share(share)
        say(f"{budget.text} = {len(chosen)}/{len(train)}, seed {seed}", err=True)
        say("\n".join(sorted(chosen)))


@app.command(short_help="Generate a synthetic dataset.")
def synth(
    kind: Annotated[
        str, typer.Argument(help="Dataset whose layout to imitate: glas, ph2, hmeps, la.")
    ],
    out: Annotated[Path, typer.Option(help="New folder to write to.")],
    seed: Annotated[int, typer.Option(help="Other seeds, other images.")] = 0,
    verbose: Verbose = False,
) -> None:
    """Generate a synthetic dataset in the official layout of a real one."""
    from benchmark.data import phantoms

    if kind not in phantoms.OFFICIAL:
        raise unknown("phantom", kind, phantoms.OFFICIAL)
    folder = phantoms.synthesise(phantoms.OFFICIAL[kind].model_copy(update={"seed": seed}), out)
    say(f"wrote {folder}\nnext:  {command('bench', 'data', 'prepare', kind, '--from', out)}")
    say("These images are synthetic: prepare them under another --data-root than real data.")


def _described(made: "Preparation") -> list[str]:
    """What was prepared, what was ignored, what to do next."""
    manifest = made.manifest
    state = " (was up to date, nothing to do)" if made.was_up_to_date else ""
    lines = _manifest(manifest, f" in {made.folder}{state}")
    if made.stray:
        more = f" and {len(made.stray) - _STRAY} more" if len(made.stray) > _STRAY else ""
        lines.append(f"  ignored, no part of a case: {', '.join(made.stray[:_STRAY])}{more}")
    preset = "cpu3d" if manifest.card.is_volume else "cpu"
    root = made.folder.parent
    where = () if root == DATA else ("--data-root", root)
    words = ("bench", "run", "--preset", preset, "--datasets", manifest.name, *where)
    return [*lines, f"next:  {command(*words)}"]


def _manifest(manifest: "Manifest", where: str = "") -> list[str]:
    """Counts, sizes and constants of a prepared dataset; where: added to its first line."""
    shares = [case.foreground for case in manifest.cases]
    lines = [
        f"{manifest.name}: {len(manifest.ids('train'))} train and {len(manifest.ids('test'))} test "
        f"cases{where}",
        f"  {_sizes(manifest)}, foreground {100 * sum(shares) / len(shares):.1f} % "
        f"(from {100 * min(shares):.1f} to {100 * max(shares):.1f} %)",
    ]
    empty = sum(share == 0 for share in shares)
    if empty:
        lines.append(f"  cases without foreground: {empty}")
    if not manifest.card.is_volume:
        lines.append(f"  train pool mean {_three(manifest.mean)}, std {_three(manifest.std)}")
    if manifest.partial:
        lines.append(f"  not the dataset as published: {manifest.partial}")
    lines += [f"  warning: {fault}" for fault in manifest.faults]
    return lines + [f"  note: {note}" for note in manifest.notes]


def _sizes(manifest: "Manifest") -> str:
    """Of images as they were resized, of volumes from the least to the greatest of each side."""
    if not manifest.card.is_volume:
        return f"size {manifest.card.size[0]}×{manifest.card.size[1]}"
    sides = zip(*(case.shape for case in manifest.cases), strict=True)
    ranges = (str(min(s)) if min(s) == max(s) else f"{min(s)}-{max(s)}" for s in sides)
    return f"volumes of {' × '.join(ranges)} voxels"


def _three(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"
