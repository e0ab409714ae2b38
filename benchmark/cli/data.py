"""The verbs on data: prepare, check, subsets, synth."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli import completion
from benchmark.cli.options import DATA, DataRoot, Verbose, examples, new_app, say
from benchmark.errors import UserError, require_choice, unknown
from benchmark.files import replacing
from benchmark.wording import command, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from benchmark.data.lists import PublishedList
    from benchmark.data.prepare import Preparation
    from benchmark.data.prepared import Manifest

app = new_app("Prepare datasets, or generate synthetic ones.")
_STRAY = 5  # files that are named


def _picture(file: Path | None) -> Path | None:
    if file is not None and (file.suffix.lower() != ".png" or not file.parent.is_dir()):
        raise UserError(f"--preview is a new .png in a folder that is there, got {file}")
    return file


Preview = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.png", callback=_picture, help="Draw cases with their masks on them."
    ),
]


@app.command(
    short_help="Read a dataset once and store it for training.",
    epilog=examples(
        "bench data prepare glas --from warwick_qu_dataset.zip",
        "bench data prepare mine.yaml --from my-images --preview mine.png",
        "bench data prepare nnunet:hippocampus --from Task04_Hippocampus",
    ),
)
def prepare(
    card: Annotated[
        str,
        typer.Argument(
            help="Name of a dataset, path to a card (.yaml), medsegbench:NAME, or nnunet:NAME for "
            "a folder with a dataset.json (NAME is yours).",
            autocompletion=completion.cards,
        ),
    ],
    source: Annotated[
        Path | None, typer.Option("--from", help="The folder, zip, tar or npz, as downloaded.")
    ] = None,
    allow_unlabelled: Annotated[
        bool,
        typer.Option("--allow-unlabelled", help="Images without a mask are unlabelled ones."),
    ] = False,
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
    preview: Preview = None,
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """Read a dataset once, check every file, store it ready for training."""
    from benchmark.data import cards
    from benchmark.data.collections import known
    from benchmark.data.prepare import prepare as prepare_data

    if source is None:
        raise _no_files(card)
    found, files = known.resolve(card, source)
    made = prepare_data(
        cards.as_typed(found, crop, allow_unlabelled=allow_unlabelled),
        files,
        data_root,
        allow_partial=allow_partial,
        again=force,
        progress=_reading,
    )
    say("\n".join(_described(made)))
    if preview is not None:
        _draw(preview, data_root, made.manifest.name)


def _no_files(typed: str) -> UserError:
    from benchmark.data import cards

    if ":" not in typed and cards.find(typed).phantom:
        run = command("bench", "run", "--datasets", typed)
        return UserError(f"{typed} has no files to prepare from: {run} makes it")
    return UserError(f"--from is missing: the folder, zip, tar or npz with the files of {typed}")


def _draw(file: Path, data_root: Path, name: str) -> None:
    from benchmark.data import prepared
    from benchmark.data.preview import contact_sheet

    picture = contact_sheet(prepared.load(data_root, name))
    with replacing(file) as stream:
        stream.write(picture)
    say(f"wrote {file}: do the outlines lie where they should?")


def _reading(cases):
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    return track(cases, "reading", console=console, disable=not console.is_terminal)


@app.command(
    short_help="Check a prepared dataset again.",
    epilog=examples("bench data check glas --preview glas.png"),
)
def check(
    name: Annotated[
        str, typer.Argument(help="A prepared dataset.", autocompletion=completion.one_prepared)
    ],
    preview: Preview = None,
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """Read a prepared dataset again: is it what was prepared, and what is wrong with it?"""
    from benchmark.data import prepared
    from benchmark.data.prepare import checked

    say("\n".join(_manifest(checked(prepared.load(data_root, name)))))
    say("  the arrays are those that were prepared")
    if preview is not None:
        _draw(preview, data_root, name)


@app.command(
    short_help="The labelled cases of a trial, one a line.",
    epilog=examples(
        "bench data subsets glas --labels 5% --seed 3",
        "bench data subsets acdc --labels list:ssl4mis-7",
    ),
)
def subsets(
    name: Annotated[
        str, typer.Argument(help="A prepared dataset.", autocompletion=completion.one_prepared)
    ],
    labels: Annotated[
        str,
        typer.Option(
            "--labels",
            "--ratio",
            "--ratios",
            help='As of bench run: "5%,20%", "3cases", "7patients".',
        ),
    ],
    seed: Annotated[int, typer.Option(help="Seed of the trial.")] = 0,
    evaluate_on: Annotated[str, typer.Option(help="test, or dev.")] = "test",
    val_as: Annotated[str, typer.Option(help="As of bench run: dev, train or ignore.")] = "dev",
    data_root: DataRoot = DATA,
    verbose: Verbose = False,
) -> None:
    """The labelled cases of a trial, one a line: the same for every method and on every machine."""
    from benchmark.data import prepared
    from benchmark.data.split.budget import Budget, parse_budgets
    from benchmark.data.split.labelled import labelled_ids, trained_ids
    from benchmark.data.split.parts import parts
    from benchmark.data.split.roles import Roles
    from benchmark.study.settings import CHOICES

    require_choice("--evaluate-on", evaluate_on, CHOICES["conditions.evaluate_on"])
    require_choice("--val-as", val_as, CHOICES["conditions.val_as"])
    manifest = prepared.read_manifest(data_root, name)
    roles = Roles(evaluate_on, val_as, slices=manifest.card.is_sliced)
    pool = trained_ids(manifest, roles, parts(manifest, roles).pool)
    for text in parse_budgets(labels):
        chosen = labelled_ids(manifest, roles, Budget.parse(text), seed)
        say(f"{text} = {len(chosen)}/{len(pool)}, seed {seed}", err=True)
        say("\n".join(sorted(chosen)))


@app.command(
    name="lists",
    short_help="Published lists of cases, for --labels list:NAME.",
    epilog=examples("bench data lists", "bench data lists acdc -v"),
)
def lists_(
    dataset: Annotated[
        str | None, typer.Argument(help="A dataset, such as acdc; none: all of them.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Published lists of labelled, training and test cases: how many, who uses them, caveats."""
    from benchmark.data import lists

    if dataset is not None and dataset not in lists.datasets():
        raise unknown("dataset with published lists", dataset, lists.datasets())
    names = lists.datasets() if dataset is None else [dataset]
    details = verbose or dataset is not None
    for name in names:
        found = [lists.find(name, one) for one in lists.names(name)]
        say("\n".join(_listed(found, caveats=details, sources=verbose)))


