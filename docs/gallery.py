"""Fills docs/gallery.md: every table and figure of a report, of three small synthetic studies.

The page says in its own words what each shows; a part of it stands between `<!-- made: NAME -->`
and `<!-- end -->`, NAME being that of a table or, behind "figure-", that of a figure. Its pictures
lie in docs/images/gallery/. Five minutes on two cores.
"""

import textwrap
from collections.abc import Callable
from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER / "gallery.md"
PICTURES = FOLDER / "images" / "gallery"
COLOURS = 64
"""Of a picture that is kept: drawings need few, and grey images no more."""

SMALL = (
    "--preset demo size=[32,32] network.widths=[8,16] network.dropout=[0,0.1] "
    "training.epochs=3 training.steps_per_epoch=10"
)
STUDIES = (
    "bench run --study gallery --datasets phantom_glas,phantom_acdc --labels 5,20 "
    f"--methods supervised,cps,em --seeds 2 {SMALL}",
    "bench run --study gallery --datasets phantom_glas --labels 100 --methods supervised "
    f"--seeds 2 {SMALL}",
    "bench run --study gallery --datasets phantom_glas --labels 20 "
    f'--methods "ours[rounds=0],ours[rounds=1],ours[pretrain=false,rounds=1]" --seeds 1 {SMALL}',
    "bench run --study crossed --datasets phantom_glas --labels 5 --methods supervised,cps "
    f"--seeds 2 --vary cross {SMALL}",
    "bench data synth acdc --out acdc",
    "bench data prepare acdc --from acdc --data-root synthetic",
    "bench run --study printed --data-root synthetic --datasets acdc --labels 7patients "
    f"--methods supervised,ssnet --seeds 2 {SMALL} evaluate_every=0",
)
TABLES = {
    "table": "bench report --study gallery",
    "classes": "bench report --study gallery --table classes",
    "differences": "bench report --study gallery --table differences",
    "optimism": "bench report --study gallery --table optimism",
    "label-efficiency": "bench report --study gallery --table label-efficiency",
    "ranks": "bench report --study gallery --table ranks",
    "distances": "bench report --study gallery --table distances",
    "rates": "bench report --study gallery --table rates",
    "cases": "bench report --study gallery --table cases",
    "pretraining": "bench report --study gallery --table pretraining",
    "variance": "bench report --study crossed --table variance",
    "published": "bench report --study printed --table published",
    "published-distances": "bench report --study printed --table published-distances",
}
FIGURES = {
    "label-efficiency": "label-efficiency",
    "seeds": "seeds-phantom-glas",
    "optimism": "optimism-phantom-glas",
    "pretraining": "pretraining-ours-rounds-1",
    "rounds": "rounds-ours-rounds-0",
    "ranks": "ranks-5",
    "training-curves": "training-curves-phantom-glas",
    "cost": "cost",
    "qualitative": "qualitative-phantom-glas-20",
    "cases": "cases-phantom-glas-20",
    "pretrained": "pretrained-phantom-glas-ours-rounds-1",
}
"""Of each figure one file, where there is one a dataset, budget or method."""
WRITTEN = "bench report --study gallery --out {out}"


def make(folder: Path, run: Callable[..., str], replace: Callable[..., None]) -> None:
    """Run the studies in this folder and fill the page.

    run: commands, the folder, places by name → what the last command printed; replace: a part of a
    page (both of `remake.py`).
    """
    run(STUDIES, folder)
    replace("studies", f"```\n{shown(STUDIES)}\n```", PAGE)
    for name, command in TABLES.items():
        printed = run((command,), folder).strip("\n").partition("\n\n")[0]
        replace(name, f"```\n{printed}\n```", PAGE)
    out = folder / "out"
    run((WRITTEN,), folder, out=out)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, file in FIGURES.items():
        keep(out / "figures" / f"{file}.png", PICTURES / f"{name}.png")
        replace(f"figure-{name}", f"![{name}](images/gallery/{name}.png)", PAGE)


def shown(commands: tuple[str, ...]) -> str:
    """Commands as one types them over several lines."""
    folded = [
        textwrap.wrap(c, 92, subsequent_indent="  ", break_on_hyphens=False) for c in commands
    ]
    return "\n".join(" \\\n".join(lines) for lines in folded)


def keep(drawn: Path, picture: Path) -> None:
    """Half as wide, in few colours: a tenth of the bytes, and legible."""
    with Image.open(drawn) as full:
        small = full.convert("RGB").resize((full.width // 2, full.height // 2), Image.LANCZOS)
    small.quantize(COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)
