"""What stands under a table so that it can be read alone: estimator, selection, data, oddities.

Among the oddities is where methods of one table were not treated alike: budgets of steps, settings.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reports.select import (
    BY_INTENT,
    WHERE,
    Budget,
    Floor,
    Reading,
    classes_of,
    datasets_of,
    flat,
    named,
    ordered,
)
from reports.sheet import counted, fits, shortened
from reports.stats.intervals import MIN_RESAMPLED, coverage


def keys(rows: pd.DataFrame, reading: Reading, full_n: int, floor: dict[str, Floor]) -> list[str]:
    """What the numbers of the main table mean."""
    kinds = " or ".join(sorted({f"all {best.name}" for best in floor.values()}))
    several = [name for name, own in rows.groupby("dataset") if _has_several_floors(own, reading)]
    of_sizes = f" (of {', '.join(several)} the highest: trials differ in size)" if several else ""
    return [
        estimator(reading, full_n),
        selection(reading, rows),
        f"floor: the better of two predictions that look at no image, here {kinds}; a method below "
        f"it has learnt nothing{of_sizes}",
        evaluated(rows),
    ]


def _has_several_floors(rows: pd.DataFrame, reading: Reading) -> bool:
    columns = [f"all_{name}_dc_{reading.aggregate}" for name in ("foreground", "background")]
    return bool((rows[columns].astype(float).round(6).nunique() > 1).any())


def doubts(rows: pd.DataFrame, reading: Reading, floor: dict[str, Floor]) -> list[str]:
    """What makes them less than they seem."""
    return [*_collapsed(rows, reading, floor), *oddities(rows, reading)]


def estimator(reading: Reading, full_n: int) -> str:
    """What "84.60 ± 0.36" means."""
    scores, level = " and ".join(reading.shares.values()), f"{100 * reading.ci_level:g} %"
    over_seeds = f"over seeds, n = {full_n} unless given in brackets; the images are fixed"
    if reading.interval != "t":
        kind = {
            "logit-t": "t of the log-odds",
            "bootstrap": f"BCa bootstrap ({MIN_RESAMPLED} seeds or more)",
        }[reading.interval]
        return f"{scores} in %, mean and {level} interval, {kind}, {over_seeds}"
    over = {
        "seeds": f"t half-width {over_seeds}",
        "cases": f"t half-width over cases, of the mean of {full_n} seeds",
        "both": f"half-width over seeds and cases ({full_n} seeds unless given in brackets)",
    }[reading.ci]
    if reading.ddof == 0:
        over += "; standard deviation divided by n (ddof 0), as published: too narrow"
        if full_n > 1:
            real = 100 * coverage(full_n, reading.ci_level)
            over += f", at n = {full_n} it covers {real:.1f} %"
    return f"{scores} in %, mean ± {level} {over}"


def selection(reading: Reading, rows: pd.DataFrame) -> str:
    """Which score of a trial is read; of several classes no threshold is swept."""
    column = f"oracle_threshold_{reading.aggregate}"
    is_swept = column not in rows or rows[column].notna().any()
    best = "best epoch and threshold" if is_swept else "best epoch"
    chosen = {
        "final": "final step, argmax (nothing chosen on the evaluation set)",
        "val": "VAL: the epoch that is best on the validation set, argmax",
        "oracle": f"ORACLE: {best} chosen on the evaluation set itself",
    }[reading.selection]
    if reading.selection == "val":
        chosen += f" ({masks_used(rows)})"
    return f"selection: {chosen}; {aggregation(reading)}"


def aggregation(reading: Reading) -> str:
    """Over what a score is, and of which class."""
    over = {
        "pooled": "pooled over all pixels",
        "case": "mean over cases",
        "patient": "mean over patients, the pixels of each together",
    }[reading.aggregate]
    of = f"; class: {reading.of_class} alone" if reading.of_class else ""
    return f"aggregation: {over}{of}"


def masks_used(rows: pd.DataFrame) -> str:
    """How many masks chose the epoch, beside how many taught it."""
    told = []
    for dataset, trials in rows.groupby("dataset"):
        least, most = int(trials.n_labelled.min()), int(trials.n_labelled.max())
        where = f" on {dataset}" if rows.dataset.nunique() > 1 else ""
        labelled = f"{least}" if least == most else f"{least} to {most}"
        told.append(f"{counted(int(trials.n_val.max()), 'mask')} beside {labelled} labelled{where}")
    return f"{', '.join(told)}: who has only the labelled ones cannot choose so"


def evaluated(rows: pd.DataFrame) -> str:
    """On which images, under which presets."""
    sizes = rows.groupby("dataset").n_test.max()
    images = ", ".join(f"{name} {sizes[name]:.0f}" for name in datasets_of(rows))
    sets = "/".join(sorted(set(rows.evaluate_on)))
    return f"evaluated on: {sets} ({images} images); presets: {presets(rows)}"


def presets(rows: pd.DataFrame) -> str:
    """With the settings that were typed over them."""
    pairs = sorted(set(zip(rows.preset, rows.overrides, strict=True)))
    return "; ".join(f"{preset} with {typed}" if typed else preset for preset, typed in pairs)


def oddities(rows: pd.DataFrame, reading: Reading) -> list[str]:
    """Whatever makes the scores less than they seem."""
    lines = [*_precision(rows), *_steps(rows), *_settings(rows)]
    lines += [*tuned(rows), *_lists(rows), *_classes(rows, reading)]
    partial = rows[rows.data_partial.fillna("") != ""]
    for name, note in partial.groupby("dataset").data_partial.first().items():
        lines.append(f"{name} is not the dataset as published: {note}")
    scores = rows[[c for c in ("dc_pooled", "dc_case") if c in rows]]
    if odd := int((~np.isfinite(scores.astype(float))).any(axis=1).sum()):
        lines.append(f"{counted(odd, 'trial')} with a Dice that is no finite number")
    if rows.dataset.str.startswith("phantom_").any():
        lines.append("phantoms are synthetic images: this is no ranking of methods")
    # Versions differ by their commits; those of equal code do not count.
    code = rows.code_version if "tool_code" not in rows else rows.tool_code.where(
        rows.tool_code.fillna("") != "", rows.code_version
    )  # fmt: skip
    if code.nunique() > 1:
        lines.append(f"made with several code versions: {_list(rows.code_version)}")
    return lines


def tuned(rows: pd.DataFrame) -> list[str]:
    """Which variants a tuning study chose, how, at what cost in masks; and which none did."""
    if "tuned" not in rows:
        return []
    how = rows.tuned.fillna("")
    chosen = rows[how != ""]
    lines = [
        f"tuned: {_configurations(trials)}: chosen by {text}"
        for text, trials in chosen.groupby("tuned", sort=False)
    ]
    plain = rows[how == ""]
    if lines and len(plain):
        lines.append(f"not tuned: {_configurations(plain)}")
    return lines


def _configurations(rows: pd.DataFrame) -> str:
    found = rows.drop_duplicates(WHERE)[WHERE].itertuples(index=False, name=None)
    return shortened([named(one) for one in found], shown=9)


def _lists(rows: pd.DataFrame) -> list[str]:
    """Budgets that name their images: then a seed draws less than elsewhere."""
    is_list = rows.settings.map(lambda settings: "labelled" in settings)
    is_list &= rows.groupby("budget").seed.transform("nunique") > 1
    return [
        f"{budget.text}: the same labelled images for every seed; intervals are over weights and "
        "order alone"
        for budget in sorted(rows[is_list].budget.unique())
    ]


def _classes(rows: pd.DataFrame, reading: Reading) -> list[str]:
    """Of several: over which a mean goes, and which of them a method never predicts."""
    lines = []
    for dataset, names in classes_of(rows).items():
        trials = rows[rows.dataset == dataset]
        known = [f"n_predicted_class_{k + 1}" for k in range(len(names))]
        if not set(known) <= set(trials.columns):
            continue
        if not reading.of_class:
            lines.append(f"{dataset}: {_mean_over(trials, names, reading)} (--table classes)")
        for column, name in zip(known, names, strict=True):
            if trials[f"dc_pooled{column.removeprefix('n_predicted')}"].isna().all():
                lines.append(f"{dataset}: no evaluated mask has {name}: it is in no mean")
                continue
            never = trials[trials[column] == 0].groupby(["budget", "variant"]).size()
            of = trials.groupby(["budget", "variant"]).size()
            told = [
                f"{variant} at {budget.text} ({n} of {counted(int(of[budget, variant]), 'seed')})"
                for (budget, variant), n in never.items()
            ]
            if told:
                lines.append(f"{dataset}: never predicts {name}: {shortened(told, shown=6)}")
    return lines


def _mean_over(trials: pd.DataFrame, names: list[str], reading: Reading) -> str:
    """What is averaged, and which images are in no mean."""
    over = ", ".join(names)
    if reading.aggregate != "case":
        return f"DC and JI are means over {over}"
    said = f"DC and JI are means over images, of each over those of {over} that occur in it"
    empty = int(trials.n_empty_true.max()) if "n_empty_true" in trials else 0
    if not empty:
        return said
    return (
        f"{said}; {counted(empty, 'image')} without any of them in no mean, whatever is found there"
    )


def _precision(rows: pd.DataFrame) -> list[str]:
    """Where it is not the usual one; that of several in one table `_settings` tells too."""
    computed = rows.settings.map(lambda settings: settings.get("precision", "float32"))
    return [
        f"computed in {precision}, scores in float32: {shortened(ordered(trials.variant))}"
        for precision, trials in rows.groupby(computed)
        if precision != "float32"
    ]


def older(rows: pd.DataFrame, code: Callable[[str], str]) -> list[str]:
    """Trials that were made by other code of their method than there is now."""
    if "method_code" not in rows:
        return []
    known = rows[rows.method_code.fillna("") != ""]
    now = known.method.map({method: code(method) for method in known.method.unique()})
    counts = known[known.method_code != now].groupby("method").size()
    return [
        f"{n} of {(rows.method == method).sum()} trials of {method} made by other code of it than "
        f"there is now; bench run … --rerun {method} runs them again"
        for method, n in counts.items()
    ]


def _collapsed(rows: pd.DataFrame, reading: Reading, floor: dict[str, Floor]) -> list[str]:
    """Runs that have learnt nothing: no interval speaks for what mixes them with others."""
    limit = rows.dataset.map(lambda name: floor[name].values["dc"])
    low = rows[rows[reading.column("dc")] <= limit]
    counts = low.groupby(["budget", "variant", "dataset"]).size()
    if counts.empty:
        return []
    of = rows.groupby(WHERE).size()
    shown = [
        f"{named((dataset, budget, variant))} ({n} of {of[dataset, budget, variant]})"
        for (budget, variant, dataset), n in counts.items()
    ]
    return [f"runs at or below the floor in DC: {shortened(shown)}"]


def cost_notes() -> list[str]:
    """Of the cost columns."""
    return [
        "costs: parameters of all networks in training; operations and seconds of a step, "
        "forward and backward; total s: training and, whole, the pretraining that the trial "
        "started from; peak memory; medians over seeds"
    ]


def _list(values: pd.Series) -> str:
    return ", ".join(sorted(set(values)))


_OF_A_METHOD = ("hyperparameters", "pretraining")


def _steps(rows: pd.DataFrame) -> list[str]:
    """Training steps, with those of a pretraining, where they differ within dataset and budget."""
    firsts = rows.drop_duplicates(WHERE)
    firsts = firsts.assign(before=firsts.pretrain_steps.astype(float).fillna(0))
    groups, lines = 0, []
    for (dataset, budget), trials in firsts.groupby(["dataset", "budget"]):
        groups += 1
        found: dict[tuple[int, int], list[str]] = {}
        of_each = trials.set_index("variant")
        for variant in ordered(trials.variant):
            first = of_each.loc[variant]
            found.setdefault((int(first.before), int(first.steps)), []).append(variant)
        if len(found) > 1:
            told = "; ".join(
                f"{_counted_steps(*steps)} ({shortened(names, 3)})"
                for steps, names in found.items()
            )
            lines.append(f"{dataset} at {budget.text}: {told}")
    if not lines:
        return []
    shown = ", and on ".join(lines if fits(len(lines), 1) else lines[:1])
    also = "" if fits(len(lines), 1) else f", and on {len(lines) - 1} more of {groups}"
    return [f"training steps differ between methods, on {shown}{also}"]


def _counted_steps(before: int, steps: int) -> str:
    return f"{before} of pretraining and {steps}" if before else f"{steps}"


def _settings(rows: pd.DataFrame) -> list[str]:
    """Settings that differ between the variants or label budgets of one dataset."""
    firsts = rows.drop_duplicates(WHERE)
    told: dict[str, list[str]] = {}  # what is said → the datasets of which it is true
    for dataset, trials in firsts.groupby("dataset"):
        chosen = {(row.variant, row.budget): row.settings for row in trials.itertuples()}
        for text in [*_between(chosen, BY_INTENT), *_within(chosen)]:
            told.setdefault(text, []).append(dataset)
    everywhere = rows.dataset.nunique()
    lines = [
        text if len(datasets) == everywhere else f"{text} on {', '.join(datasets)}"
        for text, datasets in told.items()
    ]
    return [f"settings differ: {shortened(lines, 8)}"] if lines else []


_Chosen = Mapping[tuple[str, Budget], Mapping[str, Any]]  # variant and budget → settings


def _between(chosen: _Chosen, leave: frozenset[str]) -> list[str]:
    """Settings with more than one value."""
    values = {where: dict(flat(settings, leave)) for where, settings in chosen.items()}
    names = dict.fromkeys(name for own in values.values() for name in own)
    texts = {name: {w: str(own.get(name, "–")) for w, own in values.items()} for name in names}
    return [f"{name} {text}" for name in names if (text := _exceptions(texts[name]))]


def _within(chosen: _Chosen) -> list[str]:
    """What belongs to a method and should be one at all budgets under one name."""
    found = []
    for variant in ordered(name for name, _ in chosen):
        own = {
            where: {name: settings.get(name) or {} for name in _OF_A_METHOD}
            for where, settings in chosen.items()
            if where[0] == variant
        }
        found += _between(own, frozenset())
    return found


def _exceptions(values: Mapping[tuple[str, Budget], str]) -> str:
    """Value by (variant, budget) → "0.5 (ours: 0.01)"; "" if all are one."""
    counts = pd.Series(list(values.values())).value_counts()
    if len(counts) < 2:
        return ""
    usual = counts.index[0]
    others: dict[str, list[str]] = {}
    for variant in ordered(name for name, _ in values):
        own = {budget: value for (name, budget), value in values.items() if name == variant}
        if set(own.values()) == {usual}:
            continue
        if len(set(own.values())) == 1:
            others.setdefault(next(iter(own.values())), []).append(variant)
            continue
        for budget, value in own.items():
            if value != usual:
                others.setdefault(value, []).append(f"{variant} at {budget.text}")
    told = "; ".join(f"{shortened(names, 3)}: {value}" for value, names in others.items())
    return f"{usual} ({told})"
