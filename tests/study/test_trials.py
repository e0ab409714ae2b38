import dataclasses
import json

import pytest

from benchmark import keys
from benchmark.data.split.budget import Budget, parse_budgets, typed_budget
from benchmark.errors import UserError
from benchmark.keys import fingerprint, later
from benchmark.study.settings import (
    CHOICES,
    Conditions,
    PretrainingSettings,
    Study,
    TrainingSettings,
    check,
)
from benchmark.study.syntax import (
    Variant,
    parse_seeds,
    split_outside_brackets,
    typed_seeds,
)
from benchmark.study.trials import DataFacts, MethodFacts, restored
from benchmark.study.trials import trials as trials_of
from benchmark.toolkit.architecture import Architecture

METHODS = {
    "supervised": MethodFacts({}),
    "cps": MethodFacts({"weight": 5.0, "consistency_on": "unlabelled"}),
    "ours": MethodFacts(
        {"rounds": 5, "pretrain": True, "weight": 5.0},
        bundles={"paper": {"rounds": 3}, "authors": {"rounds": 3, "weight": 1.0}},
        pretrain_parameters=("weight",),
    ),
}
DATA = {"glas": DataFacts("aaaa"), "ph2": DataFacts("bbbb")}


def study(**changes) -> Study:
    """A study of one trial, with changes to its settings or to its conditions."""
    names = {field.name for field in dataclasses.fields(Conditions)}
    own = {name: changes.pop(name) for name in names & changes.keys()}
    changes.setdefault("conditions", dataclasses.replace(Conditions(), **own))
    return dataclasses.replace(
        Study(methods=["cps"], datasets=["glas"], labels=["5 %"], seeds=[0]), **changes
    )


def trials(study: Study, methods, data):
    return trials_of(study, map(Variant.parse, study.methods), methods, data)


def grid(**changes):
    return trials(study(**changes), METHODS, DATA)


def test_the_grid_is_the_product_of_its_axes_seed_by_seed():
    found = grid(
        methods=["supervised", "cps"],
        datasets=["glas", "ph2"],
        labels=["5 %", "20 %"],
        seeds=[0, 1],
    )
    assert len(found) == 16
    assert [t.seed for t in found] == [0] * 8 + [1] * 8
    assert len({t.key for t in found}) == 16


def test_at_100_percent_the_supervised_reference_runs_alone():
    assert [t.method for t in grid(methods=["cps"], labels=["100 %"])] == ["supervised"]
    assert [t.method for t in grid(methods=["supervised", "cps"], labels=["100 %"])] == [
        "supervised"
    ]


def test_a_variant_that_changes_nothing_is_the_method_itself():
    found = grid(methods=["cps", "cps[weight=5]", "cps[weight=5.0]", "cps[weight=0.5]"])
    assert [t.variant for t in found] == ["cps", "cps[weight=0.5]"]


def test_a_preset_value_is_the_base_that_a_variant_changes():
    found = grid(methods=["cps", "cps[weight=5]"], hyperparameters={"cps": {"weight": 1.0}})
    assert [(t.variant, t.hyperparameters["weight"]) for t in found] == [
        ("cps", 1.0),
        ("cps[weight=5.0]", 5.0),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": [1]},
        {"labels": ["10 %"]},
        {"methods": ["cps[weight=1]"]},
        {"study_seed": 1},
        {"evaluate_on": "dev"},
        {"evaluate_every": 2},
        {"size": [64, 64]},
        {"threads_per_trial": 2},
        {"precision": "bfloat16"},
        {"network": Architecture(dropout=[0.0] * 5)},
        {"network": Architecture(name="resnet34")},
        {"network": Architecture(weights="imagenet")},
        {"training": dataclasses.replace(Study().training, learning_rate=0.1)},
        {"training": dataclasses.replace(Study().training, augmentation="nnunet")},
        {"training_of": {"cps": {"epochs": 11}}},
    ],
    ids=str,
)
def test_the_key_changes_with_whatever_can_change_a_number(change):
    assert grid(**change)[0].key != grid()[0].key


def test_the_key_changes_with_the_data():
    assert trials(study(), METHODS, {"glas": DataFacts("cccc")})[0].key != grid()[0].key


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"preset": "cpu"},
        {"checkpoint_seconds": 1.0},
        {"training_of": {"supervised": {"epochs": 11}}},
        {"hyperparameters": {"cps": {"weight": 5}}},
        {"seeds": [0, 1]},
    ],
    ids=str,
)
def test_the_key_does_not_change_with_names_or_with_other_methods_settings(change):
    assert grid(**change)[0].key == grid()[0].key


