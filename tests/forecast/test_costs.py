"""What work costs, and how much of it there is, by hand."""

import dataclasses
import math

import pytest

from benchmark.forecast import known
from benchmark.forecast.costs import Amount, Cost, evaluations, kind, sparser, together, typical
from benchmark.store import layout, record_file
from benchmark.store.record import Record
from tests.studies import invented_record

SETTINGS = {
    "dataset": "glas", "method": "cps", "hyperparameters": {"weight": 1.0}, "seed": 0,
    "budget": "5 %", "size": [64, 64], "precision": "float32", "evaluate_every": 5,
    "training": {"epochs": 10, "batch_labelled": 4, "learning_rate": 0.01},
}  # fmt: skip


@pytest.mark.parametrize(
    ("epochs", "every", "times"), [(10, 1, 10), (10, 0, 1), (10, 5, 2), (10, 4, 3), (3, 5, 1)]
)
def test_evaluations_are_counted_with_the_last(epochs, every, times):
    assert evaluations(epochs, every) == times


def test_seconds_of_a_job():
    """100 steps of .2, 3 evaluations of 50 images of .02, and 4 of everything else."""
    cost = Cost(step=0.2, evaluation=0.02, around=4.0)
    assert Amount(100, 3, 50).seconds(cost) == pytest.approx(20 + 3 + 4)
    assert Amount(100, 3, 50).seconds_evaluating(cost) == pytest.approx(3.0)


def test_work_is_of_one_kind_whatever_its_seed_budget_and_length():
    longer = SETTINGS["training"] | {"epochs": 90, "learning_rate": 1.0}
    other = SETTINGS | {"seed": 3, "budget": "20 %", "training": longer}
    assert kind(SETTINGS, "training") == kind(other, "training")


@pytest.mark.parametrize(
    "change",
    [
        {"dataset": "ph2"}, {"method": "em"}, {"hyperparameters": {}}, {"size": [128, 128]},
        {"precision": "bfloat16"}, {"training": {"batch_labelled": 8}},
    ],
)  # fmt: skip
def test_and_of_another_where_a_step_is_another(change):
    assert kind(SETTINGS, "training") != kind(SETTINGS | change, "training")
    assert kind(SETTINGS, "training") != kind(SETTINGS, "pretraining")


def test_the_median_of_each_part():
    costs = [Cost(1.0, 9.0, 0.0), Cost(2.0, 7.0, 0.0), Cost(30.0, 8.0, 0.0)]
    assert (typical(costs).step, typical(costs).evaluation) == (2.0, 8.0)


def test_how_seldom_evaluations_take_no_more_than_a_third():
    """100 epochs of 1 s; 10 s for an evaluation: 5 of them take 50 of 150 s, one each 20 epochs."""
    assert sparser(Amount(100, 100, 10), Cost(1.0, 1.0, 0.0), 100, 1 / 3) == 20


@pytest.mark.parametrize(
    ("memory", "busy", "n"),
    [
        (2000.0, 0.3, 4),  # .9 x 80,000 / (2,200 + 600) = 25 fit; 1 / .3 are kept busy
        (2000.0, 1.0, 1),  # alone it keeps the GPU busy
        (30_000.0, 0.1, 2),  # .9 x 80,000 / (33,000 + 600) = 2.1
        (100_000.0, 0.1, 1),
        (100.0, 0.01, 8),  # never more than eight
    ],
)
def test_trials_share_a_gpu_as_its_memory_and_their_waiting_allow(memory, busy, n):
    assert together(Cost(0.1, 0.0, 0.0, memory=memory, busy=busy), 80_000.0) == n


def test_costs_are_read_from_records():
    """100 steps in 20 s; 2 evaluations of 80 images in 8 s; 30 s in all."""
    found = measured()
    cost = known.from_records([found])["a card", kind(SETTINGS, "training")]
    assert (cost.step, cost.evaluation, cost.around) == pytest.approx((0.2, 0.05, 2.0))


def test_a_pretraining_is_known_by_the_trials_that_started_from_it():
    """50 steps in 5 s."""
    found = measured(pretrain_key="a", pretrain_steps=50, seconds_pretrain=5.0)
    cost = known.from_records([found])["a card", kind(SETTINGS, "pretraining")]
    assert cost.step == pytest.approx(0.1)


@pytest.mark.parametrize(
    "change",
    [
        {"seconds_evaluate": None},
        {"settings": {}},
        {"steps": 0},
        {"status": "failed"},
        {"seconds_train": math.inf},
        {"settings": SETTINGS | {"pretraining": "x"}, "pretrain_steps": 1, "seconds_pretrain": 1.0},
        {"settings": SETTINGS | {"training": {"epochs": 0}}},
    ],
)
def test_records_that_do_not_say_all_tell_nothing(change):
    assert known.from_records([measured(**change)]) == {}


def test_probes_are_kept_and_a_damaged_file_counts_for_nothing(tmp_path):
    cost = Cost(0.1, 0.2, 0.3, memory=400.0, flops=5)
    known.keep(tmp_path, {("a card", "k"): cost})
    known.keep(tmp_path, {("a card", "l"): dataclasses.replace(cost, step=1.0)})
    assert known.probes(tmp_path)["a card", "k"] == cost and len(known.probes(tmp_path)) == 2
    negative = '{"a|k": {"step": -1, "evaluation": 0, "around": 0}}'
    for content in ('{"a card|k": {"step": 1}', negative, '{"a": 3}', "[" * 10_000):
        (tmp_path / ".probes.json").write_text(content)
        assert known.probes(tmp_path) == {}


def test_how_busy_a_gpu_is_probes_alone_tell(tmp_path):
    known.keep(tmp_path, {("a card", kind(SETTINGS, "training")): Cost(9.0, 9.0, 9.0, busy=0.25)})
    record_file.write(layout.trial_folder(tmp_path / "s", "k"), measured(key="k", settings={}))
    assert len(known.costs(tmp_path)) == 1
    assert math.isnan(known.from_records([measured()])["a card", kind(SETTINGS, "training")].busy)
    assert together(Cost(0.1, 0.0, 0.0, memory=100.0, busy=math.nan), 80_000.0) == 1


def measured(**changes) -> Record:
    fields = {
        "settings": SETTINGS, "steps": 100, "seconds_train": 20.0, "seconds_evaluate": 8.0,
        "seconds_total": 30.0, "n_test": 80, "device": "a card", "peak_memory_mib": 700.0,
    }  # fmt: skip
    return invented_record("glas", 0.05, "cps", 0, 0.8).model_copy(update=fields | changes)
