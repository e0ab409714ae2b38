"""What `import benchmark as sb` gives: what `bench` gives, as frames, objects and `UserError`."""

import inspect
import shutil

import pandas as pd
import pytest

import benchmark as sb
import methods
from benchmark.cli import python, report
from benchmark.cli.run import run as verb
from tests.grids import TINY_RUN, table

TINY = {
    "methods": "supervised", "labels": [5], "seeds": 2,
    "settings": {
        "size": [32, 32], "network.widths": [4, 8], "network.dropout": [0, 0],
        "training.epochs": 2, "training.steps_per_epoch": 2,
    },
}  # fmt: skip
"""`TINY_RUN`, for Python."""
WHERE = ["key", "dataset", "budget", "variant", "seed"]


def refused(call, *words: str) -> str:
    """The sentence of the `UserError`, in which these words stand."""
    with pytest.raises(sb.UserError) as error:
        call()
    assert all(word in str(error.value) for word in words), str(error.value)
    return str(error.value)


def test_the_door_has_these_names():
    names = [
        "Study", "Trial", "UserError", "datasets", "load_model", "load_study", "methods", "run",
    ]  # fmt: skip
    assert sb.__all__ == names
    assert {*names, "__version__"} <= {*dir(sb)}
    assert all(getattr(sb, name) is getattr(python, name) for name in names)
    with pytest.raises(AttributeError, match="no attribute 'reports'"):
        _ = sb.reports


def test_run_has_every_option_of_bench_run():
    """But for those that only say what would run, and --verbose."""
    typed = {*inspect.signature(verb).parameters} - {"dry_run", "probe", "on", "verbose"}
    renamed = {"overrides": "settings", "results_root": "results"}
    assert {renamed.get(name, name) for name in typed} == {*inspect.signature(sb.run).parameters}


def test_report_has_every_option_of_bench_report():
    typed = {*inspect.signature(report.report).parameters}
    other = {"study", "form", "table", "published", "methods_section", "layout", "bare", "out"}
    other |= {"results_root", "verbose"}
    assert typed - other == {*inspect.signature(report.one_table).parameters} - {"folder", "name"}


def test_a_study_is_four_tables(study):
    folder, keys = study
    found = sb.load_study(folder)
    assert repr(found) == "<study demo: 2 of 2 trials done>"
    pd.testing.assert_frame_equal(
        pd.read_csv(folder / "results.csv")[["key", "variant", "seed", "dc_pooled"]],
        found.trials[["key", "variant", "seed", "dc_pooled"]],
        check_dtype=False,
    )
    assert list(found.cases.columns[:8]) == [*WHERE, "case", "dc", "ji"]
    assert len(found.cases) == 2 * 40  # two trials, 40 test images
    assert list(found.history.columns[:8]) == [*WHERE, "epoch", "step", "learning_rate"]
    assert found.history.epoch.tolist() == [1, 2, 1, 2]
    assert set(found.history.key) == set(keys)
    assert list(found.classes.columns) == WHERE and found.classes.empty  # background, gland


def test_classes_are_told_apart(study):
    folder, (first, _) = study
    (folder / "trials" / first / "classes.csv").write_text(
        "case,class,name,dc\na,1,ventricle,0.5\na,2,myocardium,0.25\nb,1,ventricle,1.0\n"
    )
    found = sb.load_study(folder).classes
    assert list(found.columns) == [*WHERE, "case", "class", "name", "dc"]
    assert found["class"].tolist() == [1, 2, 1] and found.dc.tolist() == [0.5, 0.25, 1.0]
    assert found.key.tolist() == [first] * 3


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("case,class,dc\na,1,0.5\na,1,0.5\n", "a case stands there twice"),
        ("case,dc\na,0.5\n", "no column class"),
    ],
)
def test_damaged_classes_are_named(study, lines, why):
    folder, (first, _) = study
    (folder / "trials" / first / "classes.csv").write_text(lines)
    refused(lambda: sb.load_study(folder).classes, why, "classes.csv is damaged")


def test_a_case_twice_is_damage_whatever_other_columns_say(study):
    folder, (first, _) = study
    file = folder / "trials" / first / "cases.csv"
    file.write_text("case,class,dc\na,1,0.5\na,2,0.5\n")
    refused(lambda: sb.load_study(folder).cases, "a case stands there twice")


def test_reports_are_those_of_bench_report(study, bench):
    folder, _ = study
    found = sb.load_study(folder)
    for form in ("text", "markdown", "latex", "csv"):
        _, printed, _ = bench("report", "--format", form, "--selection", "oracle")
        assert found.report(form=form, selection="oracle") == printed
    frame = found.report()
    assert set(frame.variant) == {"supervised", "floor: all foreground"}
    ours = frame[(frame.variant == "supervised") & (frame.metric == "dc")]
    assert ours["mean"].item() == pytest.approx(found.trials.dc_pooled.mean(), abs=1e-12)


