"""A trained method on the evaluation set: metrics per case and pooled, and the trivial floors."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from torch import Tensor

from benchmark.data.split.trial_data import Labelled, TrialData
from benchmark.toolkit.method import Method
from benchmark.training import metrics
from benchmark.training.inference import View, as_tested, labels_of, logits
from benchmark.training.metrics import Counts, SurfaceDistances


class Diverged(Exception):
    """A loss or an output is no longer a finite number."""


class Evaluation(NamedTuple):
    """scores: by column name; cases: one row a case; predicted: class masks."""

    scores: dict[str, float | int]
    cases: list[dict[str, Any]]
    predicted: list[UInt8[ndarray, "*s"]]
    classes: Sequence[dict[str, Any]] = ()
    """Of several foreground classes one row a case and class; else none."""


class Surfaces(NamedTuple):
    """scores: means over cases by column name; cases: those of each."""

    scores: dict[str, float | int]
    cases: list[dict[str, float]]
    classes: Sequence[dict[str, float]] = ()
    """As of `Evaluation`, in its order; blank where a class does not occur in a case."""


def evaluate(method: Method, view: View) -> Evaluation:
    """The method's network on `view.data.evaluation`.

    scores hold dc_pooled, ji_pooled, dc_case, ji_case at the argmax (of several foreground classes
    their means, and those of each: dc_pooled_class_1, …); best_* at the threshold with
    the highest Jaccard on these very images, pooled and per case (the optimistic reading of this
    literature; more than two classes: the argmax again); and counts of empty masks.
    Raises `Diverged` for logits that are not finite: they would read as all foreground.
    Leaves the method, its buffers and torch's random state as they were.
    """
    data, counts, predicted = view.data, [], []
    groups = groups_of(data)
    with as_tested(method, view.precision, view.device):
        for seen in logits(method, view):
            if not seen.logits.isfinite().all():
                raise Diverged("the tested network's logits are not finite")
            found = labels_of(seen.logits)
            predicted += list(found)
            true = np.stack([data.evaluation.masks[row] for row in seen.rows])
            counts.append(_counts(seen.logits, found, true))
    all_counts = _joined(counts)
    final = all_counts.at(metrics.ARGMAX if data.classes == 2 else 0)
    scores = _scores(final, groups) | _best(all_counts, groups) | _rates(final) | _empty(final)
    rows: list[dict[str, Any]] = []
    if data.classes > 2:
        scores |= _class_scores(final)
        rows = _class_rows(data, final)
    return Evaluation(scores, _case_rows(data.evaluation, final), predicted, rows)


def groups_of(data: TrialData) -> list[str]:
    """Whose each evaluated case is, where that is known of all; else nothing."""
    groups = [data.cases[row].group for row in data.evaluation.indices]
    return groups if all(groups) else []


def surfaces(
    data: TrialData, predicted: list[UInt8[ndarray, "*s"]], tolerances: Sequence[float] = ()
) -> Surfaces:
    """HD95 and ASD of the predicted masks: the mean over the foreground classes of each case.

    In voxels (of images: pixels at the size of the run) and, where every case has a spacing, in mm.
    A class that only one of both masks has counts as the diagonal of the image; `n_one_empty` says
    how often. Of several classes those count that occur in the case, as for Dice; NaN where none
    does. tolerances: for surface Dice, in mm where that is known, else in voxels.
    """
    spacings = [data.cases[row].spacing for row in data.evaluation.indices]
    has_mm = all(spacings)
    nsds = [nsd_column(tolerance, "mm" if has_mm else "voxels") for tolerance in tolerances]
    cases, of_classes, one_empty = [], [], 0
    for row, spacing, labels in zip(data.evaluation.indices, spacings, predicted, strict=True):
        true = data.evaluation.masks[row]
        pairs = {k: (labels == k, true == k) for k in range(1, data.classes)}
        if data.classes > 2:
            pairs = {k: (ours, theirs) for k, (ours, theirs) in pairs.items() if theirs.any()}
        one_empty += sum(bool(ours.any()) != bool(theirs.any()) for ours, theirs in pairs.values())
        in_mm = _distances(pairs, spacing) if has_mm else {}
        if has_mm and len(set(spacing)) == 1:  # another unit, without a second search
            in_voxels = {k: found / spacing[0] for k, found in in_mm.items()}
            means = [_mean(in_mm) / spacing[0], _mean(in_mm)]
        else:
            in_voxels = _distances(pairs, [1.0] * true.ndim)
            means = [_mean(in_voxels), *([_mean(in_mm)] if has_mm else [])]
        unit = spacing if has_mm else [1.0] * true.ndim
        agreeing = {
            k: [metrics.surface_dice(*pair, unit, tolerance) for tolerance in tolerances]
            for k, pair in pairs.items()
        }
        over_classes = np.mean(list(agreeing.values()), 0) if agreeing else [np.nan] * len(nsds)
        cases.append(_named(*means) | dict(zip(nsds, map(float, over_classes), strict=True)))
        for k in range(1, data.classes) if data.classes > 2 else ():
            found = [by_class[k] for by_class in (in_voxels, in_mm) if k in by_class]
            nsd = zip(nsds, agreeing.get(k, ()), strict=False)
            of_classes.append(_named(*found) | dict(nsd))
    names = list(cases[0])
    has_value = [case for case in cases if not np.isnan(case[names[0]])]
    means = {name: float(np.mean([c[name] for c in has_value])) for name in names if has_value}
    return Surfaces(means | {"n_one_empty": one_empty}, cases, of_classes)


_Distances = Float[ndarray, " m"]


def _distances(
    pairs: dict[int, tuple[Bool[ndarray, "*s"], Bool[ndarray, "*s"]]], spacing: list[float]
) -> dict[int, _Distances]:
    """Of the masks predicted and true of each class."""
    return {k: np.array(metrics.surface_distances(*pair, spacing)) for k, pair in pairs.items()}


def _mean(of_classes: dict[int, _Distances]) -> _Distances:
    """Over classes; NaN where there are none."""
    if not of_classes:
        return np.full(len(SurfaceDistances._fields), np.nan)
    return np.mean(list(of_classes.values()), 0)


def nsd_column(tolerance: float, unit: str) -> str:
    """Column of surface Dice: nsd_2_mm, nsd_0_5_mm."""
    return f"nsd_{tolerance:g}_{unit}".replace(".", "_")


def _named(*distances: _Distances) -> dict[str, float]:
    """In voxels, and in mm where these are known, by column."""
    return {
        f"{name}_{unit}": value
        for unit, found in zip(("voxels", "mm"), distances, strict=False)
        for name, value in zip(SurfaceDistances._fields, found.tolist(), strict=True)
    }


def lost_classes(data: TrialData) -> int:
    """How often a class of an evaluated mask, as prepared, is gone at the size of the run."""
    evaluated = ((data.cases[row], data.evaluation.masks[row]) for row in data.evaluation.indices)
    return sum(
        share > 0 and not (mask == number).any()
        for case, mask in evaluated
        for number, share in list(enumerate(case.classes))[1:]
    )


def final(scores: dict[str, float | int]) -> dict[str, float | int]:
    """The scores without choices made on the evaluation set; those are `oracle`'s."""
    return {name: value for name, value in scores.items() if not name.startswith("best_")}