def _listed(found: "Sequence[PublishedList]", *, caveats: bool, sources: bool) -> list[str]:
    """A line for each list; a caveat that several share is said once, of all of them."""
    lines = [found[0].dataset]
    for one in found:
        n = one.repositories
        in_use = f" (in {n} {'repository' if n == 1 else 'repositories'})" if n else ""
        lines.append(f"  {one.name:24}{one.what}{in_use}")
        where = [*one.sources, *filter(None, [one.derived_from])]
        lines += [f"  {'':24}{source}" for source in where if sources]
    if caveats:
        lines += [f"  of {of}" for of in dict.fromkeys(one.of for one in found)]
        said = dict.fromkeys(caveat for one in found for caveat in one.caveats)
        for caveat in said:
            whose = [one.name for one in found if caveat in one.caveats]
            of = "all" if len(whose) == len(found) else ", ".join(whose)
            lines.append(f"  caveat of {of}: {caveat}")
    return lines


@app.command(
    short_help="Generate a synthetic dataset.",
    epilog=examples(
        "bench data synth la --out la-download",
        "bench data prepare la --from la-download --data-root synthetic",
    ),
)
def synth(
    kind: Annotated[
        str,
        typer.Argument(
            help="Dataset whose layout to imitate: glas, ph2, hmeps, la, acdc, acdc_h5."
        ),
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
    card = kind.removesuffix("_h5")
    say(f"wrote {folder}\nnext:  {command('bench', 'data', 'prepare', card, '--from', out)}")
    say("These images are synthetic: prepare them under another --data-root than real data.")


def _described(made: "Preparation") -> list[str]:
    """What was prepared, what was ignored, what to do next."""
    from benchmark.study import fits, presets

    manifest = made.manifest
    state = " (was up to date, nothing to do)" if made.was_up_to_date else ""
    lines = _manifest(manifest, f" in {made.folder}{state}")
    if made.stray:
        more = f" and {len(made.stray) - _STRAY} more" if len(made.stray) > _STRAY else ""
        lines.append(f"  ignored, no part of a case: {', '.join(made.stray[:_STRAY])}{more}")
    preset = "cpu3d" if manifest.card.is_volume and not manifest.card.is_sliced else "cpu"
    root = made.folder.parent
    where = () if root == DATA else ("--data-root", root)
    smaller = fits.smaller(presets.load(preset).conditions, manifest.card)
    words = ["bench", "run", "--preset", preset, "--datasets", manifest.name, *where]
    return [*lines, f"next:  {command(*words, *filter(None, [smaller]))}"]


def _manifest(manifest: "Manifest", where: str = "") -> list[str]:
    """Counts, sizes and constants of a prepared dataset; where: added to its first line."""
    shares = [case.foreground for case in manifest.cases if case.has_mask]
    *first, last = manifest.counted
    lines = [
        f"{manifest.name}: {', '.join(first)} and {last} cases{where}",
        f"  {_sizes(manifest)}, foreground {100 * sum(shares) / len(shares):.1f} % "
        f"(from {100 * min(shares):.1f} to {100 * max(shares):.1f} %)",
        *_classes(manifest),
        *_greys(manifest),
        *_groups(manifest),
    ]
    lines += [
        f"  further test set {name}: {counted(n, 'case')}" for name, n in manifest.test_sets.items()
    ]
    empty = sum(share == 0 for share in shares)
    if empty:
        lines.append(f"  cases without foreground: {empty}")
    if manifest.partial:
        lines.append(f"  not the dataset as published: {manifest.partial}")
    lines += [f"  warning: {fault}" for fault in manifest.faults]
    return lines + [f"  note: {note}" for note in manifest.notes]


def _classes(manifest: "Manifest") -> list[str]:
    """Each class: its share of the pixels, and in how many cases of each split it occurs."""
    cases = [case for case in manifest.cases if case.classes]
    splits = [s for s in ("train", "val", "test") if s != "val" or manifest.ids(s)]
    lines = []
    for number, name in enumerate(manifest.card.classes if cases else []):
        share = sum(case.classes[number] for case in cases) / len(cases)
        within = " and ".join(
            f"{sum(case.classes[number] > 0 for case in cases if case.split == split)} of "
            f"{len(manifest.ids(split))} {split}"
            for split in splits
        )
        lines.append(f"  class {number} {name}: {100 * share:.3g} %, in {within} cases")
    return lines


def _groups(manifest: "Manifest") -> list[str]:
    """How many, where each case has one; single duplicates that are kept together are none."""
    if not all(case.group for case in manifest.cases):
        return []
    of = {
        split: {case.group for case in manifest.cases if case.split == split}
        for split in ("train", "val", "test")
    }
    both = of["train"] & of["test"]
    shared = f", {len(both)} of them in train and test" if both else ""
    counts = ", ".join(f"{len(groups)} in {split}" for split, groups in of.items() if groups)
    return [f"  groups: {counts}{shared}"]


def _greys(manifest: "Manifest") -> list[str]:
    card = manifest.card
    levels = [case.levels for case in manifest.cases if case.levels]
    lines = [f"  grey levels in use in a case: {_range(levels)}"] if levels else []
    if not card.is_volume:
        return [*lines, f"  train pool mean {_three(manifest.mean)}, std {_three(manifest.std)}"]
    if not all(case.spacing for case in manifest.cases):
        return [*lines, "  voxel size unknown: distances will be in voxels alone"]
    return [*lines, f"  voxels of {_ranges([case.spacing for case in manifest.cases])} mm"]


def _sizes(manifest: "Manifest") -> str:
    """Of images as they were resized and as they came; of volumes as they are."""
    if manifest.card.is_volume:
        volumes = f"volumes of {_ranges([case.shape for case in manifest.cases])} voxels"
        if not manifest.card.is_sliced:
            return volumes
        n = sum(case.shape[2] for case in manifest.cases if case.split == "train")
        return f"{volumes} ({n} slices in train, seen at {_ranges([manifest.card.size])})"
    size = _ranges([manifest.card.size])
    came = _ranges([case.source_shape or manifest.card.size for case in manifest.cases])
    return f"size {size}" if came == size else f"size {size} (came as {came})"


def _ranges(sides: "Sequence[Sequence[float]]") -> str:
    """Each side from the least to the greatest."""
    return " × ".join(map(_range, zip(*sides, strict=True)))


def _range(values: "Iterable[float]") -> str:
    least, greatest = min(values := list(values)), max(values)
    return f"{least:g}" if least == greatest else f"{least:g}–{greatest:g}"


def _three(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"
