"""Tables as LaTeX: what is escaped, and that they go through a real TeX."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmark.store import tables
from benchmark.store.record import survey
from reports.render import as_latex, latex_escape
from reports.report import Options, Report
from reports.select import Reading
from reports.sheet import Cell, Head, Sheet
from reports.tables import main
from tests import studies
from tests.reports.worked import A, B, trials

GOLDEN = Path(__file__).parent / "golden" / "table.tex"


def test_signs_that_mean_something_to_latex_are_escaped():
    assert latex_escape("cps[weight_x=1] & 5 %") == r"cps[weight\_x=1] \& 5\,\%"


def test_no_footer_breaks_out_of_a_latex_comment():
    sheet = main.sheet(trials(ours=A), Reading(), left_out=["1 failed: boom\nhalt"])
    comments = as_latex(sheet).partition(r"\begin")[0].splitlines()
    assert all(line.startswith("% ") for line in comments) and "% 1 failed: boom halt" in comments


@pytest.fixture(scope="module")
def typeset(tmp_path_factory):
    """A function: the text of the PDF that pdflatex makes of some tables."""
    if shutil.which("pdflatex") is None:
        pytest.skip("no pdflatex here (Debian: texlive-latex-base, texlive-latex-recommended)")

    def run(*texts: str) -> str:
        folder = tmp_path_factory.mktemp("tex")
        body = "\n\\newpage\n".join(texts)
        (folder / "page.tex").write_text(
            "\\documentclass{article}\n\\usepackage[paperwidth=200cm,paperheight=300cm]{geometry}\n"
            f"\\usepackage{{booktabs,xcolor}}\n\\begin{{document}}\n{body}\n\\end{{document}}\n",
            encoding="utf-8",
        )
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
            cwd=folder, capture_output=True, text=True, errors="replace", timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
        assert "Missing character" not in done.stdout
        if shutil.which("pdftotext") is None:
            return ""
        text = subprocess.run(
            ["pdftotext", "-layout", "page.pdf", "-"], cwd=folder, capture_output=True, text=True
        )
        return text.stdout

    return run


def test_the_golden_table_is_typeset(typeset):
    text = typeset(GOLDEN.read_text(encoding="utf-8"))
    assert not text or ("84.60 ± 0.36" in text and "83.97 ± 0.28" in text and "20 %" in text)


def test_a_name_of_every_awkward_sign_is_typeset(typeset):
    rows = trials(**{"ours[a_b=1.0,c=~^\\{#$&%]": A, "cps": B})
    text = typeset(as_latex(main.sheet(rows, Reading())))
    # In TeX's own font the underscore is a rule, tilde and circumflex are accents.
    assert not text or "ours[a b=1.0,c=\u02dc\u02c6\\{#$&%]" in text


def test_signs_of_comparison_are_typeset(typeset):
    text = typeset(latex_escape("a ≤ 5 %, b > 10 %, c < 2"))
    assert not text or ("b > 10" in text and "c < 2" in text and "≤ 5" in text)


def test_a_grey_cell_is_typeset(typeset):
    cell = replace(Cell("84.60 ± 0.36"), is_grey=True)
    sheet = Sheet("x", "X", [Head("a"), Head("b")], [[Cell("5 %"), cell]], pd.DataFrame(), words=1)
    text = typeset(as_latex(sheet))
    assert not text or "84.60 ± 0.36" in text


@pytest.mark.slow
def test_every_table_of_a_full_study_is_typeset(typeset, tmp_path):
    studies.write(
        tmp_path / "full", ratios=[0.05, 0.2], variants=[*studies.METHODS, *studies.ABLATION],
        files=False,
    )  # fmt: skip
    report = Report(tables.trials(survey(tmp_path / "full").records), Options(with_costs=True))
    sheets = report.tables()
    assert [s.name for s in sheets] == [
        "table", "differences", "optimism", "label-efficiency", "ranks", "distances",
    ]  # fmt: skip
    typeset(*map(as_latex, sheets))
