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
                "asd_directed": 1.5, "asd_to_truth": 0.5,
            }  # fmt: skip
            named = {f"{name}_voxels": value for name, value in figures.items()}
            found.append(trial(variant, seed, 0.8, **named, n_one_empty=seed))
    return pd.DataFrame(found)


def in_mm(rows: pd.DataFrame, spacing: float) -> pd.DataFrame:
    """The rows, of a dataset with a spacing."""
    voxels = rows.filter(regex="_voxels$")
    mm = (voxels * spacing).rename(columns=lambda name: name.replace("voxels", "mm"))
    return pd.concat([rows.assign(dataset="la"), mm], axis=1)


def test_means_intervals_and_failures():
    """4 and 6: mean 5, s = √2, h = 6.3137515 · √2 / √2 = 6.3."""
    sheet = distances.sheet(rows(), Reading())
    assert [[cell.text for cell in line] for line in sheet.rows] == [
        ["20 %", variant, "voxels", *hd95, "1.00 ± 0.00", "1.50 ± 0.00", "0.50 ± 0.00", "1"]
        for variant, hd95 in (
            ("cps", ("5.0 ± 6.3", "6.0 ± 6.3")),
            ("ours", ("3.00 ± 0.00", "4.00 ± 0.00")),
        )
    ]
    assert [[int(cell.mark) for cell in line[3:5]] for line in sheet.rows] == [[0, 0], [1, 1]]
    assert len(sheet.data) == 10 and sheet.data["mean"][0] == 5
    assert [(head.label, head.group) for head in sheet.heads[2:]] == [
        ("in", ""), ("HD95 joint", "glas"), ("HD95 directed", "glas"), ("ASD joint", "glas"),
        ("ASD directed", "glas"), ("ASD to truth", "glas"), ("one mask empty", "glas"),
    ]  # fmt: skip
    assert "of 2D images: pixels at the run's size" in sheet.remarks[0]
    assert "the diagonal of the image" in sheet.remarks[-1]


def test_mm_have_lines_of_their_own_where_they_are_known():
    """Half a millimetre a voxel: 5.0 ± 6.3 voxels are 2.5 ± 3.2 mm (6.3137515 / 2 = 3.157)."""
    both = pd.concat([rows(), in_mm(rows(), 0.5)], ignore_index=True)
    sheet = distances.sheet(both, Reading())
    assert [[cell.text for cell in line[1:4]] for line in sheet.rows] == [
        ["cps", "voxels", "5.0 ± 6.3"], ["ours", "voxels", "3.00 ± 0.00"],
        ["cps", "mm", "–"], ["ours", "mm", "–"],
    ]  # fmt: skip
    assert [cell.text for cell in sheet.rows[0][9:]] == [
        "5.0 ± 6.3", "6.0 ± 6.3", "1.00 ± 0.00", "1.50 ± 0.00", "0.50 ± 0.00", "1",
    ]  # fmt: skip
    assert [cell.text for cell in sheet.rows[2][8:]] == [
        "–", "2.5 ± 3.2", "3.0 ± 3.2", "0.50 ± 0.00", "0.75 ± 0.00", "0.25 ± 0.00", "1",
    ]  # fmt: skip
    # Each unit has its own best.
    assert [int(line[9].mark) for line in sheet.rows] == [0, 1, 0, 1]
    metrics = sheet.data.metric[sheet.data.dataset == "la"]
    assert set(metrics) >= {"asd_joint_voxels", "asd_joint_mm"}


def test_trials_that_know_one_unit_alone_are_not_mixed_with_others():
    """Older trials of la were measured in mm alone; of others nobody knows."""
    older = in_mm(rows(), 0.5).filter(regex="^(?!.*_voxels$)")
    newer = in_mm(rows().iloc[:2], 0.5).assign(variant="urpc")
    sheet = distances.sheet(pd.concat([older, newer], ignore_index=True), Reading())
    assert [[cell.text for cell in line[1:4]] for line in sheet.rows] == [
        ["urpc", "voxels", "5.0 ± 6.3"],
        ["cps", "mm", "2.5 ± 3.2"], ["ours", "mm", "1.50 ± 0.00"], ["urpc", "mm", "2.5 ± 3.2"],
    ]  # fmt: skip
    nameless = rows().rename(columns=lambda name: name.removesuffix("_voxels"))
    assert distances.sheet(nameless, Reading()) is None
    sheet = distances.sheet(pd.concat([rows(), nameless], ignore_index=True), Reading())
    assert sheet.rows[0][3].text == "5.0 ± 6.3"
    assert sheet.remarks[-1].startswith("glas: distances of 4 trials not shown")


def test_fewer_seeds_are_said():
    sheet = distances.sheet(rows().iloc[:3], Reading())
    assert [line[3].text for line in sheet.rows] == ["5.0 ± 6.3", "3.00 (n=1)"]


def test_trials_without_distances_have_no_such_table():
    assert distances.sheet(trials(cps=[0.7]), Reading()) is None