def oracle(history: list[dict[str, Any]]) -> dict[str, float | int]:
    """Best epoch and threshold by Jaccard on the evaluation set: the optimistic reading.

    Chosen for each aggregate apart; the earliest of equal epochs. It is what the code of this
    literature reports (ciampluca/hebbian-bootstraping@e18ce3f utils.py:248-267, test_2d.py:73).
    """
    evaluated = [row for row in history if "best_ji_pooled" in row]
    found: dict[str, float | int] = {}
    for aggregate in AGGREGATES:
        name = f"best_ji_{aggregate}"
        if name not in evaluated[-1]:
            continue
        best = max(evaluated, key=lambda row: row[name])
        found[f"oracle_dc_{aggregate}"] = best[f"best_dc_{aggregate}"]
        found[f"oracle_ji_{aggregate}"] = best[f"best_ji_{aggregate}"]
        found[f"oracle_epoch_{aggregate}"] = best["epoch"]
        found[f"oracle_threshold_{aggregate}"] = best[f"best_threshold_{aggregate}"]
        # Of several classes the best threshold is the argmax, of which the classes' scores are.
        found |= _of_classes(best, aggregate, "oracle_")
    return found


def _of_classes(row: dict[str, Any], aggregate: str, prefix: str) -> dict[str, float]:
    """The scores of each class at an epoch, under the names of a reading."""
    is_of_class = re.compile(rf"(dc|ji)_{aggregate}_class_\d+").fullmatch
    return {f"{prefix}{name}": value for name, value in row.items() if is_of_class(name)}


AGGREGATES = ("pooled", "case", "patient")
"""Over all pixels; the mean over cases; over patients, the pixels of each together: where it is
known whose each case is."""


def _aggregates(scores: Mapping[str, Any]) -> list[str]:
    return [name for name in AGGREGATES if f"dc_{name}" in scores]


