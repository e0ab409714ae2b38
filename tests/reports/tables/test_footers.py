"""What stands under a table: where methods of one table were not treated alike."""

import pandas as pd

from reports.select import Reading
from reports.tables import footers, main
from tests.reports.worked import A, at, three_methods, trials


def test_unequal_budgets_are_said_with_those_of_pretraining():
    rows = pd.concat([three_methods(), three_methods().pipe(at, 0.05)])
    assert "steps" not in " ".join(main.sheet(rows, Reading()).remarks)
    rows.loc[rows.variant == "ours", "pretrain_steps"] = 1000
    rows.loc[rows.variant == "cps", "steps"] = 500
    assert (
        "training steps differ between methods, on glas at 5 %: 250 (supervised); 500 (cps); 1000 "
        "of pretraining and 250 (ours), and on 1 more of 2"
    ) in main.sheet(rows, Reading()).remarks


def test_images_without_any_of_several_classes_are_counted():
    rows = three_methods().assign(n_empty_true=2)
    rows["classes"] = [["background", "a", "b"]] * len(rows)
    for k in (1, 2):
        rows = rows.assign(**{f"n_predicted_class_{k}": 3, f"dc_pooled_class_{k}": 0.5})
    (said,) = [line for line in footers.oddities(rows, Reading(aggregate="case")) if "mean" in line]
    assert said == (
        "glas: DC and JI are means over images, of each over those of a, b that occur in it; "
        "2 images without any of them in no mean, whatever is found there (--table classes)"
    )
    (said,) = [line for line in footers.oddities(rows, Reading()) if "mean" in line]
    assert said == "glas: DC and JI are means over a, b (--table classes)"


def test_settings_that_differ_are_named():
    def settings(rate: float, **changes) -> dict:
        return {
            "seed": 0, "hyperparameters": {"x": rate}, "network": {"name": "unet"},
            "training": {"learning_rate": rate, "epochs": 2}, **changes,
        }  # fmt: skip

    def footer(rows: pd.DataFrame) -> list[str]:
        return [line for line in main.sheet(rows, Reading()).remarks if "settings" in line]

    rows = pd.concat([three_methods(), three_methods().pipe(at, 0.05)])
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

    rows = pd.concat([trials(cps=A, ours=A).assign(dataset=name) for name in "ab"])
    rows["settings"] = [
        settings({"acps": 0.1, "bours": 0.2}.get(row.dataset + row.variant, 0.5), 5.0)
        for row in rows.itertuples()
    ]
    (line,) = footers._settings(rows)
    assert line == (
        "settings differ: learning_rate 0.1 (ours: 0.5) on a, learning_rate 0.5 (ours: 0.2) on b"
    )
    rows = pd.concat([trials(cps=A, ours=A).pipe(at, ratio) for ratio in (0.05, 0.2)])
    rows["settings"] = [
        settings(0.5, 5.0 if (row.variant, row.ratio) != ("ours", 0.05) else 1.0)
        for row in rows.itertuples()
    ]
    (line,) = footers._settings(rows)
    assert line == "settings differ: hyperparameters.weight 1.0 (ours at 20 %: 5.0)"


def test_a_precision_that_is_not_the_usual_one_is_named():
    rows = trials(cps=[0.7, 0.8], ours=[0.7, 0.8])
    rows["settings"] = [
        {"precision": "bfloat16" if row.variant == "ours" else "float32"}
        for row in rows.itertuples()
    ]
    footer = main.sheet(rows, Reading()).remarks
    assert "computed in bfloat16, scores in float32: ours" in footer
    assert "settings differ: precision float32 (ours: bfloat16)" in footer
    rows["settings"] = [{"precision": "bfloat16"}] * 4
    footer = main.sheet(rows, Reading()).remarks
    assert "computed in bfloat16, scores in float32: cps, ours" in footer
    rows["settings"] = [{"precision": "float32"}] * 4
    assert not any("computed in" in line for line in main.sheet(rows, Reading()).remarks)


def test_tuned_variants_are_named_with_how_and_those_that_were_not():
    rows = three_methods()
    assert not [line for line in main.sheet(rows, Reading()).remarks if "tuned" in line]
    rows["tuned"] = rows.variant.map({"ours": "mine: best of 3 tries; 0 masks beyond"})
    assert [line for line in main.sheet(rows, Reading()).remarks if "tuned" in line] == [
        "tuned: ours/glas/20 %: chosen by mine: best of 3 tries; 0 masks beyond",
        "not tuned: cps/glas/20 %, supervised/glas/20 %",
    ]
