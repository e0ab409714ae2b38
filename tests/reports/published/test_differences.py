"""Every reason why a printed result may not be comparable: its sentence, and whether it greys."""

import pytest

from reports.select import Budget, Reading
from reports.tables import published, published_distances
from tests.reports import printed
from tests.reports.printed import PATIENTS, SEVEN, SHARE, beside

NO_TEST = "caveat 1: no ± is printed there (1 run): no p"


def compared(folder, ours=None, **changes):
    """The only line of the table: is it grey, and what its caveats say."""
    papers = printed.papers(folder, **changes)
    sheet = published.sheet(beside() if ours is None else ours, Reading(), papers)
    (line,) = sheet.rows
    assert len({cell.is_grey for cell in line[1:]}) == 1 and not line[0].is_grey
    assert sheet.data.grey.tolist() == [line[1].is_grey] * len(sheet.data)
    return line[1].is_grey, [text for text in sheet.remarks if text.startswith("caveat")]


def test_a_result_of_the_same_protocol_is_black(tmp_path):
    """One run has no ±, which makes a test impossible and the score no other."""
    assert compared(tmp_path) == (False, [NO_TEST])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"selection": "oracle"}, "selection final, theirs oracle"),
        ({"selection": "val"}, "selection final, theirs val"),
        ({"selection": "unknown"}, "selection final, theirs unknown"),
        ({"aggregate": "case"}, "aggregation pooled, theirs case"),
        ({"aggregate": "unknown"}, "aggregation pooled, theirs unknown"),
        ({"size": "256x256"}, "images of 64x64, not 256x256"),
        ({"size": "unknown"}, "images of 64x64, theirs unknown"),
        ({"network": "nnunet"}, "network unet, theirs nnunet"),
        ({"network": "unknown"}, "network unet, theirs unknown"),
        (
            {"evaluated_on": "val"},
            "evaluated there on the validation set, not on the test set alone",
        ),
        (
            {"evaluated_on": "val+test"},
            "evaluated there on the validation and the test set together, not on the test set "
            "alone",
        ),
        ({"evaluated_on": "unknown"}, "on which images it was evaluated there is unknown"),
        ({"preset": "paper"}, "preset matched, not paper: another budget, other settings"),
        (
            {"classes": {"glas": ["gland"]}},
            "2 classes (gland, lumen), theirs 1 class (gland)",
        ),
        (
            {"mean_over": "all"},
            "mean over the foreground classes, theirs over all with the background",
        ),
        ({"trust": "low"}, "a digest of the paper was read, not the paper: low trust"),
    ],
)
def test_what_shifts_a_score_greys_its_line(tmp_path, changes, sentence):
    grey, caveats = compared(tmp_path, **changes)
    assert grey and sentence in [text.partition(": ")[2] for text in caveats]
    assert len(caveats) == 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"runs": "unknown"}, "no ± is printed there (an unknown number of runs): no p"),
        ({"runs": 3}, "no ± is printed there (3 runs): no p"),
        ({"plus_minus": "cases", "runs": 10}, "the printed ± is over cases, ours over seeds: no p"),
        (
            {"plus_minus": "patients", "runs": 10},
            "the printed ± is over patients, ours over seeds: no p",
        ),
        (
            {"plus_minus": "seeds", "runs": 5},
            "not as many runs as theirs (5): n in brackets",
        ),
    ],
)
def test_how_sure_a_printed_score_is_greys_nothing(tmp_path, changes, sentence):
    assert compared(tmp_path, **changes) == (False, [f"caveat 1: {sentence}"])


def test_a_width_over_cases_is_shown_and_makes_no_test(tmp_path):
    head = printed.HEAD.replace("dc_ci90_half", "dc_ci90_half,dc_sd")
    rows = ["T1,glas,10,7patients,cps,mean,84.00,,6.20,73.00,5.00,1.50"]
    papers = printed.papers(tmp_path, rows=rows, head=head, plus_minus="cases")
    (line,) = published.sheet(beside(), Reading(), papers).rows
    assert [cell.text for cell in line[4:7]] == ["84.0 ± 6.2", "+0.60", "–"]


