"""The stage before the training: label-free, made once, found again, never half."""

import dataclasses
import math

import pytest
import torch

from benchmark import jobs, pretraining
from benchmark.data import pool
from benchmark.training.trial import Place, build_method, execute
from benchmark.study.settings import Pretraining
from methods.ours import DiffusionTeacherStudent
from tests.conftest import TINY

CPU = torch.device("cpu")
QUICK = dataclasses.replace(
    TINY,
    methods=["ours"],
    pretraining=Pretraining(epochs=2, steps_per_epoch=2, batch=2),
    hyperparameters={"ours": {"rounds": 1}},
    training=dataclasses.replace(TINY.training, epochs=1, steps_per_epoch=1),
)


@pytest.fixture
def trials(tiny_trials):
    """A function: trials of QUICK with changes."""
    return lambda **changes: tiny_trials(dataclasses.replace(QUICK, **changes))


def key(trials, **changes) -> str:
    return pretraining.of(trials(**changes)[0]).key


def made(job, prepared, folder):
    lines = []
    found = pretraining.make(job, prepared, folder, device=CPU, log=lines.append)
    return found, lines


def test_only_variants_that_start_from_one_have_one(trials):
    assert pretraining.of(trials(methods=["cps"])[0]) is None
    assert pretraining.of(trials(methods=["ours[pretrain=false]"])[0]) is None
    assert pretraining.of(trials()[0]) is not None


OTHER = {  # another value of each hyper-parameter
    "weight": "1", "criterion": "dice", "semi_on_labelled": "false", "aux_weight_labelled": "one",
    "rounds": "2", "rounds_chained": "false", "round_image": "previous",
    "detach_mask_to_image": "false", "detach_image_to_mask": "false",
    "reconstruction_target": "noise", "reconstruction_cap": "inf", "clip_x0": "false",
    "t_prime_max": "672", "schedule": "sigmoid", "time_steps": "100",
    "mask_start": "background_onehot", "mask_noise": "false", "mask_to_image": "raw",
    "image_to_mask": "unit_range", "mask_output": "x0", "shared_noise": "true",
    "pathways": "shared_trunk",
    "image_input": "pure_noise", "image_param": "x0", "inference": "mean_2", "tested": "teacher",
}  # fmt: skip


def test_every_hyper_parameter_is_tried():
    from benchmark import plugins

    assert set(OTHER) | {"pretrain"} == set(plugins.hyperparameters("ours"))


@pytest.mark.parametrize("name", OTHER)
def test_the_artefact_depends_on_the_parameters_that_it_names_and_on_no_other(
    name, trials, prepared, tmp_path
):
    """Not by the key alone: the weights themselves are compared."""
    plain, other = trials()[0], trials(methods=[f"ours[{name}={OTHER[name]}]"])[0]
    assert plain.hyperparameters[name] != other.hyperparameters[name]
    is_named = name in DiffusionTeacherStudent.PRETRAIN_PARAMETERS
    assert (pretraining.of(plain).key != pretraining.of(other).key) == is_named
    found = []
    for i, trial in enumerate((plain, other)):
        # As if every hyper-parameter reached the stage: the pretraining of a whole method.
        job = dataclasses.replace(
            pretraining.of(trial), hyperparameters=dict(trial.hyperparameters)
        )
        made(job, prepared, tmp_path / str(i))
        file = pretraining.folder(tmp_path / str(i), job.key) / "weights.safetensors"
        found.append(file.read_bytes())
    assert (found[0] != found[1]) == is_named


def test_ratios_and_variants_share_one_and_seeds_do_not(trials):
    assert key(trials) == key(trials, ratios=[0.2]) == key(trials, methods=["ours[rounds=2]"])
    assert key(trials, seeds=[1]) != key(trials)
    shared = dataclasses.replace(QUICK.pretraining, seeds="shared")
    assert key(trials, seeds=[1], pretraining=shared) == key(trials, pretraining=shared)


@pytest.mark.parametrize(
    "change",
    [
        {"evaluate_on": "dev"},
        {"study_seed": 1},
        {"size": [64, 64]},
        {"precision": "bfloat16"},
        {"threads_per_trial": 2},
        {"pretraining": dataclasses.replace(QUICK.pretraining, learning_rate=0.1)},
        {"network": dataclasses.replace(QUICK.network, dropout=[0.0] * 3)},
    ],
    ids=str,
)
def test_the_key_changes_with_whatever_can_change_the_artefact(change, trials):
    assert key(trials, **change) != key(trials)


def test_a_grid_needs_each_once_and_none_that_is_there(trials, prepared, tmp_path):
    grid = trials(seeds=[0, 1], ratios=[0.05, 0.2], methods=["ours", "ours[rounds=2]", "cps"])
    jobs_needed = pretraining.missing(grid, tmp_path)
    assert [job.seed for job in jobs_needed] == [0, 1]
    made(jobs_needed[0], prepared, tmp_path)
    assert [job.seed for job in pretraining.missing(grid, tmp_path)] == [1]


def test_no_mask_is_at_hand_and_the_evaluation_set_is_not_seen(prepared):
    data = pool.for_pretraining(prepared, evaluate_on="dev")
    assert not hasattr(data, "labelled") and not hasattr(data.unlabelled, "masks")
    ids = [prepared.manifest.cases[i].id for i in data.unlabelled.indices]
    train, dev = pool.split_ids(prepared.manifest, "dev")
    assert sorted(ids) == sorted(train) and not set(ids) & set(dev)


