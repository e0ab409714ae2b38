import math

import pandas as pd
import pytest

from benchmark.errors import UserError
from benchmark.study import methods, preset_files, presets
from benchmark.study.settings import pretraining_of, training_of
from benchmark.training import pretraining, trial
from tests.grids import CHECKOUT

KNOWN = ["supervised", "cps", "ours"]


def load(preset="cpu", *overrides, **grid):
    return presets.load(preset, overrides, known_methods=KNOWN, **grid)


def test_there_are_at_most_six_presets_and_each_says_what_it_is():
    assert {"demo", "cpu", "matched", "paper"} <= set(preset_files.texts())
    assert len(preset_files.texts()) <= 6
    assert all(text.startswith("# ") for text in preset_files.texts().values())
    assert all(len(text.splitlines()[0]) > 20 for text in preset_files.texts().values())


@pytest.mark.parametrize("preset", sorted(preset_files.texts()))
def test_every_preset_loads_and_names_its_study_after_itself(preset):
    study = load(preset)
    assert study.name == study.preset == preset


def test_the_paper_preset_replicates_what_is_stated():
    """Epochs, Adam, rates and decay as in the appendix; the baselines as in the authors' code."""
    study = load("paper")
    ours, cps = training_of(study, "ours"), training_of(study, "cps")
    assert (ours.optimiser, ours.learning_rate, ours.betas, ours.weight_decay) == (
        "adam", 0.01, [0.9, 0.99], 5e-5,
    )  # fmt: skip
    assert (ours.epochs, ours.decay_every_epochs, ours.decay_factor) == (200, 50, 0.1)
    assert (ours.criterion, ours.batch_labelled) == ("ce", 8)
    assert (cps.optimiser, cps.learning_rate, cps.momentum) == ("sgd", 0.5, 0.9)
    assert (cps.criterion, cps.batch_labelled, cps.steps_per_epoch) == ("dice", 2, "labelled")
    volumes = training_of(study, "cps", is_3d=True)
    assert (volumes.learning_rate, volumes.batch_labelled, volumes.labelled_passes) == (0.1, 1, 4)
    assert training_of(study, "ours", is_3d=True).learning_rate == 0.01
    assert study.hyperparameters["cps"]["weight"] == 5.0
    assert study.seeds == list(range(10))
    assert study.conditions.size == [128, 128]
    assert study.conditions.network.widths == [16, 32, 64, 128, 256]


def test_the_paper_preset_counts_as_the_scripts_do():
    """Steps of 200 epochs: GlaS (85 images) at 1, 5 and 100 %, LA (80 volumes) at 100 %; short last
    batches; of the diffusion method as many unlabelled images as labelled ones.
    """
    study = load("paper")
    ours, cps = training_of(study, "ours"), training_of(study, "cps")
    assert ours.short_batches and cps.short_batches
    assert (ours.cut_unlabelled, cps.cut_unlabelled) == (True, False)
    steps = [trial.steps_per_epoch(cps, n) for n in (1, 5, 85)]
    assert steps == [1, 3, 43]
    volumes = training_of(study, "ours", is_3d=True)
    assert trial.steps_per_epoch(volumes, 80) == 40
    first = pretraining_of(study, is_3d=False)
    assert pretraining.steps_per_epoch(first, 85) == 11 and first.short_batches
    of_volumes = pretraining_of(study, is_3d=True)
    assert pretraining.steps_per_epoch(of_volumes, 80) * of_volumes.epochs == 8000


def test_the_paper_preset_trains_the_authors_variant_as_their_scripts():
    study = load("paper")
    theirs, ours = training_of(study, "ours", ("authors",)), training_of(study, "ours")
    assert (theirs.criterion, theirs.betas, theirs.weight_decay) == ("dice", [0.9, 0.999], 0.0)
    assert (theirs.warmup_epochs, theirs.decay_factor) == (20, 0.5)
    assert (ours.criterion, ours.warmup_epochs, ours.decay_factor) == ("ce", 0, 0.1)
    same = ("optimiser", "learning_rate", "batch_labelled", "cut_unlabelled", "epochs")
    assert all(getattr(theirs, name) == getattr(ours, name) for name in same)
    assert training_of(study, "ours", ("paper",)) == ours


@pytest.mark.parametrize("preset", ["matched", "cpu", "cpu3d", "demo"])
def test_presets_that_claim_fairness_train_all_methods_alike(preset):
    assert load(preset).training_of == {}
    changed = load(preset).hyperparameters
    assert all(set(values) == {"weight"} for values in changed.values())
    assert {name: values["weight"] for name, values in changed.items()} == {
        "cpu": dict.fromkeys(changed, 1.0), "matched": MATCHED,
    }.get(preset, {})  # fmt: skip
    assert len(changed) == {"cpu": 10, "matched": len(MATCHED)}.get(preset, 0)


MATCHED = {
    "cct": 2.0, "cps": 2.0, "mean_teacher": 1.0, "ours": 2.0, "uamt": 2.0, "urpc": 1.0,
}  # fmt: skip


