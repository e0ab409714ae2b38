"""Two methods over ten seeds whose statistics are worked out; synthetic tables of trials."""

import numpy as np
import pandas as pd

from reports.select import Budget

A = np.array([0.8431, 0.8512, 0.8389, 0.8475, 0.8556, 0.8402, 0.8498, 0.8367, 0.8523, 0.8447])
B = np.array([0.8362, 0.8431, 0.8347, 0.8391, 0.8502, 0.8371, 0.8390, 0.8375, 0.8441, 0.8358])
D = np.round(A - B, 12)
SCORES = np.array(
    [
        [0.846, 0.840, 0.832, 0.801],
        [0.911, 0.905, 0.907, 0.880],
        [0.723, 0.731, 0.702, 0.655],
        [0.884, 0.879, 0.871, 0.860],
        [0.790, 0.781, 0.783, 0.742],
    ]
)
"""Of five datasets and four methods."""
RATIOS, DICE = [0.01, 0.02, 0.05, 0.10, 0.20], [0.60, 0.66, 0.74, 0.79, 0.82]
"""A method's curve over labelled shares."""

FLOORS = {
    "all_background_dc_pooled": 0.0, "all_background_ji_pooled": 0.0,
    "all_background_dc_case": 0.0, "all_background_ji_case": 0.0,
    "all_foreground_dc_pooled": 0.661, "all_foreground_ji_pooled": 0.4937,
    "all_foreground_dc_case": 0.642, "all_foreground_ji_case": 0.5,
}  # fmt: skip


def budget(ratio: float) -> Budget:
    """A share of the images, as records state it."""
    return Budget(ratio, f"{100 * ratio:g} %", ratio)


def at(rows: pd.DataFrame, ratio: float) -> pd.DataFrame:
    """The rows at another label budget."""
    return rows.assign(ratio=ratio, budget=[budget(ratio)] * len(rows), budget_order=ratio)


def stored(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as a study keeps them, their budgets as texts: what a report is made of."""
    return rows.assign(budget=[found.text for found in rows.budget])


def trial(variant: str, seed: int, dice: float, **changes) -> dict:
    """One row of a table of trials."""
    ratio = changes.setdefault("ratio", 0.2)
    row = {
        "key": f"{variant}-{seed}", "status": "done", "error": "", "dataset": "glas",
        "budget": budget(ratio), "budget_order": ratio, "method": variant.partition("[")[0],
        "variant": variant, "seed": seed, "evaluate_on": "test", "data_hash": "d",
        "configuration": variant, "preset": "cpu", "finished_at": "2026-01-01", "n_test": 60,
        "size": "64x64", "data_partial": "60 of 80 test cases", "code_version": "0.1.0",
        "dc_pooled": dice, "ji_pooled": dice - 0.1, "dc_case": dice - 0.2, "ji_case": dice - 0.3,
        "oracle_dc_pooled": dice + 0.1, "oracle_ji_pooled": dice, "oracle_dc_case": dice,
        "oracle_ji_case": dice, "steps": 250, "pretrain_steps": None, "settings": {},
        "overrides": "",
    }  # fmt: skip
    return row | FLOORS | changes


def trials(**variants) -> pd.DataFrame:
    """Rows of these variants: name → Dice of seeds 0, 1, …"""
    return pd.DataFrame(
        [
            trial(name, seed, float(value))
            for name, values in variants.items()
            for seed, value in enumerate(values)
        ]
    )


def three_methods() -> pd.DataFrame:
    """ours with ten seeds, cps with nine, supervised with one."""
    return trials(ours=A, cps=B[:9], supervised=B[:1])
