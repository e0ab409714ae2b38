"""Figures: which there are, what they show, that they can be told apart, that bytes repeat."""

import numpy as np
import pandas as pd
import pytest

from benchmark.store import tables
from benchmark.store.record_file import survey
from benchmark.study import methods
from reports import figures
from reports.figures import Inputs, style
from reports.select import with_budgets
from tests import studies
from tests.reports.worked import A, B, trial, trials


def drawn(rows: pd.DataFrame, **more) -> dict[str, figures.Named]:
    return {figure.name: figure for figure in figures.draw(Inputs(rows=rows, **more))}


@pytest.fixture(scope="module")
def full(tmp_path_factory) -> Inputs:
    """Two datasets, three shares, two seeds, nine methods and four ablations of one."""
    folder = tmp_path_factory.mktemp("studies") / "full"
    n = studies.write(
        folder, datasets=["glas", "la"], ratios=[0.05, 0.1, 0.2], seeds=[0, 1],
        variants=[*studies.METHODS, *studies.ABLATION],
    )  # fmt: skip
    assert n == 2 * 3 * 2 * 13
    rows = with_budgets(tables.trials(survey(folder).records))
    return Inputs(
        rows=rows,
        histories=tables.stacked(folder, rows, "history.csv"),
        panels=tables.panels(folder, rows),
    )


def test_a_full_study_has_every_figure(full):
    found = figures.draw(full)
    assert [figure.name for figure in found] == [
        "label-efficiency", "seeds-glas", "seeds-la", "optimism-glas", "optimism-la",
        "pretraining-ours", "rounds-ours", "ranks-5", "ranks-10", "ranks-20",
        "training-curves-glas", "training-curves-la", "cost", "qualitative-glas-20",
        "qualitative-la-20",
    ]  # fmt: skip
    for figure in found:
        assert figure.title and len(figure.alt) > 30
        assert figures.saved(figure.figure, "png")[:4] == b"\x89PNG"


def test_names_with_dollars_are_names_and_no_formulas(tmp_path):
    names = ["supervised", "cps[word=$x_{$]", "cps[word=$\\alpha$,other=$]"]
    studies.write(tmp_path / "s", datasets=["glas"], ratios=[0.1], seeds=[0, 1], variants=names)
    rows = with_budgets(tables.trials(survey(tmp_path / "s").records))
    for figure in figures.draw(Inputs(rows=rows)):
        drawn = figures.saved(figure.figure, "svg").decode()
        assert figures.saved(figure.figure, "pdf")[:4] == b"%PDF"
        if figure.name == "seeds-glas":
            assert all(name in drawn for name in names)


def test_of_too_many_variants_curves_show_the_methods_and_say_so(full):
    (curves, *_) = figures.draw(full)
    (legend,) = curves.figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert sorted(names[:-1]) == sorted(studies.METHODS) and names[-1] == "floor"
    assert "4 variants with changed settings: see the table" in curves.title


def test_one_trial_is_enough_for_the_figures_that_it_has_data_for():
    found = drawn(trials(cps=[0.7]))
    assert list(found) == ["seeds-glas", "optimism-glas"]
    for figure in found.values():
        figures.saved(figure.figure, "svg")  # a warning that axes collapsed would be an error


def test_each_seed_is_a_dot_and_the_bar_is_the_interval():
    """84.60 ± .36 and 83.97 ± .28; the floor is 66.10, too far to be drawn to scale."""
    figure = drawn(trials(cps=B, ours=A))["seeds-glas"].figure
    (axes,) = figure.axes
    dots = [line for line in axes.lines if len(line.get_xdata()) == 10]
    assert dots[0].get_xdata() == pytest.approx(100 * B)
    assert dots[1].get_xdata() == pytest.approx(100 * A)
    bars = [c.get_segments()[0][:, 0] for c in axes.collections]
    assert bars[0] == pytest.approx([83.968 - 0.27738417, 83.968 + 0.27738417])
    assert bars[1] == pytest.approx([84.60 - 0.36469274, 84.60 + 0.36469274])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cps", "ours"]
    assert axes.get_xlabel() == "Dice (%)\n← floor 66.1" and axes.get_xlim()[0] > 83


