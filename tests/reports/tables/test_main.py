"""The table of worked numbers: C1 of the statistics, 84.60 ± 0.36."""

import io
import math

import pandas as pd
import pytest

from reports import render, tables, unequal
from reports.select import Reading
from reports.sheet import Sheet, number, signed
from tests.reports import worked
from tests.reports.worked import A, B


def trials() -> pd.DataFrame:
    return worked.trials(ours=A, cps=B[:9], supervised=B[:1])


def table(**reading) -> Sheet:
    return main.sheet(trials(), Reading(**reading))


def test_the_markdown_table():
    """cps has nine seeds: mean .8401111, s = .0048654, t(.95, 8) = 1.8595480, h = .0030158."""
    assert render.as_markdown(table()).splitlines()[:6] == [
        "| labelled | method | glas DC | glas JI |",
        "| --- | --- | ---: | ---: |",
        "|  | floor: all foreground | 66.10 | 49.37 |",
        "| 20 % | supervised | 83.62 (n=1) | 73.62 (n=1) |",
        "|  | cps | <u>84.01 ± 0.30 (n=9)</u> | <u>74.01 ± 0.30 (n=9)</u> |",
        "|  | ours | **84.60 ± 0.36** | **74.60 ± 0.36** |",
    ]


def test_the_latex_table():
    lines = render.as_latex(table()).splitlines()
    assert lines[lines.index(r"\toprule") :] == [
        r"\toprule",
        r" &  & \multicolumn{2}{c}{glas} \\",
        r"\cmidrule(lr){3-4}",
        r"labelled & method & DC & JI \\",
        r"\midrule",
        r" & floor: all foreground & 66.10 & 49.37 \\",
        r"\midrule",
        r"20\,\% & supervised & 83.62 (n=1) & 73.62 (n=1) \\",
        r" & cps & \underline{84.01 $\pm$ 0.30 (n=9)} & \underline{74.01 $\pm$ 0.30 (n=9)} \\",
        r" & ours & \textbf{84.60 $\pm$ 0.36} & \textbf{74.60 $\pm$ 0.36} \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert render.latex_escape("cps[weight_x=1] & 5 %") == r"cps[weight\_x=1] \& 5\,\%"


def test_not_distinguishable_from_the_best_is_marked():
    """A gains .0001 in three seeds of ten: p = .25. B is told apart: p = .0039, Holm .0078."""
    close = A - 1e-4 * (B > 0.84)
    sheet = main.sheet(worked.trials(ours=A, close=close, cps=B), Reading())
    assert "| 20 % | close | <u>84.60 ± 0.36</u><sup>≈</sup> |" in render.as_markdown(sheet)
    assert r"20\,\% & close & \underline{84.60 $\pm$ 0.36}$^{\approx}$ &" in render.as_latex(sheet)
    lines = render.as_text(sheet).splitlines()
    for line, figure in zip(lines[3:6], ("60 ± 0.36+≈", "97 ± 0.28  ", "60 ± 0.36* "), strict=True):
        assert figure in line
    footer = " / ".join(sheet.footer)
    assert "≈ DC not distinguishable from the best" in footer
    assert "Holm over 2 comparisons" in footer and "could be reached 0.0039" in footer


def test_marks_need_a_second_method_and_tests_need_six_pairs():
    alone = main.sheet(worked.trials(ours=A), Reading())
    assert "**" not in render.as_markdown(alone) and "best" not in " ".join(alone.footer)
    assert "not tested: 9 pairs" not in " ".join(table().footer)
    few = main.sheet(worked.trials(ours=A[:3], cps=B[:3]), Reading())
    assert "from the best are not tested: 3 pairs of seeds at most, 6 are needed" in " ".join(
        few.footer
    )


def test_the_csv_table_has_full_precision():
    lines = render.as_csv(table()).splitlines()
    heads = (
        "dataset,method,metric,mean,n,ratio,ci_half_width,ci_low,ci_high,deviation,"
        "interquartile_mean,min,max"
    )
    assert lines[0] == heads
    assert lines[1] == "glas,floor: all foreground,dc,0.661,0,,,,,,,,"
    frame = pd.read_csv(io.StringIO(render.as_csv(table())))
    ((mean, half, deviation, middle, low, high),) = frame[
        (frame.method == "ours") & (frame.metric == "dc")
    ][["mean", "ci_half_width", "deviation", "interquartile_mean", "min", "max"]].to_numpy()
    assert (mean, half, deviation) == pytest.approx((0.846, 0.0036469274, 0.0062912638), abs=1e-9)
    assert (middle, low, high) == pytest.approx((0.8460833333, 0.8367, 0.8556))


def test_text_columns_are_aligned():
    lines = render.as_text(table()).splitlines()[:6]
    assert lines[1].replace(" ", "") == "-" * len(lines[1].replace(" ", ""))
    assert lines[5].endswith("74.60 ± 0.36*") and len(lines[5]) == len(lines[1])
    assert lines[4].endswith("74.01 ± 0.30 (n=9)+")


def test_runs_that_learnt_nothing_are_named():
    rows = worked.trials(ours=A, cps=[0.5, 0.661, 0.9])
    assert (
        "runs at or below the floor in DC: cps/glas/20 % (2 of 3)"
        in main.sheet(rows, Reading()).footer
    )


def test_intervals_over_cases():
    """The worked matrix of three seeds and four cases: .8225 ± .0612, .1061, .1050."""
    matrix = [[0.90, 0.80, 0.70, 0.88], [0.94, 0.83, 0.75, 0.92], [0.87, 0.78, 0.66, 0.84]]
    cases = pd.DataFrame(
        [
            {"dataset": "glas", "ratio": 0.2, "variant": "ours", "seed": seed, "case": f"c{case}",
             "dc": value, "ji": value}
            for seed, line in enumerate(matrix)
            for case, value in enumerate(line)
        ]
    )  # fmt: skip
    rows = worked.trials(ours=[0.8, 0.8, 0.8])
    for ci, width in (("cases", "10.6"), ("both", "10.5")):
        reading = Reading(aggregate="case", ci=ci)
        sheet = main.sheet(rows, reading, cases=cases)
        assert f"| 82.3 ± {width} |" in render.as_markdown(sheet)
        assert "over" in sheet.footer[0] and "cases" in sheet.footer[0]


def test_what_this_literature_computes_on_request():
    """Oracle, pooled, deviation over n: 94.60 ± .3460 instead of 84.60 ± .3647."""
    sheet = table(selection="oracle", ddof=0)
    assert "**94.60 ± 0.35**" in render.as_markdown(sheet)
    assert "ddof 0" in sheet.footer[0] and "ORACLE" in sheet.footer[1]


def test_an_interval_beyond_the_range_has_a_dagger():
    """.90, .99: mean .945, s .0636396, h = 6.3137515 · s / √2 = .2841188: up to 122.9."""
    sheet = main.sheet(worked.trials(ours=[0.90, 0.99]), Reading())
    assert "| 94.5 ± 28.4† |" in render.as_markdown(sheet)
    assert r"94.5 $\pm$ 28.4$^{\dagger}$" in render.as_latex(sheet)
    assert any(line.startswith("† the interval reaches beyond") for line in sheet.footer)
    (line,) = [r for r in sheet.data.to_dict("records") if r["metric"] == "dc" and r["n"] == 2]
    assert (line["ci_low"], line["ci_high"]) == (pytest.approx(0.6608812), 1.0)
    assert not any("†" in line for line in table().footer)
    (alone,) = [r for r in table().data.to_dict("records") if r["metric"] == "dc" and r["n"] == 1]
    assert math.isnan(alone["ci_low"]) and math.isnan(alone["ci_high"])


def test_an_uneven_interval_is_printed_with_its_ends():
    """Log-odds of .5 and .9: .29 to 99.97 (see `test_intervals`)."""
    sheet = main.sheet(worked.trials(ours=[0.5, 0.9]), Reading(interval="logit-t"))
    assert "| 70.0 [0.3, 100.0] |" in render.as_markdown(sheet)
    assert "interval, t of the log-odds, over seeds" in sheet.footer[0]


def test_the_footer_names_estimator_selection_aggregation_and_what_is_partial():
    footer = " / ".join(table().footer)
    assert "mean ± 90 % t half-width over seeds, n = 10 unless given" in footer
    assert "final step, argmax" in footer and "pooled over all pixels" in footer
    assert "evaluated on: test (glas 60 images); presets: cpu" in footer
    assert "glas is not the dataset as published: 60 of 80 test cases" in footer
    changed = trials().assign(changes="training.epochs=2 size=[32,32]")
    footer = " / ".join(main.sheet(changed, Reading()).footer)
    assert "presets: cpu with training.epochs=2 size=[32,32] /" in footer
    oracle = " / ".join(table(selection="oracle", aggregate="case").footer)
    assert "ORACLE" in oracle and "mean over cases" in oracle


def test_unequal_budgets_are_said_with_those_of_pretraining():
    rows = pd.concat([trials(), trials().pipe(at, 0.05)])
    assert "steps" not in " ".join(main.sheet(rows, Reading()).footer)
    rows.loc[rows.variant == "ours", "pretrain_steps"] = 1000
    rows.loc[rows.variant == "cps", "steps"] = 500
    assert (
        "training steps differ between methods, on glas at 5 %: 250 (supervised); 500 (cps); 1000 "
        "of pretraining and 250 (ours), and on 1 more of 2"
    ) in main.sheet(rows, Reading()).footer


def test_settings_that_differ_are_named():
    def settings(rate: float, **changes) -> dict:
        return {
            "seed": 0, "hyperparameters": {"x": rate}, "network": {"name": "unet"},
            "training": {"learning_rate": rate, "epochs": 2}, **changes,
        }  # fmt: skip

    def footer(rows: pd.DataFrame) -> list[str]:
        return [line for line in main.sheet(rows, Reading()).footer if "settings" in line]

    rows = pd.concat([trials(), trials().pipe(at, 0.05)])
    rows["settings"] = [settings(0.003, seed=seed) for seed in rows.seed]
    assert footer(rows) == []
    rows["settings"] = [
        settings(0.01) if row.variant == "ours" else settings(0.003) for row in rows.itertuples()
    ]
    assert footer(rows) == ["settings differ: training.learning_rate 0.003 (ours: 0.01)"]
    rows["settings"] = [
        settings(0.003, network={"name": "resnet34"} if (row.variant, row.ratio) == ("cps", 0.2)
                 else {"name": "unet"})
        for row in rows.itertuples()
    ]  # fmt: skip
    assert footer(rows) == ["settings differ: network.name unet (cps at 20 %: resnet34)"]


def test_settings_are_compared_within_a_dataset_and_those_of_a_method_within_its_name():
    def settings(rate: float, weight: float) -> dict:
        return {"hyperparameters": {"weight": weight}, "learning_rate": rate}

    rows = pd.concat([worked.trials(cps=A, ours=A).assign(dataset=name) for name in "ab"])
    rows["settings"] = [
        settings({"acps": 0.1, "bours": 0.2}.get(row.dataset + row.variant, 0.5), 5.0)
        for row in rows.itertuples()
    ]
    (line,) = unequal.settings(rows)
    assert line == (
        "settings differ: learning_rate 0.1 (ours: 0.5) on a, learning_rate 0.5 (ours: 0.2) on b"
    )
    rows = pd.concat([worked.trials(cps=A, ours=A).pipe(at, ratio) for ratio in (0.05, 0.2)])
    rows["settings"] = [
        settings(0.5, 5.0 if (row.variant, row.ratio) != ("ours", 0.05) else 1.0)
        for row in rows.itertuples()
    ]
    (line,) = unequal.settings(rows)
    assert line == "settings differ: hyperparameters.weight 1.0 (ours at 20 %: 5.0)"


def test_what_has_no_seed_in_common_with_the_best_is_named():
    rows = pd.concat([
        worked.trials(ours=A, em=B), worked.trials(cps=B).assign(seed=lambda t: t.seed + 50),
        worked.trials(ours=A).pipe(at, 0.05),  # alone: there is no best
    ])  # fmt: skip
    assert "no seed in common with the best, not compared: cps/glas/20 %" in (
        main.sheet(rows, Reading()).footer
    )
    assert "in common" not in " ".join(table().footer)


def test_a_lucky_single_run_is_neither_best_nor_second():
    sheet = main.sheet(worked.trials(ours=A, cps=B, lucky=[0.99]), Reading())
    lines = render.as_markdown(sheet).splitlines()[3:6]
    assert lines == [
        "| 20 % | cps | <u>83.97 ± 0.28</u> | <u>73.97 ± 0.28</u> |",
        "|  | lucky | 99.00 (n=1) | 89.00 (n=1) |",
        "|  | ours | **84.60 ± 0.36** | **74.60 ± 0.36** |",
    ]
    assert (
        "never marked as best, too few runs beside the others: lucky/glas/20 % (n=1)"
        in sheet.footer
    )


def test_no_footer_breaks_out_of_a_latex_comment():
    sheet = main.sheet(worked.trials(ours=A), Reading(), left_out=["1 failed: boom\nhalt"])
    comments = render.as_latex(sheet).partition(r"\begin")[0].splitlines()
    assert all(line.startswith("% ") for line in comments) and "% 1 failed: boom halt" in comments


def test_selection_and_aggregate_choose_the_columns():
    assert "94.60" in render.as_markdown(table(selection="oracle"))
    per_case = render.as_markdown(table(aggregate="case"))
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
    assert number(mean, half_width) == expected


def test_costs_are_medians_and_stand_beside_the_figures():
    rows = trials()
    n = len(rows)
    rows["parameters"], rows["flops_per_step"] = 1_813_762, 4.414e9
    rows["seconds_train"] = [25.0 * (i + 1) for i in range(n)]  # 250 steps: .1, .2, … a step
    rows["peak_memory_mib"], rows["seconds_pretrain"] = None, None
    rows.loc[rows.variant == "ours", "seconds_pretrain"] = 60.0
    made = main.sheet(rows, Reading(), with_costs=True)
    lines = render.as_markdown(made).splitlines()
    assert lines[0].endswith("| M param. | GFLOP/step | s/step | s in all | MiB |")
    assert lines[2].endswith("| – | – | – | – | – |")  # the floor costs nothing
    assert lines[5].endswith("| **74.60 ± 0.36** | 1.81 | 4.41 | 0.55 | 198 | – |")
    # ours: .1 … 1.0 a step; 25, … 250 seconds, and 60 before.
    assert r"DC & JI & M param. & GFLOP/step & s/step & s in all & MiB \\" in render.as_latex(made)
    frame = made.data[(made.data.method == "ours") & (made.data.metric == "seconds")]
    assert frame["mean"].tolist() == [pytest.approx(0.55)]
    assert "medians over seeds" in made.footer[-1]


def test_costs_of_several_datasets_have_heads_of_their_own():
    rows = pd.concat([trials(), trials().assign(dataset="ph2")])
    for column in ("parameters", "flops_per_step", "seconds_train", "peak_memory_mib"):
        rows[column] = 1.0
    made = main.sheet(rows, Reading(), with_costs=True)
    assert r"\multicolumn{5}{c}{costs of glas} & \multicolumn{5}{c}{costs of ph2}" in (
        render.as_latex(made)
    )


@pytest.mark.parametrize(
    ("difference", "half_width", "text"),
    [
        (0.00632, 0.00198, "+0.63 ± 0.20"),
        (-0.02, 0.034, "−2.0 ± 3.4"),
        (-0.00001, 0.001, "+0.00 ± 0.10"),
        (-0.0001, 0.06, "+0.0 ± 6.0"),
        (-0.0006, 0.06, "−0.1 ± 6.0"),
        (0.0, float("nan"), "+0.00"),
    ],
)
def test_differences_carry_their_sign(difference, half_width, text):
    assert signed(difference, half_width) == text
