"""Two checkouts running the same grid in turn: whole processes, from the command to the table.

    python benchmarks/grid.py OLD NEW --source GLAS [--repeats 3] [--set precision=bfloat16]

{em, cps} × 2 seeds × 10 epochs on 10 % of GlaS, preset paper. Both need the packages that are
installed here. `--set` is added to the second one alone. Prints the median of NEW / OLD.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import CODE

GRID = (
    "run", "--preset", "paper", "--study", "grid", "--datasets", "glas", "--methods", "em,cps",
    "--ratios", "10", "--seeds", "2", "training.epochs=10",
)  # fmt: skip


def main() -> None:
    """Read the arguments, print each ratio and their median."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("checkouts", nargs=2, type=Path)
    arguments.add_argument("--source", required=True, type=Path, help="GlaS, as downloaded.")
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--set", action="append", default=[])
    given = arguments.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for checkout in given.checkouts:
            data = ("data", "prepare", "glas", "--from", given.source, "--allow-partial")
            _bench(checkout, *data, "--data-root", Path(folder, checkout.name))
        for repeat in range(given.repeats):
            old, new = (
                _seconds(checkout, Path(folder), extra)
                for checkout, extra in zip(given.checkouts, ([], given.set), strict=True)
            )
            ratios.append(new / old)
            print(f"{repeat}: {old:.1f} s, {new:.1f} s, {new / old:.2f}", flush=True)
    print(f"median {statistics.median(ratios):.2f}")


def _seconds(checkout: Path, folder: Path, extra: list[str]) -> float:
    results = folder / "results"
    shutil.rmtree(results, ignore_errors=True)
    start = time.perf_counter()
    words = (*GRID, "--data-root", folder / checkout.name, "--results", results)
    _bench(checkout, *words, *extra)
    return time.perf_counter() - start


def _bench(checkout: Path, *words: object) -> None:
    subprocess.run(
        [sys.executable, "-c", CODE, *map(str, words)],
        env=os.environ | {"PYTHONPATH": str(checkout.resolve())},
        cwd=checkout,
        check=True,
        capture_output=True,
    )


if __name__ == "__main__":
    main()
