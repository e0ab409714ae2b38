"""`bench report` on records with known answers: two methods, 84.60 ± 0.36 and 83.97 ± 0.28."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.cli import main as cli
from benchmark.errors import ExitCode
from benchmark.store import tables
from benchmark.store.layout import trial_folder
from benchmark.study.expected import expected_settings
from tests.cli import golden
from tests.cli.golden import record, write
from tests.reports.worked import A, B


@pytest.fixture
def bench(tmp_path, capsys):
    """A function: run `bench report …` on the golden study; gives (exit code, stdout, stderr)."""
    golden.study(tmp_path / "results")

    def run(*arguments: str):
        words = ["report", *map(str, arguments), "--results", str(tmp_path / "results")]
        code = cli.guarded(lambda: cli.app(words, standalone_mode=False))
        out, err = capsys.readouterr()
        return int(code), out, err

    return run


LATEX = r"""\sisetup{detect-weight, retain-explicit-plus}
\sisetup{group-digits=false, table-align-text-after=false}
\providecommand{\secondbest}[1]{\llap{\underline{\phantom{#1}}}}
\begin{tabular}{l l S[table-format=2.2]@{\,}l S[table-format=2.2]@{\,}l}
\toprule
 &  & \multicolumn{4}{c}{glas} \\
\cmidrule(lr){3-6}
labelled & method & \multicolumn{2}{c}{DC} & \multicolumn{2}{c}{JI} \\
\midrule
 & floor: all foreground & 66.10 & & 49.37 & \\
\midrule
20\,\% & cps & 83.97 & $\pm$\,0.28 & 73.97 & $\pm$\,0.28 \\
 & ours & \bfseries 84.60 & $\pm$\,0.36 & \bfseries 74.60 & $\pm$\,0.36 \\
\bottomrule
\end{tabular}
"""
MARKDOWN = """| labelled | method | glas DC | glas JI |
| --- | --- | ---: | ---: |
|  | floor: all foreground | 66.10 | 49.37 |
| 20 % | cps | 83.97 ± 0.28 | 73.97 ± 0.28 |
|  | ours | **84.60 ± 0.36** | **74.60 ± 0.36** |
"""
DIFFERENCES = """| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| 20 % | ours | glas | +0.63 ± 0.20 | 10 | 0.00391 | 0.00391 | 1.70 | 9/10 | 80 % |
"""


def test_the_printed_latex_is_a_table_with_caption_and_notes(bench):
    code, out, err = bench("--format", "latex")
    assert code == 0 and err == "study: golden (the newest; --study names another)\n"
    comments = [line for line in out.splitlines() if line.startswith("%")]
    assert comments == [
        '% no differences from a control: no "supervised" here, no --control',
        "% packages: booktabs, siunitx, threeparttable",
    ]
    above, _, below = out.partition(LATEX)
    assert above.splitlines()[2:] == [
        r"\begin{table}[tbp]", r"\centering", r"\footnotesize", r"\setlength{\tabcolsep}{3pt}",
        r"\begin{threeparttable}",
        r"\caption{Mean Dice (DC) and Jaccard (JI) of 2 methods on glas with 20\,\% labelled, 10 "
        "seeds}",
        r"\label{tab:table}",
    ]  # fmt: skip
    assert below.endswith("\\end{tablenotes}\n\\end{threeparttable}\n\\end{table}\n")
    for words in (
        "Bold: best, underlined: second best mean of each dataset and budget.",
        r"DC and JI in\,\%, mean $\pm$ 90\,\% t half-width over seeds, n = 10 unless given in",
        "Selection: final step, argmax (nothing chosen on the evaluation set)",
        "Floor: the better of two predictions that look at no image, here all foreground",
    ):
        assert words in below


def test_the_bare_latex_is_the_tabular_behind_comments(bench):
    code, out, _ = bench("--format", "latex", "--bare")
    above, found, below = out.partition(LATEX)
    assert code == 0 and found and below == ""
    assert all(line.startswith("% ") for line in above.splitlines())
    assert "% bold: best, underlined: second best mean of each dataset and budget" in above


def test_markdown_and_differences(bench):
    assert bench("--format", "markdown")[1].startswith(MARKDOWN)
    code, out, _ = bench("--format", "markdown", "--table", "differences", "--control", "cps")
    assert code == 0 and DIFFERENCES in out


def test_what_the_control_lacks_is_left_out_and_named(bench, tmp_path):
    """cps without seed 3, and not on la at all."""
    folder = tmp_path / "results" / "golden"
    (folder / "trials" / "cps3" / "record.json").unlink()
    for seed in range(2):
        write(folder, record("ours", seed, 0.8, key=f"la{seed}", dataset="la", configuration="la"))
    code, out, _ = bench("--table", "differences", "--control", "cps", "--format", "markdown")
    table, _, footer = out.partition("\n\n")
    assert code == 0 and " glas | +0.6" in table and " la |" not in table
    assert "left out, cps was not run or not finished there: ours/la/20 %  \n" in footer
    assert "fewer seeds than they have, cps lacks the others: ours/glas/20 % (9 of 10)" in footer


def test_a_control_that_the_study_does_not_have(bench):
    code, _, err = bench("--table", "differences", "--control", "em")
    assert code == ExitCode.USAGE and 'no finished trial of the control "em"; known: cps' in err
    code, _, err = bench("--table", "differences")
    assert code == ExitCode.STATISTICS and "no table differences: it needs supervised" in err
    assert bench()[0] == 0


def test_as_published_reads_as_the_literature_does(bench):
    """Oracle 86.60, deviation over n: half width .3460."""
    out = bench("--as-published")[1]
    assert "86.60 ± 0.35*" in out and "ORACLE" in out and "ddof 0" in out
    code, _, err = bench("--as-published", "--selection", "final")
    assert code == ExitCode.USAGE and "leave --selection and --aggregate out" in err


def test_published_figures_stand_beside_ours(bench):
    """arXiv:2504.01547v2, Table 1, GlaS, 20 %: CPS 83.90 ± 0.51."""
    out = bench("--published")[1]
    (line,) = [line for line in out.splitlines() if " cps " in line]
    assert "83.97 ± 0.28" in line and "83.90 ± 0.51" in line and "+0.07" in line
    assert "selection final, theirs oracle" in out


@pytest.fixture
def malformed(tmp_path) -> Path:
    """Published results of the user's own that lack columns."""
    file = tmp_path / "results" / "published" / "mine.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("dataset,method\nglas,ours\n")
    return file


def test_malformed_published_results_do_not_disturb_the_main_table(bench, malformed):
    code, out, err = bench()
    assert code == 0 and "84.60 ± 0.36*" in out and "mine.csv" not in out + err
    assert bench("--format", "markdown")[1].startswith(MARKDOWN)


def test_malformed_published_results_are_named_where_they_are_asked_for(bench, malformed):
    code, out, err = bench("--published")
    assert code == ExitCode.DATA and out == ""
    assert err.splitlines()[-1] == (
        f"error: the published results {malformed} with mine.yaml are not as results/README.md "
        "describes them: it has no column dc_ci90_half, dc_mean, labelled_percent"
    )


def test_malformed_published_results_are_left_out_of_a_folder(bench, malformed, tmp_path):
    code, _, err = bench("--out", tmp_path / "out", "--format", "text")
    assert code == 0
    assert f"left out: the published results {malformed} with mine.yaml are not as" in err
    names = sorted(f.name for f in (tmp_path / "out").iterdir())
    assert names == ["captions.md", "figures", "optimism.txt", "table.txt"]


def test_malformed_published_results_are_left_out_of_the_page(bench, malformed, tmp_path):
    code, _, err = bench("--format", "html")
    page = (tmp_path / "results" / "golden" / "report.html").read_text()
    assert code == 0 and "left out: the published results" in err
    assert 'id="table-table"' in page and 'id="table-published"' not in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "word"), "--format must be one of text, markdown, latex, csv, html"),
        (("--table", "tables"), "--table must be one of table, classes, differences"),
        (("--ci", "cases"), "give --aggregate case"),
        (("--ci", "hours"), "--ci must be one of seeds, cases, both"),
        (("--test", "anova"), "--test must be one of sign-flip, t, wilcoxon"),
        (("--ci-level", "90"), "must lie between 0 and 1"),
        (("--format", "html", "--table", "ranks"), "leave --table and --published out"),
        (("--format", "html", "--published"), "leave --table and --published out"),
        (
            ("--table", "optimism", "--costs"),
            "--costs affects only the main table; add --table table",
        ),
        (
            ("--published", "--interval", "logit-t"),
            "--interval logit-t affects only the main table",
        ),
        (("--evaluate-on", "train"), "--evaluate-on must be one of test, dev"),
    ],
)
def test_a_wrong_word_is_answered_with_the_right_ones(bench, words, message):
    code, _, err = bench(*words)
    assert code == ExitCode.USAGE and message in err