ON_VAL = "on_val_"
"""Before the names of scores on the validation set, in a history."""


def on_val(scores: dict[str, float | int]) -> dict[str, float | int]:
    """Of an evaluation of the validation set what an epoch may be chosen by, for the history."""
    kept = (f"{metric}_{aggregate}" for metric in ("dc", "ji") for aggregate in _aggregates(scores))
    return {f"{ON_VAL}{name}": scores[name] for name in kept}


def chosen_on_val(history: list[dict[str, Any]]) -> dict[str, float | int]:
    """What the epoch scores on the evaluation set that has the best Jaccard on the validation set.

    At the argmax; chosen for each aggregate apart, the earliest of equal epochs, as `oracle` does.
    Nothing where there was no validation set, or no class of it.
    """
    found: dict[str, float | int] = {}
    for aggregate in AGGREGATES:
        name = f"{ON_VAL}ji_{aggregate}"
        rows = [row for row in history if not np.isnan(row.get(name, np.nan))]
        if not rows or f"dc_{aggregate}" not in rows[0]:
            continue
        best = max(rows, key=lambda row: row[name])
        found[f"val_dc_{aggregate}"] = best[f"dc_{aggregate}"]
        found[f"val_ji_{aggregate}"] = best[f"ji_{aggregate}"]
        found[f"val_epoch_{aggregate}"] = best["epoch"]
        found |= _of_classes(best, aggregate, "val_")
    return found


def floors(
    evaluation: Labelled, classes: int, groups: Sequence[str] = ()
) -> dict[str, float | int]:
    """What predicting one class everywhere scores: all_background_dc_pooled, all_foreground_….

    All foreground is, of several classes, the one that scores best (`all_foreground_class`). A
    method below the better of the two has learnt nothing.
    """
    masks = (evaluation.masks[row] for row in evaluation.indices)
    found = np.stack([np.bincount(mask.ravel(), minlength=classes) for mask in masks])
    scores = [_scores(_counts_of_one_class(found, k), groups) for k in range(classes)]
    best = max(range(1, classes), key=lambda k: np.nan_to_num(scores[k]["dc_pooled"]))
    named = {"background": scores[0], "foreground": scores[best]}
    floors = {f"all_{n}_{metric}": v for n, values in named.items() for metric, v in values.items()}
    if classes == 2:
        return floors
    for k in range(1, classes):  # of a class by itself: it everywhere, and it nowhere
        for name, predicted in (("foreground", k), ("background", 0)):
            its = _class_scores(_counts_of_one_class(found, predicted))
            floors |= {
                f"all_{name}_{n}": its[n] for n in its if re.fullmatch(rf"(dc|ji)_.*_{k}", n)
            }
    return floors | {"all_foreground_class": best}


def _counts_of_one_class(found: Int[ndarray, "n k"], predicted: int) -> Counts:
    """Of predicting one class everywhere. found: pixels of each class in each case."""
    everywhere = np.zeros_like(found)
    everywhere[:, predicted] = found.sum(1)
    tp = np.minimum(found, everywhere)
    return Counts(*(c[:, None, 1:] for c in (tp, everywhere - tp, found - tp)))


def _joined(counts: list[Counts]) -> Counts:
    return Counts(*(np.concatenate(parts) for parts in zip(*counts, strict=True)))


def _counts(
    logits: Float[Tensor, "b k *s"], labels: UInt8[ndarray, " b *s"], true: UInt8[ndarray, " b *s"]
) -> Counts:
    if logits.shape[1] > 2:
        return metrics.counts_of_labels(labels, true, logits.shape[1])
    margin = (logits[:, 1] - logits[:, 0]).cpu().numpy()
    return metrics.counts_by_threshold(margin, true, metrics.THRESHOLDS)


_SCORES = {"dc": metrics.dice, "ji": metrics.jaccard}
_RATES = {"sensitivity": metrics.sensitivity, "precision": metrics.precision}


def _curves(metric, counts: Counts, groups: Sequence[str]) -> dict[str, Float[ndarray, " t"]]:
    """The metric at each threshold by each aggregate."""
    curves = {
        "pooled": metrics.pooled(metric, counts),
        "case": metrics.over_cases(metrics.per_case(metric, counts)),
    }
    if groups:
        of_groups = metrics.by_group(counts, groups)
        curves["patient"] = metrics.over_cases(metrics.per_case(metric, of_groups))
    return curves


def _scores(counts: Counts, groups: Sequence[str] = ()) -> dict[str, float]:
    """Dice and Jaccard by each aggregate, of counts at one threshold."""
    return {
        f"{name}_{aggregate}": float(curve[0])
        for name, metric in _SCORES.items()
        for aggregate, curve in _curves(metric, counts, groups).items()
    }


