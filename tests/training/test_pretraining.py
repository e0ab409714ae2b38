"""The stage before the training: label-free, made once, found again, never half."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from benchmark.data.split.parts import parts
from benchmark.data.split.roles import Roles
from benchmark.data.split.trial_data import for_pretraining, for_trial
from benchmark.errors import UserError
from benchmark.store import record_file, show, tables
from benchmark.store.layout import pretraining_folder
from benchmark.study.settings import PretrainingSettings
from benchmark.study.sources import Code
from benchmark.toolkit.method import Examination, Method
from benchmark.training import job as jobs
from benchmark.training import pretraining
from benchmark.training.job import Destination
from benchmark.training.pretraining import PretrainingJob
from benchmark.training.trial import TrialJob, build_method
from methods.ours import DiffusionTeacherStudent, Options
from tests.conftest import TINY

CPU = torch.device("cpu")
QUICK = dataclasses.replace(
    TINY,
    methods=["ours"],
    pretraining=PretrainingSettings(epochs=2, steps_per_epoch=2, batch=2),
    hyperparameters={"ours": {"rounds": 1}},
    training=dataclasses.replace(TINY.training, epochs=1, steps_per_epoch=1),
)


@pytest.fixture
def trials(tiny_trials):
    """A function: trials of QUICK with changes, also to its conditions."""

    def make(conditions: dict | None = None, **changes):
        changed = dataclasses.replace(QUICK.conditions, **(conditions or {}))
        return tiny_trials(dataclasses.replace(QUICK, conditions=changed, **changes))

    return make


def of(trial) -> PretrainingJob | None:
    return trial.pretraining and PretrainingJob(trial.pretraining)


def key(trials, **changes) -> str:
    return of(trials(**changes)[0]).key


def made(job, prepared, folder):
    lines = []
    place = Destination(folder, "s", "p")
    found = jobs.run(job, prepared, place, device=CPU, echo=lines.append)
    return found, lines


def execute(trial, prepared, folder):
    return jobs.run(TrialJob(trial), prepared, Destination(folder, "s", "p"), device=CPU)


def test_only_variants_that_start_from_one_have_one(trials):
    assert of(trials(methods=["cps"])[0]) is None
    assert of(trials(methods=["ours[pretrain=false]"])[0]) is None
    assert of(trials()[0]) is not None


OTHER = {  # another value of each hyper-parameter
    "weight": "1", "criterion": "dice", "semi_on_labelled": "false", "aux_weight_labelled": "one",
    "rounds": "2", "rounds_chained": "false", "round_image": "previous",
    "detach_mask_to_image": "false", "detach_image_to_mask": "false",
    "reconstruction_target": "noise", "reconstruction_cap": "5.0", "clip_x0": "false",
    "t_prime_max": "672", "schedule": "sigmoid", "time_steps": "100",
    "mask_start": "background_onehot", "mask_noise": "false", "mask_to_image": "raw",
    "mask_output": "x0", "shared_noise": "true",
    "align_classes": "true", "image_input": "noisy_image", "image_param": "noise",
    "inference": "mean_2", "tested": "teacher",
}  # fmt: skip
BESIDE = {  # what it takes for another value to be possible
    "reconstruction_target": {"image_param": "noise"},
    "reconstruction_cap": {"image_param": "noise"},
}


def test_every_hyper_parameter_is_tried():
    assert set(OTHER) | {"pretrain"} == {field.name for field in dataclasses.fields(Options)}


@pytest.mark.parametrize("name", OTHER)
def test_the_artefact_depends_on_the_parameters_that_it_names_and_on_no_other(
    name, trials, prepared, tmp_path
):
    """Not by the key alone: the weights themselves are compared."""
    beside = {"ours": {"rounds": 1, **BESIDE.get(name, {})}}
    plain = trials(hyperparameters=beside)[0]
    other = trials(hyperparameters=beside, methods=[f"ours[{name}={OTHER[name]}]"])[0]
    assert plain.hyperparameters[name] != other.hyperparameters[name]
    is_named = name in DiffusionTeacherStudent.PRETRAIN_PARAMETERS
    assert (of(plain).key != of(other).key) == is_named
    found = []
    for i, trial in enumerate((plain, other)):
        # As if every hyper-parameter reached the stage: the pretraining of a whole method.
        whole = dict(trial.hyperparameters)
        job = PretrainingJob(dataclasses.replace(trial.pretraining, hyperparameters=whole))
        made(job, prepared, tmp_path / str(i))
        file = pretraining_folder(tmp_path / str(i), job.key) / "weights.safetensors"
        found.append(file.read_bytes())
    assert (found[0] != found[1]) == is_named


def test_ratios_and_variants_share_one_and_seeds_do_not(trials):
    assert key(trials) == key(trials, labels=["20 %"]) == key(trials, methods=["ours[rounds=2]"])
    assert key(trials, seeds=[1]) != key(trials)
    shared = dataclasses.replace(QUICK.pretraining, seeds="shared")
    assert key(trials, seeds=[1], pretraining=shared) == key(trials, pretraining=shared)


@pytest.mark.parametrize(
    "change",
    [
        {"conditions": {"evaluate_on": "dev"}},
        {"conditions": {"study_seed": 1}},
        {"conditions": {"size": [64, 64]}},
        {"conditions": {"precision": "bfloat16"}},
        {"conditions": {"threads_per_trial": 2}},
        {"pretraining": dataclasses.replace(QUICK.pretraining, learning_rate=0.1)},
        {
            "conditions": {
                "network": dataclasses.replace(TINY.conditions.network, dropout=[0.0] * 3)
            }
        },
    ],
    ids=str,
)
def test_the_key_changes_with_whatever_can_change_the_artefact(change, trials):
    assert key(trials, **change) != key(trials)


def test_a_grid_needs_each_once_and_none_that_is_there(trials, prepared, tmp_path):
    grid = trials(seeds=[0, 1], labels=["5 %", "20 %"], methods=["ours", "ours[rounds=2]", "cps"])
    jobs_needed = pretraining.missing(grid, tmp_path)
    assert [job.pretraining.seed for job in jobs_needed] == [0, 1]
    made(jobs_needed[0], prepared, tmp_path)
    assert [job.pretraining.seed for job in pretraining.missing(grid, tmp_path)] == [1]


def test_no_mask_is_at_hand_and_the_evaluation_set_is_not_seen(prepared):
    data = for_pretraining(prepared, Roles("dev"))
    assert not hasattr(data, "labelled") and not hasattr(data.unlabelled, "masks")
    ids = [prepared.manifest.cases[i].id for i in data.unlabelled.indices]
    train, _, dev, _ = parts(prepared.manifest, Roles("dev"))
    assert sorted(ids) == sorted(train) and not set(ids) & set(dev)


def test_wrong_masks_change_nothing(trials, prepared, tmp_path):
    job = of(trials()[0])
    found = []
    for name, data in (("a", prepared), ("b", prepared._replace(masks=1 - prepared.masks))):
        made(job, data, tmp_path / name)
        file = pretraining_folder(tmp_path / name, job.key) / "weights.safetensors"
        found.append(file.read_bytes())
    assert found[0] == found[1]


def test_a_trial_starts_from_it_in_those_parts_alone(trials, prepared, tmp_path):
    trial = trials()[0]
    data = for_trial(prepared, Roles(), budget=trial.budget, seed=0)
    method = build_method(trial, data)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    job = of(trial)
    made(job, prepared, tmp_path)
    pretraining.start_from(method, tmp_path, job.key)
    changed = {n for n, v in method.state_dict().items() if not torch.equal(before[n], v)}
    assert changed and all(name.startswith("teacher.") for name in changed)
    assert "teacher.masks.blocks.0.0.weight" in changed
    assert "teacher.images.blocks.0.0.weight" in changed


def test_an_artefact_is_made_once_and_its_cost_stands_in_the_records(trials, prepared, tmp_path):
    first, second, without = trials(methods=["ours", "ours[rounds=2]", "ours[pretrain=false]"])
    records = [execute(trial, prepared, tmp_path) for trial in (first, second, without)]
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
            made(of(trial), prepared, folder)
        metrics.append(execute(trial, prepared, folder).metrics)
    assert metrics[0] == metrics[1]


def test_it_goes_on_from_its_checkpoint_to_the_same_weights(
    trials, prepared, tmp_path, monkeypatch
):
    job = of(trials(conditions={"checkpoint_seconds": 0.0})[0])
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
    assert job.found(broken) is None
    monkeypatch.undo()
    found, lines = made(job, prepared, broken)
    assert found.is_done and any("resumed after epoch 1 of 2" in line for line in lines)
    files = [pretraining_folder(f, job.key) / "weights.safetensors" for f in (whole, broken)]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_failed_one_fails_its_trials_with_the_reason_and_is_tried_again(
    trials, prepared, tmp_path, monkeypatch
):
    trial = trials()[0]
    job = of(trial)
    with monkeypatch.context() as patch:
        patch.setattr(
            DiffusionTeacherStudent,
            "pretrain_loss",
            lambda self, u, progress: {"cycle": self.teacher.masks.output.bias.sum() * math.nan},
        )
        failed, _ = made(job, prepared, tmp_path)
    assert not failed.is_done and "not finite" in failed.error
    record = execute(trial, prepared, tmp_path)
    assert record.status == "failed"
    assert "its pretraining failed: " in record.error
    assert pretraining.missing([trial], tmp_path) == [job]
    assert made(job, prepared, tmp_path)[0].is_done
    assert execute(trial, prepared, tmp_path).is_done


def test_what_it_has_made_is_looked_at_and_told(trials, prepared, tmp_path, monkeypatch):
    """The method is asked about 64 images of the pool, once each, two at a time as in training."""
    asked = []
    examine = DiffusionTeacherStudent.examine

    def watched(self, u):
        asked.append((u, self.training or self.teacher.training))
        return examine(self, u)

    monkeypatch.setattr(DiffusionTeacherStudent, "examine", watched)
    monkeypatch.setattr(DiffusionTeacherStudent, "doubts", lambda self, figures: ["it is odd"])
    job = of(trials()[0])
    found, lines = made(job, prepared, tmp_path)
    seen = torch.cat([u for u, _ in asked])
    assert len(seen) == len({image.sum().item() for image in seen}) == 64
    assert {len(u) for u, _ in asked} == {2}
    assert not any(in_training for _, in_training in asked)
    assert found.figures.keys() >= {"error_own", "error_permuted", "mask_share_1"}
    assert found.doubts == ["it is odd"]
    assert "warning: it is odd" in lines
    assert found.summary.endswith("; warning: it is odd")
    with np.load(pretraining_folder(tmp_path, job.key) / "panel.npz") as panel:
        kinds = {"image", "pseudo_label", "remade", "remade_from_another"}
        assert set(panel.files) == {f"{kind}_{i}" for kind in kinds for i in range(2)}
        assert panel["image_0"].dtype == panel["remade_1"].dtype == np.uint8
        assert panel["image_0"].shape == (32, 32, 3) and panel["pseudo_label_0"].shape == (32, 32)


def test_show_and_reports_find_what_it_has_made(trials, prepared, tmp_path):
    done = execute(trials()[0], prepared, tmp_path)
    rows = tables.trials(record_file.survey(tmp_path).records)
    found = tables.pretrainings(tmp_path, rows)
    assert list(found.key) == [done.pretrain_key] and list(found.variant) == [done.variant]
    assert found.error_own.item() > 0 and found.steps.item() == 4
    panels = tables.pretraining_panels(tmp_path, found)
    assert panels.keys() == {(done.dataset, done.variant)}
    of_trial = show.describe(show.find([tmp_path], done.key))
    own = show.describe(show.find([tmp_path], done.pretrain_key[:12]))
    assert f"pretraining {done.pretrain_key}: 4 steps:" in of_trial
    assert own.startswith(f"pretraining of ours/{done.dataset}/seed 0\n")
    for text in (of_trial, own):
        assert "error_permuted" in text
    with pytest.raises(UserError, match="is a pretraining: ask for a trial of it"):
        show.requirements(show.find([tmp_path], done.pretrain_key))


def test_looking_at_it_changes_neither_weights_nor_trials(trials, prepared, tmp_path, monkeypatch):
    found = []
    for name in ("a", "b"):
        execute(trials()[0], prepared, tmp_path / name)
        (weights,) = (tmp_path / name).glob("pretrained/*/weights.safetensors")
        (history,) = (tmp_path / name).glob("trials/*/history.csv")
        found.append((weights.read_bytes(), history.read_bytes()))
        monkeypatch.setattr(DiffusionTeacherStudent, "examine", lambda self, u: None)
        monkeypatch.setattr(pretraining, "fitted", lambda *_: {})
    assert found[0] == found[1]


@pytest.mark.parametrize("evaluate_on", ["test", "dev"])
def test_how_well_its_masks_fit_stands_in_the_record_of_a_trial(
    evaluate_on, trials, prepared, tmp_path, monkeypatch
):
    """A pretrained mask that is the truth's other way round fits it in the other order."""
    told = []
    true = {
        image.tobytes(): mask for image, mask in zip(prepared.images, prepared.masks, strict=True)
    }

    def examine(self, u):
        grey = u.movedim(1, -1).numpy() * prepared.std[0] + prepared.mean[0]
        masks = [true[np.rint(image * 255).astype(np.uint8).tobytes()] for image in grey]
        foreground = torch.tensor(np.stack(masks)).float()
        return Examination(torch.stack([foreground, 1 - foreground], 1), {}, {})

    monkeypatch.setattr(pretraining.PretrainingJob, "_examined", lambda *_: ({}, []))
    monkeypatch.setattr(DiffusionTeacherStudent, "examine", examine)
    monkeypatch.setattr(DiffusionTeacherStudent, "reorder", lambda self, order: told.append(order))
    found = execute(trials(conditions={"evaluate_on": evaluate_on})[0], prepared, tmp_path)
    assert found.is_done, found.error
    assert found.metrics["pretrained_dc_labelled"] == 1.0
    assert found.metrics["pretrained_n_reordered"] == 2
    assert found.metrics.get("pretrained_dc_dev") == (1.0 if evaluate_on == "dev" else None)
    assert told == [[1, 0]]


