"""The table of surface distances: lower is better, failures are counted."""

import pandas as pd

from reports.select import Reading
from reports.tables import distances
from tests.reports.worked import trial, trials


def rows() -> pd.DataFrame:
    found = []
    for variant, values in {"cps": (4.0, 6.0), "ours": (3.0, 3.0)}.items():
        for seed, hd95 in enumerate(values):
            figures = {
                "hd95_joint": hd95, "hd95_directed": hd95 + 1, "asd_joint": 1.0,
                "asd_directed": 1.5, "n_one_empty": seed,
            }  # fmt: skip
            found.append(trial(variant, seed, 0.8, **figures))
    return pd.DataFrame(found)


def test_means_intervals_and_failures():
    """4 and 6: mean 5, s = √2, h = 6.3137515 · √2 / √2 = 6.3."""
    sheet = distances.sheet(rows(), Reading())
    assert [[cell.text for cell in line] for line in sheet.rows] == [
        ["20 %", "cps", "5.0 ± 6.3", "6.0 ± 6.3", "1.00 ± 0.00", "1.50 ± 0.00", "1"],
        ["20 %", "ours", "3.00 ± 0.00", "4.00 ± 0.00", "1.00 ± 0.00", "1.50 ± 0.00", "1"],
    ]
    assert [[int(cell.mark) for cell in line[2:4]] for line in sheet.rows] == [[0, 0], [1, 1]]
    assert len(sheet.data) == 8 and sheet.data["mean"][0] == 5
    assert "the diagonal of the image" in sheet.footer[-1]


def test_fewer_seeds_are_said():
    sheet = distances.sheet(rows().iloc[:3], Reading())
    assert [line[2].text for line in sheet.rows] == ["5.0 ± 6.3", "3.00 (n=1)"]


def test_trials_without_distances_have_no_such_table():
    assert distances.sheet(trials(cps=[0.7]), Reading()) is None
