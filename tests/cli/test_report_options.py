"""What may be asked of `bench report`: some of the trials, other names, a paragraph."""

import pytest
import yaml

from benchmark.cli import main as cli
from benchmark.errors import ExitCode
from reports.report import METHODS_SECTION_READS, TABLES
from tests.cli import golden
from tests.cli.golden import record, write
from tests.reports.worked import A, B


@pytest.fixture
def folder(tmp_path):
    """Of the study golden, with em and cps[weight=0.5] at 5 % on la besides."""
    found = golden.study(tmp_path / "results")
    for variant, values in (("em", A), ("cps[weight=0.5]", B)):
        for seed, dice in enumerate(values[:3]):
            write(found, record(
                variant, seed, float(dice), key=f"la-{variant[:2]}{seed}", dataset="la",
                configuration=f"la-{variant}", method=variant.partition("[")[0], budget="5 %",
                budget_order=0.05, ratio=0.05,
            ))  # fmt: skip
    return found


@pytest.fixture
def bench(folder, capsys):
    """A function: run `bench report …` on it; gives (exit code, stdout, stderr)."""

    def run(*arguments: object):
        words = ["report", *map(str, arguments), "--results", str(folder.parent)]
        code = cli.guarded(lambda: cli.app(words, standalone_mode=False))
        out, err = capsys.readouterr()
        return int(code), out, err

    return run


def methods_of(out: str) -> list[str]:
    """The second column of a Markdown table, without the floor."""
    lines = [line.split("|") for line in out.splitlines() if line.startswith("|")][2:]
    return [line[2].strip() for line in lines if "floor" not in line[2]]


@pytest.mark.parametrize(
    ("words", "methods"),
    [
        (("--methods", "cps"), ["cps"]),
        (("--methods", "cps[*]"), ["cps[weight=0.5]", "cps"]),
        (("--methods", "em,cps[weight=0.50]"), ["cps[weight=0.5]", "em"]),
        (("--datasets", "La"), ["cps[weight=0.5]", "em"]),
        (("--labels", "20%"), ["cps", "ours"]),
        (("--ratios", "5"), ["cps[weight=0.5]", "em"]),
        (("--methods", "ours,em", "--datasets", "glas"), ["ours"]),
    ],
)
def test_only_what_was_asked_for_is_shown(bench, words, methods):
    code, out, err = bench(*words, "--format", "markdown")
    assert code == 0, err
    assert methods_of(out) == methods


def test_seeds_are_those_that_were_asked_for(bench):
    """The first two of ours: .8431 and .8512; half width 6.3138 · .0081 / 2 = .0256."""
    out = bench("--seeds", "2", "--datasets", "glas", "--format", "markdown")[1]
    assert "| ours | **84.7 ± 2.6** |" in out and "n = 2 unless" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--methods", "uamt"),
            "--methods uamt: not in this study, which has cps, cps[weight=0.5],",
        ),
        (("--datasets", "ph2"), "--datasets ph2: not in this study, which has glas, la"),
        (("--labels", "7"), "--labels 7 %: not in this study, which has 5 %, 20 %"),
        (("--seeds", "8-11"), "--seeds 10, 11: not in this study, which has 0-9"),
        (
            ("--methods", "em", "--datasets", "glas"),
            "--methods --datasets: each of these occurs in the study, but no trial has all of them",
        ),
    ],
)
def test_what_does_not_occur_is_named_beside_what_does(bench, words, message):
    code, out, err = bench(*words)
    assert code == ExitCode.USAGE and out == "" and message in err


def test_a_footer_says_what_a_filter_changes(bench):
    out = bench("--methods", "cps,em,cps[*]", "--seeds", "0-2")[1]
    assert (
        "--methods leaves out 1 of 4 methods; --seeds leaves out 7 of 10 seeds: marks, tests and "
        "Holm's correction are among the methods that are shown" in out
    )
    assert "leaves out" not in bench("--table", "optimism", "--methods", "cps")[1]
    assert "leaves out" not in bench("--methods", "cps,em,ours,cps[*]")[1]


def test_some_of_the_scores(bench):
    out = bench("--metric", "dc", "--format", "markdown", "--datasets", "glas")[1]
    assert "| labelled | method | glas DC |\n" in out and "\nDC in %, mean" in out
    out = bench("--metric", "ji", "--datasets", "glas")[1]
    assert "glas JI" in out and "DC" not in out.partition("\n\n")[0] and "from the best" not in out


