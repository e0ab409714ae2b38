"""Invented studies: records, histories and panels of a whole grid, without training anything."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.data.split.budget import Budget
from benchmark.keys import fingerprint
from benchmark.store import record_file, tables
from benchmark.store.layout import trial_folder
from benchmark.store.record import Record

VOLATILE = [
    "seconds_pretrain", "seconds_train", "seconds_evaluate", "seconds_total", "peak_memory_mib",
    "host", "device", "finished_at",
]  # fmt: skip
"""Columns of `results.csv` that differ from run to run of the same trial."""

DATASETS = ("glas", "hmeps", "la", "ph2")
METHODS = ("supervised", "cct", "cps", "dtc", "em", "mean_teacher", "ours", "uamt", "urpc")
ABLATION = ("ours[pretrain=false]", "ours[rounds=1]", "ours[rounds=3]", "ours[rounds=10]")
RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2)


def write(
    folder: Path,
    *,
    datasets: Iterable[str] = DATASETS,
    ratios: Iterable[float] = RATIOS,
    variants: Iterable[str] = METHODS,
    seeds: Iterable[int] = range(10),
    files: bool = True,
) -> int:
    """A study of these trials in `folder`; returns their number.

    Dice rises with the share of labels and is a little different for each variant. files: with
    histories, and with panels of the first seed.
    """
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    (folder / "study.yaml").write_text("name: invented\n")
    n = 0
    for d, dataset in enumerate(datasets):
        for ratio in ratios:
            for v, variant in enumerate(variants):
                mean = 0.70 + 0.03 * d + 0.06 * np.log2(100 * ratio) / 4 + 0.006 * ((v * 5) % 9)
                for seed in seeds:
                    dice = float(np.clip(mean + rng.normal(0, 0.015), 0, 1))
                    made = invented_record(dataset, ratio, variant, seed, dice)
                    record_file.write(trial_folder(folder, made.key), made)
                    if files:
                        _write_files(trial_folder(folder, made.key), dice, seed, rng)
                    n += 1
    return n


def fields_of(file: Path) -> dict[str, Any]:
    """What stands in a record, but its checksum, so that it can be changed."""
    fields = json.loads(file.read_text())
    fields.pop("checksum", None)
    return fields


def configuration_of(settings: dict) -> str:
    """As of all trials that differ by the seed alone."""
    seeds = ("seed", "subset_seed")
    return fingerprint({name: value for name, value in settings.items() if name not in seeds})


def invented_record(dataset: str, ratio: float, variant: str, seed: int, dice: float) -> Record:
    """A record of a trial that never was."""
    jaccard = dice / (2 - dice)
    values = {"dc_pooled": dice, "ji_pooled": jaccard, "dc_case": dice - 0.02}
    values["ji_case"] = jaccard - 0.02
    oracle = {f"oracle_{name}": min(1.0, value + 0.01) for name, value in values.items()}
    floor = {
        f"all_{name}_{metric}_{aggregate}": value
        for name, dc in (("background", 0.0), ("foreground", 0.6))
        for metric, value in (("dc", dc), ("ji", dc / (2 - dc)))
        for aggregate in ("pooled", "case")
    }
    surfaces = {
        "hd95_directed_voxels": 6.0, "hd95_joint_voxels": 5.0, "asd_directed_voxels": 1.5,
        "asd_joint_voxels": 1.6,
        "n_one_empty": 0, "n_empty_pred": 0, "n_empty_true": 0,
    }  # fmt: skip
    method, _, inside = variant.removesuffix("]").partition("[")
    changes = dict(part.split("=") for part in inside.split(",") if part)
    hyperparameters = {"weight": 5.0} | changes
    if method == "ours":
        hyperparameters |= {
            "rounds": int(changes.get("rounds", 5)), "pretrain": changes.get("pretrain") != "false",
        }  # fmt: skip
    budget = Budget.of_share(ratio)
    work = 1 + sum(map(ord, variant)) % 7
    settings = {
        "dataset": dataset, "budget": budget.text, "method": method, "seed": seed,
        "size": [128, 128], "hyperparameters": hyperparameters,
    }  # fmt: skip
    return Record(
        key=fingerprint(settings), configuration=configuration_of(settings),
        study="invented", status="done",
        dataset=dataset, budget=budget.text, budget_order=budget.order, ratio=ratio,
        method=method, variant=variant, seed=seed, evaluate_on="test", preset="matched",
        n_labelled=10, n_unlabelled=70, n_test=80, metrics=values | oracle | floor | surfaces,
        parameters=1_813_762 * work, parameters_tested=1_813_762, flops_per_step=10**10 * work,
        steps=8000,
        seconds_train=400.0 * work, seconds_total=450.0 * work, peak_memory_mib=900.0,
        settings=settings, data_hash=dataset,
        code_version="0.1.0", host="somewhere", device="cpu",
        finished_at="2026-01-01T00:00:00+00:00",
    )  # fmt: skip


def _write_files(folder: Path, dice: float, seed: int, rng: np.random.Generator) -> None:
    tables.write_table(
        folder / "history.csv",
        [
            {
                "epoch": epoch, "step": 800 * epoch, "learning_rate": 0.003,
                "loss_supervised": 1 / epoch,
                "dc_pooled": dice * (1 - 0.5 / epoch) + rng.normal(0, 0.01),
            }
            for epoch in range(1, 11)
        ],
    )  # fmt: skip
    if seed == 0:
        y, x = np.mgrid[:64, :64]
        target = ((x - 30) ** 2 + (y - 34) ** 2 < 300).astype(np.uint8)
        panel = {"case": np.array(["case_1", "case_2"])}
        for i in range(2):
            panel |= {
                f"image_{i}": (120 + 80 * target[..., None] + rng.integers(0, 40, (64, 64, 3)))
                .clip(0, 255).astype(np.uint8),
                f"target_{i}": target,
                f"prediction_{i}": np.roll(target, i + 2, 1),
            }  # fmt: skip
        np.savez_compressed(folder / "panel.npz", **panel)
