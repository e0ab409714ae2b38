"""`bench tune`: from tries to a choice, to the run that uses it; no mask but the labelled ones."""

import dataclasses
import json
import shlex
import shutil

import numpy as np
import pytest
import torch

from benchmark.data.split.budget import Budget
from benchmark.data.split.labelled import labelled_ids
from benchmark.data.split.roles import Roles
from benchmark.errors import ExitCode
from benchmark.store import tuning
from benchmark.study.settings import Conditions
from benchmark.study.trials import in_folds
from benchmark.training import job
from benchmark.training.job import Destination
from benchmark.training.trial import TrialJob
from tests.conftest import TINY
from tests.grids import ONE_WORKER, Grid, keys_of, one_by_one
from tests.studies import fields_of

SETTINGS = (
    "--preset", "demo", "--labels", "2cases", "--seeds", "2", "size=[32,32]",
    "network.widths=[4,8]", "network.dropout=[0,0]", "training.epochs=1",
    "training.steps_per_epoch=2",
)  # fmt: skip
TUNE = ("tune", *SETTINGS, "--methods", "supervised,cps", "--over", "weight=.1,1", "--tries", "2")
RUN = ("run", *SETTINGS, "--methods", "supervised,cps,em", "--tuned", "demo-tuned")


@pytest.fixture(scope="module")
def results(data_root, tmp_path_factory):
    """A folder of results with a tuning study whose tries ran one by one, without Ray."""
    folder = tmp_path_factory.mktemp("tuned")
    one_by_one(data_root, folder, *TUNE)
    return folder


@pytest.fixture
def there(results, tmp_path):
    """A copy of it where `bench` looks."""
    shutil.copytree(results, tmp_path / "results")
    return tmp_path / "results"


def test_every_try_is_a_trial_of_each_fold_and_seed(bench):
    code, out, err = bench(*TUNE, "--dry-run", "-v")
    assert code == 0
    assert "study demo-tuned (preset demo)" in out and "evaluated on: folds" in out
    assert "2 cases = 2/80 images labelled; 78 unlabelled; the labelled ones" in out
    assert "evaluated in 2 folds" in out
    assert "12 trials: 0 done, 12 to run" in out  # 1 + 2 tries, 2 folds, 2 seeds
    assert "cps[weight=0.1]/phantom_glas/2 cases/seed 1/fold 2/2" in out
    assert "note: supervised has no weight: 1 of 2 tries" in err


def test_the_record_says_what_was_tried_chosen_and_paid(results):
    found = tuning.read(results / "demo-tuned")
    assert (found.evaluate_on, found.metric, found.seeds) == ("folds", "dc_pooled", [0, 1])
    assert found.over == {"weight": [0.1, 1]}
    assert [choice.method for choice in found.choices] == ["supervised", "cps"]
    of_cps = found.choices[1]
    assert [one.variant for one in of_cps.tries] == ["cps[weight=0.1]", "cps[weight=1.0]"]
    assert all(list(one.units) == ["seed 0", "seed 1"] for one in of_cps.tries)
    means = {one.variant: one.mean for one in of_cps.tries}
    assert of_cps.variant == max(means, key=means.get)
    # Two cases of each of two seeds, none of them the same; nothing beyond these.
    assert of_cps.masks == tuning.Masks(labelled=2, of_seeds=4, development=0)
    assert (found.cost.trials, found.cost.steps) == (12, 24)


def test_a_fold_trains_on_the_rest_of_the_subset(results):
    records = [fields_of(f) for f in (results / "demo-tuned").glob("trials/*/record.json")]
    assert {r["evaluate_on"] for r in records} == {"fold 1/2", "fold 2/2"}
    assert {(r["n_labelled"], r["n_test"], r["n_val"]) for r in records} == {(1, 1, None)}
    of_seed = [r for r in records if r["variant"] == "supervised" and r["seed"] == 0]
    assert len({r["split_hash"] for r in of_seed}) == len({r["subset_hash"] for r in of_seed}) == 2


