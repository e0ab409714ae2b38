"""What loggers are told of a job, and that nothing they do harms it."""

import pytest

from benchmark.loggers import rows
from tests.loggers.conftest import row

ROW = {
    "training/epoch": 1.0, "training/learning_rate": 0.5, "loss/ce": 2.0,
    "diagnostics/agreement": 0.25, "evaluation/dc_pooled": 0.75,
    "oracle_threshold/dc_pooled": 0.875, "validation/dc_pooled": 0.625,
}  # fmt: skip


def test_a_row_is_grouped_and_blanks_are_left_out():
    assert rows.values_of(row(1, 2.0)) == ROW
    assert rows.results_of({"dc_case": 0.5, "hd95": None}) == {"results/dc_case": 0.5}


def test_a_job_is_told_row_by_row_then_its_panel_and_its_results(calls, curves, panel, tmp_path):
    made, lines = curves("wandb", "mlflow")
    made.follow([])
    made.follow([row(1, 2.0)])
    made.follow([row(1, 2.0), row(2, 1.0)])
    made.ended(is_done=True, results={"dc_pooled": 0.75})
    assert lines == []
    (begun,) = calls.of("init")
    assert begun["id"].startswith("0123456789abcdef-") and len(begun["id"]) == 25
    assert begun | {"id": ""} == {
        "project": "semiseg-bench", "group": "mine", "name": "cps/glas/5 %/seed 0", "id": "",
        "resume": "allow", "dir": str(tmp_path / "study" / "logs" / "wandb"),
    }  # fmt: skip
    logged = calls.of("log")
    assert [one["step"] for one in logged] == [5, 10]
    assert logged[0]["values"] == ROW
    # Three pictures of 2 × 4 pixels, 64 times as large; two gaps of 4 pixels; a caption of 16.
    assert calls.of("images") == [{"values": {"panel/a": [144, 776, 3]}, "step": 10}]
    assert calls.of("summary") == [{"values": ["results/dc_pooled"]}]
    assert calls.of("finish") == [{"exit_code": 0}]
    assert calls.of("params")[0]["values"] == [
        ["method", "cps"], ["training.epochs", "2"], ["training.betas", "[0.9, 0.99]"]
    ]  # fmt: skip
    batches = [[tuple(value) for value in one["values"]] for one in calls.of("log_batch")]
    assert ("loss/ce", 2.0, 5) in batches[0] and ("loss/ce", 1.0, 10) in batches[1]
    assert batches[2] == [("results/dc_pooled", 0.75, 10)]
    assert calls.of("log_image")[0]["artifact_file"] == "panel/a.png"
    assert calls.of("set_terminated") == [{"run_id": "a run", "status": "FINISHED"}]


def test_a_failed_job_has_no_results(calls, curves):
    made, _ = curves("wandb", "mlflow")
    made.follow([])
    made.ended(is_done=False, results={})
    assert calls.of("images") == calls.of("log_image") == []
    assert calls.of("finish") == [{"exit_code": 1}]
    assert calls.of("set_terminated")[0]["status"] == "FAILED"


def test_a_job_that_did_not_come_to_train_has_no_curves(calls, curves):
    made, lines = curves("wandb", "mlflow")
    made.ended(is_done=False, results={})
    assert calls.all == [] and lines == []


def test_a_job_that_goes_on_continues_its_curves_without_duplicates(calls, curves):
    """Killed after its second epoch, with the checkpoint of the first."""
    history = [row(1, 2.0), row(2, 1.0), row(3, 0.5)]
    killed, _ = curves("wandb", "mlflow")
    killed.follow([])
    killed.follow(history[:1])
    killed.follow(history[:2])
    again, lines = curves("wandb", "mlflow")
    again.follow(history[:1])
    again.follow(history[:2])
    again.follow(history)
    assert [one["step"] for one in calls.of("log")] == [5, 10, 15]
    assert [one["values"][0][2] for one in calls.of("log_batch")] == [5, 10, 15]
    first, second = calls.of("init")
    assert first["id"] == second["id"]
    assert len(calls.of("create_run")) == 1
    assert calls.of("update_run") == [{"run_id": "a run", "status": "RUNNING"}]
    assert lines == []


def test_a_logger_that_is_asked_for_later_gets_the_whole_curve(calls, curves):
    killed, _ = curves()
    killed.follow([])
    again, _ = curves("wandb")
    again.follow([row(1, 2.0), row(2, 1.0)])
    assert [one["step"] for one in calls.of("log")] == [5, 10]


def test_a_job_that_starts_over_has_new_curves(calls, curves):
    for _ in range(2):
        made, _ = curves("wandb", "mlflow")
        made.follow([])
        made.follow([row(1, 2.0)])
    first, second = calls.of("init")
    assert first["id"] != second["id"]
    assert len(calls.of("create_run")) == 2
    assert [one["step"] for one in calls.of("log")] == [5, 5]


@pytest.mark.parametrize("stored", ["", "[]", '{"wandb": 1}', '{"wandb": {"run": "x"}}'])
def test_a_damaged_note_of_how_far_it_was_begins_new_curves(stored, calls, curves, tmp_path):
    made, lines = curves("wandb")
    (tmp_path / "study" / "trials" / "0123456789abcdef" / "logged.json").write_text(stored)
    made.follow([row(1, 2.0)])
    assert [one["step"] for one in calls.of("log")] == [5]
    assert lines == []


@pytest.mark.parametrize(
    "name",
    [
        "Settings", "init", "log", "images", "summary", "finish",
        "client", "create_experiment", "create_run", "params", "log_batch", "log_image",
        "set_terminated",
    ],
)  # fmt: skip
def test_one_that_raises_is_said_once_and_is_off(name, calls, curves, panel, monkeypatch):
    monkeypatch.setenv("RAISES", name)
    made, lines = curves("wandb", "mlflow")
    made.follow([])
    made.follow([row(1, 2.0)])
    made.follow([row(1, 2.0), row(2, 1.0)])
    made.ended(is_done=True, results={"dc_pooled": 0.75})
    is_wandb = name in ("Settings", "init", "log", "images", "summary", "finish")
    off = "wandb" if is_wandb else "mlflow"
    assert lines == [f"logger switched off: {off}: RuntimeError: no {name} today"]
    assert len(calls.of(name)) == 1
    assert calls.of("set_terminated" if is_wandb else "finish")


def test_a_link_does_not_lead_a_logger_out_of_the_study(calls, curves, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "study" / "logs").mkdir()
    (tmp_path / "study" / "logs" / "wandb").symlink_to(tmp_path / "elsewhere")
    made, lines = curves("wandb")
    made.follow([])
    (line,) = lines
    assert "logger switched off: wandb: OSError" in line and "is a link" in line
    assert list((tmp_path / "elsewhere").iterdir()) == []
