"""Tables as LaTeX: escaped, aligned, laid out, and put through a real TeX without complaint."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from benchmark.store import tables
from benchmark.store.record_file import survey
from reports.latex import LAYOUTS, Style, as_latex, latex_escape
from reports.latex.cells import column
from reports.report import Options, Report
from reports.select import Reading
from reports.sheet import Cell, Head, Mark, Sheet
from reports.tables import main
from tests import studies
from tests.reports import tex
from tests.reports.worked import A, B, trials

GOLDEN = Path(__file__).parent / "golden" / "table.tex"
LONGEST = ("fixmatch", "unimatch")
"""Methods of an invented study, beside those that it has anyway: fifteen."""


def test_signs_that_mean_something_to_latex_are_escaped():
    assert latex_escape("cps[weight_x=1] & 5 %") == r"cps[weight\_x=1] \& 5\,\%"


def test_no_footer_breaks_out_of_a_latex_comment():
    sheet = main.sheet(trials(ours=A), Reading(), left_out=["1 failed: boom\nhalt"])
    comments = as_latex(sheet).partition(r"\begin")[0].splitlines()
    assert all(line.startswith("% ") for line in comments) and "% 1 failed: boom halt" in comments


def test_a_number_stands_in_a_column_of_its_own_and_what_follows_it_in_the_next():
    cells = [
        Cell("84.60 ± 0.36", mark=Mark.BEST), Cell("68.7 ± 33.9† (n=3)"),
        Cell("84.01 ± 0.30", mark=Mark.SECOND, is_tied=True), Cell("83.62 (n=1)"), Cell("–"),
        Cell("9.10", is_grey=True), Cell(""),
    ]  # fmt: skip
    made = column(cells, "DC")
    assert (made.spec, made.span) == (r"S[table-format=2.2]@{\,}l", 2)
    assert made.cells == [
        r"\bfseries 84.60 & $\pm$\,0.36",
        r"68.7 & $\pm$\,33.9$^{\dagger}$ (n=3)",
        r"84.01 {\secondbest{84.01}} & $\pm$\,0.30$^{\approx}$",
        "83.62 & (n=1)",
        "{--} &",
        r"\color{gray} 9.10 &",
        " &",
    ]
    assert made.head("DC") == r"\multicolumn{2}{c}{DC}"


@pytest.mark.parametrize(
    ("texts", "spec", "cells"),
    [
        (["0.00391", "0.5", "–"], "S[table-format=1.5]", ["0.00391", "0.5", "{--}"]),
        (["+0.63 ± 0.20", "−1.2 ± 3.4"], r"S[table-format=-1.2]@{\,}l",
         [r"+0.63 & $\pm$\,0.20", r"-1.2 & $\pm$\,3.4"]),
        (["9/10", "8/10"], "r", ["9/10", "8/10"]),
        (["80 %", "> 5 %"], "r", [r"80\,\%", r"$>$ 5\,\%"]),
        (["84.60 [84.21, 84.97]"], r"S[table-format=2.2]@{\,}l", ["84.60 & [84.21, 84.97]"]),
    ],
)  # fmt: skip
def test_columns_of_other_tables(texts, spec, cells):
    made = column([Cell(text) for text in texts], "x")
    assert (made.spec, made.cells) == (spec, cells)


def grid() -> Sheet:
    """Two label budgets, two methods, two datasets, two scores; em was run on glas at 5 % alone."""
    heads = [Head("labelled"), Head("method")]
    heads += [Head(score, dataset) for dataset in ("glas", "ph2") for score in ("DC", "JI")]

    def row(budget: str, method: str, *texts: str) -> list[Cell]:
        return [Cell(budget), Cell(method), *(Cell(text) for text in texts)]

    rows = [
        row("", "floor", "1", "2", "3", "4"),
        row("5 %", "cps", "11", "12", "13", "14"),
        row("5 %", "em", "15", "16", "–", "–"),
        row("20 %", "cps", "21", "22", "23", "24"),
    ]
    return Sheet("table", "T", heads, rows, pd.DataFrame())


def body(text: str) -> list[str]:
    """Of a tabular the lines of cells, each as its words."""
    lines = text.partition(r"\toprule")[2].partition(r"\bottomrule")[0].splitlines()
    return [line.removesuffix(r" \\") for line in lines if line.endswith(r"\\")]


def test_a_table_below_each_other():
    assert body(as_latex(grid(), Style("split", is_bare=True))) == [
        r" &  & \multicolumn{2}{c}{glas}", "labelled & method & {DC} & {JI}",
        " & floor & 1 & 2", r"5\,\% & cps & 11 & 12", " & em & 15 & 16", r"20\,\% & cps & 21 & 22",
        r" &  & \multicolumn{2}{c}{ph2}", "labelled & method & {DC} & {JI}",
        " & floor & 3 & 4", r"5\,\% & cps & 13 & 14", r"20\,\% & cps & 23 & 24",
    ]  # fmt: skip


def test_a_column_a_label_budget():
    """The floor is that of every budget; em was not run at 20 %, nor on ph2 at all."""
    assert body(as_latex(grid(), Style("ratio-per-column", is_bare=True))) == [
        r" &  & \multicolumn{2}{c}{5\,\% labelled} & \multicolumn{2}{c}{20\,\% labelled}",
        "dataset & method & {DC} & {JI} & {DC} & {JI}",
        "glas & floor & 1 & 2 & 1 & 2", " & cps & 11 & 12 & 21 & 22", 
        " & em & 15 & 16 & {--} & {--}",
        "ph2 & floor & 3 & 4 & 3 & 4", " & cps & 13 & 14 & 23 & 24",
    ]  # fmt: skip


def test_a_column_a_method():
    assert body(as_latex(grid(), Style("transposed", is_bare=True))) == [
        "labelled & dataset & score & {floor} & {cps} & {em}",
        r"5\,\% & glas & DC & 1 & 11 & 15", " & glas & JI & 2 & 12 & 16",
        " & ph2 & DC & 3 & 13 & {--}", " & ph2 & JI & 4 & 14 & {--}",
        r"20\,\% & glas & DC & 1 & 21 & {--}", " & glas & JI & 2 & 22 & {--}",
        " & ph2 & DC & 3 & 23 & {--}", " & ph2 & JI & 4 & 24 & {--}",
    ]  # fmt: skip


def test_a_table_that_is_no_grid_keeps_its_columns():
    sheet = Sheet("x", "X", [Head("dataset"), Head("n")], [[Cell("a"), Cell("1")]], pd.DataFrame(),
                  words=1)  # fmt: skip
    assert body(as_latex(sheet, Style("transposed", is_bare=True))) == ["dataset & {n}", "a & 1"]


def test_a_table_that_is_too_wide_lies_on_its_side_and_one_too_tall_goes_on():
    wide = as_latex(replace(grid(), heads=[*grid().heads, *[Head("a score", "x")] * 6],
                            rows=[[*row, *[Cell("84.60 ± 0.36")] * 6] for row in grid().rows]),
                    Style("wide"))  # fmt: skip
    assert wide.count(r"\begin{sidewaystable}") == 1 and "rotating" in wide
    tall = as_latex(replace(grid(), rows=grid().rows * 20, notes=["what it means"]))
    assert tall.count(r"\begin{table}") == tall.count(r"\caption{T") == 3
    assert tall.count("(continued)") == 2
    assert tall.count(r"\label{") == tall.count("What it means.") == 1


def test_the_golden_table_is_typeset(tmp_path):
    tex.require()
    found = tex.typeset(tmp_path, GOLDEN.read_text(encoding="utf-8"))
    assert found.complaints == []
    assert not found.text or ("84.60" in found.text and "± 0.36" in found.text)


def test_a_name_of_every_awkward_sign_is_typeset(tmp_path):
    tex.require()
    rows = trials(**{"ours[a_b=1.0,c=~^\\{#$&%]": A, "cps": B})
    text = tex.typeset(tmp_path, as_latex(main.sheet(rows, Reading()))).text
    # In TeX's own font the underscore is a rule, tilde and circumflex are accents.
    assert not text or "ours[a b=1.0,c=\u02dc\u02c6\\{#$&%]" in text


def test_signs_of_comparison_are_typeset(tmp_path):
    tex.require()
    text = tex.typeset(tmp_path, latex_escape("a ≤ 5 %, b > 10 %, c < 2")).text
    assert not text or ("b > 10" in text and "c < 2" in text and "≤ 5" in text)


def test_a_grey_cell_is_typeset(tmp_path):
    tex.require()
    cell = replace(Cell("84.60 ± 0.36"), is_grey=True)
    sheet = Sheet("x", "X", [Head("a"), Head("b")], [[Cell("5 %"), cell]], pd.DataFrame(), words=1)
    text = tex.typeset(tmp_path, as_latex(sheet)).text
    assert not text or "± 0.36" in text


@pytest.fixture(scope="module")
def four_datasets(tmp_path_factory):
    """A function: the report of so many methods on four datasets at two label budgets."""
    folder = tmp_path_factory.mktemp("four")

    def report(methods: int) -> Report:
        variants = [*studies.METHODS, *studies.ABLATION, *LONGEST][:methods]
        study = folder / f"of-{methods}"
        studies.write(study, ratios=[0.05, 0.2], variants=variants, files=False)
        return Report(tables.trials(survey(study).records), Options(with_costs=False))

    return report


@pytest.mark.slow
@pytest.mark.parametrize("methods", [8, 15])
def test_four_datasets_fit_the_page_in_every_layout(four_datasets, tmp_path, methods):
    tex.require()
    sheet = four_datasets(methods).table("table")
    for layout in (None, *LAYOUTS):
        found = tex.typeset(tmp_path / f"{layout}", as_latex(sheet, Style(layout)))
        assert found.complaints == [], layout
        assert found.pages <= 3, layout


@pytest.mark.slow
def test_every_table_of_a_full_study_fits_the_page(four_datasets, tmp_path):
    tex.require()
    sheets = four_datasets(13).tables()
    assert [sheet.name for sheet in sheets] == [
        "table", "differences", "optimism", "label-efficiency", "ranks", "distances",
    ]  # fmt: skip
    for sheet in sheets:
        assert tex.typeset(tmp_path / sheet.name, as_latex(sheet)).complaints == [], sheet.name


@pytest.mark.parametrize("datasets", [["glas"], ["glas", "ph2"]])
def test_costs_stand_with_the_scores_of_their_dataset_in_every_layout(datasets):
    rows = pd.concat([trials(ours=A).assign(dataset=name) for name in datasets])
    amounts = {"parameters": 2e6, "flops_per_step": 3e9, "seconds_train": 4.0}
    rows = rows.assign(**amounts, peak_memory_mib=5.0, seconds_pretrain=None)
    sheet = main.sheet(rows, Reading(), with_costs=True)
    by_budget, by_method = (
        [
            line.removesuffix(r" \\").split(" & ")
            for line in as_latex(sheet, Style(how)).splitlines()
        ]
        for how in ("ratio-per-column", "transposed")
    )
    # A line of each dataset, with no further line of costs that would have no scores.
    ours = [line for line in by_budget if line[1:2] == ["ours"]]
    assert [line[-5:-3] + line[-1:] for line in ours] == [["2.00", "3", "5"]] * len(datasets)
    for name in datasets:
        scores = [line[2] for line in by_method if line[1:2] == [name]]
        assert scores == ["DC", "JI", "M param.", "GFLOP/step", "s/step", "total s", "MiB"]


@pytest.mark.parametrize(("name", "named"), [("naïve, Łódź, Π", ""), ("метод 方法", "демот方法")])
def test_letters_that_need_another_engine_are_named(name, named):
    sheet = Sheet("x", "X", [Head("a")], [[Cell(name)]], pd.DataFrame(), words=1)
    comments = [x for x in as_latex(sheet).splitlines() if x.startswith("% ") and "pdfLaTeX" in x]
    assert [line.partition(":")[0] for line in comments] == [f"% {named}"] * bool(named)


def test_letters_of_latin_languages_are_typeset(tmp_path):
    tex.require()
    sheet = Sheet("x", "X", [Head("a")], [[Cell("naïve, Łódź, Žižek, Π")]], pd.DataFrame(), words=1)
    assert tex.typeset(tmp_path, as_latex(sheet)).complaints == []


def test_letters_and_hyphens_of_names_are_printed_as_they_are():
    assert latex_escape("Π-model, μ") == r"$\Pi$-model, $\mu$"
    assert latex_escape("bench report --class ---") == "bench report -{}-class -{}-{}-"
    assert latex_escape("5–9") == "5--9"
