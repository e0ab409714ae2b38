"""The verb list: methods, datasets, networks, presets and published results that there are."""

import textwrap
from pathlib import Path
from typing import Annotated

import typer

from benchmark.cli.options import (
    DATA,
    RESULTS,
    DataRoot,
    ResultsRoot,
    Verbose,
    examples,
    new_app,
    say,
)
from benchmark.errors import UserError, require_choice
from benchmark.wording import counted

app = new_app()


@app.command(
    name="list",
    epilog=examples(
        "bench list methods -v",
        "bench list datasets",
        "bench list published",
    ),
)
def list_(
    what: Annotated[
        str | None,
        typer.Argument(
            help="methods, datasets, networks, presets or published; none: what each of them is.",
            autocompletion=lambda incomplete: [n for n in _TOLD if n.startswith(incomplete)],
        ),
    ] = None,
    data_root: DataRoot = DATA,
    results_root: ResultsRoot = RESULTS,
    verbose: Verbose = False,
) -> None:
    """List methods, datasets, networks, presets or published results."""
    if what is None:
        say("\n".join(f"bench list {name:11}{told}" for name, told in _TOLD.items()))
        return
    require_choice("bench list", what, _LISTINGS)
    root = data_root if what == "datasets" else results_root
    say("\n".join(_LISTINGS[what](root, verbose)))


def _methods(results_root: Path, verbose: bool) -> list[str]:
    """By family, each method's sentence, hyper-parameters and the published tables that it stands
    in; with -v all that is known of it.
    """
    from benchmark.cli.report import published_methods
    from benchmark.study import methods

    tables = published_methods(results_root)
    lines = []
    for family, members in methods.by_family().items():
        lines += [*[""] * bool(lines), f"{family}:"]
        for name in members:
            lines += _method(name, tables.get(name, []), verbose)
    return lines + methods.notes()


def _in_published(tables: list[str], verbose: bool) -> list[str]:
    """In how many published tables; with -v in which."""
    told = f"in {counted(len(tables), 'published table')}"
    if verbose:
        return textwrap.wrap(f"{told}: {', '.join(tables)}", 94, subsequent_indent="  ")
    return [f"{told} (bench list published)"]


def _method(name: str, tables: list[str], verbose: bool) -> list[str]:
    from benchmark.study import methods

    try:
        defaults = methods.hyperparameters(name)
        options = ", ".join(f"{k}={v}" for k, v in defaults.items())
        header = methods.header(name).splitlines() or ["(its file has no header)"]
        origin = [f"from package {offer}"] if (offer := methods.offered(name)) else []
    except UserError as error:
        return [f"{name:14}broken: {error}"]
    if verbose:
        meanings = methods.documented_options(name).items()
        documented = [f"{key}={defaults[key]}: {meaning}" for key, meaning in meanings]
        printed = ["", *_in_published(tables, verbose)] if tables else []
        words = _words(name)
        further = [*origin, *header, *[""] * bool(documented), *documented, *words, *printed]
        return [f"{name}  [{options}]", *(f"    {line}".rstrip() for line in further), ""]
    printed = _in_published(tables, verbose) if tables else []
    details = ([f"[{options}]"] if options else []) + origin + printed
    return [f"{name:14}{header[0]}", *(f"{'':14}{line}" for line in details)]


def _words(name: str) -> list[str]:
    """What else can be typed of a method: its bundles, and its ablations."""
    from benchmark.study import methods

    found = methods.find(name)
    lines = []
    for word, values in found.BUNDLES.items():
        changes = ", ".join(f"{key}={value}" for key, value in values.items())
        lines += [f"{name}[{word}] sets {changes}"]
    for key, values in found.ABLATIONS.items():
        lines.append(f"--ablation {key}: {', '.join(map(str, values))}")
    return ["", *lines] if lines else []


def _datasets(data_root: Path, verbose: bool) -> list[str]:
    """State, terms and source of each dataset, prepared ones without a card included."""
    from benchmark.data import cards, names

    known = sorted({*names.cards(), *names.prepared(data_root)})
    lines = [line for name in known for line in _dataset(name, data_root, verbose)]
    return [*lines, *_collections(verbose), *cards.notes()]


def _collections(verbose: bool) -> list[str]:
    """A line for each collection of datasets; with -v the datasets whose names are known."""
    from benchmark.data.collections.known import COLLECTIONS

    lines = []
    for word, collection in COLLECTIONS.items():
        lines.append(f"{word + ': ':14}{collection.title}: bench data prepare {collection.typed}")
        lines += [f"{'':14}{line}" for line in (collection.datasets() if verbose else [])]
    return lines


_SYMMETRY = {
    "all": "flips and quarter turns (symmetry: all)",
    "flips": "flips, no turns (symmetry: flips)",
    "none": "no flips, no turns (symmetry: none)",
}


def _dataset(name: str, data_root: Path, verbose: bool) -> list[str]:
    from benchmark.data import cards, names, prepared

    is_prepared = name in names.prepared(data_root)
    try:
        manifest = prepared.read_manifest(data_root, name) if is_prepared else None
        card = manifest.card if manifest else cards.find(name)
    except UserError as error:
        return [f"{name + ' ':14}broken: {error}"]
    if manifest:
        state = f"prepared: {', '.join(manifest.counted)}" + (
            f" ({manifest.partial})" if manifest.partial else ""
        )
    else:
        state = "synthetic images, generated on first use" if card.phantom else "not prepared"
    details = {
        "in training": _SYMMETRY[card.symmetry] if verbose or card.symmetry != "all" else "",
        "terms": card.terms,
        "from": card.homepage,
        "cite": card.citation if verbose else "",
    }
    return [
        f"{name + ' ':14}{'; '.join(filter(None, [state, card.title]))}",
        *(f"{'':14}{label}: {value}" for label, value in details.items() if value),
    ]


def _networks(results_root: Path, verbose: bool) -> list[str]:
    """Names that --network takes; with -v those that --weights takes for each."""
    from benchmark.toolkit import encoders

    lines = [
        f"{'unet':14}the shared UNet (benchmark/toolkit/networks.py), 2D and 3D",
        "",
        "encoders of segmentation-models-pytorch, each in a UNet (benchmark/toolkit/encoders.py), "
        "2D only:",
    ]
    known = encoders.usable()
    if verbose:
        return lines + [f"  {name:30}{', '.join(weights)}" for name, weights in known.items()]
    names = textwrap.fill(
        ", ".join(known),
        width=98,
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    return [*lines, names]


def _presets(results_root: Path, verbose: bool) -> list[str]:
    """Each preset's first line; the whole file with -v."""
    from benchmark.study import preset_files

    texts = preset_files.texts()
    if verbose:
        return [f"{name}\n{textwrap.indent(text, '    ')}" for name, text in texts.items()]
    return [f"{name:14}{text.splitlines()[0].lstrip('# ')}" for name, text in texts.items()]


def _published(results_root: Path, verbose: bool) -> list[str]:
    """Each table of a paper; with -v also where tables copy or contradict each other."""
    from benchmark.cli.report import published_listing

    return published_listing(results_root, verbose)


_TOLD = {
    "methods": "what can be compared, and each method's hyper-parameters (-v: all of its header)",
    "datasets": "what is prepared, and what there is to prepare: where to get it, its terms",
    "networks": "names that --network takes (-v: weights of each)",
    "presets": "settings under one name (-v: all of them)",
    "published": "printed results that a report can stand beside",
}
_LISTINGS = {
    "methods": _methods,
    "datasets": _datasets,
    "networks": _networks,
    "presets": _presets,
    "published": _published,
}
