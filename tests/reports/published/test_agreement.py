"""Copies and contradictions are found in the printed rows themselves."""

from benchmark.files import packaged
from reports.published.agreement import copies, disagreements
from reports.published.read import read
from tests.reports import printed

SHIPPED = read(packaged("results/published"))


def test_shipped_tables_copy_each_other():
    """Four of the 57: counted by hand-made scripts on the sources, independent of this one."""
    found = [str(copied) for copied in copies(SHIPPED)]
    assert len(found) == 57
    for line in (
        "uamt/acdc/7patients 81.65: compnet_readme, crossmatch_readme, opmatch_readme",
        "bcp/acdc/3patients 87.59: opmatch_readme, tracoco_results",
        "dtc/la/8scans 87.51: dtc_readme, tertiary_semi_agcl_digest, tracoco_results",
        "mcnet/la/16scans 90.60: compnet_readme, crossmatch_readme",
    ):
        assert line in found


def test_shipped_tables_contradict_each_other():
    found = [str(apart) for apart in disagreements(SHIPPED)]
    assert len(found) == 49
    for line in (
        "supervised/acdc/7patients by 23.81: 62.50 (unimatch_medical_readme); 78.22 "
        "(tertiary_semi_agcl_digest); 79.41 (bcp_rerun_thanhphong, opmatch_readme); 86.31 "
        "(nnfiltermatch_readme)",
        "admt/acdc/3patients by 0.10: 88.75 (opmatch_readme); 88.85 (admt_logs)",
        "ssnet/la/4scans by 3.00: 83.33 (opmatch_readme); 86.33 (ssnet_performance, "
        "tertiary_semi_agcl_digest)",
        "tracoco/pancreas/12scans by 1.56: 81.80 (tracoco_results); 83.36 "
        "(tertiary_dualfete_note, tracoco_results)",
    ):
        assert line in found


LOG = (("best", "84.00"), ("last", "80.00"))


def test_a_copy_has_all_digits_and_a_contradiction_two_sources(tmp_path):
    """Dice alone may be equal by chance; best and last of one log are no contradiction."""
    best, last = (f"{t},glas,10,7patients,cps,mean,{dc},,73.00,5.00,1.50" for t, dc in LOG)
    printed.put(tmp_path, "a", rows=[best, last])
    assert disagreements(read(tmp_path)) == [] == copies(read(tmp_path))
    printed.put(tmp_path, "b", rows=["T,glas,10,7patients,cps,mean,84.00,,73.00,,1.50"])
    assert copies(read(tmp_path)) == []
    (apart,) = disagreements(read(tmp_path))
    assert str(apart) == "cps/glas/7patients by 4.00: 80.00 (a); 84.00 (a, b)"
    printed.put(tmp_path, "c", rows=["T,glas,10,7patients,cps,mean,84.00,,73.00,5.00,1.50"])
    assert [str(copied) for copied in copies(read(tmp_path))] == ["cps/glas/7patients 84.00: a, c"]
    printed.put(tmp_path, "d", rows=["T,ph2,10,7patients,cps,mean,84.00,,73.00,5.00,1.50"],
                **{"lists": "unknown", "classes": None})  # fmt: skip
    assert len(copies(read(tmp_path))) == 1  # another dataset


def test_less_than_a_tenth_of_a_point_is_rounding(tmp_path):
    printed.put(tmp_path, "a")
    printed.put(tmp_path, "b", rows=["T,glas,10,7patients,cps,mean,84.09,,73.00,5.00,1.50"])
    assert disagreements(read(tmp_path)) == []
    printed.put(tmp_path, "b", rows=["T,glas,10,7patients,cps,mean,84.10,,73.00,5.00,1.50"])
    assert [str(apart) for apart in disagreements(read(tmp_path))] == [
        "cps/glas/7patients by 0.10: 84.00 (a); 84.10 (b)"
    ]
