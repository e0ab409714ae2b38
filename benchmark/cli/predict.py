"""The verbs that use what was trained: predict, export."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.cli.options import RESULTS, ResultsRoot, Verbose, examples, new_app, say
from benchmark.cluster.time_left import clock
from benchmark.errors import ExitCode
from benchmark.wording import counted, shortened, times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmark.data.layouts import Case
    from benchmark.prediction.folder import Outcome
    from benchmark.prediction.trained import Trained

app = new_app()
_SHOWN = 10  # problems that are listed

Study = Annotated[str | None, typer.Option(help="Where keys are looked up [all, newest first].")]


@app.command(
    short_help="Predict masks of new images with trained networks.",
    epilog=examples(
        "bench predict 3f2a --images scans/ --out predicted/",
        "bench predict 3f2a 77b0 c41d --images photos/ --out predicted/ --overlays",
        "bench predict weights.safetensors --images scan.nii.gz --out predicted/",
    ),
)
def predict(
    trials: Annotated[
        list[str],
        typer.Argument(
            metavar="TRIAL...",
            help="Key of a trial (or a prefix of it) that was run with --save weights, or a "
            ".safetensors file; several are an ensemble.",
        ),
    ],
    images: Annotated[
        Path,
        typer.Option(
            help="Folder of pictures (PNG, JPEG, TIFF, BMP) or volumes (NIfTI, NRRD, MHA), an "
            "archive, or one file."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(help="Folder for masks and tables, new; or of the same command, to go on."),
    ],
    overlays: Annotated[
        bool, typer.Option("--overlays", help="Also pictures with their masks drawn on them.")
    ] = False,
    smooth: Annotated[
        bool,
        typer.Option(
            "--smooth",
            help="Round the outlines of masks that are larger than what the network sees "
            "[each pixel as the nearest that it saw, as scores are].",
        ),
    ] = False,
    study: Study = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> int:
    """Predict masks of images that no study saw, at their own size, by trained networks.

    Writes masks, a table of their sizes, and where several networks disagree; see
    docs/predict.md.
    """
    from benchmark.prediction import folder, trained
    from benchmark.prediction import images as finding

    files = list(dict.fromkeys(_file(typed, study, results_root) for typed in trials))
    networks = [trained.load(file) for file in files]
    trained.require_alike(networks)
    _state(networks)
    found = finding.find(images, networks[0].card)
    task = folder.Task(networks, files, found, out, overlays, smooth)
    folder.require_possible(task, images)
    if found.left_out:
        n = counted(len(found.left_out), "other file")
        say(f"{n} left out: {shortened(found.left_out)}", err=True)
    outcome = folder.predict(task, _progress)
    _report(outcome, out, len(networks))
    return ExitCode.SOME_TRIALS_FAILED if outcome.problems else ExitCode.DONE


def _file(typed: str, study: str | None, results_root: Path) -> Path:
    from benchmark.prediction.found import weights_file
    from benchmark.store import layout

    if typed.endswith(".safetensors"):
        return Path(typed)
    newest = layout.chosen_study(results_root, study)
    names = [newest] if study else layout.studies(results_root)
    return weights_file(typed, [results_root / name for name in names])


def _state(networks: "Sequence[Trained]") -> None:
    """How fit networks are, what speaks against using them, and what their data's terms say."""
    from benchmark.prediction.trained import doubts

    doubted: dict[str, list[str]] = {}
    for one in networks:
        say(one.about.fitness)
        for doubt in doubts(one.about):
            doubted.setdefault(doubt, []).append(one.about.label)
    if terms := networks[0].about.terms:
        say(f"terms of {networks[0].about.card.name}: {terms}")
    for doubt, labels in doubted.items():
        of = "" if len(labels) == len(networks) else f" ({shortened(labels)})"
        say(f"warning: {doubt}{of}", err=True)


def _progress(cases: "Sequence[Case]") -> "Iterator[Case]":
    """A bar on a terminal, elsewhere a line per image; with the time that is left."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    if console.is_terminal:
        yield from track(cases, "predicting", console=console)
        return
    began = time.monotonic()
    for done, case in enumerate(cases):
        left = ""
        if done:
            seconds = (time.monotonic() - began) / done * (len(cases) - done)
            left = f", about {clock(seconds)} left"
        say(f"[{done + 1}/{len(cases)}] {case.id}{left}", err=True)
        yield case


def _report(outcome: "Outcome", out: Path, networks: int) -> None:
    for what, ids in outcome.odd.items():
        n = counted(len(ids), "image")
        verb = "is" if len(ids) == 1 else "are"
        say(f"warning: {n} {verb} {what}: {shortened(ids)}", err=True)
    for id, why in list(outcome.problems.items())[:_SHOWN]:
        say(f"no mask of {id}: {why}", err=True)
    if len(outcome.problems) > _SHOWN:
        say(f"and of {len(outcome.problems) - _SHOWN} more", err=True)
    there = f", {len(outcome.already)} were there already" if outcome.already else ""
    say(f"{counted(len(outcome.done), 'mask')} in {out / 'masks'}{there}; sizes in {outcome.table}")
    if networks > 1:
        say(f"where the {networks} networks disagree: {out / 'disagreement'}")


@app.command(
    short_help="Write a trained network as an ONNX file.",
    epilog=examples(
        "bench export 3f2a --onnx network.onnx",
        "bench export weights.safetensors --onnx network.onnx",
    ),
)
def export(
    trial: Annotated[
        str,
        typer.Argument(
            help="Key of a trial (or a prefix of it) that was run with --save weights, or a "
            ".safetensors file."
        ),
    ],
    onnx: Annotated[Path, typer.Option(metavar="FILE", help="The file to write.")],
    study: Study = None,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """Write a trained network as an ONNX file: standardised images in, logits out.

    Of volumes it is the network of one window. How images are standardised, and what the classes
    are, stands in the file's metadata; see docs/predict.md.
    """
    from benchmark.prediction import exported, trained

    network = trained.load(_file(trial, study, results_root))
    _state([network])
    inputs = exported.export(network, onnx)
    sides = times(network.about.sides)
    say(f"wrote {onnx}: {' and '.join(inputs)} of {sides} in, logits out")
