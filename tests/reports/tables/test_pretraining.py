"""The table of what pretrainings have learnt, and the warning where they have not."""

import numpy as np
import pandas as pd

from reports.figures import Inputs, draw
from reports.tables import pretraining
from tests.reports.worked import A, B, stored, trials

NAMES = ["error_own", "error_permuted", "mask_share_0", "oddity"]


def made(*lines) -> pd.DataFrame:
    """Pretrainings of ours on glas: key, the numbers above, and doubts."""
    fixed = {"dataset": "glas", "variant": "ours", "steps": 250}
    return pd.DataFrame([
        {**fixed, "key": key, **dict(zip(NAMES, numbers, strict=True)), "doubts": doubts}
        for key, numbers, doubts in lines
    ])  # fmt: skip


TWO = made(("a", (0.1, 0.4, 0.5, 7.0), []), ("b", (0.3, 0.4, 0.7, 9.0), ["it is odd"]))


def test_means_over_pretrainings_and_how_well_their_masks_fit():
    rows = stored(trials(ours=A, supervised=B))
    rows = rows.assign(dataset="glas", pretrained_dc_labelled=0.625)
    sheet = pretraining.sheet(rows, TWO)
    heads = [f"{head.group} {head.label}".strip() for head in sheet.heads]
    (line,) = [[cell.text for cell in row] for row in sheet.rows]
    assert dict(zip(heads, line, strict=True)) == {
        "dataset": "glas", "method": "ours", "n": "2", "steps": "250",
        "error with the mask own": "0.200", "error with the mask another's": "0.400",
        "mask share 0": "0.600", "oddity": "8.000", "DC of the mask labelled": "62.50",
    }  # fmt: skip
    assert any("remade from its own mask" in line for line in sheet.remarks)
    assert sheet.data.to_dict("records")[0]["pretrained_dc_labelled"] == 0.625


def test_without_a_pretraining_there_is_no_table_and_no_warning():
    rows = stored(trials(ours=A, supervised=B))
    assert pretraining.sheet(rows, pd.DataFrame()) is None
    assert pretraining.doubtful(pd.DataFrame()) == []


def test_what_is_wrong_is_said_with_how_often():
    assert pretraining.doubtful(TWO) == ["warning: pretraining of ours on glas (1 of 2): it is odd"]
    assert pretraining.doubtful(TWO[:1]) == []


def test_variants_that_start_from_the_same_ones_share_a_line():
    others = TWO.assign(variant="ours[rounds=0]")
    alone = TWO[1:].assign(variant="ours[rounds=1]")
    assert pretraining.doubtful(pd.concat([TWO, others, alone])) == [
        "warning: pretraining of ours, ours[rounds=0] on glas (1 of 2): it is odd",
        "warning: pretraining of ours[rounds=1] on glas (1 of 1): it is odd",
    ]


def test_its_pictures_are_drawn_with_their_names():
    picture = np.zeros((8, 8, 3), np.uint8)
    panel = {f"{kind}_{i}": picture for kind in ("image", "remade", "sketch") for i in range(2)}
    panel |= {f"pseudo_label_{i}": picture[..., 0] for i in range(2)}
    rows = trials(ours=A, supervised=B)
    figures = draw(Inputs(rows=rows, pretrainings={("glas", "ours[rounds=1]"): panel}))
    (found,) = [f for f in figures if f.name.startswith("pretrained-")]
    assert found.name == "pretrained-glas-ours-rounds-1"
    assert found.alt == (
        "2 images of the train pool, from left to right: image, remade from its mask, sketch, mask."
    )
    assert len(found.figure.axes) == 8