def test_rounds_stand_at_the_number_that_their_trials_were_run_with():
    rows = with_settings(
        {
            "ours": (0.75, {"rounds": 5}),
            "ours[rounds=10]": (0.77, {"rounds": 10}),
            "ours[rounds=1]": (0.72, {"rounds": 1}),
            "cps[weight=1.0]": (0.70, {"weight": 1.0}),
        }
    )
    assert rounds_of(drawn(rows)["rounds-ours"]) == ([1, 5, 10], pytest.approx([72, 75, 77]))


def test_a_plain_variant_of_two_rounds_stands_at_two_and_hides_no_other():
    rows = with_settings({"ours": (0.72, {"rounds": 2}), "ours[rounds=5]": (0.75, {"rounds": 5})})
    figure = drawn(rows)["rounds-ours"]
    assert rounds_of(figure) == ([2, 5], pytest.approx([72, 75]))
    assert figure.title == "ours: Dice over the number of rounds"
    assert figure.told == [
        "ours on glas at 20 %: 72.00 ± 0.00", "ours[rounds=5] on glas at 20 %: 75.00 ± 0.00",
    ]  # fmt: skip


def with_settings(variants: dict[str, tuple[float, dict]]) -> pd.DataFrame:
    """Two seeds of each variant: its Dice and its hyper-parameters."""
    return pd.DataFrame(
        [
            trial(variant, seed, dice, settings={"hyperparameters": hyperparameters})
            for variant, (dice, hyperparameters) in variants.items()
            for seed in (0, 1)
        ]
    )


def rounds_of(figure: figures.Named) -> tuple[list, list]:
    """Where the dots of its one curve stand: numbers of rounds, and Dice."""
    (axes,) = figure.figure.axes
    (bars,) = axes.containers
    curve = bars.lines[0]
    return list(curve.get_xdata()), list(curve.get_ydata())


def test_pretraining_compares_a_variant_with_itself_without_it():
    rows = with_settings(
        {
            "ours": (0.75, {"rounds": 5, "pretrain": True}),
            "ours[pretrain=false]": (0.74, {"rounds": 5, "pretrain": False}),
            "ours[rounds=1]": (0.73, {"rounds": 1, "pretrain": True}),
        }
    )
    (axes,) = drawn(rows)["pretraining-ours"].figure.axes
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "None"]
    assert {round(float(h), 6) for h in heights} >= {75.0, 74.0}
    assert not {round(float(h), 6) for h in heights} & {73.0}
    names = list(drawn(trials(ours=A, cps=B)))
    assert not [name for name in names if name.startswith(("pretraining", "rounds"))]


def test_a_family_differs_by_one_hyper_parameter_alone_whatever_its_names():
    rows = with_settings(
        {
            "ours": (0.7, {"rounds": 5, "weight": 5.0}),
            "ours[quick]": (0.7, {"rounds": 3, "weight": 5.0}),
            "ours[weight=1.0]": (0.7, {"rounds": 5, "weight": 1.0}),
            "ours[rounds=3,weight=1.0]": (0.7, {"rounds": 3, "weight": 1.0}),
            "ours[rounds=3,weight=2.0]": (0.7, {"rounds": 3, "weight": 2.0}),
            "cps": (0.7, {"weight": 5.0}),
        }
    )
    assert Inputs(rows).families("rounds") == [
        {5: "ours", 3: "ours[quick]"},
        {5: "ours[weight=1.0]", 3: "ours[rounds=3,weight=1.0]"},
    ]
    assert Inputs(rows).families("pretrain") == []
    found = [name for name in drawn(rows) if name.startswith("rounds")]
    assert found == ["rounds-ours", "rounds-ours-weight-1-0"]


def test_the_hyper_parameters_that_have_a_figure_are_those_of_ours():
    defaults = methods.hyperparameters("ours")
    assert (defaults["rounds"], defaults["pretrain"]) == (5, True)


def test_variants_can_be_told_apart_in_black_and_white():
    looks = style.looks([*studies.METHODS, *studies.ABLATION], studies.METHODS)
    assert list(looks)[:3] == ["supervised", "cct", "cps"]
    assert list(looks).index("ours[rounds=3]") < list(looks).index("ours[rounds=10]")
    assert len({look.marker for look in looks.values()}) == 13
    assert len({looks[name].color for name in studies.METHODS}) == 9


