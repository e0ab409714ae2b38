"""Figures: which there are, what they show, that they can be told apart, that bytes repeat."""

import numpy as np
import pandas as pd
import pytest

from benchmark import frames, plugins
from reports import canvas, figures, plots, summary
from reports.figures import Inputs
from reports.page import Picture
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
    rows = frames.trials(folder)
    return Inputs(
        rows=rows,
        histories=frames.stacked(folder, rows, "history.csv"),
        panels=frames.panels(folder, rows),
    )


def test_a_full_study_has_every_figure(full):
    found = figures.draw(full)
    assert [figure.name for figure in found] == [
        "label-efficiency", "seeds-glas", "seeds-la", "optimism-glas", "optimism-la",
        "pretraining", "rounds", "ranks-5", "ranks-10", "ranks-20", "training-curves-glas",
        "training-curves-la", "cost", "qualitative-glas-20", "qualitative-la-20",
    ]  # fmt: skip
    for figure in found:
        assert figure.title and len(figure.alt) > 30
        assert figures.saved(figure.figure, "png")[:4] == b"\x89PNG"


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
    """84.60 ± .36 and 83.97 ± .28; the floor is 66.10."""
    figure = drawn(trials(cps=B, ours=A))["seeds-glas"].figure
    (axes,) = figure.axes
    dots = [line for line in axes.lines if len(line.get_xdata()) == 10]
    assert dots[0].get_xdata() == pytest.approx(100 * B)
    assert dots[1].get_xdata() == pytest.approx(100 * A)
    bars = [c.get_segments()[0][:, 0] for c in axes.collections]
    assert bars[0] == pytest.approx([83.968 - 0.27738417, 83.968 + 0.27738417])
    assert bars[1] == pytest.approx([84.60 - 0.36469274, 84.60 + 0.36469274])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["cps", "ours"]
    assert any(np.allclose(line.get_xdata(), 66.1) for line in axes.lines)


def test_rounds_stand_at_their_number_and_the_plain_variant_at_its_default():
    assert plugins.hyperparameters("ours")["rounds"] == plots.DEFAULT_ROUNDS
    values = {"ours": 0.75, "ours[rounds=10]": 0.77, "ours[rounds=1]": 0.72, "cps[weight=1.0]": 0.7}
    rows = pd.DataFrame([trial(v, s, d) for v, d in values.items() for s in (0, 1)])
    (axes,) = drawn(rows)["rounds"].figure.axes
    x, y = next(line.get_data() for line in axes.lines if len(line.get_xdata()) == 3)
    assert list(x) == [1, 5, 10] and y == pytest.approx([72, 75, 77])


def test_pretraining_compares_a_variant_with_itself_without_it():
    values = {"ours": 0.75, "ours[pretrain=false]": 0.74, "ours[rounds=1]": 0.73}
    rows = pd.DataFrame([trial(v, s, d) for v, d in values.items() for s in (0, 1)])
    (axes,) = drawn(rows)["pretraining"].figure.axes
    heights = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == "None"]
    assert {round(float(h), 6) for h in heights} >= {75.0, 74.0}
    assert not {round(float(h), 6) for h in heights} & {73.0}
    assert "pretraining" not in drawn(trials(ours=A, cps=B))


def test_without_names_the_rest_and_the_value():
    assert plots.without("ours[rounds=3,weight=1]", "rounds=.*") == ("ours[weight=1]", "3")
    assert plots.without("ours[rounds=3]", "rounds=.*") == ("ours", "3")
    assert plots.without("ours", "rounds=.*") == ("ours", None)


def test_variants_can_be_told_apart_in_black_and_white():
    looks = canvas.looks([*studies.METHODS, *studies.ABLATION])
    assert list(looks)[:3] == ["supervised", "cct", "cps"]
    assert list(looks).index("ours[rounds=3]") < list(looks).index("ours[rounds=10]")
    assert len({look.marker for look in looks.values()}) == 13
    assert len({looks[name].color for name in studies.METHODS}) == 9


@pytest.mark.parametrize("form", figures.FORMS)
def test_equal_figures_are_equal_files(form):
    rows = trials(cps=B, ours=A)
    first, second = (
        figures.saved(drawn(rows)["seeds-glas"].figure, form) for _ in range(2)
    )  # fmt: skip
    assert first == second


def test_the_size_of_a_picture_is_that_in_the_page():
    """9,000 bytes are 12,000 in base64."""
    assert Picture("b", "t", "a", b"x" * 9000, "png").size == 12_000 + 2 + 1000


def test_pictures_that_do_not_fit_a_page_are_named():
    made = [Picture(name, "t", "a", b"x" * size, "png") for name, size in (("b", 9000), ("a", 90))]
    assert summary.fitting(made, 100_000) == (made, [])
    kept, (sentence,) = summary.fitting(made, 5000)
    assert [picture.name for picture in kept] == ["a"] and "no room for b:" in sentence
