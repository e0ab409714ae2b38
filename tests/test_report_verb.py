"""`bench report` on records with known answers: two methods, 84.60 ± 0.36 and 83.97 ± 0.28."""

import pytest

from benchmark import cli, results
from benchmark.errors import ExitCode
from benchmark.results import Record
from tests.reports.worked import FLOORS, A, B


def record(variant: str, seed: int, dice: float, **changes) -> Record:
    values = {"dc_pooled": dice, "ji_pooled": dice - 0.1, "dc_case": dice, "ji_case": dice}
    oracle = {f"oracle_{name}": value + 0.02 for name, value in values.items()}
    fields = {
        "key": f"{variant}{seed}", "cell": variant, "study": "golden", "status": "done",
        "dataset": "glas", "ratio": 0.2, "method": variant, "variant": variant, "seed": seed,
        "evaluate_on": "test", "preset": "paper", "n_test": 80, "steps": 8000,
        "metrics": values | oracle | FLOORS, "settings": {"size": [128, 128]},
        "code_version": "0.1.0", "finished_at": f"2026-01-0{1 + (variant == 'cps')}",
        "seconds_total": 60.0, "seconds_train": 50.0, "device": "cpu", "host": "somewhere",
    }  # fmt: skip
    return Record(**(fields | changes))


@pytest.fixture
def bench(tmp_path, capsys):
    """A function: run `bench report …` on the golden study; gives (exit code, stdout, stderr)."""
    folder = tmp_path / "results" / "golden"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text("")
    for variant, values in (("ours", A), ("cps", B)):
        for seed, dice in enumerate(values):
            results.write_record(folder, record(variant, seed, float(dice)))

    def run(*arguments: str):
        words = ["report", *map(str, arguments), "--results", str(tmp_path / "results")]
        code = cli._guarded(lambda: cli.app(words, standalone_mode=False))
        out, err = capsys.readouterr()
        return int(code), out, err

    return run


LATEX = r"""\begin{tabular}{llrr}
\toprule
 &  & \multicolumn{2}{c}{glas} \\
\cmidrule(lr){3-4}
labelled & method & DC & JI \\
\midrule
 & floor: all foreground & 66.10 & 49.37 \\
\midrule
20\,\% & cps & 83.97 $\pm$ 0.28 & 73.97 $\pm$ 0.28 \\
 & ours & \textbf{84.60 $\pm$ 0.36} & \textbf{74.60 $\pm$ 0.36} \\
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


def test_the_printed_latex_is_the_table_alone(bench):
    code, out, err = bench("--format", "latex")
    comments = [line for line in out.splitlines() if line.startswith("%")]
    assert (
        code == 0
        and out.endswith(LATEX)
        and err == "study: golden (the newest; --study names another)\n"
    )
    assert len("\n".join(comments)) + 1 + len(LATEX) == len(out)
    assert (
        comments[0]
        == "% DC and JI in %, mean ± 90 % t half-width over seeds, n = 10 unless given in brackets"
    )
    assert 'no "supervised" here' in comments[-1]


def test_markdown_and_differences(bench):
    assert bench("--format", "markdown")[1].startswith(MARKDOWN)
    code, out, _ = bench("--format", "markdown", "--table", "differences", "--control", "cps")
    assert code == 0 and DIFFERENCES in out


def test_a_control_that_is_asked_for_needs_its_pairs(bench, tmp_path):
    (tmp_path / "results" / "golden" / "trials" / "cps3" / "record.json").unlink()
    code, _, err = bench("--control", "cps")
    assert code == ExitCode.STATISTICS and "without a partner in ours/glas/20 % (1)" in err
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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--format", "word"), "--format is one of text, markdown, latex, csv, html"),
        (("--table", "tables"), "--table is one of table, differences"),
        (("--ci", "cases"), "give --aggregate case"),
        (("--ci", "hours"), "--ci is one of seeds, cases, both"),
        (("--test", "anova"), "--test is one of sign-flip, t, wilcoxon"),
        (("--ci-level", "90"), "lies between 0 and 1"),
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
    assert (tmp_path / "out" / "table.tex").read_text().endswith(LATEX)
    assert all(str(tmp_path / "out") in line for line in out.splitlines())


def test_the_page_lies_in_the_study_and_names_failures(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    results.write_record(
        folder, record("em", 0, 0.5, status="failed", error="loss <NaN>", metrics={})
    )
    code, out, _ = bench("--format", "html")
    page = (folder / "report.html").read_text().replace("\N{NO-BREAK SPACE}", " ")
    assert code == 0 and out == f"wrote {folder / 'report.html'}\n"
    assert "84.60 ± 0.36" in page and "em/glas/20 %/seed 0" in page and "loss &lt;NaN&gt;" in page
    assert "2 methods on 1 dataset (glas) at 20 % labelled images, 10 seeds: 20 trials." in page
    assert "would have added 2.0 points of Dice" in page


def test_a_control_without_a_common_seed_leaves_no_table_of_differences(bench, tmp_path):
    folder = tmp_path / "results" / "golden"
    results.write_record(folder, record("supervised", 99, 0.8))
    code, _, err = bench("--table", "differences")
    assert code == ExitCode.STATISTICS and "no table differences" in err
    assert bench("--out", tmp_path / "out", "--format", "text")[0] == 0
