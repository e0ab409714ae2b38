"""Remakes the tables and pictures of the README and of the pages in docs/.

    python docs/remake.py demo               # the demo's table: about three minutes
    python docs/remake.py glas --from PATH   # what is made of GlaS: half an hour on two cores
    python docs/remake.py replication        # from the CSVs in docs/replication/: seconds
    python docs/remake.py tuning             # from the CSVs in docs/tuning/: seconds
    python docs/remake.py gallery            # every table and figure: five minutes

In a page such a part stands between `<!-- made: NAME -->` and `<!-- end -->`; the sentence before
it names its command. Nothing else is touched. Without PATH, a folder or zip of the dataset as it is
downloaded (a part will do), there is no GlaS.
"""

import argparse
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
README = CHECKOUT / "README.md"
REPLICATION = CHECKOUT / "docs" / "replication.md"
TUNING = CHECKOUT / "docs" / "tuning.md"
PICTURE = CHECKOUT / "docs" / "images" / "seeds-glas.png"

DEMO = ("bench run --preset demo",)
GLAS = (
    "bench data prepare glas --allow-partial --from {source}",
    'bench run --preset cpu --study readme --datasets glas --methods "supervised,em,mean_teacher,'
    'uamt,cct,urpc,cps,dtc,ours,ours[rounds=0],ours[pretrain=false]" --labels 20 --seeds 2',
    "bench report --study readme --format markdown",
)
GLAS_PICTURE = ("bench report --study readme --out {out}",)


def run(commands: tuple[str, ...], folder: Path, **places: Path) -> str:
    """The commands in this folder, one after the other; what the last one printed."""
    printed = ""
    for command in commands:
        command = command.format(**{name: shlex.quote(str(p)) for name, p in places.items()})
        print(f"$ {command}", flush=True)
        done = subprocess.run(
            shlex.split(command), cwd=folder, stdout=subprocess.PIPE, text=True, check=True
        )
        printed = done.stdout
    return printed


def table_in(printed: str) -> str:
    """The lines of a table: up to the footer."""
    return printed.strip("\n").partition("\n\n")[0]


def replace(name: str, text: str, file: Path = README) -> None:
    """Put the text into its part of the page."""
    page = file.read_text(encoding="utf-8")
    part = re.compile(rf"(<!-- made: {name} -->\n).*?(<!-- end -->)", re.S)
    if not part.search(page):
        raise SystemExit(f"{file.name} has no part <!-- made: {name} -->")
    made = part.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)
    print("as it was" if made == page else "changed", flush=True)
    file.write_text(made, encoding="utf-8")


def demo(folder: Path) -> None:
    replace("demo", f"```\n{table_in(run(DEMO, folder))}\n```")


def glas(folder: Path, source: Path) -> None:
    replace("glas", table_in(run(GLAS, folder, source=source.resolve())))
    run(GLAS_PICTURE, folder, out=folder / "out")
    shutil.copy(folder / "out" / "figures" / "seeds-glas.png", PICTURE)


def replication() -> None:
    import replicated  # beside this file

    for name, make in replicated.PARTS.items():
        replace(name, make(), REPLICATION)
    replicated.figure()


def tuning() -> None:
    import tuned  # beside this file

    for name, make in tuned.PARTS.items():
        replace(name, make(), TUNING)
    tuned.figure()


def every(folder: Path) -> None:
    import gallery  # beside this file

    gallery.make(folder, run, replace)


FROM_TABLES = {"replication": replication, "tuning": tuning}
SYNTHETIC = {"demo": demo, "gallery": every}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=[*SYNTHETIC, "glas", *FROM_TABLES])
    parser.add_argument("--from", dest="source", type=Path, help="GlaS, as downloaded")
    given = parser.parse_args()
    if given.what in FROM_TABLES:
        FROM_TABLES[given.what]()
        return
    with tempfile.TemporaryDirectory() as folder:
        if given.what in SYNTHETIC:
            SYNTHETIC[given.what](Path(folder))
        elif given.source is None:
            parser.error("glas needs --from PATH")
        else:
            glas(Path(folder), given.source)


if __name__ == "__main__":
    main()