def test_what_a_report_cannot_say_is_a_sentence(study, capsys):
    folder, _ = study
    found = sb.load_study(folder)
    refused(lambda: found.report("ranks"), "three or more methods on two or more datasets")
    refused(lambda: found.report("rank"), "--table must be one of table, classes,")
    refused(lambda: found.report(form="html"), "form must be one of frame, text,")
    refused(lambda: found.report(ratio=5), "an option of report() must be one of methods,")
    refused(lambda: found.report(control="cps"), "cps")
    shutil.rmtree(folder / "trials")
    (folder / "trials").mkdir()
    refused(lambda: sb.load_study(folder).report(), f"no finished trial in {folder}")


def test_a_trial_is_found_by_how_its_key_begins(study):
    folder, (first, second) = study
    found = sb.load_study(folder)
    trial = found.trial(first[:6])
    assert (trial.key, trial.label) == (first, "supervised/phantom_glas/5 %/seed 0")
    assert repr(trial) == f"<trial {first}: supervised/phantom_glas/5 %/seed 0>"
    assert trial.settings["training"]["epochs"] == 2 and trial.error == ""
    assert trial.metrics["dc_pooled"] == found.trials.set_index("key").dc_pooled[first]
    refused(lambda: found.trial("nothing"), "0 of demo start with 'nothing'")
    assert first[0] != second[0]
    refused(lambda: found.trial(""), "takes a key of this study")


def test_what_is_no_study_is_named_with_the_studies_in_it(study, tmp_path):
    refused(lambda: sb.load_study(tmp_path / "nowhere"), "nowhere is none")
    refused(lambda: sb.load_study(tmp_path / "results"), "it holds the studies demo")


def test_damaged_records_are_named_and_left_out(study, capsys):
    folder, (first, _) = study
    (folder / "trials" / first / "record.json").write_text("{}")
    assert len(sb.load_study(folder).trials) == 1
    assert f"the record in trials/{first} is damaged" in capsys.readouterr().err


def test_a_trial_that_is_run_from_python_is_that_of_the_command_line(
    finished, data_root, tmp_path, capsys
):
    folder, (first, _) = finished
    places = {"data_root": data_root, "results": str(tmp_path / "mine")}
    made = sb.run("demo", **TINY, **places, trial=first)
    assert made.folder == tmp_path / "mine" / "demo"
    ours, theirs = table(made.folder), table(folder)
    pd.testing.assert_frame_equal(ours, theirs[theirs.key == first], check_dtype=False)
    assert TINY_RUN[1:3] == ("--preset", "demo")


def test_words_are_typed_as_on_the_command_line():
    assert python._typed(["cps", "cps[weight=0.5]"]) == "cps,cps[weight=0.5]"
    assert python._typed(0.25) == "0.25" and python._typed(None) is None
    assert python._seeds(3) == "3" and python._seeds("0-4") == "0-4"
    assert python._seeds([3]) == "3," and python._seeds(range(2)) == "0,1,"
    values = [True, None, [64, 64], 0.5, "bfloat16"]
    assert [python._value(v) for v in values] == ["true", "null", "[64,64]", "0.5", "bfloat16"]


def test_mistakes_are_sentences(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    refused(lambda: sb.run("demmo"), 'no preset "demmo"; did you mean "demo"?')
    refused(lambda: sb.run("demo", methods="cpss"), 'did you mean "cps"?')
    refused(lambda: sb.run("demo", settings={"epochs": 3}), 'no setting "epochs"')
    places = {"data_root": file / "data", "results": tmp_path / "results"}
    refused(lambda: sb.run("demo", **TINY, **places), f"cannot use {file}", "choose another folder")


def test_a_notebook_shows_the_sentence_alone():
    """IPython asks the error how it is to be shown."""
    assert sb.UserError("a \x1b[31mname\x1b[0m")._render_traceback_() == ["error: a  [31mname [0m"]


def test_methods_and_datasets_are_tables(data_root):
    found = sb.methods().set_index("method")
    assert found.index[0] == "supervised" and len(found) == 15
    assert found.sentence["em"].startswith("Entropy minimisation")
    assert set(found.hyperparameters["em"]) == {"weight"}
    assert (found.problem == "").all() and (found.package == "").all()
    datasets = sb.datasets(data_root).set_index("dataset")
    phantom = datasets.loc["phantom_glas"]
    assert phantom.is_prepared and (phantom.train, phantom.test) == (80, 40)
    assert phantom.classes == ["background", "gland"]
    assert not datasets.is_prepared["glas"] and pd.isna(datasets.train["glas"])


def test_what_cannot_be_loaded_is_a_row_with_its_problem(monkeypatch, tmp_path):
    (tmp_path / "broken.py").write_text("import nothing_of_this_name")
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])
    found = sb.methods().set_index("method")
    assert "No module named 'nothing_of_this_name'" in found.problem["broken"]
    assert found.problem["cps"] == ""
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "manifest.json").write_text("{}")
    datasets = sb.datasets(tmp_path / "data").set_index("dataset")
    assert datasets.is_prepared["mine"] and datasets.problem["mine"]


def test_a_file_that_is_no_trained_network_is_refused(tmp_path):
    refused(lambda: sb.load_model(tmp_path / "none"), "no trained network at")
    (tmp_path / "other").write_bytes(b"PNG")
    refused(lambda: sb.load_model(str(tmp_path / "other")), "no file of safetensors")