def test_a_standard_deviation_over_seeds_becomes_the_half_width_that_ours_has(tmp_path):
    """.40 of 3 runs: t(.95, 2) = 2.920, 2.920 · .40 / √3 = .674.

    Welch against 84.60 ± .3647: s² / n = .05333 + .1990² = .09293, t = .60 / .3048 = 1.968 at
    .09293² / (.05333² / 2 + .0396² / 9) = 5.41 degrees; p lies between .106 (5) and .097 (6).
    """
    head = printed.HEAD.replace("dc_ci90_half", "dc_ci90_half,dc_sd")
    rows = ["T1,glas,10,7patients,cps,mean,84.00,,0.40,73.00,5.00,1.50"]
    papers = printed.papers(tmp_path, rows=rows, head=head, plus_minus="seeds", runs=3)
    (line,) = published.sheet(beside(), Reading(), papers).rows
    assert line[4].text == "84.00 ± 0.67"
    assert line[6].text == "0.102"


@pytest.mark.parametrize("budget", [PATIENTS, SHARE], ids=lambda budget: budget.text)
def test_a_subset_drawn_by_seed_is_not_the_list(tmp_path, budget):
    grey, caveats = compared(tmp_path, beside(budget))
    assert grey
    assert caveats[1] == "caveat 2: labelled subset drawn by seed, not the list seven"


@pytest.mark.parametrize(
    ("budget", "lists", "sentence"),
    [
        (SEVEN, {"glas": {"7patients": "seven"}}, ""),
        (PATIENTS, "drawn", ""),
        (PATIENTS, "unknown", "which images are labelled there is unknown"),
        (PATIENTS, {"glas": {"3patients": "three"}}, "which images are labelled there is unknown"),
    ],
)
def test_which_images_are_labelled(tmp_path, budget, lists, sentence):
    grey, caveats = compared(tmp_path, beside(budget), lists=lists)
    assert grey == bool(sentence)
    assert caveats[1:] == [f"caveat 2: {sentence}"] * bool(sentence)


def test_another_list_of_as_many_is_compared_and_named(tmp_path):
    """That seven labels 7 patients, another paper says."""
    printed.put(tmp_path, "other", lists={"glas": {"7patients": "others"}})
    papers = printed.papers(tmp_path)
    other, own = published.sheet(beside(), Reading(), papers).rows
    assert [other[3].text, own[3].text] == ["other", "someone"]
    assert [other[1].is_grey, own[1].is_grey] == [True, False]
    caveats = published.sheet(beside(), Reading(), papers).remarks
    assert "caveat 2: labelled subset of the list seven, not others" in caveats
    drawn = printed.papers(tmp_path / "drawn", lists="drawn")
    assert published.sheet(beside(), Reading(), drawn) is None  # nobody says how many it labels


def test_of_a_whole_pool_there_is_no_list(tmp_path):
    rows = ("T1,glas,100,70patients,cps,mean,84.00,,73.00,5.00,1.50",)
    whole = beside(Budget(1.0, "100 %", 1.0))
    assert compared(tmp_path, whole, rows=rows) == (False, [NO_TEST])


def test_of_a_copied_row_the_protocol_is_unknown(tmp_path):
    """What the paper says of itself (oracle, on val) is not said of it."""
    grey, caveats = compared(tmp_path, own=[], selection="oracle", evaluated_on="val")
    assert grey and caveats[1:] == [
        "caveat 2: the paper copies this row from another one: checkpoint, evaluated set, size and "
        "network of it are unknown"
    ]


def test_a_row_may_be_of_another_checkpoint_than_the_rest(tmp_path):
    head = printed.HEAD.replace("dc_mean", "selection,dc_mean")
    rows = (
        "best,glas,10,7patients,cps,mean,oracle,85.00,,73.00,5.00,1.50",
        "last,glas,10,7patients,cps,mean,final,84.00,,73.00,5.00,1.50",
    )
    papers = printed.papers(tmp_path, rows=rows, head=head, selection="unknown")
    best, last = published.sheet(beside(), Reading(), papers).rows
    assert [best[3].text, last[3].text] == ["someone, best", "someone, last"]
    assert [best[1].is_grey, last[1].is_grey] == [True, False]


def test_of_classes_without_their_mean_it_is_taken_and_said(tmp_path):
    rows = (
        "T1,glas,10,7patients,cps,1,80.00,,70.00,5.00,1.50",
        "T1,glas,10,7patients,cps,2,90.00,,80.00,5.00,1.50",
    )
    grey, caveats = compared(tmp_path, rows=rows)
    assert (grey, caveats[1:]) == (
        False, ["caveat 2: they print the classes alone: the mean of these is taken"],
    )  # fmt: skip
    (line,) = published.sheet(beside(), Reading(), printed.papers(tmp_path, rows=rows)).rows
    assert [cell.text for cell in line[4:6]] == ["85.00", "−0.40"]


