"""Presets of one's own: files that change a shipped preset, and the study.yaml of a study."""

import dataclasses

import pytest
import yaml

from benchmark.errors import UserError
from benchmark.study import methods, presets
from tests.conftest import CHECKOUT

KNOWN = methods.names()
MINE = """\
preset: cpu
methods: supervised, cps[weight=0.5]
labels: 5, 3cases
seeds: 3
size: 96
network: {widths: [8, 16], dropout: [0, 0.1]}
training: {epochs: 7, criterion: dice}
training_of: {cps: {learning_rate: 1}}
hyperparameters: {cps: {weight: 2}}
"""


@pytest.fixture
def file(tmp_path):
    """A function: a preset of this text, as it is typed."""

    def write(text: str, name: str = "mine.yaml") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


def load(preset: str, *overrides: str, **grid):
    return presets.load(preset, overrides, known_methods=KNOWN, **grid)


def test_a_file_changes_a_shipped_preset_and_names_its_study(file):
    study = load(file(MINE), "training.epochs=9", seeds=[1])
    assert (study.preset, study.name) == ("cpu", "mine")
    assert study.methods == ["supervised", "cps[weight=0.5]"]
    assert study.labels == ["5 %", "3 cases"]
    assert (study.seeds, study.training.epochs) == ([1], 9)
    assert study.conditions.size == [96, 96]
    assert study.conditions.network.widths == [8, 16]
    assert (study.training.criterion, study.training.batch_labelled) == ("dice", 4)
    assert study.training_of == {"cps": {"learning_rate": 1.0}}
    assert study.hyperparameters["cps"] == {"weight": 2}
    assert study.hyperparameters["em"] == {"weight": 1.0}
    assert load(file(MINE), evaluate_on="dev").name == "mine-dev"
    assert load(file(MINE), name="other").name == "other"


def test_the_file_of_the_page_on_presets_is_one(file):
    """The settings of docs/presets.md."""
    page = (CHECKOUT / "docs" / "presets.md").read_text(encoding="utf-8")
    study = load(file(page.partition("```yaml\n")[2].partition("```")[0]))
    assert (study.preset, study.datasets, study.seeds) == ("cpu", ["phantom_glas"], [0, 1, 2])
    assert study.training_of == {"cps": {"learning_rate": 0.005}}


def test_without_a_preset_the_file_changes_paper(file):
    study = load(file("training: {epochs: 2}\n", "short.yml"))
    assert study.preset == "paper" and study.name == "short"
    assert study.training_of.keys() == load("paper").training_of.keys()


def test_what_differs_from_the_preset_is_told_as_it_would_be_typed(file):
    told = presets.told(file(MINE), ["training.epochs=9", "save=[weights]"])
    assert told == [
        "size=[96,96]", "network.widths=[8,16]", "network.dropout=[0,0.1]", "training.epochs=9",
        "training.criterion=dice", "training_of.cps.learning_rate=1",
        "hyperparameters.cps.weight=2",
    ]  # fmt: skip
    typed = load("cpu", *told, name="x")
    assert typed.training == load(file(MINE), "training.epochs=9").training
    assert presets.told("cpu", ["size=[32,32]"]) == ["size=[32,32]"]
    twice = ["training.epochs=1", "size=[32,32]", "training.epochs=2"]
    assert presets.told("cpu", twice) == ["training.epochs=2", "size=[32,32]"]


def test_the_settings_that_a_study_left_are_a_preset(tmp_path):
    """Of the same name and with the same settings, and so with the same trials."""
    before = load("cpu", "training.epochs=3", "size=[32,32]", datasets=["glas"], name="first")
    (tmp_path / "first").mkdir()
    left = tmp_path / "first" / "study.yaml"
    left.write_text(yaml.safe_dump(presets.flat(before)))
    assert load(str(left)) == before
    assert load(str(left), seeds=[5]) == dataclasses.replace(before, seeds=[5])
    assert presets.told(str(left), []) == ["size=[32,32]", "training.epochs=3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {lr: 1}", r'no setting \(in .*mine.yaml\) "training.lr"; did you mean "trai'),
        ("trainings: {epochs: 1}", r'"trainings.epochs"; did you mean "training.epochs"'),
        ("epochz: 1", 'no setting .* "epochz"; did you mean "'),
        ("preset: cpus", r'no preset \(in .*mine.yaml\) "cpus"; did you mean "cpu"'),
        ("ratios: [5]", "ratios are called labels"),
        ("hyperparameters: {csp: {weight: 1}}", 'no method .* "csp"; did you mean "cps"'),
        ("training: {epochs: many}", "training.epochs: Value 'many'"),
        ("training: 3", "training"),
        ("size: [64]", "size has 2 sides, got"),
        ("network: {name: '${oc.env:HOME}'}", "network.name is a text with"),
        ("- a\n- b", "must hold settings, such as training"),
        ("a: [", "is not YAML"),
        ("", "must hold settings"),
        ("name: ../x", "a study name is made of"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(text, message, file):
    with pytest.raises(UserError, match=message) as caught:
        load(file(text))
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(UserError, match=r"no preset at nowhere/mine.yaml: no such file"):
        load("nowhere/mine.yaml")
    with pytest.raises(UserError, match=r'no preset "mine"; .*or a file NAME.yaml'):
        load("mine")
