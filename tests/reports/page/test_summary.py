"""What the page says besides its tables, and which pictures it has room for."""

import re

import pandas as pd

from reports import methods_section
from reports.names import Names
from reports.page import summary
from reports.page.page import Picture
from reports.report import Options, Report
from tests.reports.worked import stored, trial

MACHINE = {"device": "cpu", "host": "a", "split_hash": "s", "seconds_total": 9.0}


def test_the_size_of_a_picture_is_that_in_the_page():
    """9,000 bytes are 12,000 in base64."""
    assert Picture("b", "t", "a", b"x" * 9000, "png").size == 12_000 + 2 + 1000


def test_pictures_that_do_not_fit_a_page_are_named():
    made = [Picture(name, "t", "a", b"x" * size, "png") for name, size in (("b", 9000), ("a", 90))]
    assert summary.fitting(made, 100_000) == (made, [])
    kept, (sentence,) = summary.fitting(made, 5000)
    assert [picture.name for picture in kept] == ["a"] and "no room for b:" in sentence


def test_a_page_is_filtered_by_the_names_that_are_shown():
    """Also its failures, and in the order of the names file."""
    rows = stored(
        pd.DataFrame([
            trial(variant, seed, 0.8, dataset=dataset, **MACHINE)
            for dataset in ("glas", "ph2")
            for variant in ("cps", "em")
            for seed in (0, 1)
        ])
    )  # fmt: skip
    rows.loc[rows.key == "em-1", ["status", "error"]] = ["failed", "too little memory"]
    names = Names(datasets={"ph2": "PH²", "glas": "GlaS"}, methods={"em": "EM", "cps": "CPS"})
    report = Report(rows, Options(names=names))
    text = summary.page("first", report, rows, [])
    offered = re.findall(r'<input type="checkbox"[^>]* value="([^"]*)"', text)
    assert offered[:4] == ["PH²", "GlaS", "EM", "CPS"]
    assert "2 methods on 2 datasets (PH², GlaS)" in text
    assert "EM/PH²/20 %/seed 1" in text and "ph2/" not in text


def test_a_page_of_further_test_sets_alone_says_nothing_of_a_choice():
    rows = stored(
        pd.DataFrame([
            trial("cps", seed, 0.8, dataset="glas on b", key=f"{seed}/on-b", n_labelled=4,
                  n_unlabelled=9, parameters=9, **MACHINE)
            for seed in (0, 1)
        ])
    )  # fmt: skip
    report = Report(rows, Options())
    text = summary.page("first", report, rows, [])
    assert "(glas on b)" in text and "2 trials" in text and "Choosing epoch" not in text
    assert report.table("optimism") is None
    assert "glas on b" in methods_section.written(report, "text")


def test_a_methods_section_names_further_test_sets():
    own = [trial("cps", seed, 0.8, key=f"k{seed}") for seed in (0, 1)]
    there = [
        trial("cps", seed, 0.7, dataset="glas on b", key=f"k{seed}/b", n_test=40) for seed in (0, 1)
    ]
    rows = pd.DataFrame(own + there).assign(n_labelled=4, n_unlabelled=9, parameters=9)
    text = methods_section.written(Report(stored(rows.assign(device="cpu")), Options()), "text")
    assert "on 1 dataset (glas)." in text
    assert "The same networks are tested on glas on b (40 images) too, without any further" in text
    of_own = pd.DataFrame(own).assign(n_labelled=4, n_unlabelled=9, parameters=9, device="cpu")
    assert "tested on" not in methods_section.written(Report(stored(of_own), Options()), "text")


def test_a_methods_section_counts_what_has_a_mask():
    """Ten images with masks, all labelled, and ten without."""
    rows = pd.DataFrame([trial("cps", seed, 0.8, ratio=1.0, key=f"k{seed}") for seed in (0, 1)])
    rows = rows.assign(n_labelled=10, n_unlabelled=10, parameters=9, device="cpu")
    text = methods_section.written(Report(stored(rows), Options()), "text")
    assert "of 100 % of the training images that have them (10 images in glas)" in text


def test_a_methods_section_says_what_a_seed_moves():
    rows = pd.DataFrame([trial("cps", 0, 0.8, key=f"k{i}", subset_seed=i) for i in range(3)])
    rows = rows.assign(n_labelled=4, n_unlabelled=9, parameters=9, device="cpu")
    text = methods_section.written(Report(stored(rows), Options()), "text")
    assert "a seed decides the labelled subset." in text


def test_a_page_says_what_was_left_out_by_request():
    rows = stored(pd.DataFrame([trial(v, s, 0.8, **MACHINE) for v in "ab" for s in (0, 1)]))
    report = Report(rows, Options(), left_out=["--methods leaves out c"])
    assert "leaves out c" in summary.page("first", report, rows, [])