BY_CLASS = (
    "T1,glas,10,7patients,cps,1,80.00,,70.00,5.00,1.50",
    "T1,glas,10,7patients,cps,2,90.00,,80.00,5.00,1.50",
    "T1,glas,10,7patients,cps,mean,85.00,,75.00,5.00,1.50",
)


@pytest.mark.parametrize(
    ("classes", "score", "caveats"),
    [
        (["gland", "lumen"], "90.00", [NO_TEST]),
        (["Lumen", "Gland"], "80.00", [NO_TEST]),  # by its name, not by its number
        (["x", "y"], "90.00", [NO_TEST, "caveat 2: lumen is class 2 here, which is y there"]),
    ],
)
def test_one_class_stands_beside_its_own(tmp_path, classes, score, caveats):
    papers = printed.papers(tmp_path, rows=BY_CLASS, classes={"glas": classes})
    sheet = published.sheet(beside(), Reading(of_class="lumen"), papers)
    (line,) = sheet.rows
    assert line[4].text == score
    assert [text for text in sheet.remarks if text.startswith("caveat")] == caveats
    assert line[1].is_grey == (len(caveats) > 1)


def test_a_class_that_is_not_printed_alone_has_no_line(tmp_path):
    papers = printed.papers(tmp_path)
    assert published.sheet(beside(), Reading(of_class="lumen"), papers) is None


def test_rows_of_several_networks_are_those_of_ours(tmp_path):
    head = printed.HEAD.replace("dc_mean", "network,dc_mean")
    rows = (
        "T1,glas,10,7patients,cps,mean,resnet18,84.00,,73.00,5.00,1.50",
        "T1,glas,10,7patients,cps,mean,resnet50,86.00,,75.00,5.00,1.50",
    )
    papers = printed.papers(tmp_path, rows=rows, head=head, network="unknown")
    ours = beside()
    ours["settings"] = [{"network": {"name": "resnet50"}}] * len(ours)
    (line,) = published.sheet(ours, Reading(), papers).rows
    assert [cell.text for cell in line[3:5]] == ["84.60 ± 0.36 (n=10)", "86.00"]
    assert not line[1].is_grey
    both = published.sheet(beside(), Reading(), papers)
    assert [line[3].text for line in both.rows] == ["someone, resnet18", "someone, resnet50"]
    assert all(line[1].is_grey for line in both.rows)
    assert "caveat 2: network unet, theirs resnet18" in both.remarks


def test_distances_are_read_as_the_paper_reads_them(tmp_path):
    papers = printed.papers(tmp_path)
    sheet = published_distances.sheet(beside(), Reading(), papers)
    (line,) = sheet.rows
    assert [cell.text for cell in line[3:9]] == [
        "6.00 ± 0.00 (n=10)", "5.00", "+1.00", "2.00 ± 0.00 (n=10)", "1.50", "+0.50",
    ]  # fmt: skip
    assert sheet.data.metric.tolist() == ["hd95_joint_voxels", "asd_to_truth_voxels"]
    in_mm = {"unit": "mm", "hd95": "joint", "asd": "to_truth", "lost_class": "diagonal"}
    assert published_distances.sheet(
        beside(), Reading(), printed.papers(tmp_path, distances=in_mm)
    ) is None  # fmt: skip


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ("zero", "theirs 0, which lowers HD95 and ASD"),
        ("other", "theirs something else"),
        ("unknown", "theirs is unknown"),
    ],
)
def test_what_a_lost_class_counts_is_a_reason_beside_distances(tmp_path, counts, sentence):
    """Ours are means over cases: an aggregation of theirs that is pooled is another."""
    read_so = {"unit": "voxels", "hd95": "joint", "asd": "to_truth", "lost_class": counts}
    papers = printed.papers(tmp_path, distances=read_so, aggregate="case")
    sheet = published_distances.sheet(beside(), Reading(selection="oracle"), papers)
    assert sheet.rows[0][1].is_grey
    assert [text for text in sheet.remarks if text.startswith("caveat")] == [
        NO_TEST,
        f"caveat 2: a class that is not predicted counts as the image's diagonal, {sentence}",
    ]