def test_the_same_command_prints_what_was_chosen_and_runs_nothing(bench, there):
    code, out, err = bench(*TUNE)
    assert code == 0
    assert "all 12 trials are done" in err
    assert out.count("  chosen") == 2
    assert "ahead of the next by" in out and "over 2 seeds" in out
    assert "0 masks beyond these (4 different ones of all seeds, of which a trial has 2)" in out
    assert "cost: 12 trials, 24 steps" in out
    assert "bench run --preset demo --datasets phantom_glas --labels 2cases --methods" in out
    assert "supervised,cps --tuned demo-tuned --data-root" in out and "'size=[32,32]'" in out


def test_tries_of_earlier_commands_are_counted_beside_those_of_the_last(bench, there):
    code, out, _ = bench(*TUNE[:-4], "--over", "weight=1", "--methods", "cps")
    assert code == 0
    assert "demo-tuned: best of 1 try (1 more in the study) by dc_pooled" in out
    assert tuning.read(there / "demo-tuned").choices[0].further_tries == 1


def test_tries_that_have_not_run_leave_nothing_chosen(bench, data_root, tmp_path):
    key = keys_of(data_root, *TUNE)[0]
    code, out, _ = bench(*TUNE, "--trial", key)
    assert code == 0 and "not all tries have run yet" in out
    assert not (tmp_path / "results" / "demo-tuned" / tuning.FILE).exists()
    code, _, err = bench(*RUN, "--dry-run")
    assert code == ExitCode.DATA and "written when all tries of `bench tune" in err


def test_a_report_leaves_folds_to_tune_and_the_status_counts_them(bench, there):
    _, out, err = bench("report", "--study", "demo-tuned")
    assert "12 trials on folds of labelled images not shown" in err
    _, out, _ = bench("status", "--study", "demo-tuned")
    assert "phantom_glas (folds)" in out and "fold 1/2" not in out


def test_a_run_takes_what_was_chosen_and_its_footer_says_so(bench, there):
    chosen = tuning.read(there / "demo-tuned").choices[1].variant
    _, out, err = bench(*RUN, "--seeds", "1", "--dry-run", "-v")
    labels = [line.split("  ")[-1] for line in out.splitlines() if line.startswith("  ")]
    assert labels == [
        f"{variant}/phantom_glas/2 cases/seed 0" for variant in ("supervised", "em", chosen)
    ]
    assert "note: not as chosen by demo-tuned: em" in err
    keys = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    for key in keys:
        code, out, _ = bench(*RUN, "--seeds", "1", "--trial", key)
        assert code == 0
    told = "demo-tuned: best of 2 tries by dc_pooled in folds of the labelled images of 2 seeds"
    assert f"tuned: {chosen}/phantom_glas/2 cases: chosen by {told}" in out
    assert "not tuned: em/phantom_glas/2 cases" in out
    made = fields_of(there / "demo" / "trials" / keys[-1] / "record.json")
    assert made["tuned"].startswith(told) and made["evaluate_on"] == "test"
    # The trial is the one that anybody runs who types the settings.
    untuned = bench("run", *SETTINGS, "--seeds", "1", "--methods", chosen, "--dry-run")[1]
    assert "1 trial: 1 done, 0 to run" in untuned


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (("training.epochs=3",), "training.epochs was 1 and is 3"),
        (("--preset", "cpu", "--datasets", "phantom_glas"), "preset was demo and is cpu"),
        (("--labels", "2cases,5%"), "it chose for phantom_glas at 2 cases, and this run also has "
                                    "phantom_glas at 5 %"),
        (("--tuned", "demo-tuning"), 'no study "demo-tuning"; did you mean "demo-tuned"?'),
    ],
)  # fmt: skip
def test_a_choice_made_elsewhere_is_refused(bench, there, changes, told):
    code, _, err = bench(*RUN, "--dry-run", *changes)
    assert code == ExitCode.USAGE and told in err


def test_data_prepared_otherwise_and_a_damaged_file_are_refused(bench, there):
    found = tuning.read(there / "demo-tuned")
    other = found.model_copy(update={"data": {"phantom_glas": "other"}})
    tuning.write(there / "demo-tuned", other)
    code, _, err = bench(*RUN, "--dry-run")
    assert code == ExitCode.DATA and "phantom_glas was prepared otherwise" in err
    file = there / "demo-tuned" / tuning.FILE
    fields = json.loads(file.read_text())
    file.write_text(json.dumps(fields | {"tries": 3}))
    code, _, err = bench(*RUN, "--dry-run")
    assert code == ExitCode.DATA and "is damaged (its checksum is of other content)" in err