def test_panels_of_a_figure_share_their_axes(full):
    for figure in figures.draw(full):
        if figure.name.startswith(("label-eff", "seeds", "optimism", "training", "cost")):
            axes = figure.figure.axes
            assert len(axes) > 1
            assert len({one.get_xlim() for one in axes}) == 1, figure.name
            assert len({one.get_ylim() for one in axes}) == 1, figure.name


def test_a_floor_near_the_scores_is_a_line_and_one_far_below_is_written():
    """Scores from 70 to 75: 66.1 is 6.4 below their middle, 15 is 57.5."""
    rows = [
        trial(variant, seed, dice, dataset=dataset, ratio=ratio, all_foreground_dc_pooled=floor)
        for dataset, floor in (("glas", 0.661), ("nuclei", 0.15))
        for ratio in (0.05, 0.1)
        for variant, dice in (("cps", 0.7), ("em", 0.75))
        for seed in (0, 1)
    ]
    near, far = drawn(pd.DataFrame(rows))["label-efficiency"].figure.axes
    (line,) = [line for line in near.lines if line.get_label() == "floor"]
    assert line.get_ydata()[0] == pytest.approx(66.1)
    assert not [line for line in far.lines if line.get_label() == "floor"]
    assert [text.get_text() for text in far.texts] == ["↓ floor 15.0"]
    assert near.get_ylim() == far.get_ylim() and 60 < far.get_ylim()[0] < 66.1


def test_up_to_four_methods_have_bands_and_more_have_names_at_the_ends_of_their_lines(full):
    def curves(variants: list[str]) -> figures.Named:
        rows = full.rows[full.rows.variant.isin(variants)]
        histories = full.histories[full.histories.variant.isin(variants)]
        return drawn(rows, histories=histories)["training-curves-glas"]

    four, five = curves(["cct", "cps", "em", "uamt"]), curves(["cct", "cps", "em", "uamt", "urpc"])
    axes = four.figure.axes[0]
    assert len(axes.collections) == 4 and not axes.texts and four.figure.legends
    assert "mean and range over seeds" in four.title
    axes = five.figure.axes[0]
    assert not axes.collections and not five.figure.legends
    assert sorted(text.get_text() for text in axes.texts) == [
        "cct", "cps", "em", "floor", "uamt", "urpc",
    ]  # fmt: skip
    assert "mean over seeds" in five.title


def test_names_that_would_overlap_are_moved_apart_as_little_as_it_takes():
    """Two at 5 part by half of the gap each; three of them by the whole; 9.5 keeps off the edge."""
    assert style.spaced([5.0, 5.0], 2.0, (0.0, 10.0)) == [4.0, 6.0]
    assert style.spaced([1.0, 5.0, 5.0, 5.0], 2.0, (0.0, 10.0)) == [1.0, 3.0, 5.0, 7.0]
    assert style.spaced([9.0, 9.5], 2.0, (0.0, 10.0)) == [8.0, 10.0]


@pytest.mark.parametrize("form", figures.FORMS)
def test_equal_figures_are_equal_files(form):
    rows = trials(cps=B, ours=A)
    first, second = (
        figures.saved(drawn(rows)["seeds-glas"].figure, form) for _ in range(2)
    )  # fmt: skip
    assert first == second


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_images_of_any_number_of_channels_are_drawn(full, channels):
    """Volumes of several modalities show the first; three are colours."""
    where, panel = next((k, v) for k, v in full.panels.items() if k[1].share < 1)
    images = {
        name: np.repeat(value.reshape(*value.shape[:2], -1)[..., :1], channels, -1)
        for name, value in panel.items()
        if name.startswith("image_")
    }
    found = drawn(full.rows[full.rows.dataset == where[0]], panels={where: {**panel, **images}})
    name = next(name for name in found if name.startswith("qualitative"))
    shown = found[name].figure.axes[0].images[0].get_array()
    assert shown.ndim == (3 if channels == 3 else 2)


def test_no_two_figures_have_one_name():
    """Names that differ in characters alone that no file's name has."""
    rows = pd.concat([
        trials(cps=[0.5, 0.6]).assign(dataset=name, key=name) for name in ("腺体", "皮肤")
    ])  # fmt: skip
    found = [figure.name for figure in figures.draw(Inputs(rows=rows))]
    assert len(set(found)) == len(found) and {"seeds-", "seeds--2"} <= set(found)


def test_looks_keep_the_order_of_the_table():
    assert [*style.looks(["b", "supervised", "a", "b"])] == ["b", "supervised", "a"]