def test_volumes_have_patches_and_settings_of_their_own():
    data = {"glas": DataFacts("a"), "la": DataFacts("b", is_volume=True)}
    settings = study(datasets=["glas", "la"], size=[64, 64], training_3d={"batch_labelled": 1})
    both = trials(settings, METHODS, data)
    found = [(t.conditions.size, t.conditions.patch, t.training.batch_labelled) for t in both]
    assert found == [([64, 64], None, 4), (None, [112, 112, 80], 1)]


def test_volumes_may_have_hyper_parameters_of_their_own():
    """The name is what differs from them: a change of one kind of data may be none of the other."""
    found = trials(
        study(
            methods=["cps", "cps[weight=2]"],
            datasets=["glas", "la"],
            hyperparameters={"cps": {"weight": 1.0}},
            hyperparameters_3d={"cps": {"weight": 2.0}},
        ),
        METHODS,
        {**DATA, "la": DataFacts("cccc", is_volume=True)},
    )
    assert [(t.dataset, t.variant, t.hyperparameters["weight"]) for t in found] == [
        ("glas", "cps", 1.0), ("glas", "cps[weight=2.0]", 2.0), ("la", "cps", 2.0),
    ]  # fmt: skip


def test_a_bundle_may_have_training_settings_of_its_own_in_a_preset():
    """By the name that a variant is shown under, however it was typed."""
    found = grid(
        methods=["ours", "ours[paper]", "ours[authors]", "ours[rounds=3,weight=1.0]"],
        training_of={"ours": {"epochs": 7}, "ours[authors]": {"learning_rate": 0.5}},
    )
    seen = [(t.variant, t.training.epochs, t.training.learning_rate) for t in found]
    usual = TrainingSettings().learning_rate
    expected = [("ours", 7, usual), ("ours[rounds=3]", 7, usual), ("ours[authors]", 7, 0.5)]
    assert seen == expected


def test_settings_of_one_method_are_checked_like_those_of_all():
    for field, value in (("optimiser", "SGD"), ("schedule", "linear"), ("epochs", 0)):
        with pytest.raises(UserError, match=f"training.{field}"):
            grid(training_of={"cps": {field: value}})


def test_trials_that_differ_by_the_seed_alone_share_their_configuration():
    one, two, other = (*grid(seeds=[0, 1]), *grid(labels=["10 %"]))
    assert one.configuration == two.configuration != other.configuration


def test_a_fingerprint_ignores_order_and_the_type_of_a_number():
    assert fingerprint({"a": 5, "b": [1]}) == fingerprint({"b": [1.0], "a": 5.0})
    assert fingerprint({"a": True}) != fingerprint({"a": 1})


def test_variants_are_read_with_their_values():
    assert Variant.parse("cps") == Variant("cps")
    text = "ours[paper,rounds=3,pretrain=false,inference=mean_k]"
    read = Variant.parse(text)
    assert read == Variant(
        "ours", ("paper",), {"rounds": 3, "pretrain": False, "inference": "mean_k"}
    )
    assert read.name == text
    assert Variant.parse("ours[paper]").with_change("rounds", 1).name == "ours[paper,rounds=1]"
    assert split_outside_brackets("a, b[x=1,y=2],c") == ["a", "b[x=1,y=2]", "c"]


@pytest.mark.parametrize("text", ["cps[weight=1", "cps[=1]", "cps[weight=]"])
def test_a_malformed_variant_is_refused(text):
    with pytest.raises(UserError, match="written method"):
        Variant.parse(text)


def test_a_word_sets_a_bundle_and_the_shortest_name_is_shown():
    """Equal settings appear once, however they were typed."""
    found = grid(
        methods=[
            "ours[authors]", "ours[rounds=3,weight=1]", "ours[authors,pretrain=false]",
            "ours[paper]", "ours[paper,rounds=5]",
        ]
    )  # fmt: skip
    assert [t.variant for t in found] == [
        "ours[authors]", "ours[authors,pretrain=false]", "ours[rounds=3]", "ours",
    ]  # fmt: skip
    assert found[1].hyperparameters == {"rounds": 3, "pretrain": False, "weight": 1.0}
    with pytest.raises(UserError, match=r'no bundle of ours "papers"; did you mean "paper"\?'):
        grid(methods=["ours[papers]"])
    with pytest.raises(UserError, match=r"written cps\[name=value,…\], got 'cps\[weight\]'"):
        grid(methods=["cps[weight]"])