def test_on_the_development_set_its_masks_are_the_cost(bench, data_root, tmp_path):
    words = (*TUNE, "--on", "dev", "--seeds", "1", "--methods", "cps")
    one_by_one(data_root, tmp_path / "results", *words)
    code, out, _ = bench(*words)
    assert code == 0
    # A fifth of the pool of 80, whole groups of 5: 16 at least, and 20 if they do not come to it.
    n = tuning.read(tmp_path / "results" / "demo-tuned").choices[0].masks.development
    assert n in range(16, 21)
    assert f"on the development set, 1 seed; it looked at {n} masks beyond the 2 labelled" in out


def test_the_command_that_uses_a_choice_is_printed_whole(bench, data_root, tmp_path):
    """What was typed of the data's splits stands in it: other splits would be another choice."""
    typed = ("--val-as", "ignore", "--unlabelled", "50%", "--volumes")
    words = (*TUNE, "--on", "dev", "--seeds", "1", *typed)
    one_by_one(data_root, tmp_path / "results", *words)
    code, out, err = bench(*words)
    assert code == 0, err
    *_, line = (line for line in out.splitlines() if line.startswith("next:"))
    _, _, *following = shlex.split(line)
    assert all(word in following for word in (*typed, "demo-tuned", "training.epochs=1"))
    code, out, err = bench(*following, "--dry-run")
    assert code == 0, err
    assert "39-40 unlabelled" in out  # about half of the 78 that are not labelled


def test_one_labelled_case_is_refused(bench):
    code, _, err = bench(*TUNE, "--labels", "1case", "--dry-run")
    assert code == ExitCode.DATA and "(--on dev)" in err


def test_run_does_not_evaluate_folds(bench):
    code, _, err = bench("run", *SETTINGS, "--evaluate-on", "folds", "--study", "x", "--dry-run")
    assert code == ExitCode.USAGE and "--evaluate-on must be one of test, dev" in err


def test_no_mask_but_the_labelled_ones_is_read(tiny_trials, prepared, tmp_path):
    """With every other mask poisoned, of the test set and of the pool, nothing changes."""
    study = dataclasses.replace(
        TINY, conditions=dataclasses.replace(TINY.conditions, evaluate_on="folds")
    )
    trials = in_folds(tiny_trials(study), {("phantom_glas", "5 %", 0): 2})
    labelled = labelled_ids(prepared.manifest, Roles(), Budget.of_share(0.05), 0)
    poisoned = np.full_like(prepared.masks, 255)
    for row, case in enumerate(prepared.manifest.cases):
        if case.id in labelled:
            poisoned[row] = prepared.masks[row]

    def metrics(trial, masks, name: str) -> str:
        data = prepared._replace(masks=masks)
        target = Destination(tmp_path / name, "study", "preset")
        made = job.run(TrialJob(trial), data, target, device=torch.device("cpu"))
        assert made.is_done, made.error
        return json.dumps(made.metrics, sort_keys=True)

    for trial in trials:
        assert metrics(trial, poisoned, "poisoned") == metrics(trial, prepared.masks, "clean")
    of_test = tiny_trials()[0]
    assert metrics(of_test, poisoned, "poisoned") != metrics(of_test, prepared.masks, "clean")


def test_folds_share_the_pretraining_of_a_run():
    settings = Conditions(evaluate_on="fold 2/5")
    assert settings.before == Conditions() != settings
    assert Conditions(evaluate_on="dev").before == Conditions(evaluate_on="dev")


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_on_ray_the_choice_is_that_of_the_tries_one_by_one(data_root, results, tmp_path):
    grid = Grid(data_root, tmp_path, *TUNE, *ONE_WORKER)
    assert grid.ended() == 0, grid.output
    made, alone = (tuning.read(folder / "demo-tuned") for folder in (tmp_path / "results", results))
    assert made.choices == alone.choices
    assert "cost: 12 trials, 24 steps" in grid.output
