"""The worst and the best cases of each method, by the mean over seeds."""

import pandas as pd

from reports.tables import cases
from tests.reports.worked import at, budget, trials

PLACE = ("glas", budget(0.2), "cps")


def scores(dice: dict[str, tuple[float, ...]], variant: str = "cps", **changes) -> pd.DataFrame:
    """Case → its Dice of seeds 0, 1, …"""
    return pd.DataFrame(
        [
            {
                "dataset": "glas", "budget": budget(0.2), "variant": variant, "seed": seed,
                "case": case, "dc": value, "tp": 5, "fp": 1, "fn": 1, **changes,
            }
            for case, values in dice.items()
            for seed, value in enumerate(values)
        ]
    )  # fmt: skip


def test_the_mean_over_seeds_decides():
    """a: 40 and 80, so 60; b: 50; c: 70; d: 90."""
    found = cases.extremes(scores({"a": (0.4, 0.8), "b": (0.5, 0.5), "c": (0.7,), "d": (0.9,)}))
    worst, best = found[PLACE]
    assert [(c.name, round(c.mean, 6), c.low, c.high) for c in worst] == [
        ("b", 0.5, 0.5, 0.5), ("a", 0.6, 0.4, 0.8),
    ]  # fmt: skip
    assert [c.name for c in best] == ["d", "c"]


def test_no_case_is_among_the_worst_and_the_best():
    of_three = cases.extremes(scores({"a": (0.1,), "b": (0.2,), "c": (0.3,)}))[PLACE]
    assert ([c.name for c in of_three.worst], [c.name for c in of_three.best]) == (
        ["a", "b"],
        ["c"],
    )
    of_eight = cases.extremes(scores({name: (i / 10,) for i, name in enumerate("abcdefgh")}))[PLACE]
    assert [c.name for c in of_eight.worst] == ["a", "b", "c"]
    assert [c.name for c in of_eight.best] == ["h", "g", "f"]


def test_a_case_that_is_empty_twice_or_has_no_class_says_nothing():
    empty = scores({"empty": (1.0,)}, tp=0, fp=0, fn=0)
    without = scores({"without": (float("nan"),)})
    found = cases.extremes(pd.concat([scores({"a": (0.5,), "b": (0.6,)}), empty, without]))
    assert [c.name for group in found[PLACE] for c in group] == ["a", "b"]
    assert cases.extremes(pd.DataFrame()) == {}


def test_the_table_has_a_line_a_method_with_cases_and_scores():
    rows = at(trials(cps=[0.7], em=[0.6]), 0.2)
    both = pd.concat(
        [scores({"a": (0.25,), "b": (0.75,)}), scores({"a": (0.5,), "b": (0.4,)}, "em")]
    )
    sheet = cases.sheet(rows, both)
    assert [head.label for head in sheet.heads[:3]] == ["labelled", "method", "dataset"]
    assert [[cell.text for cell in row] for row in sheet.rows] == [
        ["20 %", "cps", "glas", "a: 25.0", "–", "–", "b: 75.0", "–", "–"],
        ["20 %", "em", "glas", "b: 40.0", "–", "–", "a: 50.0", "–", "–"],
    ]
    assert sheet.data[["variant", "kind", "place", "case", "mean"]].to_numpy().tolist() == [
        ["cps", "worst", 1, "a", 0.25], ["cps", "best", 1, "b", 0.75],
        ["em", "worst", 1, "b", 0.4], ["em", "best", 1, "a", 0.5],
    ]  # fmt: skip
    assert cases.sheet(rows, pd.DataFrame()) is None
