"""What a new user may type, right and wrong, with the message and the exit code."""

import json
import math
import re
import shutil
import sys

import pytest
import yaml
from filelock import FileLock

from benchmark.errors import ExitCode
from benchmark.store.layout import trial_folder
from tests.conftest import SAMPLES
from tests.grids import TINY_RUN as TINY
from tests.studies import fields_of


def test_a_dry_run_says_what_would_run_and_how_many_images_are_labelled(bench, tmp_path):
    code, out, _ = bench(*TINY, "--dry-run", "--ratios", "5,20,100")
    assert code == 0
    assert "phantom_glas: 5 % = 4/80, 20 % = 16/80, 100 % = 80/80 images labelled" in out
    assert "6 trials: 0 done, 6 to run" in out
    assert "supervised/phantom_glas/5 %/seed 1" in out
    assert not (tmp_path / "results").exists()


def test_of_a_cluster_that_a_dry_run_does_not_ask_nothing_is_forecast(bench):
    words = (*TINY, "--dry-run", "--address", "10.0.0.1:6379")
    code, out, _ = bench(*words)
    assert code == 0 and "no forecast: what the cluster has is not known" in out
    assert "forecast for" not in out
    _, out, _ = bench(*words, "--on", "64 cpu")
    assert "forecast for 64 CPUs" in out and "no forecast" not in out


def variants(out: str) -> list[str]:
    """Variants in the output of a dry run."""
    return [line.split()[1].split("/")[0] for line in out.splitlines() if line.startswith("  ")]


def test_an_ablation_expands_to_variants(bench):
    words = (*TINY, "--seeds", "1", "--dry-run", "-v", "--preset", "cpu", "--datasets",
             "phantom_glas")  # fmt: skip
    expected = ["ours", "ours[pretrain=false]", *(f"ours[rounds={r}]" for r in (0, 1, 3, 10))]
    _, out, _ = bench(*words, "--methods", "ours", "--ablation", "pretrain,rounds")
    assert variants(out) == expected
    assert "6 to run, after 1 pretraining without labels" in out
    _, out, _ = bench(*words, "--methods", "cps,ours[rounds=2]", "--ablation", "pretrain")
    assert variants(out) == ["cps", "ours[rounds=2]", "ours[pretrain=false,rounds=2]"]
    words = tuple(w for w in words if w not in ("--methods", "supervised"))
    _, out, _ = bench(*words, "--ablation", "mask_noise")  # those that have it, and none beside
    assert variants(out) == ["ours", "ours[mask_noise=false]"]
    code, _, err = bench(*words, "--ablation", "round")
    assert code == 2 and 'did you mean "rounds"?' in err


def test_one_trial_makes_the_pretraining_that_it_starts_from(bench, tmp_path):
    words = (*TINY, "--seeds", "1", "--methods", "ours,ours[rounds=0]", "pretraining.epochs=1",
             "pretraining.steps_per_epoch=2")  # fmt: skip
    _, out, _ = bench(*words, "--dry-run", "-v")
    keys = [line.split()[0] for line in out.splitlines() if line.startswith("  ")]
    assert "after 1 pretraining without labels" in out
    _, out, _ = bench(*words, "--trial", keys[0])
    assert "pretraining of ours/phantom_glas/seed 0 on cpu" in out
    _, out, _ = bench(*words, "--trial", keys[1])
    assert "pretraining of ours/phantom_glas/seed 0 on cpu" not in out
    assert "starts from pretraining of ours/phantom_glas/seed 0" in out
    (made,) = (tmp_path / "results" / "demo" / "pretrained").iterdir()
    assert {f.name for f in made.iterdir() if f.name[0] != "."} == {
        "history.csv", "log.txt", "panel.npz", "record.json", "weights.safetensors",
    }  # fmt: skip


def test_single_trials_add_up_to_the_table(bench, study, tmp_path):
    assert len(study[1]) == 2
    _, out, _ = bench(*TINY, "--dry-run")
    assert "2 trials: 2 done, 0 to run" in out
    code, out, err = bench("report", "--format", "latex")
    assert code == 0
    assert out.startswith("% phantoms are synthetic images") and r"\begin{threeparttable}" in out
    assert r"\toprule" in out and r"5\,\% & supervised" in out
    assert "study: demo (the newest" in err
    code, out, _ = bench(
        "report", "--table", "table", "--format", "csv,markdown", "--out", tmp_path / "tables"
    )
    assert sorted(f.name for f in (tmp_path / "tables").iterdir()) == [
        "captions.md", "table.csv", "table.md",
    ]  # fmt: skip


def test_a_finished_grid_runs_nothing_and_prints_its_table(bench, study):
    code, out, err = bench(*TINY)
    assert code == 0
    assert "all 2 trials are done" in err
    assert "n = 2" in out and "no ranking of methods" in out
    assert "results.csv" in out and "next:" in out