def test_matched_has_what_five_tries_of_each_method_chose():
    """Nearest to the method's own, in ratios, among those within two points of the best."""
    tries = pd.read_csv(CHECKOUT / "docs" / "tuning" / "matched.csv")
    found = {}
    assert set(tries.method) == set(methods.defaults()) - {"supervised"}
    for method, own in tries.groupby("method"):
        assert len(own) == 5
        (as_it_is,) = own[own.is_own].weight
        close = own[own.dc_pooled > own.dc_pooled.max() - 0.02]
        if not close.is_own.any():
            found[method] = min(close.weight, key=lambda one: abs(math.log(one / as_it_is)))
    assert found == MATCHED
    known = methods.defaults()
    for one in tries[tries.is_own & ~tries.method.isin(["bcp"])].to_dict("records"):
        assert known[one["method"]]["weight"] == one["weight"]


def test_overrides_replace_the_presets_values():
    study = load(
        "cpu",
        "training.epochs=3",
        "size=[32,32]",
        "hyperparameters.cps.weight=1",
        "training_of.cps.learning_rate=1",
        seeds=[4],
    )
    assert (study.training.epochs, study.conditions.size, study.seeds) == (3, [32, 32], [4])
    assert study.hyperparameters["cps"] == {"weight": 1}
    assert study.training_of == {"cps": {"learning_rate": 1.0}}


@pytest.mark.parametrize(
    ("preset", "typed", "is_3d", "expected"),
    [
        ("ssl4mis", ["training.learning_rate=0.3"], True, 0.3),
        ("paper", ["training.learning_rate=0.3"], False, 0.3),
        ("paper", ["training.learning_rate=0.3"], True, 0.3),
        ("paper", ["training.learning_rate=0.3", "training_of.ours.learning_rate=0.2"], True, 0.2),
        ("paper", ["training.learning_rate=0.3", "training_3d.learning_rate=0.2"], True, 0.2),
        ("paper", ["training.epochs=3"], False, 0.01),  # what was not typed stays
    ],
)
def test_what_is_typed_for_all_holds_for_volumes_and_single_methods_too(
    preset, typed, is_3d, expected
):
    assert training_of(load(preset, *typed), "ours", is_3d=is_3d).learning_rate == expected


def test_a_file_of_ones_own_wins_over_what_its_preset_has_for_one_method(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("preset: paper\ntraining: {learning_rate: 0.3}\n")
    assert training_of(load(str(file)), "ours").learning_rate == 0.3
    file.write_text(file.read_text() + "training_of: {ours: {learning_rate: 0.2}}\n")
    assert training_of(load(str(file)), "ours").learning_rate == 0.2
    assert training_of(load(str(file), "training.learning_rate=0.1"), "ours").learning_rate == 0.1


def test_a_hyper_parameter_that_is_typed_holds_for_volumes_too():
    study = presets.load("matched", ["hyperparameters.mcnet.weight=7"], known_methods=["mcnet"])
    assert study.hyperparameters["mcnet"] == {"weight": 7}
    assert study.hyperparameters_3d["mcnet"] == {}
    assert study.hyperparameters_3d["admt"] == {"threshold": 0.8}


def test_a_run_on_the_development_set_has_a_study_of_its_own():
    assert load("cpu", evaluate_on="dev").name == "cpu-dev"
    assert load("cpu", evaluate_on="dev", name="mine").name == "mine"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epoch=3", r'no setting "training.epoch"; did you mean "training.epochs"\?'),
        ("+training.epoch=3", "written key=value"),
        ("~size", "written key=value"),
        ("training.short_batches=true", "needs training.steps_per_epoch=labelled: an epoch of 25"),
        ("pretraining.short_batches=true", "needs pretraining.steps_per_epoch=images"),
        ("pretraining.passes=0", "pretraining.passes must be above 0"),
        ("training.epochs=many", "training.epochs: Value 'many'"),
        ("threads_per_trial=0.5", "threads_per_trial"),
        ("seeds=3", "set with --seeds"),
        ("hyperparameters.csp.weight=1", r'no method "csp"; did you mean "cps"'),
        ("training_of.cps.epoch=1", r'no setting training_of.cps "epoch"; did you mean "epochs"'),
        ("training_of.cps.epochs=x", "Value 'x'"),
        ("training_3d.epoch=1", r'no setting training_3d "epoch"; did you mean "epochs"'),
        ("hyperparameters=1", "written hyperparameters.METHOD.NAME=value"),
        ("epochs", "written key=value"),
        ("training.epochs=[", "wrong setting"),
    ],
)
def test_a_wrong_override_is_refused_without_advice_to_add_it(override, message):
    with pytest.raises(UserError, match=message) as refusal:
        load("cpu", override)
    assert "append" not in str(refusal.value)


def test_unknown_presets_and_impossible_names_are_refused():
    with pytest.raises(UserError, match=r'no preset "cqu"; did you mean "cpu"'):
        load("cqu")
    with pytest.raises(UserError, match="study name"):
        load("cpu", name="../elsewhere")
    with pytest.raises(UserError, match="study name"):
        load("cpu", name="published")
