"""Published results are read strictly: what is wrong with a pair of files is said in a sentence."""

import pytest

from benchmark.files import packaged
from reports.published.read import Unreadable, read
from tests.reports import printed


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"colour": "red"}, "nobody knows the key colour"),
        ({"network": None}, "it has no key network; unknown is a value where the source is silent"),
        ({"selection": "best"}, "selection must be one of final, val, oracle, unknown; got 'best'"),
        ({"plus_minus": "slices"}, "plus_minus must be one of seeds, cases, patients, none; got"),
        ({"aggregate": "slice"}, "aggregate must be one of pooled, case, patient, unknown; got"),
        (
            {"evaluated_on": "train"},
            "evaluated_on must be one of test, val, val+test, unknown; got",
        ),
        ({"selection": {"ph2": "val"}}, "selection names ph2, of which the CSV has no row"),
        ({"size": {}}, "size says nothing of glas"),
        ({"size": 128}, "size is written 128x128, or unknown; got 128"),
        ({"runs": "many"}, "runs are a number, or unknown; 2 or more where ± is over seeds; got"),
        ({"runs": 0}, "runs are a number, or unknown; 2 or more where ± is over seeds; got 0"),
        ({"plus_minus": "seeds"}, "2 or more where ± is over seeds; got 1"),
        ({"ci_level": 0.9}, "ci_level and ddof belong to plus_minus: seeds"),
        (
            {"plus_minus": "seeds", "runs": 3, "ci_level": 0.9},
            "ci_level is the level of the half widths in *_ci90_half: both, or none",
        ),
        ({"lists": "ssl4mis-7"}, "lists are drawn, unknown, or what is labelled → a list's name"),
        ({"classes": {"glas": "gland"}}, "classes are a list of names for each dataset"),
        ({"own": ["bcp"]}, "own is all, or a list of methods of the CSV; got ['bcp']"),
        ({"distances": {"unit": "mm"}}, "distances have the keys unit, hd95, asd, lost_class"),
        (
            {"distances": {"unit": "cm", "hd95": "joint", "asd": "joint", "lost_class": "zero"}},
            "distances: unit must be one of voxels, mm; got 'cm'",
        ),
        ({"trust": "some"}, "trust must be one of high, low; got 'some'"),
        ({"notes": "a note"}, "notes are a list of sentences; got 'a note'"),
        ({"paper": 3}, "paper is a text; got 3"),
        ({"head": printed.HEAD.replace("asd", "asd_mm")}, "nobody knows the column asd_mm"),
        ({"rows": printed.ROWS * 2}, "cps on glas at 7patients twice: T1"),
        (
            {"rows": ["T1,glas,10,7patients,cps,mean,840,,73,5,1"]},
            "dc_mean is in percent, 0 to 100, in every row",
        ),
    ],
)
def test_what_is_wrong_is_said(tmp_path, changes, sentence):
    with pytest.raises(Unreadable) as error:
        printed.papers(tmp_path, **changes)
    start = (
        f"the published results {tmp_path / 'someone.csv'} with someone.yaml are not as "
        "results/README.md describes them: "
    )
    assert str(error.value).startswith(start) and sentence in str(error.value)


def test_a_row_says_what_is_its_own(tmp_path):
    head = printed.HEAD.replace("dc_mean", "selection,network,list,own,dc_mean")
    rows = ["T1,glas,10,7patients,cps,mean,val,vnet,others,no,84.00,,73.00,5.00,1.50"]
    ((row,),) = (paper.rows for paper in printed.papers(tmp_path, rows=rows, head=head))
    said = row.protocol
    assert (said.selection, said.network, said.labelled_list) == ("val", "vnet", "others")
    assert not row.is_own and row.count == (7, "patients")


SHIPPED = read(packaged("results/published"))
BY_NAME = {paper.name: paper for paper in SHIPPED}


