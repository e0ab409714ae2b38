import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.data.card import Card
from benchmark.data.prepared import FORMAT, CaseEntry, Manifest
from benchmark.data.split.budget import Budget
from benchmark.data.split.draw import count, labelled_subset, whole_groups
from benchmark.data.split.labelled import labelled_ids
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_trial

IDS = [f"img_{i:03d}.png" for i in range(85)]


def test_labelled_subsets_of_85_cases_have_the_official_sizes():
    sizes = [len(labelled_subset(IDS, "glas", 0, r)) for r in (0.01, 0.02, 0.05, 0.1, 0.2, 1.0)]
    assert sizes == [1, 2, 5, 9, 17, 85]


def test_the_five_cases_at_5_percent_with_seed_0():
    """Ranked by sha256("glas|0|id"), computed independently of this code."""
    assert sorted(labelled_subset(IDS, "glas", 0, 0.05)) == [
        f"img_{i}.png" for i in ("018", "050", "065", "075", "081")
    ]


def test_subsets_are_nested_and_do_not_depend_on_the_order_of_files():
    small = labelled_subset(IDS, "glas", 3, 0.05)
    large = labelled_subset(IDS[::-1], "glas", 3, 0.2)
    assert set(small) < set(large)


def test_the_count_is_not_fooled_by_floats():
    """100 · 0.07 is 7.000000000000001 in floats; its plain ceiling is 8."""
    assert count(100, 0.07) == 7
    assert count(85, 0.001) == 1


@pytest.mark.parametrize(
    ("n", "expected"),
    [(80, [1, 2, 4, 8, 16]), (165, [2, 4, 9, 17, 33]), (140, [2, 3, 7, 14, 28])],
)
def test_counts_of_the_literature(n, expected):
    assert [count(n, r) for r in (0.01, 0.02, 0.05, 0.1, 0.2)] == expected


def test_other_seeds_and_other_datasets_label_other_cases():
    base = labelled_subset(IDS, "glas", 0, 0.2)
    assert base != labelled_subset(IDS, "glas", 1, 0.2)
    assert base != labelled_subset(IDS, "ph2", 0, 0.2)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=10, max_size=60))
def test_drawn_groups_stay_whole(groups):
    ids = [f"case {i}" for i in range(len(groups))]
    chosen = whole_groups(ids, groups, 0.2, "x", "dev")
    inside = {g for i, g in zip(ids, groups, strict=True) if i in chosen}
    outside = {g for i, g in zip(ids, groups, strict=True) if i not in chosen}
    assert not inside & outside
    assert len(chosen) >= count(len(ids), 0.2)


def manifest(groups: list[str], **card) -> Manifest:
    """Train cases c0, c1, … of these groups, and a test case of the first."""
    cases = [
        CaseEntry(id=f"c{i}", split="train", group=group, foreground=0.1)
        for i, group in enumerate(groups)
    ]
    cases.append(CaseEntry(id="t", split="test", group=groups[0], foreground=0.1))
    return Manifest(
        format=FORMAT, card=Card(name="own", **card), source="", source_fingerprint="",
        data_hash="", mean=[], std=[], cases=cases,
    )  # fmt: skip


@given(st.lists(st.sampled_from("abcdefgh"), min_size=10, max_size=60), st.integers(0, 5))
def test_labelled_groups_are_whole_enough_and_nested(groups, seed):
    """Each share is reached, and would not be without the last group."""
    own = manifest(groups, subset="groups")
    group = {f"c{i}": name for i, name in enumerate(groups)}
    before: set[str] = set()
    for share in (0.05, 0.2, 0.5, 1.0):
        chosen = set(labelled_ids(own, Roles(), Budget.of_share(share), seed))
        inside = {group[case] for case in chosen}
        assert chosen == {case for case, name in group.items() if name in inside}
        wanted = count(len(groups), share)
        assert wanted <= len(chosen) < wanted + max(map(groups.count, inside))
        assert before <= chosen
        before = chosen


def test_the_labelled_groups_are_the_first_by_hash():
    """`printf "own|0|B" | sha256sum` begins with 25, of C with 4f, of A with 91, of D with b0.

    20 % of ten cases are two, and B has three; 40 % are four, so C comes with it.
    """
    own = manifest([*"AAABBBCCCD"], subset="groups")
    few, more = (labelled_ids(own, Roles(), Budget.of_share(share), 0) for share in (0.2, 0.4))
    assert few == ["c3", "c4", "c5"]
    assert more == ["c3", "c4", "c5", "c6", "c7", "c8"]


def test_single_cases_are_labelled_whatever_their_groups():
    """As in results of before: by rank of sha256("own|3|c…")."""
    plain, grouped = manifest([""] * 20), manifest([*"ABCDE"] * 4)
    for share in (0.05, 0.3):
        chosen = labelled_ids(plain, Roles(), Budget.of_share(share), 3)
        assert chosen == labelled_ids(grouped, Roles(), Budget.of_share(share), 3)
        assert chosen == labelled_subset([f"c{i}" for i in range(20)], "own", 3, share)


def trial_data(prepared, share=0.05, seed=0, evaluate_on="test"):
    return for_trial(prepared, Roles(evaluate_on), budget=Budget.of_share(share), seed=seed)


def test_labelled_and_unlabelled_make_up_the_train_pool(prepared):
    data = trial_data(prepared)
    assert (len(data.labelled), len(data.unlabelled), len(data.evaluation)) == (4, 76, 40)
    assert not set(data.labelled.indices) & set(data.unlabelled.indices)
    assert not set(data.evaluation.indices) & {*data.labelled.indices, *data.unlabelled.indices}


def test_the_unlabelled_images_come_without_masks(prepared):
    assert trial_data(prepared).unlabelled._fields == ("images", "indices")


def test_the_development_set_is_a_fifth_of_the_pool_and_used_for_nothing_else(prepared):
    data = trial_data(prepared, evaluate_on="dev")
    train = set(prepared.manifest.ids("train"))
    assert len(data.evaluation) == 16
    assert set(data.evaluation.ids) < train
    assert len(data.labelled) + len(data.unlabelled) == 64
    assert not set(data.evaluation.indices) & {*data.labelled.indices, *data.unlabelled.indices}
    other = trial_data(prepared, seed=5, share=0.2, evaluate_on="dev")
    assert other.evaluation.ids == data.evaluation.ids


def test_at_100_percent_nothing_is_unlabelled(prepared):
    data = trial_data(prepared, share=1.0)
    assert (len(data.labelled), len(data.unlabelled)) == (80, 0)


def test_the_subset_hash_tells_subsets_apart(prepared):
    first, same, other = (trial_data(prepared, seed=s) for s in (0, 0, 1))
    assert first.subset_hash == same.subset_hash != other.subset_hash
