import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data import splits

IDS = [f"img_{i:03d}.png" for i in range(85)]


def test_labelled_subsets_of_85_cases_have_the_official_sizes():
    sizes = [
        len(splits.labelled_subset(IDS, "glas", 0, r)) for r in (0.01, 0.02, 0.05, 0.1, 0.2, 1.0)
    ]
    assert sizes == [1, 2, 5, 9, 17, 85]


def test_the_five_cases_at_5_percent_with_seed_0():
    """Ranked by sha256("glas|0|id"), computed independently of this code."""
    assert sorted(splits.labelled_subset(IDS, "glas", 0, 0.05)) == [
        f"img_{i}.png" for i in ("018", "050", "065", "075", "081")
    ]


def test_subsets_are_nested_and_do_not_depend_on_the_order_of_files():
    small = splits.labelled_subset(IDS, "glas", 3, 0.05)
    large = splits.labelled_subset(IDS[::-1], "glas", 3, 0.2)
    assert set(small) < set(large)


def test_the_count_is_not_fooled_by_floats():
    """100 · 0.07 is 7.000000000000001 in floats; its plain ceiling is 8."""
    assert splits.count(100, 0.07) == 7
    assert splits.count(85, 0.001) == 1


@pytest.mark.parametrize(
    ("n", "expected"),
    [(80, [1, 2, 4, 8, 16]), (165, [2, 4, 9, 17, 33]), (140, [2, 3, 7, 14, 28])],
)
def test_counts_of_the_literature(n, expected):
    assert [splits.count(n, r) for r in (0.01, 0.02, 0.05, 0.1, 0.2)] == expected


def test_other_seeds_and_other_datasets_label_other_cases():
    base = splits.labelled_subset(IDS, "glas", 0, 0.2)
    assert base != splits.labelled_subset(IDS, "glas", 1, 0.2)
    assert base != splits.labelled_subset(IDS, "ph2", 0, 0.2)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=10, max_size=60))
def test_held_out_groups_stay_whole(groups):
    ids = [f"case {i}" for i in range(len(groups))]
    chosen = splits.held_out(ids, groups, 0.2, "x", "dev")
    inside = {g for i, g in zip(ids, groups, strict=True) if i in chosen}
    outside = {g for i, g in zip(ids, groups, strict=True) if i not in chosen}
    assert not inside & outside
    assert len(chosen) >= splits.count(len(ids), 0.2)