def test_the_flags_for_an_encoder_are_short_for_overrides(bench):
    words = (*TINY, "--seeds", "1", "--dry-run", "-v")
    overrides = ("network.name=efficientnet-b0", "network.weights=noisy-student")
    _, overridden, _ = bench(*words, *overrides)
    flags = ("--network", "efficientnet-b0", "--weights", "advprop")
    assert bench(*words, *flags[:2], overrides[1])[1] == overridden
    assert bench(*words, *flags)[1] != overridden, "other weights are another trial"
    assert bench(*words, *overrides, "--weights", "noisy-student")[1] == overridden


def test_an_encoder_trains_from_the_command_line_and_its_weights_come_first(bench, monkeypatch):
    words = [*TINY, "--seeds", "1", "--network", "resnet18"]
    key = bench(*words, "--dry-run", "-v")[1].splitlines()[-1].split()[0]
    code, out, _ = bench(*words, "--trial", key)
    assert code == 0 and "supervised" in out

    def offline(*_, **__):
        raise FileNotFoundError("not there")

    monkeypatch.setattr("segmentation_models_pytorch.encoders.hf_hub_download", offline)
    code, _, err = bench(*words, "--weights", "imagenet")
    assert code == ExitCode.RESOURCES
    assert 'the weights "imagenet" of resnet18 cannot be fetched: not there' in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "--methods", "csp"), 2, 'error: no method "csp"; did you mean "cps"?'),
        (("run", "--datasets", "ph3"), 2, 'no dataset "ph3"'),
        (("run", "--datasets", "glas"), 3, "bench data prepare glas --from"),
        (("run", "--datasets", "all"), 3, "bench run --preset demo"),
        (("run", "--ratios", "0"), 2, "--labels 0 % is outside (0, 100]"),
        (("run", "--seeds", "x"), 2, "seeds are a number of seeds"),
        (("run", "training.epoch=3"), 2, 'did you mean "training.epochs"?'),
        (("run", "--preset", "dmeo"), 2, 'did you mean "demo"?'),
        (("run", "--methods", "cps[wieght=1]"), 2, 'did you mean "weight"?'),
        (("run", "--evaluate-on", "train"), 2, "evaluate_on must be one of test, dev"),
        (("run", "--network", "resnet43"), 2, 'no network "resnet43"; did you mean "resnet34"?'),
        (("run", "--network", "mit_b0"), 2, "no feature at half resolution"),
        (("run", "--network", "resnet34", "size=[48,48]"), 2, "must divide by 32"),
        (("run", "--network", "resnet34", "--weights", "imagnet"), 2, 'did you mean "imagenet"?'),
        (("run", "--weights", "imagenet"), 2, "only encoders have"),
        (("run", "--trial", "0123"), 2, "no trial with a key starting with '0123'"),
        (("run", "--seed", "3"), 2, "No such option"),
        ((*TINY, "--methods", "cps[consistency_on=some]"), 2, "cps[consistency_on=some]: cons"),
        ((*TINY, "--methods", "urpc"), 2, "urpc: a pyramid needs a network of at"),
        (("report",), 3, "no study under"),
        (("report", "--ci-level", "90"), 3, "no study under"),
        (("list", "method"), 2, "bench list must be one of methods, datasets"),
        (("data", "prepare", "gals", "--from", "."), 2, 'did you mean "glas"?'),
        (("data", "prepare", "glas", "--from", "/nowhere"), 3, "no such file or folder: /nowhere"),
        (("data", "synth", "gals", "--out", "/nowhere"), 2, 'did you mean "glas"?'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_a_mistake_is_answered_with_what_to_do(bench, arguments, code, message):
    words = list(arguments)
    if words[0] == "run" and "--preset" not in words:
        words += ["--preset", "demo"]
    found, _, err = bench(*words)
    assert (found, message in err) == (code, True), err
    assert "Traceback" not in err


def test_an_unwritable_results_folder_is_exit_code_4(bench, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = bench(*TINY, "--results", tmp_path / "file")
    assert code == ExitCode.RESOURCES
    assert "cannot use" in err and "Not a directory" in err and "--results" in err


def test_without_ray_a_run_names_what_does_without_it(bench, monkeypatch):
    monkeypatch.delattr("benchmark.cluster.ray_runner", raising=False)  # of an earlier import
    monkeypatch.setitem(sys.modules, "benchmark.cluster.ray_runner", None)
    code, _, err = bench(*TINY)
    assert code == ExitCode.RESOURCES
    assert "Ray cannot be imported" in err and "--trial KEY" in err


def test_the_settings_of_a_study_are_stored_as_they_are_typed(bench, tmp_path):
    _, out, _ = bench(*TINY, "--dry-run", "-v")
    key = next(line.split()[0] for line in out.splitlines() if line.startswith("  "))
    assert bench(*TINY, "--trial", key)[0] == 0
    stored = yaml.safe_load((tmp_path / "results" / "demo" / "study.yaml").read_text())
    assert stored["evaluate_on"] == "test" and stored["network"]["name"] == "unet"
    assert "conditions" not in stored


def test_an_unwritable_data_root_is_exit_code_4(bench, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    code, _, err = bench(*TINY, "--data-root", tmp_path / "file" / "data")
    assert code == ExitCode.RESOURCES
    assert "cannot use" in err and "--data-root" in err


def test_a_damaged_record_is_named_left_out_and_made_again(bench, study):
    folder, (key, _) = study
    file = trial_folder(folder, key) / "record.json"
    whole = file.read_text()
    file.write_text(whole[:100])
    code, out, _ = bench("report")
    assert code == 0 and f"left out: the record in trials/{key} is damaged" in out
    code, out, _ = bench(*TINY, "--dry-run")
    assert code == 0 and "1 done, 1 to run" in out and f"trials/{key} is damaged" in out
    assert file.exists()  # only said
    code, out, err = bench(*TINY, "--trial", key)
    assert code == 0, err
    assert f"damaged record set aside: {file}.damaged" in out
    assert json.loads(file.read_text())["metrics"] == json.loads(whole)["metrics"]
    code, out, _ = bench("report")
    assert "left out: the record" not in out


def test_a_copy_of_a_trial_counts_once(bench, study):
    folder, (key, _) = study
    before = bench("report", "--format", "csv")[1]
    shutil.copytree(trial_folder(folder, key), trial_folder(folder, f"{key}.bak"))
    assert bench("report", "--format", "csv")[1] == before
    assert f"trials/{key}.bak is damaged (it is of the trial {key}" in bench("report")[1]
    assert "the folder was renamed or copied" in bench("status")[1]
    code, _, err = bench("merge", folder, "--into", folder.parent / "other")
    assert code == ExitCode.DATA and f"{key}.bak" in err
    assert not trial_folder(folder.parent / "other", key).exists()


def test_a_failed_trial_is_named_under_the_table_and_runs_again(bench, study):
    folder, keys = study
    file = trial_folder(folder, keys[0]) / "record.json"
    fields = fields_of(file) | {"status": "failed", "error": "out of memory: 3 GiB"}
    file.write_text(json.dumps(fields | {"metrics": {}}))
    _, out, _ = bench("report")
    assert "1 trial failed: out of memory: 3 GiB" in out
    _, out, _ = bench(*TINY, "--dry-run")
    assert "1 done, 1 to run" in out


def test_two_runs_of_one_study_do_not_meet(bench, tmp_path):
    folder = tmp_path / "results" / "demo"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"):
        code, _, err = bench(*TINY)
    assert code == ExitCode.RESOURCES
    assert "another `bench run` works on" in err


def test_lists_say_what_there_is(bench):
    methods = bench("list", "methods")[1]
    families = [line for line in methods.splitlines() if re.fullmatch(r"[a-z-]+:", line)]
    assert families == [
        "supervised:", "consistency:", "copy-paste:", "diffusion:", "entropy:", "pseudo-labels:",
    ]  # fmt: skip
    assert re.search(r"^cps .*\n.*\n +in 2 published tables", methods, flags=re.M)
    verbose = bench("list", "methods", "-v")[1]
    assert "in 2 published tables: arxiv_2504.01547v2, unimatch_medical_readme" in verbose
    assert "Paper:   Chen et al." in verbose and "weight=5.0" in verbose
    datasets = bench("list", "datasets")[1]
    assert "not prepared" in datasets and "prepared: 80 train, 40 test" in datasets
    assert "research purposes only" in datasets
    assert "paper" in bench("list", "presets")[1]
    networks = bench("list", "networks")[1]
    assert "unet" in networks and "resnet34" in networks and "mit_b0" not in networks
    assert "resnet34                      imagenet" in bench("list", "networks", "-v")[1]


def test_prepare_without_files_says_which_are_missing(bench):
    code, _, err = bench("data", "prepare", "phantom_glas")
    assert code == 2 and "has no files to prepare from: bench run --datasets phantom_glas" in err
    code, _, err = bench("data", "prepare", "nnunet:mine")
    assert code == 2 and "--from is missing: the folder, zip, tar or npz with the files of" in err


def test_synth_writes_what_prepare_reads(bench, tmp_path, monkeypatch):
    from benchmark.data import phantoms
    from benchmark.data.card import PhantomOptions

    small = PhantomOptions(kind="glas", train=85, test=80, width=48, height=32)
    monkeypatch.setitem(phantoms.OFFICIAL, "glas", small)
    code, out, _ = bench("data", "synth", "glas", "--out", tmp_path / "made")
    assert code == 0 and "Warwick QU Dataset (Released 2016_07_08)" in out
    root = tmp_path / "root"
    code, out, _ = bench(
        "data", "prepare", "glas", "--from", tmp_path / "made", "--data-root", root
    )
    assert code == 0
    assert "85 train and 80 test cases" in out
    assert f"next:  bench run --preset cpu --datasets glas --data-root {root}" in out


def test_subsets_are_those_of_the_statistics(bench, data_root):
    code, out, err = bench(
        "data", "subsets", "phantom_glas", "--ratio", "5", "--data-root", data_root
    )
    assert code == 0 and len(out.split()) == 4
    assert "5 % = 4/80, seed 0" in err
    larger = bench("data", "subsets", "phantom_glas", "--ratio", "20", "--data-root", data_root)[1]
    assert set(out.split()) < set(larger.split())


def test_check_compares_a_prepared_dataset_with_its_manifest(bench, data_root):
    code, out, _ = bench("data", "check", "phantom_glas", "--data-root", data_root)
    assert code == 0
    assert "80 train and 40 test cases" in out and "those that were prepared" in out


def test_only_volumes_can_be_cropped(bench, tmp_path):
    code, _, err = bench("data", "prepare", "glas", "--from", tmp_path, "--crop", "label_box")
    assert code == 2 and "--crop is none or label_box, for volumes" in err


def test_augmentation_that_was_typed_stands_under_the_table(bench):
    words = (*TINY, "--seeds", "1", "training.augmentation=nnunet")
    keys = [
        bench(*w, "--dry-run", "-v")[1].splitlines()[-1].split()[0] for w in (words, words[:-1])
    ]
    assert keys[0] != keys[1]
    code, out, _ = bench(*words, "--trial", keys[0])
    assert code == 0
    (line,) = (line for line in out.splitlines() if "presets: demo with " in line)
    assert "training.augmentation=nnunet" in line
    code, _, err = bench(*words[:-1], "training.augmentation=nnUNet")
    assert code == 2
    assert "training.augmentation must be one of none, symmetries, ssl4mis, nnunet" in err


def test_nuclei_need_a_card_and_no_code(samples, bench, tmp_path):
    card = tmp_path / "nuclei.yaml"
    card.write_text("name: nuclei\nclasses: [background, nucleus]\nmask: binary\nterms: CC0\n")
    root = tmp_path / "root"
    code, out, _ = bench("data", "prepare", card, "--from", samples / "nuclei", "--data-root", root)
    assert code == 0 and "120 train and 30 test cases" in out
    words = [*TINY, "--datasets", "nuclei", "--data-root", root, "--seeds", "1"]
    _, out, _ = bench(*words, "--dry-run", "-v")
    key = out.splitlines()[-1].split()[0]
    code, out, _ = bench(*words, "--trial", key)
    assert code == 0 and "nuclei DC" in out


def test_a_text_file_among_the_images_is_ignored_and_named(samples, bench, tmp_path):
    shutil.copytree(SAMPLES / "nuclei", tmp_path / "nuclei")
    for folder in (tmp_path / "nuclei").iterdir():
        folder.chmod(0o755)
    (tmp_path / "nuclei" / "image" / "notes.txt").write_text("hello")
    card = tmp_path / "nuclei.yaml"
    card.write_text("name: nuclei\n")
    code, out, _ = bench(
        "data", "prepare", card, "--from", tmp_path / "nuclei", "--data-root", tmp_path / "root"
    )
    assert code == 0
    assert "ignored, no part of a case: image/notes.txt" in out


def test_cards_and_presets_and_published_numbers_are_found():
    from benchmark import files
    from benchmark.study import preset_files

    assert "paper" in preset_files.texts()
    assert (files.packaged("datasets") / "glas.yaml").is_file()
    published = (files.packaged("results/published") / "arxiv_2504.01547v2.csv").read_text()
    assert len(published.splitlines()) == 130


def test_a_score_that_is_no_number_is_shown_as_such_and_never_the_best(bench, study):
    folder, keys = study
    for key in keys:
        file = trial_folder(folder, key) / "record.json"
        fields = fields_of(file)
        fields["metrics"]["dc_pooled"] = math.nan
        file.write_text(json.dumps(fields))
    code, out, err = bench("report", "--format", "markdown")
    assert code == 0, err
    (line,) = [line for line in out.splitlines() if "| supervised |" in line]
    assert "NaN" in line and "**NaN" not in line
    assert "2 trials with a Dice that is no finite number" in out