def test_a_method_that_shows_nothing_is_asked_for_nothing(trials, prepared, tmp_path, monkeypatch):
    monkeypatch.setattr(DiffusionTeacherStudent, "examine", Method.examine)
    found = execute(trials()[0], prepared, tmp_path)
    assert found.is_done, found.error
    assert not any(name.startswith("pretrained") for name in found.metrics)
    assert record_file.pretraining_record(tmp_path, found.pretrain_key).figures == {}


def test_one_made_by_other_code_is_made_anew(trials, prepared, tmp_path, monkeypatch):
    job = of(trials()[0])
    made(job, prepared, tmp_path)
    assert made(job, prepared, tmp_path)[1] == []  # found
    monkeypatch.setattr("benchmark.study.sources.code_of", lambda method: Code("another", "one"))
    assert pretraining.missing(trials(), tmp_path) == [job]


@pytest.mark.parametrize(
    ("name", "damage", "why"),
    [
        ("weights.safetensors", lambda content: content[:-1], "its weights are damaged"),
        ("weights.safetensors", lambda content: b"", "its weights are damaged"),
        (
            "weights.safetensors",
            lambda content: content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
            "its weights are damaged",
        ),
        ("weights.safetensors", None, "its weights are gone"),
        ("record.json", lambda content: content[:-9], "its record is damaged"),
        ("record.json", lambda content: content.replace(b"4", b"5"), "its record is damaged"),
    ],
)
def test_a_damaged_one_is_named_and_made_anew(trials, prepared, tmp_path, name, damage, why):
    job = of(trials()[0])
    made(job, prepared, tmp_path)
    folder = pretraining_folder(tmp_path, job.key)
    whole = (folder / "weights.safetensors").read_bytes()
    file = folder / name
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage(file.read_bytes()))
    assert pretraining.missing(trials(), tmp_path) == [job]
    found, lines = made(job, prepared, tmp_path)
    assert f"made before, but {why}: making it anew" in lines
    assert found.is_done and (folder / "weights.safetensors").read_bytes() == whole
    assert pretraining.missing(trials(), tmp_path) == []
    assert file.with_name(f"{name}.damaged").exists() == (damage is not None)


def test_two_processes_do_not_make_it_at_once(trials, prepared, tmp_path):
    """The second waits for the lock, then finds what the first made."""
    from concurrent.futures import ThreadPoolExecutor

    from filelock import FileLock

    job = of(trials()[0])
    target = pretraining_folder(tmp_path, job.key)
    target.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool_of_one:
        with FileLock(target / ".lock"):
            waiting = pool_of_one.submit(made, job, prepared, tmp_path)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.5)
            place = Destination(tmp_path, "s", "p")
            found = job.work(prepared, place, CPU, lambda line: None, lambda history: None)
            record_file.write(target, found)
        assert waiting.result(timeout=60) == (found, [])
