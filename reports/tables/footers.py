"""What stands under a table so that it can be read alone: estimator, selection, data, oddities."""

import pandas as pd

from reports import unequal
from reports.aggregate import Floor, Reading, named
from reports.intervals import MIN_RESAMPLED, coverage
from reports.sheet import shortened


def notes(rows: pd.DataFrame, reading: Reading, full_n: int, floor: dict[str, Floor]) -> list[str]:
    """Of the main table."""
    return [
        estimator(reading, full_n),
        selection(reading),
        evaluated(rows),
        *_collapsed(rows, reading, floor),
        *oddities(rows),
    ]


def estimator(reading: Reading, full_n: int) -> str:
    """What "84.60 ± 0.36" means."""
    level = f"{100 * reading.ci_level:g} %"
    over_seeds = f"over seeds, n = {full_n} unless given in brackets; the images are fixed"
    if reading.interval != "t":
        kind = {
            "logit-t": "t of the log-odds",
            "bootstrap": f"BCa bootstrap ({MIN_RESAMPLED} seeds or more)",
        }[reading.interval]
        return f"DC and JI in %, mean and {level} interval, {kind}, {over_seeds}"
    over = {
        "seeds": f"t half-width {over_seeds}",
        "cases": f"t half-width over cases, of the mean of {full_n} seeds",
        "both": f"half-width over seeds and cases ({full_n} seeds unless given in brackets)",
    }[reading.ci]
    if reading.ddof == 0:
        over += "; deviation divided by n (ddof 0), as published: too narrow"
        if full_n > 1:
            real = 100 * coverage(full_n, reading.ci_level)
            over += f", at n = {full_n} it covers {real:.1f} %"
    return f"DC and JI in %, mean ± {level} {over}"


def selection(reading: Reading) -> str:
    """Which figure of a trial is read."""
    chosen = {
        "final": "final step, argmax (nothing chosen on the evaluation set)",
        "oracle": "ORACLE: best epoch and threshold chosen on the evaluation set itself",
    }[reading.selection]
    over = {"pooled": "pooled over all pixels", "case": "mean over cases"}[reading.aggregate]
    return f"selection: {chosen}; aggregation: {over}"


def evaluated(rows: pd.DataFrame) -> str:
    """On which images, under which presets."""
    sizes = rows.groupby("dataset").n_test.max()
    images = ", ".join(f"{name} {sizes[name]:.0f}" for name in sizes.index)
    sets = "/".join(sorted(set(rows.evaluate_on)))
    return f"evaluated on: {sets} ({images} images); presets: {_presets(rows)}"


def _presets(rows: pd.DataFrame) -> str:
    """With the settings that were typed over them."""
    pairs = sorted(set(zip(rows.preset, rows.changes, strict=True)))
    return "; ".join(f"{preset} with {typed}" if typed else preset for preset, typed in pairs)


def oddities(rows: pd.DataFrame) -> list[str]:
    """Whatever makes the figures less than they seem."""
    lines = [*unequal.budgets(rows), *unequal.settings(rows)]
    partial = rows[rows.data_partial.fillna("") != ""]
    for name, note in partial.groupby("dataset").data_partial.first().items():
        lines.append(f"{name} is not the dataset as published: {note}")
    if rows.dataset.str.startswith("phantom_").any():
        lines.append("phantoms are invented images: this is no ranking of methods")
    if rows.code_version.nunique() > 1:
        lines.append(f"made with several code versions: {_list(rows.code_version)}")
    return lines


def _collapsed(rows: pd.DataFrame, reading: Reading, floor: dict[str, Floor]) -> list[str]:
    """Runs that have learnt nothing: no interval speaks for a cell that mixes them with others."""
    limit = rows.dataset.map(lambda name: floor[name].values["dc"])
    low = rows[rows[reading.column("dc")] <= limit]
    counts = low.groupby(["ratio", "variant", "dataset"]).size()
    if counts.empty:
        return []
    of = rows.groupby(["ratio", "variant", "dataset"]).size()
    shown = [
        f"{named((dataset, ratio, variant))} ({n} of {of[ratio, variant, dataset]})"
        for (ratio, variant, dataset), n in counts.items()
    ]
    return [f"runs at or below the floor in DC: {shortened(shown)}"]


def cost_notes() -> list[str]:
    """Of the cost columns."""
    return [
        "costs: parameters of all networks in training; operations and seconds of a step, "
        "forward and backward; seconds in all: training and, whole, the pretraining that the trial "
        "started from; peak memory; medians over seeds"
    ]


def _list(values: pd.Series) -> str:
    return ", ".join(sorted(set(values)))
