"""A study with known answers: two methods on GlaS, 84.60 ± 0.36 and 83.97 ± 0.28."""

import json
from pathlib import Path

from benchmark.store import record_file
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record
from tests.reports.worked import FLOORS, A, B
from tests.studies import fields_of


def record(variant: str, seed: int, dice: float, **changes) -> Record:
    values = {"dc_pooled": dice, "ji_pooled": dice - 0.1, "dc_case": dice, "ji_case": dice}
    oracle = {f"oracle_{name}": value + 0.02 for name, value in values.items()}
    fields = {
        "key": f"{variant}{seed}", "configuration": variant, "study": "golden", "status": "done",
        "dataset": "glas", "budget": "20 %", "budget_order": 0.2, "ratio": 0.2, "method": variant,
        "variant": variant, "seed": seed, "evaluate_on": "test", "preset": "paper", "n_test": 80,
        "steps": 8000,
        "metrics": values | oracle | FLOORS, "settings": {"size": [128, 128]},
        "code_version": "0.1.0", "finished_at": f"2026-01-0{1 + (variant == 'cps')}",
        "seconds_total": 60.0, "seconds_train": 50.0, "device": "cpu", "host": "somewhere",
    }  # fmt: skip
    return Record(**(fields | changes))


def write(folder: Path, made: Record) -> None:
    """The record into the folder of a study; its key is a name, so it is as those of before."""
    target = trial_folder(folder, made.key)
    record_file.write(target, made)
    (target / "record.json").write_text(json.dumps(fields_of(target / "record.json")))


def study(results_root: Path) -> Path:
    """The folder of the study golden: ours and cps with ten seeds each."""
    folder = results_root / "golden"
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text("")
    for variant, values in (("ours", A), ("cps", B)):
        for seed, dice in enumerate(values):
            write(folder, record(variant, seed, float(dice)))
    return folder
