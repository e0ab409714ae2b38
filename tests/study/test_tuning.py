"""From values to tries, from scores to a choice."""

import math

import pytest

from benchmark.errors import UserError
from benchmark.study.syntax import Variant
from benchmark.study.tuning import (
    Score,
    Search,
    best,
    differing,
    lead,
    notes,
    parse_over,
    scored,
    tries_of,
)

KNOWN = {"supervised": [], "cps": ["weight"], "ours": ["weight", "rounds"]}


def search(*names: str, tries: int = 8, draw: int = 0, **over) -> Search:
    return Search([Variant.parse(name) for name in names], over, tries, draw)


def names(name: str, asked: Search) -> list[str]:
    base = Variant.parse(name)
    return [one.name for one in tries_of(base, asked, KNOWN[base.method])]


def test_values_are_read_as_variants_are():
    assert parse_over(["weight=.1,1,5", "consistency_on=both"]) == {
        "weight": [0.1, 1, 5],
        "consistency_on": ["both"],
    }
    assert parse_over(["weight=1,1.0,2"]) == {"weight": [1, 2]}


@pytest.mark.parametrize("text", ["weight", "weight=", "=1"])
def test_what_has_no_values_is_refused(text):
    with pytest.raises(UserError, match="--over is a hyper-parameter and its values"):
        parse_over([text])


def test_values_given_twice_are_refused():
    with pytest.raises(UserError, match="--over weight was given twice"):
        parse_over(["weight=1", "weight=2"])


def test_all_combinations_are_tried_if_they_are_not_too_many():
    asked = search("ours", tries=6, weight=[0.1, 1, 5], rounds=[1, 3])
    assert names("ours", asked) == [
        "ours[weight=0.1,rounds=1]", "ours[weight=0.1,rounds=3]", "ours[weight=1,rounds=1]",
        "ours[weight=1,rounds=3]", "ours[weight=5,rounds=1]", "ours[weight=5,rounds=3]",
    ]  # fmt: skip
    assert names("cps", asked) == ["cps[weight=0.1]", "cps[weight=1]", "cps[weight=5]"]
    assert names("supervised", asked) == ["supervised"]
    assert names("ours[rounds=2]", search(weight=[1])) == ["ours[rounds=2,weight=1]"]


def test_of_more_combinations_as_many_as_there_are_tries_are_drawn():
    values = [float(i) for i in range(20)]
    drawn = names("cps", search(tries=4, weight=values))
    assert len(drawn) == len(set(drawn)) == 4
    assert drawn == names("cps", search(tries=4, weight=values))
    assert drawn != names("cps", search(tries=4, draw=1, weight=values))
    assert set(drawn) < set(names("cps", search(tries=5, weight=values)))


def test_too_many_combinations_and_values_that_are_fixed_are_refused():
    with pytest.raises(UserError, match="--over has 160000 combinations for ours"):
        names("ours", search(weight=list(range(400)), rounds=list(range(400))))
    with pytest.raises(UserError, match=r"ours\[rounds=2\] fixes rounds, which --over varies"):
        names("ours[rounds=2]", search(rounds=[1]))


def test_what_is_not_equal_is_said():
    asked = search("supervised", "cps", "ours", tries=4, weight=[1, 2], rounds=[1, 2])
    assert notes(asked, KNOWN) == [
        "supervised has no weight, rounds: 1 of 4 tries, all of its combinations",
        "cps has no rounds: 2 of 4 tries, all of its combinations",
    ]
    assert notes(search("cps", tries=2, weight=[1, 2, 3]), KNOWN) == []
    asked = search("cps", "ours", tries=2, weight=[1, 2], rounds=[1, 2])
    assert notes(asked, KNOWN) == ["cps has no rounds: 2 tries all the same"]
    with pytest.raises(UserError, match="--over rounds: none of supervised, cps has it"):
        notes(search("supervised", "cps", rounds=[1]), KNOWN)


def test_a_score_is_the_mean_over_seeds_of_means_over_folds():
    score = scored(
        [(0, "fold 1/2", 0.6), (0, "fold 2/2", 0.8), (1, "fold 1/2", 0.5), (1, "fold 2/2", 0.5)]
    )
    assert score.units == pytest.approx({"seed 0": 0.7, "seed 1": 0.5})
    assert score.mean == pytest.approx(0.6)
    assert score.standard_deviation == pytest.approx(0.1414213562)  # .2 / √2


def test_of_one_seed_the_spread_is_over_folds_and_a_fold_without_a_score_is_left_out():
    score = scored([(3, "fold 1/3", 0.6), (3, "fold 2/3", math.nan), (3, "fold 3/3", 0.8)])
    assert score.units == {"fold 1/3": 0.6, "fold 3/3": 0.8}
    assert score.standard_deviation == pytest.approx(0.1414213562)
    assert math.isnan(scored([(0, "dev", math.nan)]).mean)
    assert math.isnan(scored([(0, "dev", 0.5)]).standard_deviation)


def test_the_best_mean_is_chosen_of_equal_ones_the_first():
    scores = {
        "a": Score({"x": 0.5}),
        "b": Score({"x": 0.7}),
        "c": Score({"x": 0.7}),
        "d": Score({}),
    }
    assert best(scores) == "b"
    assert best({"d": Score({})}) is None and best({}) is None


def test_the_lead_is_over_the_next_best_and_paired():
    scores = {
        "a": Score({"seed 0": 0.5, "seed 1": 0.9}),  # mean .7
        "b": Score({"seed 0": 0.4, "seed 1": 0.6}),  # mean .5
        "c": Score({"seed 0": 0.6, "seed 1": 0.6}),  # mean .6, the next
    }
    found = lead(scores)
    assert found.units == pytest.approx({"seed 0": -0.1, "seed 1": 0.3})
    assert found.mean == pytest.approx(0.1)
    assert found.standard_deviation == pytest.approx(0.2828427125)  # .4 / √2
    assert lead({"a": Score({"x": 1.0})}) is None


def test_settings_that_differ_are_named_with_both_values():
    then = {"training": {"epochs": 2, "rate": 1}, "size": [64, 64], "old": 1}
    now = {"training": {"epochs": 3, "rate": 1.0}, "size": [64, 64]}
    assert differing(then, now) == ["training.epochs was 2 and is 3", "old was 1 and is not set"]