def test_infinity_can_be_typed_as_it_is_shown():
    (found,) = grid(methods=["cps[weight=inf]"])
    assert found.hyperparameters["weight"] == float("inf")
    assert found.variant == "cps[weight=inf]"


def test_the_pretraining_counts_for_those_that_start_from_one_alone():
    longer = dataclasses.replace(Study().pretraining, epochs=11)
    for variant, differs in (("cps", False), ("ours[pretrain=false]", False), ("ours", True)):
        one, other = grid(methods=[variant]), grid(methods=[variant], pretraining=longer)
        assert (one[0].key != other[0].key) == differs
        assert ("pretraining" in one[0].settings()) == differs
        assert (one[0].pretraining is None) == (not differs)
        assert one[0].pretraining is None or one[0].pretraining.key != other[0].pretraining.key


def test_a_pretraining_is_named_by_what_makes_it_another():
    found = grid(methods=["ours", "ours[rounds=2]", "ours[weight=2]", "ours[authors]"])
    assert [t.pretraining.label for t in found] == [
        "pretraining of ours/glas/seed 0", "pretraining of ours/glas/seed 0",
        "pretraining of ours[weight=2.0]/glas/seed 0",
        "pretraining of ours[weight=1.0]/glas/seed 0",
    ]  # fmt: skip


def test_volumes_are_pretrained_by_settings_of_their_own():
    data = {"la": DataFacts("b", is_volume=True)}
    (found,) = trials(
        study(methods=["ours"], datasets=["la"], pretraining_3d={"batch": 1}), METHODS, data
    )
    assert found.pretraining.settings.batch == 1
    with pytest.raises(UserError, match=r"pretraining\.batch must be above 0"):
        grid(methods=["ours"], pretraining=dataclasses.replace(Study().pretraining, batch=0))
    with pytest.raises(
        UserError, match=r'pretraining\.steps_per_epoch must be "images" or above 0'
    ):
        wrong = dataclasses.replace(Study().pretraining, steps_per_epoch="labelled")
        grid(methods=["ours"], pretraining=wrong)


def test_unknown_names_are_refused_with_the_nearest_one():
    with pytest.raises(UserError, match=r'no method "csp"; did you mean "cps"\?'):
        grid(methods=["csp"])
    with pytest.raises(
        UserError, match=r'no hyper-parameter of cps "wieght"; did you mean "weight"'
    ):
        grid(methods=["cps[wieght=1]"])
    with pytest.raises(UserError, match=r"takes a number, such as 5.0, got high"):
        grid(methods=["cps[weight=high]"])


def test_seeds_are_a_number_or_a_list():
    assert parse_seeds("3") == [0, 1, 2]
    assert parse_seeds("0-4,7") == [0, 1, 2, 3, 4, 7]
    assert parse_seeds("7,") == [7]
    for text in ("x", "", "0", "3-1", "1.5", "-2"):
        with pytest.raises(UserError, match="seeds are"):
            parse_seeds(text)


@pytest.mark.parametrize(
    ("seeds", "typed"),
    [([0, 1, 2], "3"), ([2, 0, 1, 0], "3"), ([7], "7,"), ([0, 1, 4], "0-1,4"), ([3, 4, 5], "3-5")],
)
def test_seeds_are_written_as_they_can_be_typed(seeds, typed):
    assert typed_seeds(seeds) == typed
    assert parse_seeds(typed) == sorted(set(seeds))


@pytest.mark.parametrize(
    ("text", "typed"),
    [("5 %", "5%"), ("3 cases", "3cases"), ("1 patient", "1patient"), ("list ab-1", "list:ab-1")],
)
def test_budgets_are_written_as_they_can_be_typed(text, typed):
    assert typed_budget(text) == typed
    assert parse_budgets(typed) == [text]


def test_budgets_are_shares_cases_patients_or_lists():
    assert parse_budgets("1,5 %,20%,100") == ["1 %", "5 %", "20 %", "100 %"]
    assert parse_budgets("7 %, 2.5") == ["7 %", "2.5 %"]
    typed = "1cases, 3 cases,1patient,7patients,12 subjects,list:ssl4mis-7"
    assert parse_budgets(typed) == [
        "1 case", "3 cases", "1 patient", "7 patients", "12 patients", "list ssl4mis-7",
    ]  # fmt: skip
    assert parse_budgets("5,5%") == ["5 %"]
    seven = Budget.parse("7 patients")
    assert seven == Budget.parse(seven.text) == Budget("7 patients", patients=7)
    assert Budget.parse("7%") == Budget.of_share(0.07) == Budget("7 %", share=0.07)
    whole = [Budget.parse(text).is_whole_pool for text in ("100", "99.9", "100cases")]
    assert whole == [True, False, False]
    mixed = [Budget.parse(t) for t in ("list:a", "2patients", "10cases", "9cases", "20%", "5%")]
    assert [b.text for b in sorted(mixed, key=lambda b: b.order)] == [
        "5 %", "20 %", "9 cases", "10 cases", "2 patients", "list a",
    ]  # fmt: skip


