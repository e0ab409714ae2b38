"""Pictures of the worst and the best cases, where they were kept."""

import numpy as np
import pandas as pd

from reports import figures
from reports.figures import Inputs
from reports.figures.cases import overlaid
from tests.reports.tables.test_cases import scores
from tests.reports.worked import at, budget, trials

PICTURES = {
    "image": np.full((4, 4), 100, np.uint8),
    "target": np.eye(4, dtype=np.uint8),
    "prediction": np.zeros((4, 4), np.uint8),
    "seed": 3,
}


def drawn(kept: dict) -> list[figures.Named]:
    asked = []

    def pictures_of(wanted):
        asked.append(wanted)
        return {where: {case: PICTURES for case in kept.get(where[2], ())} for where in wanted}

    rows = at(trials(cps=[0.7]), 0.2)
    inputs = Inputs(
        rows=rows, cases=scores({"a": (0.25,), "b": (0.5,), "c": (0.75,)}), pictures_of=pictures_of
    )
    found = [named for named in figures.draw(inputs) if named.name.startswith("cases")]
    assert asked == [{("glas", budget(0.2), "cps"): ["a", "b", "c"]}]
    return found


def test_each_case_has_its_target_and_its_prediction_and_its_score():
    (named,) = drawn({"cps": "abc"})
    assert named.name == "cases-glas-20" and named.of == {"dataset": "glas", "labelled": "20 %"}
    assert named.told == ["cps, worst: a: 25.0", "cps, worst: b: 50.0", "cps, best: c: 75.0"]
    titles = [axes.get_title(loc="left") for axes in named.figure.axes]
    assert titles == ["worst: a: 25.0", "", "worst: b: 50.0", "", "best: c: 75.0", ""]
    labels = [axes.get_xlabel() for axes in named.figure.axes]
    assert labels == ["target", "predicted, seed 3"] * 3
    figures.saved(named.figure, "png")


def test_what_was_not_kept_is_said():
    (named,) = drawn({"cps": "a"})
    texts = [text.get_text() for axes in named.figure.axes for text in axes.texts]
    assert texts == ["no picture kept"] * 2


def test_without_scores_of_cases_nothing_is_drawn():
    rows = pd.concat([at(trials(cps=[0.7]), 0.2)])
    assert not [named for named in figures.draw(Inputs(rows=rows)) if "cases" in named.name]


def test_a_mask_lies_over_the_grey_image_in_its_colour():
    """45 % of (230, 159, 0) over 55 % of 100: (158.5, 126.55, 55) half-even rounded."""
    mask = np.array([[0, 1]], np.uint8)
    of_grey = overlaid(np.full((1, 2), 100, np.uint8), mask)
    of_colours = overlaid(np.full((1, 2, 3), (50, 100, 150), np.uint8), mask)
    assert of_grey.tolist() == of_colours.tolist() == [[[100, 100, 100], [158, 127, 55]]]
