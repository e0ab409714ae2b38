"""A shelf of one printed table, and trials that stand beside it without any difference."""

from pathlib import Path

import pandas as pd
import yaml

from reports.published.paper import Paper
from reports.published.read import read
from reports.select import Budget
from tests.reports.worked import A, trials

HEAD = "table,dataset,labelled_percent,labelled,method,class,dc_mean,dc_ci90_half,ji_mean,hd95,asd"
ROWS = ("T1,glas,10,7patients,cps,mean,84.00,,73.00,5.00,1.50",)
ABOUT = {
    "paper": "Someone, 2026", "runs": 1, "plus_minus": "none", "preset": "none",
    "selection": "final", "aggregate": "pooled", "evaluated_on": "test", "size": "64x64",
    "network": "unet", "lists": {"glas": {"7patients": "seven"}},
    "classes": {"glas": ["gland", "lumen"]},
    "distances": {"unit": "voxels", "hd95": "joint", "asd": "to_truth", "lost_class": "diagonal"},
}  # fmt: skip
SEVEN = Budget(1e15, "list seven")
PATIENTS = Budget(1e9 + 7, "7 patients")
SHARE = Budget(0.1, "10 %", 0.1)


def put(folder: Path, name: str = "someone", rows=ROWS, head: str = HEAD, **changes) -> None:
    """NAME.csv and NAME.yaml; a key whose value is None is left out."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    about = {key: value for key, value in (ABOUT | changes).items() if value is not None}
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(about))


def papers(folder: Path, **changes) -> list[Paper]:
    """Of one such pair."""
    put(folder, **changes)
    return read(folder)


def beside(budget: Budget = SEVEN, variant: str = "cps", **columns) -> pd.DataFrame:
    """Ten trials of Dice 84.60 whose protocol is that of the shelf."""
    rows = trials(**{variant: A}).assign(
        data_partial="", preset="matched", hd95_joint_voxels=6.0, asd_to_truth_voxels=2.0
    )
    n = len(rows)
    return rows.assign(
        budget=[budget] * n, budget_order=budget.order, ratio=budget.share,
        settings=[{"network": {"name": "unet"}}] * n,
        classes=[["background", "gland", "lumen"]] * n,
        **columns,
    )  # fmt: skip