def test_names_order_and_groups_of_a_file(bench, tmp_path):
    """Of cps three seeds: .8362, .8431, .8347; s = .00448, half width 2.9200 · s / √3 = .00755."""
    file = tmp_path / "names.yaml"
    file.write_text(yaml.safe_dump({
        "datasets": {"la": "Left atrium", "glas": "GlaS"},
        "methods": {"em": "EM", "ours": "Ours", "cps": "CPS", "uamt": "UA-MT"},
        "groups": {"Pseudo-labels": ["cps"]},
    }, sort_keys=False))  # fmt: skip
    code, out, err = bench("--names", file, "--format", "markdown", "--metric", "dc")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("|")] == [
        "| labelled | group | method | Left atrium DC | GlaS DC |",
        "| --- | --- | --- | ---: | ---: |",
        "|  |  | floor: all foreground | 66.10 | 66.10 |",
        "| 5 % |  | EM | **84.4 ± 1.1 (n=3)** | – |",
        "|  | Pseudo-labels | CPS[weight=0.5] | 83.80 ± 0.76 (n=3) | – |",
        "| 20 % |  | Ours | – | **84.60 ± 0.36** |",
        "|  | Pseudo-labels | CPS | – | 83.97 ± 0.28 |",
    ]
    assert (
        "names of the study: Left atrium is la, GlaS is glas, EM is em, Ours is ours, CPS is" in out
    )
    assert "not in this study, so not used: uamt of the names file" in err
    out = bench("--names", file, "--table", "differences", "--control", "cps")[1]
    assert "Dice of the method minus Dice of CPS" in out and "Ours" in out
    assert "GlaS" in bench("--names", file, "--published")[1]  # found by the study's names


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("method: {ours: Ours}", "no key 'method'; there are datasets, methods, groups"),
        ("methods: [ours]", "methods has to be a mapping of the study's names to those"),
        ("methods: {ours: A, cps: A}", "two methods would be shown as 'A'"),
        ("methods: {ours: cps}", "cps and ours would both be shown as 'cps'"),
        ("groups: {A: [ours], B: [ours]}", "ours stands in several groups"),
        ("groups: {A: ours}", "groups has to be a mapping of groups to lists of methods"),
        ("- ours", "has to hold some of datasets, methods, groups"),
        ("a: [", "cannot be read"),
    ],
)
def test_a_names_file_of_another_form_is_refused(bench, tmp_path, text, message):
    (tmp_path / "names.yaml").write_text(text)
    code, out, err = bench("--names", tmp_path / "names.yaml")
    assert code == ExitCode.USAGE and out == "" and message in err
    assert bench("--names", tmp_path / "none.yaml")[0] == ExitCode.USAGE


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--table", "distances", "--selection", "oracle"), "--selection oracle affects only the"),
        (("--table", "distances", "--as-published"), "--as-published affects only the tables"),
        (("--table", "optimism", "--selection", "val"), "--selection val affects only the tables"),
        (("--table", "classes", "--class", "x"), "--class x affects only the tables table,"),
        (
            ("--control", "cps"),
            "--control cps affects only the table differences; add --table diff",
        ),
        (
            ("--table", "ranks", "--test", "t"),
            "--test t affects only the tables table, differences",
        ),
        (("--table", "variance", "--ci-level", "0.95"), "--ci-level 0.95 affects only the tables"),
        (("--table", "rates", "--aggregate", "patient"), "--aggregate patient affects only the"),
        (("--metric", "hd95"), "--metric hd95 affects only the table distances; add --table dist"),
        (
            ("--table", "ranks", "--layout", "wide", "--format", "latex"),
            "--layout wide affects only",
        ),
        (("--ci", "cases"), "at the final step: give --aggregate case\n"),
        (
            ("--ci", "cases", "--aggregate", "case", "--selection", "oracle"),
            "at the final step: leave --selection oracle out\n",
        ),
        (("--class", "x", "--aggregate", "patient"), "scores of single classes are pooled or"),
        (("--table", "classes", "--aggregate", "patient"), "leave --aggregate patient out"),
        (("--layout", "wide"), "--layout is of LaTeX alone: add --format latex"),
        (("--bare", "--format", "text,csv"), "--bare is of LaTeX alone: add --format latex"),
        (("--methods-section", "--costs"), "--costs changes nothing in the methods section"),
        (
            ("--methods-section", "--published"),
            "--published changes nothing in the methods section",
        ),
        (("--methods-section", "--format", "csv"), "must be one of text, markdown, latex"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(bench, words, message):
    code, out, err = bench(*words)
    assert code == ExitCode.USAGE and out == "" and message in err


def test_options_that_some_table_reads_are_read_beside_others(bench):
    assert bench("--table", "table,optimism", "--selection", "oracle")[0] == 0


def test_tables_read_options_that_there_are():
    """By name, or a single value of one: "aggregate case"."""
    (command,) = [c for c in cli.app.registered_groups if c.typer_instance is cli.report.app]
    options = {
        name.removeprefix("--")
        for parameter in _parameters(command.typer_instance)
        for name in parameter.opts
    }
    words = {word.split()[0] for table in TABLES.values() for word in table.reads}
    assert words | {word.split()[0] for word in METHODS_SECTION_READS} <= options


def _parameters(app) -> list:
    import typer

    return typer.main.get_command(app).params


def test_captions_of_what_was_written(bench, tmp_path):
    assert bench("--out", tmp_path / "out", "--datasets", "glas")[0] == 0
    text = (tmp_path / "out" / "captions.md").read_text()
    assert text.startswith(
        "# Captions of golden\n\n## table\n\nMean Dice (DC) and Jaccard (JI) of 2 methods on glas "
        "with 20 % labelled, 10 seeds. Bold: best, underlined: second best mean of each dataset "
        "and budget. DC and JI in %, mean ± 90 % t half-width over seeds, n = 10 unless given in "
        "brackets; the images are fixed. Selection: final step, argmax"
    )
    assert (
        "\nGlas: every run as a dot; bars are means with intervals; dotted, or at the edge if it "
        "is far: the floor. Drawn of 2 " in text
    )
    parts = {part.partition("\n")[0]: part for part in text.split("## ")[1:]}
    drawn = {head: part for head, part in parts.items() if head.startswith("figures/")}
    with_bars = {head for head, part in drawn.items() if "Intervals: 90 % over seeds." in part}
    assert with_bars == {"figures/seeds-glas"} and len(drawn) > 1
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    names = {f.stem for f in (tmp_path / "out").glob("*.tex")}
    names |= {f"figures/{f.stem}" for f in (tmp_path / "out" / "figures").glob("*.svg")}
    assert {head.removeprefix("## ") for head in heads} == names and len(heads) == len(names)


def test_the_paragraph_of_a_methods_section(bench, folder):
    code, out, err = bench("--methods-section", "--datasets", "glas")
    assert code == 0 and out.count("\n") == 1, err
    for sentence in (
        "We compare 2 methods (cps and ours) on 1 dataset (glas).",
        "There are 80 test images in glas.",
        "Masks are given of 20 % of the training images.",
        "The other training images are used without their masks.",
        "Each method is trained with 10 seeds on each dataset and label budget; a seed decides the "
        "labelled subset, the initial weights, the order of the data and the augmentation.",
        "The network sees images resized to 128 × 128 pixels.",
        "Training takes 8000 steps.",
        "We report Dice and Jaccard in per cent of all pixels together, of the network of the last "
        "training step; nothing is chosen on the evaluation set.",
        "Intervals are 90 % Student-t intervals over seeds, the evaluated images being fixed.",
        "Differences in Dice from the best method are tested by a sign-flip test of the mean,",
        "All runs are made with semiseg-bench 0.1.0, preset paper, on cpu.",
    ):
        assert sentence in out
    assert r"20\,\% of the training images" in bench("--methods-section", "--format", "latex")[1]


def test_settings_that_differ_are_named_with_their_methods(bench, folder):
    """Of em and ours SGD; of cps Adam, at 5 % in 600 steps."""
    adam = {"optimiser": "adam", "learning_rate": 0.003, "betas": [0.9, 0.99],
            "weight_decay": 5e-05, "schedule": "cosine", "criterion": "ce_dice", "epochs": 1,
            "batch_labelled": 4, "batch_unlabelled": 2}  # fmt: skip
    sgd = adam | {"optimiser": "sgd", "learning_rate": 0.5, "momentum": 0.9, "schedule": "step",
                  "decay_factor": 0.5, "decay_every_epochs": 50, "warmup_epochs": 20}  # fmt: skip
    unet = {"name": "unet", "widths": [4, 8], "dropout": [0.1, 0.5]}
    for seed, dice in enumerate(A):
        for variant, training in (("ours", sgd), ("em", sgd), ("cps", adam)):
            write(folder, record(
                variant, seed, float(dice), n_labelled=17, n_unlabelled=68, parameters=3508,
                settings={"size": [128, 128], "training": training, "network": unet},
                packages={"python": "3.11.7", "torch": "2.6.0"},
            ))  # fmt: skip
    out = bench("--methods-section", "--datasets", "glas")[1]
    for sentence in (
        "There are 85 training and 80 test images in glas.",
        "Masks are given of 20 % of the training images (17 images in glas).",
        "The network is a U-Net with 4, 8 channels and dropout of 0.1, 0.5 at its levels (3508 "
        "parameters at test).",
        "Training takes 1 epoch: 8000 steps.",
        "The optimiser of training is SGD (learning rate 0.5, momentum 0.9, weight decay 5e-05), "
        "but Adam (learning rate 0.003, betas 0.9 and 0.99, weight decay 5e-05) for cps.",
        "Its learning rate is multiplied by 0.5 every 50 epochs, after a linear warm-up of 20, but "
        "decays along a cosine for cps.",
        "A step sees 4 labelled and 2 unlabelled images.",
        "The supervised loss is the mean of cross-entropy and Dice loss.",
        "semiseg-bench 0.1.0 (Python 3.11.7, PyTorch 2.6.0), preset paper, on cpu.",
    ):
        assert sentence in out, sentence
