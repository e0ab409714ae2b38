"""What becomes of a dataset's splits in a run: budgets, images without masks, a validation set."""

import pytest

from benchmark.data.card import Card
from benchmark.data.layouts.names import as_ids
from benchmark.data.prepared import CaseEntry, Manifest
from benchmark.data.split.budget import Budget
from benchmark.data.split.labelled import labelled_ids, unlabelled_ids
from benchmark.data.split.parts import groups_of, parts
from benchmark.data.split.roles import Roles
from benchmark.errors import UserError
from benchmark.study.settings import Study


def manifest(val: int = 0, without_masks: int = 0, grouped: bool = True, **card) -> Manifest:
    """Twelve images of six patients for training, four for testing, as many of others as asked."""
    numbers = {"train": 12, "unlabelled": without_masks, "val": val, "test": 4}
    cases = [
        CaseEntry(
            id=f"{name}{i:02d}", split=name, foreground=0.1,
            group=f"p{i // 2}" if grouped and name == "train" else "",
        )
        for name, n in numbers.items()
        for i in range(n)
    ]  # fmt: skip
    return Manifest(
        format=2, card=Card(name="mine", **card), source="", source_fingerprint="", data_hash="",
        mean=[], std=[], cases=cases,
    )  # fmt: skip


def test_without_further_sets_the_splits_are_what_they_always_were():
    train, _, test, val = parts(manifest(), Roles())
    assert (len(train), len(test), val) == (12, 4, [])
    pool, _, dev, _ = parts(manifest(), Roles("dev"))
    assert (len(pool), len(dev)) == (8, 4)  # ceil(.2 · 12) = 3 cases, of whole patients 4


@pytest.mark.parametrize(
    ("roles", "pool", "evaluated", "val"),
    [
        (Roles("test", "dev"), ["train"], ["test"], ["val"]),
        (Roles("test", "train"), ["train", "val"], ["test"], []),
        (Roles("test", "ignore"), ["train"], ["test"], []),
        (Roles("dev", "dev"), ["train"], ["val"], []),
    ],
)
def test_a_validation_set_is_what_the_user_says(roles, pool, evaluated, val):
    found = parts(manifest(val=3), roles)
    kinds = [sorted({case.rstrip("0123456789") for case in part}) for part in found]
    assert kinds == [pool, [], evaluated, val]


@pytest.mark.parametrize("val_as", ["train", "ignore"])
def test_a_validation_set_that_is_none_leaves_the_drawn_one(val_as):
    found = parts(manifest(val=3, grouped=False), Roles("dev", val_as))
    n = 12 + 3 * (val_as == "train")
    assert (len(found.pool), len(found.evaluation)) == (n - 3, 3)  # ceil(.2 · 12 or 15) = 3
    assert found.val == []


def test_images_without_masks_are_unlabelled_under_every_budget():
    data = manifest(without_masks=5)
    for text, n in (("1 case", 1), ("50%", 6), ("100%", 12)):
        chosen = labelled_ids(data, Roles(), Budget.parse(text), 0)
        rest = unlabelled_ids(data, Roles(), chosen)
        assert len(chosen) == n and not any(case.startswith("unlabelled") for case in chosen)
        assert len(rest) == 12 - n + 5
        assert {f"unlabelled{i:02d}" for i in range(5)} <= set(rest)


def test_unlabelled_images_of_a_patient_who_is_evaluated_are_not_trained_on():
    data = manifest(without_masks=6)
    for case in data.cases:
        if case.split == "unlabelled":
            case.group = f"p{int(case.id[-2:])}"  # one image of each patient has no mask
    held_out = {case.group for case in data.cases if case.id in parts(data, Roles("dev"))[2]}
    assert len(held_out) == 2
    without = parts(data, Roles("dev")).without_masks
    assert {f"p{int(case[-2:])}" for case in without} == {f"p{i}" for i in range(6)} - held_out
    assert len(parts(data, Roles()).without_masks) == 6


def test_a_number_of_cases_is_the_beginning_of_the_order_that_shares_have():
    data = manifest(grouped=False)
    for n, share in ((3, 0.25), (6, 0.5)):
        cases = labelled_ids(data, Roles(), Budget.parse(f"{n}cases"), seed=7)
        assert cases == labelled_ids(data, Roles(), Budget.of_share(share), seed=7)


def test_patients_are_whole_and_nested():
    data = manifest()
    of = groups_of(data)
    before: set[str] = set()
    for n in range(1, 7):
        chosen = set(labelled_ids(data, Roles(), Budget.parse(f"{n}patients"), seed=1))
        assert len({of[case] for case in chosen}) == n and len(chosen) == 2 * n
        assert before < chosen
        before = chosen
    others = labelled_ids(data, Roles(), Budget.parse("2patients"), seed=2)
    assert set(others) != set(labelled_ids(data, Roles(), Budget.parse("2patients"), seed=1))