def test_a_recorded_budget_opens_no_file(tmp_path):
    """Records may be strangers'."""
    assert Budget.recorded("list seven") == Budget("list seven", listed="seven")
    (tmp_path / "a.txt").write_text("b\n")
    for text in (f"list:{tmp_path / 'a.txt'}", f"list {tmp_path / 'a.txt'}", "list:seven"):
        with pytest.raises(UserError):
            Budget.recorded(text)


@pytest.mark.parametrize("text", ["few", "", ",", "1.5cases", "0cases", "-3", "3 mice", "list:"])
def test_other_budgets_are_refused(text):
    with pytest.raises(UserError, match=r'how much is labelled is written in percent \("1,5,20"\)'):
        parse_budgets(text)


def test_a_list_may_be_a_file(tmp_path):
    file = tmp_path / "seven.txt"
    file.write_text("b\na  # the first\n\nb\n")
    assert Budget.parse(f"list:{file}") == Budget("list seven", listed="seven", ids=("b", "a"))
    assert parse_budgets(f"5,list:{file}") == ["5 %", f"list:{file}"]
    (tmp_path / "empty.txt").write_text("# nothing\n")
    for wrong, told in (("none.txt", "cannot be read"), ("empty.txt", "names none")):
        with pytest.raises(UserError, match=told):
            parse_budgets(f"list:{tmp_path / wrong}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["0 %"]}, "--labels 0 % is outside"),
        ({"labels": ["120 %"]}, "--labels 120 % is outside"),
        ({"evaluate_on": "train"}, "evaluate_on must be one of test, dev"),
        ({"threads_per_trial": 0}, "threads_per_trial must be above 0"),
        ({"size": [60, 64]}, "must divide by 16"),
        ({"size": [64]}, "size has 2 sides"),
        ({"patch": [64, 64]}, "patch has 3 sides"),
        ({"network": Architecture(widths=[8, 16])}, "one rate per width, got 5 rates for 2 widths"),
        ({"network": Architecture(widths=[8], dropout=[2.0])}, "lie in"),
        ({"size": [48, 48], "network": Architecture(name="resnet34")}, "must divide by 32"),
        ({"seeds": []}, "at least one"),
    ],
)
def test_values_that_no_run_could_have_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        check(study(**change))


# --- which settings make up a key


@dataclasses.dataclass(frozen=True)
class Invented(Conditions):
    """The conditions with a setting that was added later."""

    flips: int = later(3, before=1)


@pytest.mark.parametrize(("flips", "is_as_before"), [(1, True), (3, False), (2, False)])
def test_a_setting_of_the_conditions_is_in_both_keys_but_for_what_was_before(flips, is_as_before):
    """Declared in one place. Its default, 3, may change; the value before it existed never does."""
    (old,) = grid(methods=["ours"])
    (new,) = grid(methods=["ours"], conditions=Invented(flips=flips))
    assert (new.key == old.key) == is_as_before
    assert (new.configuration == old.configuration) == is_as_before
    assert (new.pretraining.key == old.pretraining.key) == is_as_before
    # A record is the same whether it was made before or after the setting came.
    assert new.settings().get("flips") == (None if is_as_before else flips)
    assert (new.settings() == old.settings()) == is_as_before
    assert fingerprint(new.settings()) == new.key


def test_a_setting_that_changes_no_number_is_in_no_key():
    quick = study(methods=["ours"], checkpoint_seconds=0.0)
    (one,), (other,) = grid(methods=["ours"]), trials(quick, METHODS, DATA)
    assert (one.key, one.pretraining.key) == (other.key, other.pretraining.key)
    assert "checkpoint_seconds" not in one.settings()


def test_a_hyper_parameter_that_came_later_leaves_older_keys_alone():
    """`mix` came later; 0 computes what was computed before it."""
    facts = METHODS["ours"]
    wider = facts._replace(
        hyperparameters={**facts.hyperparameters, "mix": 0.5},
        pretrain_parameters=("weight", "mix"),
        before={"mix": 0.0},
    )
    (old,) = grid(methods=["ours"])
    for text, is_as_before in (("ours[mix=0]", True), ("ours", False)):
        (new,) = trials(study(methods=[text]), METHODS | {"ours": wider}, DATA)
        assert (new.key == old.key) == is_as_before
        assert (new.pretraining.key == old.pretraining.key) == is_as_before