def test_the_shelf_of_the_project_is_readable():
    assert len(SHIPPED) == 20
    datasets = {name for paper in SHIPPED for name in paper.datasets}
    assert {name for name in datasets if not name.startswith("medsegbench_")} == {
        "acdc", "brats19", "glas", "hmeps", "la", "pancreas", "ph2",
    }  # fmt: skip
    old = {"ss_net", "mc_net", "mc_net_plus", "ad_mt"}
    assert not old & {row.method for paper in SHIPPED for row in paper.rows}


def rows(name: str, dataset: str, budget: str, method: str):
    found = [
        row for row in BY_NAME[name].rows
        if (row.dataset, row.budget, row.method) == (dataset, budget, method)
    ]  # fmt: skip
    assert found
    return found


def test_the_paper_of_the_diffusion_method_is_what_it_was():
    """arXiv:2504.01547v2, Table 1, GlaS, 20 %: CPS 83.90 ± 0.51."""
    paper = BY_NAME["arxiv_2504.01547v2"]
    assert (paper.runs, paper.ci_level, paper.ddof, paper.preset) == (10, 0.90, 0, "paper")
    assert {"ours", "cps", "em", "cct", "uamt", "urpc", "dtc", "supervised"} == {
        row.method for row in paper.rows
    }
    (row,) = rows("arxiv_2504.01547v2", "glas", "20 %", "cps")
    assert (row.whole["dc_mean"], row.whole["dc_ci90_half"]) == (83.90, 0.51)
    assert (row.protocol.size, row.protocol.selection) == ("128x128", "oracle")


def test_checkpoints_differ_by_dataset_and_by_row():
    (acdc,) = rows("ssnet_performance", "acdc", "7patients", "ssnet")
    (la,) = rows("ssnet_performance", "la", "8scans", "ssnet")
    assert (acdc.protocol.selection, la.protocol.selection) == ("val", "oracle")
    assert acdc.whole["dc_mean"] == 86.78 and acdc.scores["1"]["dc_mean"] == 85.36
    best, last = rows("compnet_logs", "acdc", "3patients", "compnet")
    assert [(row.protocol.selection, row.whole["dc_mean"]) for row in (best, last)] == [
        ("oracle", 89.76), ("final", 88.95),
    ]  # fmt: skip
    last, best = rows("tracoco_results", "la", "16scans", "tracoco")
    assert [(row.protocol.selection, row.whole["dc_mean"]) for row in (last, best)] == [
        ("final", 90.94), ("oracle", 91.51),
    ]  # fmt: skip


def test_two_splits_of_one_dataset_have_two_lists():
    lists = {
        row.protocol.labelled_list: row.whole["dc_mean"]
        for row in rows("tracoco_results", "pancreas", "12scans", "tracoco")
    }
    assert lists == {"coranet-12": 83.36, "mcnet-12": 81.80}


def test_what_compnet_copies_is_not_its_own():
    (own,) = rows("compnet_readme", "acdc", "7patients", "compnet")
    (copied,) = rows("compnet_readme", "acdc", "7patients", "uamt")
    assert own.is_own and own.protocol.evaluated_on == "val" and not copied.is_own
    (at_8,) = rows("dtc_readme", "la", "8scans", "dtc")
    (at_16,) = rows("dtc_readme", "la", "16scans", "dtc")
    assert (at_8.is_own, at_16.is_own) == (False, True)


def test_medsegbench_is_there_by_encoder():
    """resnet18 on DRIVE, seeds 0, 42, 3074: 78.3, 78.4, 77.9."""
    found = {
        row.protocol.network: row.whole
        for row in rows("medsegbench_supervised", "medsegbench_drive", "18images", "supervised")
    }
    assert set(found) >= {"resnet18", "resnet50", "densenet121", "mobilenet_v2", "efficientnet-b0"}
    assert found["resnet18"]["dc_mean"] == pytest.approx(78.2, abs=0.05)
    assert found["resnet18"]["dc_sd"] == pytest.approx(0.26, abs=0.05)
    assert "medsegbench_bkai_igh" in BY_NAME["medsegbench_supervised"].datasets
    assert "medsegbench_idrib_c1" in BY_NAME["medsegbench_supervised"].datasets