def _rates(counts: Counts) -> dict[str, float]:
    """Sensitivity and precision, pooled and as the mean over cases."""
    return {
        f"{name}_{aggregate}": float(curve[0])
        for name, metric in _RATES.items()
        for aggregate, curve in _curves(metric, counts, ()).items()
    }


def _class_scores(counts: Counts) -> dict[str, float | int]:
    """Dice and Jaccard of each foreground class; NaN where it occurs in no case.

    Pooled over the pixels of all cases; case: over the cases in which it occurs.

    And in how many cases it was predicted (n_predicted_class_k): in none, and it was never found.
    """
    occurs = (counts.tp + counts.fn)[:, 0] > 0
    scores: dict[str, float | int] = {}
    for name, metric in (("dc", metrics.dice), ("ji", metrics.jaccard)):
        pooled = metric(*(count.sum(0)[0] for count in counts))
        each = np.where(occurs, metric(*(count[:, 0] for count in counts)), np.nan)
        over_cases = metrics.over_cases(each)
        for k in range(occurs.shape[1]):
            scores[f"{name}_pooled_class_{k + 1}"] = float(
                pooled[k] if occurs[:, k].any() else np.nan
            )
            scores[f"{name}_case_class_{k + 1}"] = float(over_cases[k])
    predicted = ((counts.tp + counts.fp)[:, 0] > 0).sum(0)
    return scores | {f"n_predicted_class_{k + 1}": int(n) for k, n in enumerate(predicted)}


def _class_rows(data: TrialData, counts: Counts) -> list[dict[str, Any]]:
    """A line a case and foreground class; dc and ji are blank where it does not occur."""
    dc, ji = (
        metric(*(count[:, 0] for count in counts)) for metric in (metrics.dice, metrics.jaccard)
    )
    tp, fp, fn = (count[:, 0] for count in counts)
    names = data.class_names or [str(k) for k in range(data.classes)]
    rows = []
    for i, case in enumerate(data.evaluation.ids):
        for k in range(data.classes - 1):
            occurs = tp[i, k] + fn[i, k] > 0
            rows.append(
                {
                    "case": case, "class": k + 1, "name": names[k + 1],
                    "dc": float(dc[i, k]) if occurs else np.nan,
                    "ji": float(ji[i, k]) if occurs else np.nan,
                    "tp": int(tp[i, k]), "fp": int(fp[i, k]), "fn": int(fn[i, k]),
                    "n_true": int(tp[i, k] + fn[i, k]), "n_pred": int(tp[i, k] + fp[i, k]),
                }
            )  # fmt: skip
    return rows


def _best(counts: Counts, groups: Sequence[str]) -> dict[str, float]:
    """The scores at the threshold with the highest Jaccard, chosen for each aggregate apart."""
    best = {}
    for aggregate, curve in _curves(metrics.jaccard, counts, groups).items():
        at = int(curve.argmax())
        scores = _scores(counts.at(at), groups)
        best[f"best_dc_{aggregate}"] = scores[f"dc_{aggregate}"]
        best[f"best_ji_{aggregate}"] = scores[f"ji_{aggregate}"]
        thresholds = metrics.THRESHOLDS if len(curve) > 1 else [float("nan")]
        best[f"best_threshold_{aggregate}"] = float(thresholds[at])
    return best


def _empty(counts: Counts) -> dict[str, int]:
    """How many cases have no foreground: in the prediction, in the truth.

    With several classes also what is in no mean: classes predicted in cases that do not have them,
    and classes that occur nowhere.
    """
    predicted = (counts.tp + counts.fp).sum((1, 2))
    true = (counts.tp + counts.fn).sum((1, 2))
    found = {"n_empty_pred": int((predicted == 0).sum()), "n_empty_true": int((true == 0).sum())}
    if counts.tp.shape[-1] > 1:
        found["n_false_classes"] = metrics.false_classes(counts)
        found["n_absent_classes"] = metrics.absent_classes(counts)
    return found


def _case_rows(evaluation: Labelled, counts: Counts) -> list[dict[str, Any]]:
    dc, ji = (metrics.per_case(m, counts)[:, 0] for m in (metrics.dice, metrics.jaccard))
    tp, fp, fn = (count.sum((1, 2)) for count in counts)
    return [
        {
            "case": case,
            "dc": float(dc[i]),
            "ji": float(ji[i]),
            "tp": int(tp[i]),
            "fp": int(fp[i]),
            "fn": int(fn[i]),
        }
        for i, case in enumerate(evaluation.ids)
    ]