@pytest.mark.parametrize(
    ("text", "grouped", "told"),
    [
        ("13cases", True, "--labels 13 cases: the train pool of mine has 12 cases"),
        ("7patients", True, "--labels 7 patients: the train pool of mine has 6 patients"),
        ("2patients", False, r"nothing says whose 12 cases of mine are .*field group"),
        ("list:other", True, r'no list of labelled cases of mine "other"; known: seven \(bench'),
        (
            "list:seven",
            True,
            r"1 case of it not in .* \(test01; cases are called train00, train01,",
        ),
    ],
)
def test_budgets_that_the_data_do_not_have_are_refused(text, grouped, told):
    data = manifest(grouped=grouped, lists={"seven": ["train01", "test01"]})
    with pytest.raises(UserError, match=told):
        labelled_ids(data, Roles(), Budget.parse(text), 0)


@pytest.mark.parametrize(
    "written",
    [
        b"train01\ntrain07\n",
        '\ufefftrain01  # the first\r\n\r\n"train07"\r\n'.encode("utf-16-le"),
        b"D:\\x\\image\\train01.png\nC:\\train07.PNG",
        b"data/image/train01.png\nslices/train07.nii.gz\ntrain01",
    ],
)
def test_a_file_with_a_list_is_read_as_people_write_it(written, tmp_path):
    file = tmp_path / "my list.txt"
    file.write_bytes(written)
    budget = Budget.parse(f"list:{file}")
    assert budget.text == "list my_list"
    assert labelled_ids(manifest(), Roles(), budget, 0) == ["train01", "train07"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (b"train01\ttrain02", "has one name a line, got 'train01"),
        ("tr\xe4in".encode("cp1252"), r"is not UTF-8 \(line 1 holds the byte 0xe4\): save it as"),
        (b"# nothing\n\n", "names none"),
    ],
)
def test_a_file_that_is_no_list_says_why(written, told, tmp_path):
    (tmp_path / "l.txt").write_bytes(written)
    with pytest.raises(UserError, match=told):
        Budget.parse(f"list:{tmp_path / 'l.txt'}")


def test_paths_name_cases_by_folder_and_file():
    """The case is called by its folder where numbering restarts in each."""
    assert list(as_ids("data/images/pat01/007.png")) == ["data_pat01_007", "pat01_007", "007"]
    assert list(as_ids("Train/Images/1.PNG")) == ["train_1", "1"]
    assert list(as_ids("pat01/image.nii.gz"))[-1] == "pat01"


def test_lists_of_one_name_are_not_mixed_up(tmp_path):
    for folder, case in (("a", "train01"), ("b", "train07")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "l.txt").write_text(case)
    lists = [f"list:{tmp_path}/{folder}/l.txt" for folder in "ab"]
    study = Study(methods=["supervised"], datasets=["mine"], seeds=[0], labels=lists)
    with pytest.raises(UserError, match=r'two lists of labelled cases are called "l" after'):
        study.budgets  # noqa: B018


def test_a_list_is_the_same_for_every_seed():
    data = manifest(lists={"two": ["train07", "train01"]})
    for seed in range(3):
        chosen = labelled_ids(data, Roles(), Budget.parse("list:two"), seed)
        assert chosen == ["train01", "train07"]


def test_parts_of_the_unlabelled_images_are_nested_and_the_same_for_all_seeds():
    data = manifest(without_masks=8)
    every = unlabelled_ids(data, Roles())
    assert len(every) == 20
    half = unlabelled_ids(data, Roles(unlabelled="50 %"))
    most = unlabelled_ids(data, Roles(unlabelled="75 %"))
    assert (len(half), len(most)) == (10, 15) and set(half) < set(most)
    for seed in range(4):
        chosen = labelled_ids(data, Roles(), Budget.parse("4cases"), seed)
        seen = unlabelled_ids(data, Roles(unlabelled="50 %"), chosen)
        assert set(seen) == set(half) - set(chosen)
        six = unlabelled_ids(data, Roles(unlabelled="6 cases"), chosen)
        assert len(six) == 6 and not set(six) & set(chosen)
        # What a pretraining sees of six, its trials see too.
        assert set(unlabelled_ids(data, Roles(unlabelled="6 cases"))) <= {*six, *chosen}
    with pytest.raises(UserError, match=r"--unlabelled 17 cases: mine leaves 16 images unlabelled"):
        unlabelled_ids(data, Roles(unlabelled="17 cases"), chosen)