def test_too_little_for_a_table_is_said(bench):
    code, _, err = bench("--table", "ranks")
    assert code == ExitCode.STATISTICS and "three or more methods on two or more datasets" in err


def test_everything_is_written_to_a_folder(bench, tmp_path):
    code, out, _ = bench("--out", tmp_path / "out")
    assert code == 0
    names = {
        str(f.relative_to(tmp_path / "out")) for f in (tmp_path / "out").rglob("*") if f.is_file()
    }
    for table in ("table", "optimism", "published"):
        assert {f"{table}.{form}" for form in ("txt", "md", "tex", "csv")} <= names
    assert {
        "report.html",
        *(f"figures/seeds-glas.{form}" for form in ("pdf", "svg", "png")),
    } <= names
    assert LATEX in (tmp_path / "out" / "table.tex").read_text()
    assert all(str(tmp_path / "out") in line for line in out.splitlines())


def test_the_page_lies_in_the_study_and_names_failures(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    write(folder, record("em", 0, 0.5, status="failed", error="loss <NaN>", metrics={}))
    code, out, _ = bench("--format", "html")
    page = (folder / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert code == 0 and out == f"wrote {folder / 'report.html'}\n"
    assert "84.60 ± 0.36" in page and "em/glas/20 %/seed 0" in page and "loss &lt;NaN&gt;" in page
    assert "2 methods on 1 dataset (glas) at 20 % labelled images, 10 seeds: 20 trials." in page
    assert "would have added 2.0 points of Dice" in page
    assert "none kept" in page  # of a log


def test_the_page_says_what_was_run_and_where_a_failure_has_its_log(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    write(folder, record("em", 0, 0.5, status="failed", error="loss NaN", metrics={}))
    log = trial_folder(folder, "em0") / "log.txt"
    log.write_text("epoch 1")
    assert bench("--format", "html")[0] == 0
    page = (folder / "report.html").read_text()
    assert f"<code>{log}</code>" in page
    assert (
        "bench run --preset paper --study golden --datasets glas --methods cps,ours --labels 20% "
        "--seeds 10</code>"
    ) in page
    assert str(folder / "study.yaml") in page


def test_no_list_of_the_page_is_cut_short(bench, tmp_path):
    """Eight methods below the floor of 66.1: a footer of text names six."""
    folder = tmp_path / "results" / "golden"
    for name in "abcdefgh":
        write(folder, record(name, 0, 0.5, finished_at="2026-01-01"))
    code, out, _ = bench()
    assert code == 0 and "f/glas/20 % (1 of 1) and 2 more" in out
    assert bench("--format", "html")[0] == 0
    page = (folder / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert "g/glas/20 % (1 of 1), h/glas/20 % (1 of 1)" in page
    assert not re.search(r"and \d+ more", page)


def test_a_control_without_a_common_seed_leaves_no_table_of_differences(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    write(folder, record("supervised", 99, 0.8))
    code, _, err = bench("--table", "differences")
    assert code == ExitCode.STATISTICS and "no table differences" in err
    assert bench("--out", tmp_path / "out", "--format", "text")[0] == 0


def test_odd_label_budgets_stand_under_every_table(bench, tmp_path):
    """One of 7 images is labelled at 5 % (0.35) and at 10 % (0.7); seeds 3 and 7 draw no object."""
    folder = tmp_path / "results" / "golden"
    for share, order in (("5 %", 0.05), ("10 %", 0.1)):
        for seed in (3, 7, 8):
            write(folder, record(
                "em", seed, 0.5, key=f"em{order}{seed}".replace(".", ""), budget=share,
                budget_order=order, ratio=order, configuration=share, n_labelled=1,
                n_unlabelled=6, n_labelled_foreground=int(seed == 8 or order == 0.1),
            ))  # fmt: skip
    for table in ("table", "optimism"):
        footer = " ".join(bench("--table", table)[1].split())
        assert "glas at 5 %: no labelled image has foreground with 2 seeds (3, 7)" in footer
        assert "glas at 10 %: no labelled" not in footer
        assert "5 %, 10 % label the same 1 image of glas" in footer
        assert "5 % of the 7 images of glas is less than half an image" in footer


def test_published_and_another_table_are_both_printed(bench):
    out = bench("--published", "--table", "table")[1]
    assert "Mean Dice" in out and "Compared with published results" in out


def test_out_takes_a_folder_and_with_a_table_writes_that_alone(bench, tmp_path):
    (tmp_path / "file").write_text("mine")
    code, _, err = bench("--out", tmp_path / "file")
    assert code == ExitCode.USAGE and "--out takes a folder" in err
    assert (tmp_path / "file").read_text() == "mine"
    assert bench("--out", tmp_path / "out", "--table", "optimism")[0] == 0
    names = sorted(f.name for f in (tmp_path / "out").iterdir())
    assert names == ["captions.md", *(f"optimism.{form}" for form in ("csv", "md", "tex", "txt"))]


def test_a_study_of_failures_alone_says_why(bench, tmp_path):
    folder = tmp_path / "results" / "broken"
    folder.mkdir()
    (folder / "study.yaml").write_text("")
    for seed in range(3):
        write(
            folder, record("em", seed, 0.5, status="failed", error="no memory\n  at x", metrics={})
        )
    (tmp_path / "results" / "begun").mkdir()
    (tmp_path / "results" / "begun" / "study.yaml").write_text("")
    for words in ((), ("--format", "latex"), ("--format", "html"), ("--methods", "em")):
        code, out, err = bench("--study", "begun", *words)
        assert code == ExitCode.STATISTICS and out == "" and "no finished trial" in err
    for form in ("text", "latex"):
        code, out, err = bench("--study", "broken", "--format", form)
        assert code == ExitCode.STATISTICS and out == ""
        assert "no finished trial" in err and "3 failed: no memory (3)" in err


def test_intervals_over_cases_need_the_cases_of_every_trial(bench, tmp_path):
    code, _, err = bench("--ci", "cases", "--aggregate", "case")
    assert code == ExitCode.DATA and "20 of 20 have none" in err and "--ci seeds" in err


def test_cases_of_trials_that_are_not_shown_are_not_counted(bench, tmp_path):
    """Each trial of the table has one case of 84.60 on average; one on dev would be far below."""
    folder = tmp_path / "results" / "golden"
    late = record("ours", 0, 0.1, evaluate_on="dev", configuration="dev", key="late")
    write(folder, late)
    for key, dice in [("late", 0.1), *((f"ours{i}", d) for i, d in enumerate(A)),
                      *((f"cps{i}", d) for i, d in enumerate(B))]:  # fmt: skip
        lines = [{"case": case, "dc": float(dice), "ji": float(dice)} for case in "xy"]
        tables.write_table(trial_folder(folder, key) / "cases.csv", lines)
    code, out, err = bench("--ci", "cases", "--aggregate", "case", "--format", "markdown")
    assert code == 0 and "| ours | **84.60 ± 0.00** |" in out, err


def test_every_table_says_how_it_was_read_and_what_it_leaves_out(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    for seed, dice in enumerate(B):
        write(folder, record("supervised", seed, float(dice)))
    write(folder, record("em", 0, 0.5, status="failed", error="boom", metrics={}))
    out = bench("--table", "differences", "--selection", "oracle", "--aggregate", "case")[1]
    for words in ("ORACLE", "mean over cases", "evaluated on: test", "1 trial failed: boom"):
        assert words in out


def test_a_newer_trial_on_dev_does_not_hide_the_test_set(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    late = record("ours", 77, 0.5, evaluate_on="dev", finished_at="2027-01-01", configuration="dev")
    write(folder, late)
    assert "84.60 ± 0.36*" in bench()[1]
    out = bench("--evaluate-on", "dev")[1]
    assert "50.00 (n=1)" in out and "20 trials evaluated on test not shown" in out


def test_settings_typed_over_a_preset_are_a_reason_beside_published_figures(bench, tmp_path):
    """The settings of the preset itself are none, whatever the machine."""
    folder = tmp_path / "results" / "golden"
    row = {"dataset": "glas", "data_hash": "", "budget": "20 %", "variant": "cps", "method": "cps",
           "seed": 0, "settings": {}}  # fmt: skip
    whole = expected_settings("paper", row)
    assert whole["training"]["epochs"] == 200 and whole["hyperparameters"]["weight"] == 5
    for seed, dice in enumerate(B):
        write(folder, record("cps", seed, float(dice), settings=whole | {
            "seed": seed, "threads_per_trial": 8}))  # fmt: skip
        write(folder, record("ours", seed, 0.5, status="failed", metrics={}))
    line, footer = published_line(bench, "cps")
    assert "settings changed" not in footer and line.endswith(" 1")  # selection alone
    changed = whole | {"training": whole["training"] | {"epochs": 2}, "size": [64, 64]}
    for seed, dice in enumerate(B):
        write(folder, record("cps", seed, float(dice), settings=changed))
    _, footer = published_line(bench, "cps")
    assert "settings changed from the preset paper: " in footer
    assert "training.epochs 2 (not 200)" in footer and "size [64, 64] (not [128, 128])" in footer


def published_line(bench, method: str) -> tuple[str, str]:
    out = bench("--published")[1]
    (line,) = [line for line in out.splitlines() if f" {method} " in line and "printed" not in line]
    return line.rstrip(), out.partition("\n\n")[2]


def test_a_table_does_not_wait_for_torch(bench, tmp_path):
    probe = (
        "import sys; from benchmark.cli import main as cli; "
        f"cli.app(['report', '--results', {str(tmp_path / 'results')!r}], standalone_mode=False); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "84.60 ± 0.36" in done.stdout and done.stdout.endswith("False\n")
