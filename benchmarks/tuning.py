"""What tuning chose by, beside what the same tries score on the test set: the rows of a CSV.

    python benchmarks/tuning.py results/NAME-tuned results/NAME --out docs/tuning/NAME.csv

The first folder is a tuning study (`bench tune`), the second one a study in which its tries, and
the methods as they are, were run on the test set with the same seeds (`bench run`). docs/tuning.md
has the commands, and `python docs/remake.py tuning` makes its table and its figure of the CSV.
"""

import argparse
from pathlib import Path

import pandas as pd

from benchmark.store import tuning
from benchmark.store.tuning import Tuning

_WHERE = ["dataset", "budget", "variant", "seed"]


def main() -> None:
    """Read the arguments, write the CSV."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("tuned", type=Path, help="Folder of the tuning study.")
    arguments.add_argument("tested", type=Path, help="Folder of the study on the test set.")
    arguments.add_argument("--out", required=True, type=Path)
    given = arguments.parse_args()
    rows = joined(tuning.read(given.tuned), _done(given.tuned), _done(given.tested))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    rows.to_csv(given.out, index=False, float_format="%.6f", lineterminator="\n")
    print(f"{given.out}: {len(rows)} rows, {rows.test.isna().sum()} without a score on test")


def joined(found: Tuning, tries: pd.DataFrame, tested: pd.DataFrame) -> pd.DataFrame:
    """A row a variant and seed: its score inside (blank of what was no try), and on test."""
    inside = tries.groupby(_WHERE)[found.metric].mean().rename("inside")
    test = tested[tested.evaluate_on == "test"].set_index(_WHERE)[found.metric].rename("test")
    steps = tested.groupby("dataset").steps.max()
    rows = pd.concat([inside, test], axis=1).reset_index()
    chosen = {(c.dataset, c.budget, c.variant) for c in found.choices}
    rows["chosen"] = [key in chosen for key in rows[_WHERE[:3]].itertuples(index=False, name=None)]
    rows["method"] = rows.variant.str.partition("[")[0]
    rows["steps"] = rows.dataset.map(steps)
    return rows[[*_WHERE[:2], "method", *_WHERE[2:], "chosen", "inside", "test", "steps"]]


def _done(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "results.csv")
    return table[table.status == "done"]


if __name__ == "__main__":
    main()
