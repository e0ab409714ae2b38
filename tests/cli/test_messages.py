"""What a user is told who types nearly the right thing: what was meant, and an exit code."""

import re
import shutil

import pytest

from benchmark.errors import ExitCode
from tests.study.test_methods import METHOD

DRY = (
    "run", "--preset", "demo", "--datasets", "phantom_glas", "--labels", "5", "--seeds", "1",
    "--dry-run",
)  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--datasets", "GlaS"), 'no dataset "GlaS"; did you mean "glas"? (bench list datasets)'),
        (("--methods", "CPS"), 'no method "CPS"; did you mean "cps"? (bench list methods)'),
        (("--preset", "Demo"), 'no preset "Demo"; did you mean "demo"?'),
        (("training.lr=0.1",), 'no setting "training.lr"; did you mean "training.learning_rate"?'),
        (("lr=0.1",), 'no setting "lr"; did you mean "training.learning_rate"?'),
        (
            ("pretraining.optimizer=adam",),
            'no setting "pretraining.optimizer"; did you mean "pretraining.optimiser"?',
        ),
        (("batch_size=4",), 'no setting "batch_size"; did you mean "training.batch_labelled"?'),
        (
            ("training_of.cps.lr=1",),
            'no setting training_of.cps "lr"; did you mean "learning_rate"?',
        ),
        (
            ("weight=0.5", "--methods", "supervised,cps"),
            'no setting "weight": it is a hyper-parameter of cps. Type --methods '
            '"cps[weight=0.5]" for a variant, or hyperparameters.cps.weight=0.5 wherever cps runs',
        ),
        (("rounds=1",), 'no setting "rounds": it is a hyper-parameter of ours. Type --methods'),
        (("cps.weight=2",), 'Type --methods "cps[weight=2]" for a variant'),
        (("weight=0.5",), 'Type --methods "METHOD[weight=0.5]" for a variant'),
        (("--methods", "weight=0.5"), "a variant is written method[name=value,…], got 'weight=0.5"),
        (("size=64x64",), "size takes a list in square brackets, such as size=[64,64]"),
        (("network.widths=8",), "network.widths takes a list in square brackets, such as network"),
        (
            ("--methods", "cps", "--ablation", "rounds"),
            'no ablation of cps "rounds"; ours can be ablated so (--methods ours ',
        ),
    ],
)
def test_what_was_meant_is_said(words, message, bench):
    code, _, err = bench(*DRY, *words)
    assert code == ExitCode.USAGE
    assert message in err, err


def keys(out: str) -> list[str]:
    return re.findall(r"^  ([0-9a-f]{16})  ", out, re.M)


def test_one_number_is_all_sides_of_an_image(bench):
    code, out, _ = bench(*DRY, "--methods", "supervised", "size=32")
    assert code == 0
    whole = bench(*DRY, "--methods", "supervised", "size=[32,32]")[1]
    assert len(keys(out)) == 1 and keys(out) == keys(whole)


def test_all_methods_are_ablated_where_they_can_be(bench):
    code, out, err = bench(*DRY, "--methods", "all", "--ablation", "rounds", "-v")
    assert code == 0, err
    variants = re.findall(r"  (\S+)/phantom_glas/5 %/seed 0", out)
    assert {"supervised", "cps", "ours[rounds=0]", "ours[rounds=10]"} <= set(variants)
    assert len(variants) == len(set(variants))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("status", "--ratios", "5"),
            "has no option --ratios; bench run, bench tune, bench report, bench",
        ),
        (("show", "abc", "--dry-run"), "has no option --dry-run; bench run, bench tune have it"),
        (("doctor", "--format", "html"), "has no option --format; bench report has it"),
    ],
)
def test_an_option_of_another_verb_is_known_to_be_one(words, message, bench):
    code, _, err = bench(*words)
    assert code == ExitCode.USAGE and message in err
    assert "Possible options" not in err


def test_an_option_of_no_verb_is_refused_with_the_nearest(bench):
    code, _, err = bench("run", "--dataset", "glas")
    assert code == ExitCode.USAGE and "--datasets" in err


def test_a_listing_without_a_word_says_what_can_be_listed(bench):
    code, out, _ = bench("list")
    assert code == 0
    assert [line.split()[2] for line in out.splitlines()] == [
        "methods", "datasets", "networks", "presets", "published",
    ]  # fmt: skip


@pytest.mark.parametrize("typed", ["supervised", "supervised[]", " supervised "])
def test_a_control_may_be_written_otherwise(typed, study, bench):
    code, out, err = bench("report", "--table", "all", "--control", typed)
    assert code == 0, err
    assert "supervised" in out


def test_a_study_in_the_place_of_the_results_folder_is_recognised(study, bench, tmp_path):
    """Whoever copies trials/ alone has no study.yaml: the folder around it is the study."""
    folder, _ = study
    shutil.copytree(folder / "trials", tmp_path / "copied" / "trials")
    code, _, err = bench("report", "--results", tmp_path / "copied")
    assert code == ExitCode.DATA
    assert "a study itself (it has trials/)" in err and "--study copied --results " in err
    code, out, _ = bench("report", "--study", "copied", "--results", tmp_path)
    assert code == 0 and "phantom_glas DC" in out


GREEDY = METHOD.replace("    def __init__", "    LEAST_BATCH = (3, 1)\n\n    def __init__", 1)


def test_one_of_all_methods_that_needs_larger_batches_is_left_out(install, bench):
    install("greedy", {"greedy_ssl.py": GREEDY}, methods=["greedy = greedy_ssl"])
    small = "training.batch_labelled=2"
    code, out, err = bench(*DRY, "--methods", "all", small, "-v")
    assert code == 0, err
    assert "cps/phantom_glas" in out and "greedy/phantom_glas" not in out
    why = (
        "greedy on phantom_glas needs 3 labelled images in a batch, and has 2: raise "
        "training.batch_labelled, which is 2"
    )
    assert f"note: left out of all methods at 5 %: {why}" in err
    for typed in ("greedy", "all,greedy", "greedy,cps"):
        code, _, err = bench(*DRY, "--methods", typed, small)
        assert code == ExitCode.USAGE and f"error: {why}" in err
    assert "greedy/phantom_glas" in bench(*DRY, "--methods", "all", "-v")[1]


def test_after_a_run_whose_trials_all_failed_their_reason_is_next(install, bench):
    raising = METHOD.replace("return {", 'raise RuntimeError("no good")\n        return {')
    install("failing", {"failing_ssl.py": raising}, methods=["failing = failing_ssl"])
    small = ("size=32", "network.widths=[4,8]", "network.dropout=[0,0]", "training.epochs=1")
    grid = [word for word in DRY if word != "--dry-run"]
    (key,) = keys(bench(*DRY, "--methods", "failing", *small, "-v")[1])
    code, out, err = bench(*grid, "--methods", "failing", *small, "--trial", key)
    assert code == ExitCode.SOME_TRIALS_FAILED
    assert f"next:    bench show {key} --results " in out and "bench report" not in out
    assert "1 of 1 trial failed" in err
