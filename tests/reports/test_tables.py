"""The table of worked numbers: C1 of the statistics, 84.60 ± 0.36."""

import pandas as pd
import pytest

from reports import tables
from tests.reports.test_aggregate import A, B

FLOORS = {
    "all_background_dc_pooled": 0.0, "all_background_ji_pooled": 0.0,
    "all_background_dc_case": 0.0, "all_background_ji_case": 0.0,
    "all_foreground_dc_pooled": 0.661, "all_foreground_ji_pooled": 0.4937,
    "all_foreground_dc_case": 0.642, "all_foreground_ji_case": 0.5,
}  # fmt: skip


def trials() -> pd.DataFrame:
    rows = []
    for variant, values in (("ours", A), ("cps", B[:9]), ("supervised", B[:1])):
        for seed, value in enumerate(values):
            rows.append(
                {
                    "status": "done",
                    "error": "",
                    "dataset": "glas",
                    "ratio": 0.2,
                    "variant": variant,
                    "seed": seed,
                    "evaluate_on": "test",
                    "data_hash": "d",
                    "cell": variant,
                    "preset": "cpu",
                    "finished_at": "2026-01-01",
                    "n_test": 60,
                    "data_partial": "60 of 80 test cases",
                    "code_version": "0.1.0",
                    "dc_pooled": value,
                    "ji_pooled": value - 0.1,
                    "dc_case": value - 0.2,
                    "ji_case": value - 0.3,
                    "oracle_dc_pooled": value + 0.1,
                    "oracle_ji_pooled": value,
                    "oracle_dc_case": value,
                    "oracle_ji_case": value,
                    "steps": 250,
                }
                | FLOORS
            )
    return pd.DataFrame(rows)


def table(**reading) -> tables.Table:
    return tables.build(trials(), tables.Reading(**reading))


def test_the_markdown_table():
    """cps has nine seeds: mean .8401111, s = .0048654, t(.95, 8) = 1.8595480, h = .0030158."""
    assert tables.as_markdown(table()).splitlines()[:6] == [
        "| labelled | method | glas DC | glas JI |",
        "| --- | --- | ---: | ---: |",
        "|  | floor: all foreground | 66.10 | 49.37 |",
        "| 20 % | supervised | 83.62 (n=1) | 73.62 (n=1) |",
        "|  | cps | 84.01 ± 0.30 (n=9) | 74.01 ± 0.30 (n=9) |",
        "|  | ours | 84.60 ± 0.36 | 74.60 ± 0.36 |",
    ]


def test_the_latex_table():
    lines = tables.as_latex(table()).splitlines()
    assert lines[lines.index(r"\toprule") :] == [
        r"\toprule",
        r" &  & \multicolumn{2}{c}{glas} \\",
        r"\cmidrule(lr){3-4}",
        r"labelled & method & DC & JI \\",
        r"\midrule",
        r" & floor: all foreground & 66.10 & 49.37 \\",
        r"\midrule",
        r"20\,\% & supervised & 83.62 (n=1) & 73.62 (n=1) \\",
        r" & cps & 84.01 $\pm$ 0.30 (n=9) & 74.01 $\pm$ 0.30 (n=9) \\",
        r" & ours & 84.60 $\pm$ 0.36 & 74.60 $\pm$ 0.36 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert tables.latex_escape("cps[weight_x=1] & 5 %") == r"cps[weight\_x=1] \& 5\,\%"


def test_the_csv_table_has_full_precision():
    lines = tables.as_csv(table()).splitlines()
    assert lines[0] == "dataset,labelled,method,metric,mean,ci_half_width,n"
    assert lines[1] == "glas,,floor: all foreground,dc,0.661,,0"
    dataset, labelled, method, metric, mean, half_width, n = lines[7].split(",")
    assert (dataset, labelled, method, metric, n) == ("glas", "20 %", "ours", "dc", "10")
    assert float(mean) == pytest.approx(0.8460, abs=1e-9)
    assert float(half_width) == pytest.approx(0.0036469274, abs=1e-9)


def test_text_columns_are_aligned():
    lines = tables.as_text(table()).splitlines()[:6]
    assert lines[1].replace(" ", "") == "-" * len(lines[1].replace(" ", ""))
    assert lines[5].endswith("74.60 ± 0.36") and len(lines[5]) == len(lines[1])


def test_the_footer_names_estimator_selection_aggregation_and_what_is_partial():
    footer = " / ".join(table().footer)
    assert "mean ± 90 % t half-width over seeds, n = 10 unless given" in footer
    assert "final step, argmax" in footer and "pooled over all pixels" in footer
    assert "evaluated on: test (glas 60 images); presets: cpu" in footer
    assert "glas is not the dataset as published: 60 of 80 test cases" in footer
    oracle = " / ".join(table(selection="oracle", aggregate="case").footer)
    assert "ORACLE" in oracle and "mean over cases" in oracle


def test_unequal_budgets_are_said():
    unequal = trials()
    unequal.loc[unequal.variant == "ours", "steps"] = 1000
    assert "training steps differs between methods" in " ".join(
        tables.build(unequal, tables.Reading()).footer
    )
    assert "steps" not in " ".join(table().footer)


def test_selection_and_aggregate_choose_the_columns():
    assert "94.60" in tables.as_markdown(table(selection="oracle"))
    per_case = tables.as_markdown(table(aggregate="case"))
    assert "64.60" in per_case and "64.20" in per_case  # ours; the floor per case


@pytest.mark.parametrize(
    ("mean", "half_width", "expected"),
    [
        (0.8460, 0.0036469, ("84.60", "0.36")),
        (0.70, 0.1234, ("70.0", "12.3")),
        (0.70, 0.00994, ("70.00", "0.99")),
        (0.70, 0.00996, ("70.0", "1.0")),
        (0.70125, 0.00125, ("70.12", "0.12")),  # ties go to the even digit
        (0.70135, 0.00135, ("70.14", "0.14")),
        (1.0, 0.0, ("100.00", "0.00")),
    ],
)
def test_numbers_are_rounded_half_even_to_two_digits_of_the_width(mean, half_width, expected):
    assert tables.number(mean, half_width) == expected


def test_costs_are_medians_and_stand_beside_the_figures():
    rows = trials()
    n = len(rows)
    rows["parameters"], rows["flops_per_step"] = 1_813_762, 4.414e9
    rows["seconds_train"] = [25.0 * (i + 1) for i in range(n)]  # 250 steps: .1, .2, … a step
    rows["peak_memory_mib"] = None
    made = tables.build(rows, tables.Reading(), with_costs=True)
    lines = tables.as_markdown(made).splitlines()
    assert lines[0].endswith("| M param. | GFLOP/step | s/step | MiB |")
    assert lines[2].endswith("| – | – | – | – |")  # the floor costs nothing
    assert lines[5].endswith("| 74.60 ± 0.36 | 1.81 | 4.41 | 0.55 | – |")  # ours: .1 … 1.0
    assert r"\multicolumn{4}{c}{costs of glas} \\" in tables.as_latex(made)
    assert "glas,20 %,ours,seconds,0.55,," in tables.as_csv(made)
    assert "medians over seeds" in made.footer[-1]
