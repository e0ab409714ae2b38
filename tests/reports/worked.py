"""Two methods over ten seeds whose statistics are worked out; synthetic tables of trials."""

import numpy as np
import pandas as pd

A = np.array([0.8431, 0.8512, 0.8389, 0.8475, 0.8556, 0.8402, 0.8498, 0.8367, 0.8523, 0.8447])
B = np.array([0.8362, 0.8431, 0.8347, 0.8391, 0.8502, 0.8371, 0.8390, 0.8375, 0.8441, 0.8358])
D = np.round(A - B, 12)

FLOORS = {
    "all_background_dc_pooled": 0.0, "all_background_ji_pooled": 0.0,
    "all_background_dc_case": 0.0, "all_background_ji_case": 0.0,
    "all_foreground_dc_pooled": 0.661, "all_foreground_ji_pooled": 0.4937,
    "all_foreground_dc_case": 0.642, "all_foreground_ji_case": 0.5,
}  # fmt: skip


def trial(variant: str, seed: int, dice: float, **changes) -> dict:
    """One row of a table of trials."""
    row = {
        "key": f"{variant}-{seed}", "status": "done", "error": "", "dataset": "glas", "ratio": 0.2,
        "variant": variant, "seed": seed, "evaluate_on": "test", "data_hash": "d", "cell": variant,
        "preset": "cpu", "finished_at": "2026-01-01", "n_test": 60, "size": "64x64",
        "data_partial": "60 of 80 test cases", "code_version": "0.1.0",
        "dc_pooled": dice, "ji_pooled": dice - 0.1, "dc_case": dice - 0.2, "ji_case": dice - 0.3,
        "oracle_dc_pooled": dice + 0.1, "oracle_ji_pooled": dice, "oracle_dc_case": dice,
        "oracle_ji_case": dice, "steps": 250, "pretrain_steps": None, "settings": {}, "changes": "",
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
