"""The verb `bench list`, and what `bench data` prints."""

import textwrap
from pathlib import Path

from benchmark import config, encoders, plugins
from benchmark.data import cards, pool
from benchmark.data.prepare import Outcome
from benchmark.errors import UserError


def methods(data_root: Path, verbose: bool) -> str:
    """Each method's sentence and hyper-parameters; the whole header with -v."""
    lines = [line for name in plugins.names() for line in _method(name, verbose)]
    return "\n".join(lines + plugins.notes())


def _method(name: str, verbose: bool) -> list[str]:
    try:
        options = ", ".join(f"{k}={v}" for k, v in plugins.hyperparameters(name).items())
        header = plugins.header(name).splitlines() or ["(its file has no header)"]
        origin = [f"from package {offer}"] if (offer := plugins.offered(name)) else []
    except UserError as error:
        return [f"{name:14}broken: {error}"]
    if verbose:
        return [f"{name}  [{options}]", *(f"    {line}" for line in origin + header), ""]
    details = ([f"[{options}]"] if options else []) + origin
    return [f"{name:14}{header[0]}", *(f"{'':14}{line}" for line in details)]


def datasets(data_root: Path, verbose: bool) -> str:
    """State, terms and source of each dataset, prepared ones without a card included."""
    names = sorted({*cards.names(), *pool.prepared_names(data_root)})
    lines = [line for name in names for line in _dataset(name, data_root, verbose)]
    return "\n".join(lines + cards.notes())


def _dataset(name: str, data_root: Path, verbose: bool) -> list[str]:
    prepared = name in pool.prepared_names(data_root)
    try:
        manifest = pool.read_manifest(data_root, name) if prepared else None
        card = manifest.card if manifest else cards.find(name)
    except UserError as error:
        return [f"{name:14}broken: {error}"]
    if manifest:
        counts = f"{len(manifest.ids('train'))} train, {len(manifest.ids('test'))} test"
        state = f"prepared: {counts}" + (f" ({manifest.partial})" if manifest.partial else "")
    else:
        state = "invented when first used" if card.phantom else "not prepared"
    details = {"terms": card.terms, "from": card.homepage, "cite": card.citation if verbose else ""}
    return [
        f"{name:14}{state}; {card.title}",
        *(f"{'':14}{label}: {value}" for label, value in details.items() if value),
    ]


def networks(data_root: Path, verbose: bool) -> str:
    """Names that --network takes; with -v those that --weights takes for each."""
    lines = [
        f"{'unet':14}the shared UNet (benchmark/networks.py), 2D and 3D",
        "",
        "encoders of segmentation-models-pytorch, each in a UNet (benchmark/encoders.py), 2D only:",
    ]
    known = encoders.usable()
    if verbose:
        return "\n".join(lines + [f"  {name:30}{', '.join(w)}" for name, w in known.items()])
    names = textwrap.fill(
        ", ".join(known),
        width=98,
        initial_indent="  ",
        subsequent_indent="  ",
        break_on_hyphens=False,
    )
    return "\n".join([*lines, names])


def presets(data_root: Path, verbose: bool) -> str:
    """Each preset's first line; the whole file with -v."""
    return "\n".join(f"{name:14}{line}" for name, line in config.presets().items())


LISTINGS = {"methods": methods, "datasets": datasets, "networks": networks, "presets": presets}


def describe_prepared(outcome: Outcome) -> str:
    """What was prepared, what was ignored, what to do next."""
    manifest = outcome.manifest
    state = " (was up to date, nothing to do)" if outcome.was_up_to_date else ""
    lines = [describe_manifest(manifest, f" in {outcome.folder}{state}")]
    if outcome.stray:
        more = f" and {len(outcome.stray) - 5} more" if len(outcome.stray) > 5 else ""
        lines.append(f"  ignored, no part of a case: {', '.join(outcome.stray[:5])}{more}")
    preset = "cpu3d" if manifest.card.is_volume else "cpu"
    lines.append(f"next:  bench run --preset {preset} --datasets {manifest.name}{_root(outcome)}")
    return "\n".join(lines)


def describe_manifest(manifest: pool.Manifest, where: str = "") -> str:
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
        lines.append(f"  {empty} cases without foreground")
    if not manifest.card.is_volume:
        lines.append(f"  train pool mean {_three(manifest.mean)}, std {_three(manifest.std)}")
    if manifest.partial:
        lines.append(f"  not the dataset as published: {manifest.partial}")
    lines += [f"  note: {note}" for note in manifest.notes]
    return "\n".join(lines)


def _sizes(manifest: pool.Manifest) -> str:
    """Of images as they were resized, of volumes from the least to the greatest of each side."""
    if not manifest.card.is_volume:
        return f"size {manifest.card.size[0]}×{manifest.card.size[1]}"
    sides = zip(*(case.shape for case in manifest.cases), strict=True)
    ranges = (str(min(s)) if min(s) == max(s) else f"{min(s)}-{max(s)}" for s in sides)
    return f"volumes of {' × '.join(ranges)} voxels"


def _three(values: list[float]) -> str:
    return "(" + ", ".join(f"{value:.3f}" for value in values) + ")"


def _root(outcome: Outcome) -> str:
    """The option to add where the data do not lie in the default folder."""
    root = outcome.folder.parent
    return "" if root == Path("data") else f" --data-root {root}"