def test_what_an_encoder_does_not_use_is_in_no_key():
    """Of the rates of dropout it uses the last."""

    def key(widths: list[int], dropout: list[float], name: str = "resnet18") -> str:
        network = Architecture(name, widths, dropout)
        (trial,) = grid(conditions=Conditions(network=network))
        return trial.key

    assert key([4, 8], [0.1, 0.3]) == key([8, 16], [0.2, 0.3]) != key([4, 8], [0.1, 0.4])
    assert key([4, 8], [0.1, 0.3], "unet") != key([8, 16], [0.1, 0.3], "unet")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"evaluate_on": "dev", "size": [64, 96], "precision": "bfloat16", "study_seed": 3},
        {"network": Architecture(name="resnet34", weights="imagenet")},
        {"pretraining": PretrainingSettings(seeds="shared", epochs=3), "labels": ["7 %"]},
        {"hyperparameters": {"ours": {"weight": float("inf"), "rounds": 2}}, "seeds": [4]},
    ],
)
def test_a_trial_can_be_made_again_from_its_settings_as_a_record_keeps_them(change):
    for is_volume in (False, True):
        data = {"glas": DataFacts("aaaa", is_volume)}
        wanted = study(methods=["cps", "ours", "ours[pretrain=false]"], **change)
        for trial in trials(wanted, METHODS, data):
            kept = json.loads(json.dumps(trial.settings()))
            facts = METHODS[trial.method]
            found = restored(kept, facts, trial.variant)
            assert found == dataclasses.replace(trial, conditions=found.conditions)
            assert keys.hashed(found.conditions) == keys.hashed(trial.conditions)


def test_what_came_later_is_restored_as_it_was_before():
    @dataclasses.dataclass(frozen=True)
    class Extended(PretrainingSettings):
        flips: int = later(3, before=1)

    kept = keys.hashed(Extended(flips=1))
    assert "flips" not in kept
    assert keys.restored(Extended, kept).flips == 1
    assert keys.restored(Extended, kept | {"flips": 2}).flips == 2
    del kept["epochs"]
    with pytest.raises(ValueError, match="the setting epochs is missing"):
        keys.restored(Extended, kept)


def test_settings_of_which_no_trial_comes_are_refused():
    (trial,) = grid()
    settings = trial.settings()
    other = MethodFacts({"weight": 5.0, "temperature": 1.0})
    with pytest.raises(ValueError, match="other hyper-parameters: consistency_on, temperature"):
        restored(settings, other, "cps")
    with pytest.raises(ValueError, match="today's settings of it are others"):
        restored(settings | {"colour": "blue"}, METHODS["cps"], "cps")


def test_volumes_cannot_do_without_patches():
    with pytest.raises(UserError, match="patch has 3 sides, got null"):
        check(study(conditions=Conditions(patch=None)))


def test_what_exists_today_is_always_hashed():
    """No setting of these has a value at which it would be left out; what comes later may."""
    for schema, names in OF_0_2_0.items():
        fields = {field.name: field for field in dataclasses.fields(schema)}
        for name in names.split():
            assert "before" not in fields[name].metadata, f"{schema.__name__}.{name}"


_STEPS = (
    "epochs steps_per_epoch optimiser learning_rate betas momentum weight_decay schedule "
    "warmup_epochs decay_every_epochs decay_factor"
)
OF_0_2_0 = {
    Conditions: "study_seed evaluate_on size patch threads_per_trial precision network",
    Architecture: "name widths dropout weights",
    TrainingSettings: f"{_STEPS} criterion batch_labelled batch_unlabelled labelled_passes",
    PretrainingSettings: f"{_STEPS} batch seeds",
}
"""The settings that version 0.2.0 had."""


def test_the_key_of_a_trial_is_what_it_was():
    """Written down once: whoever changes these makes every stored trial count as missing."""
    (cps,), (ours,) = grid(), grid(methods=["ours"])
    assert (cps.key, ours.key, ours.pretraining.key) == KEYS


KEYS = ("5afdd246f901f17a", "48b448d1a4018341", "b3ae9a30844bab90")


def test_numbers_of_equal_value_are_equal_in_a_key():
    assert keys.without({"a": 1, "b": 2}, {"a": 1.0}) == {"b": 2}


def test_the_choices_of_criteria_are_those_that_there_are():
    from benchmark.toolkit.losses import CRITERIA

    assert set(CHOICES["training.criterion"]) == set(CRITERIA)
