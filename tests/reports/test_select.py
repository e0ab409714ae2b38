"""Which trials are shown together."""

import time

import pandas as pd

from reports.comparable import comparable
from reports.select import floors, most_complete


def row(**changes):
    base = {
        "status": "done", "error": "", "dataset": "glas", "budget": "5 %", "budget_order": 0.05,
        "ratio": 0.05, "variant": "cps", "seed": 0, "evaluate_on": "test", "data_hash": "d1",
        "configuration": "c1", "finished_at": "2026-01-01",
    }  # fmt: skip
    return base | changes


def kept(*rows):
    selected = comparable(pd.DataFrame(rows))
    return sorted(selected.rows.seed), selected.left_out


def test_other_settings_under_the_same_name_are_left_out_and_counted():
    seeds, left_out = kept(
        row(seed=0, configuration="old"),
        row(seed=1, finished_at="2026-01-02"),
        row(seed=2, finished_at="2026-01-03"),
    )
    assert seeds == [1, 2]
    assert left_out == ["1 trial with other settings (older) not shown"]


def test_development_and_test_set_are_never_mixed():
    rows = [row(), row(seed=1, evaluate_on="dev", finished_at="2026-01-02")]
    assert kept(*rows) == ([0], ["1 trial evaluated on dev not shown (--evaluate-on dev does)"])
    selected = comparable(pd.DataFrame(rows), "dev")
    assert selected.rows.seed.tolist() == [1]
    assert selected.left_out == ["1 trial evaluated on test not shown (--evaluate-on test does)"]
    assert kept(rows[1]) == ([1], [])
    assert kept(rows[0], row(status="failed", evaluate_on="dev", error="boom")) == ([0], [])


def test_other_data_of_one_dataset_are_left_out_and_other_datasets_stay():
    seeds, left_out = kept(
        row(),
        row(seed=1, data_hash="d2", finished_at="2026-01-02"),
        row(seed=2, dataset="ph2", data_hash="d3"),
    )
    assert seeds == [1, 2]
    assert left_out == ["1 trial with other data (older) not shown"]


def test_trials_of_different_labelled_images_are_never_compared():
    """A list that was edited between the runs of two methods, or two files of one name."""
    of_list = {"settings": {"labelled": ["a"]}, "subset_hash": "old"}
    later = {"settings": {"labelled": ["b"]}, "subset_hash": "new", "finished_at": "2026-01-02"}
    seeds, (left_out,) = kept(row(**of_list), row(seed=1, variant="em", **later))
    assert seeds == [1]
    assert left_out.startswith("1 trial with other labelled images under the same name (older)")
    drawn = [
        row(seed=seed, variant=variant, configuration=variant, settings={}, subset_hash=f"s{seed}")
        for seed in (0, 1)
        for variant in ("cps", "em")
    ]
    assert kept(*drawn) == ([0, 0, 1, 1], [])
    unknown = row(seed=0, variant="old", configuration="old", settings={}, subset_hash="")
    assert kept(*drawn, unknown) == ([0, 0, 0, 1, 1], [])


def test_the_floor_is_the_highest_where_trials_differ_in_size():
    rows = pd.DataFrame([
        {"dataset": "glas", "all_foreground_dc_pooled": dice, "all_foreground_ji_pooled": dice / 2,
         "all_background_dc_pooled": 0.0, "all_background_ji_pooled": 0.0}
        for dice in (0.6, 0.66, 0.64)
    ], index=[0, 0, 1])  # fmt: skip
    assert floors(rows, "pooled")["glas"] == ("foreground", {"dc": 0.66, "ji": 0.33})


def test_many_different_sets_of_places_are_compared_in_no_time():
    """A method that failed on one dataset, each on another one, on 35 datasets."""
    run = {f"m{i}": frozenset(range(35)) - {i} for i in range(35)}
    started = time.perf_counter()
    found = most_complete(run)
    assert time.perf_counter() - started < 5
    assert (len(found.where), len(found.variants)) == (33, 2)


def test_failed_trials_are_named_with_the_first_lines_of_their_errors():
    errors = ["boom\nTraceback", "boom", "x" * 500, "a", "b", ""]
    rows = [row(seed=i, status="failed", error=e) for i, e in enumerate(errors, start=1)]
    assert kept(row(), *rows) == (
        [0],
        [f"6 trials failed: boom (2), {'x' * 120}… (1), a (1) and 2 more"],
    )


def test_what_most_were_run_on_is_compared_and_the_others_are_named():
    run = {"a": {1, 2}, "b": {1, 2}, "c": {1, 2, 3}, "d": {1}, "e": {2, 3}}
    found = most_complete({name: frozenset(places) for name, places in run.items()})
    assert found == ([1, 2], ["a", "b", "c"], ["d", "e"])
    assert most_complete({"a": frozenset({1}), "b": frozenset({2})}) is None
    pairs = {f"m{i}": frozenset({1, 2, 3, 4, 5, 6} - {i}) for i in (1, 2, 3, 4)}
    assert most_complete(pairs) == ([4, 5, 6], ["m1", "m2", "m3"], ["m4"])  # 9 figures of 8, 9
    few = {name: frozenset({1, 2, 3, 4}) for name in "ab"} | {"c": frozenset({1, 2})}
    assert most_complete(few).where == [1, 2, 3, 4]
    assert most_complete(few, 3) == ([1, 2], ["a", "b", "c"], [])
    halves = {"a": frozenset({1, 2, 4}), "b": frozenset({1, 2, 3})}
    assert most_complete(halves) == ([1, 2], ["a", "b"], [])