def test_wrong_masks_change_nothing(trials, prepared, tmp_path):
    job = pretraining.of(trials()[0])
    found = []
    for name, data in (("a", prepared), ("b", prepared._replace(masks=1 - prepared.masks))):
        made(job, data, tmp_path / name)
        file = pretraining.folder(tmp_path / name, job.key) / "weights.safetensors"
        found.append(file.read_bytes())
    assert found[0] == found[1]


def test_a_trial_starts_from_it_in_those_parts_alone(trials, prepared, tmp_path):
    trial = trials()[0]
    data = pool.for_trial(prepared, ratio=trial.ratio, seed=0, evaluate_on="test")
    method = build_method(trial, data)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    job = pretraining.of(trial)
    made(job, prepared, tmp_path)
    pretraining.start_from(method, tmp_path, job.key)
    changed = {n for n, v in method.state_dict().items() if not torch.equal(before[n], v)}
    assert changed and all(name.startswith("teacher.") for name in changed)
    assert "teacher.masks.blocks.0.0.weight" in changed
    assert "teacher.images.blocks.0.0.weight" in changed


def test_an_artefact_is_made_once_and_its_cost_stands_in_the_records(trials, prepared, tmp_path):
    place = Place(tmp_path, "s", "p")
    first, second, without = trials(methods=["ours", "ours[rounds=2]", "ours[pretrain=false]"])
    records = [execute(trial, prepared, place, device=CPU) for trial in (first, second, without)]
    assert [r.status for r in records] == ["done"] * 3
    assert len(list((tmp_path / "pretrained").iterdir())) == 1
    assert records[0].pretrain_key == records[1].pretrain_key != ""
    assert records[0].pretrain_steps == 4
    assert records[0].seconds_pretrain == records[1].seconds_pretrain > 0
    assert records[0].pretrain_flops_per_step > 0
    assert (records[2].pretrain_key, records[2].pretrain_steps) == ("", None)
    logs = [(tmp_path / "trials" / r.key / "log.txt").read_text() for r in records]
    assert ["epoch 2/2" in log for log in logs] == [True, False, False]


def test_a_trial_gets_the_same_numbers_whether_it_made_the_artefact_or_found_it(
    trials, prepared, tmp_path
):
    trial = trials()[0]
    metrics = []
    for folder, beforehand in ((tmp_path / "a", False), (tmp_path / "b", True)):
        if beforehand:
            made(pretraining.of(trial), prepared, folder)
        metrics.append(execute(trial, prepared, Place(folder, "s", "p"), device=CPU).metrics)
    assert metrics[0] == metrics[1]


def test_it_goes_on_from_its_checkpoint_to_the_same_weights(
    trials, prepared, tmp_path, monkeypatch
):
    job = pretraining.of(trials(checkpoint_seconds=0.0)[0])
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    made(job, prepared, whole)
    ours = DiffusionTeacherStudent.pretrain_loss

    def dies_in_the_second_epoch(self, u, progress):
        if progress > 0.5:
            raise KeyboardInterrupt
        return ours(self, u, progress)

    monkeypatch.setattr(DiffusionTeacherStudent, "pretrain_loss", dies_in_the_second_epoch)
    with pytest.raises(KeyboardInterrupt):
        made(job, prepared, broken)
    assert pretraining.read(broken, job.key) is None
    monkeypatch.undo()
    found, lines = made(job, prepared, broken)
    assert found.is_done and any("resumed after epoch 1 of 2" in line for line in lines)
    files = [pretraining.folder(f, job.key) / "weights.safetensors" for f in (whole, broken)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_failed_one_fails_its_trials_with_the_reason_and_is_tried_again(
    trials, prepared, tmp_path, monkeypatch
):
    trial, place = trials()[0], Place(tmp_path, "s", "p")
    job = pretraining.of(trial)
    with monkeypatch.context() as patch:
        patch.setattr(
            DiffusionTeacherStudent,
            "pretrain_loss",
            lambda self, u, progress: {"cycle": self.teacher.masks.output.bias.sum() * math.nan},
        )
        outcome = jobs.run(job, prepared, place, device=CPU)
    assert not outcome.is_done and "not finite" in outcome.error
    record = execute(trial, prepared, place, device=CPU)
    assert record.status == "failed"
    assert "its pretraining of ours/phantom_glas/seed 0 failed: " in record.error
    assert pretraining.missing([trial], tmp_path) == [job]
    assert jobs.run(job, prepared, place, device=CPU).is_done
    assert execute(trial, prepared, place, device=CPU).is_done


def test_one_of_another_code_version_is_made_anew(trials, prepared, tmp_path, monkeypatch):
    job = pretraining.of(trials()[0])
    made(job, prepared, tmp_path)
    assert made(job, prepared, tmp_path)[1] == []  # found
    monkeypatch.setattr("benchmark.provenance.code_version", lambda: "another")
    assert pretraining.missing(trials(), tmp_path) == [job]


def test_two_processes_do_not_make_it_at_once(trials, prepared, tmp_path):
    """The second waits for the lock, then finds what the first made."""
    from concurrent.futures import ThreadPoolExecutor

    from filelock import FileLock

    job = pretraining.of(trials()[0])
    target = pretraining.folder(tmp_path, job.key)
    target.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool_of_one:
        with FileLock(target / ".lock"):
            waiting = pool_of_one.submit(made, job, prepared, tmp_path)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            found = pretraining._make(job, prepared, target, CPU, lambda line: None)
            pretraining.write(tmp_path, found)
        assert waiting.result(timeout=60) == (found, [])
