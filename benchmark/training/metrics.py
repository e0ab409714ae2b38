"""Dice and Jaccard from counts of pixels; distances between surfaces.

Counts of true positives, false positives and false negatives are arrays of shape (cases,
thresholds, classes) over the foreground classes. Pooled metrics add the counts of all cases first,
as the published tables of this field do; case metrics are the mean of the metric of each case. Both
then average over the foreground classes.

With several foreground classes only those count that occur in the truth: of a case, or, pooled, of
the whole set. So all methods are averaged over the same ones, and nobody gains by a class that is
not there. With one, an empty mask is a result like others, by the convention of this literature.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer
from numpy import ndarray
from scipy.ndimage import distance_transform_edt, find_objects

from benchmark.toolkit.distances import boundary

# The grid on which the literature chooses its threshold on the test images
# (ciampluca/hebbian-bootstraping@e18ce3f utils.py:248-267).
THRESHOLDS = np.arange(0, 0.9, 0.02)
ARGMAX = 25  # THRESHOLDS[25] = 0.5: for two classes, above it is the same as the argmax


class Counts(NamedTuple):
    """True positives, false positives, false negatives: each (cases, thresholds, classes)."""

    tp: Integer[ndarray, "n t c"]
    fp: Integer[ndarray, "n t c"]
    fn: Integer[ndarray, "n t c"]

    def at(self, threshold: int) -> "Counts":
        """The counts at one threshold, keeping the axis."""
        return Counts(*(count[:, threshold : threshold + 1] for count in self))


def dice(
    tp: Integer[ndarray, " *s"], fp: Integer[ndarray, " *s"], fn: Integer[ndarray, " *s"]
) -> Float[ndarray, " *s"]:
    """2 TP / (2 TP + FP + FN); 1 where neither mask has a pixel (both agree on nothing)."""
    total = 2 * tp + fp + fn
    return np.where(total > 0, 2 * tp / np.maximum(total, 1), 1.0)


def jaccard(
    tp: Integer[ndarray, " *s"], fp: Integer[ndarray, " *s"], fn: Integer[ndarray, " *s"]
) -> Float[ndarray, " *s"]:
    """TP / (TP + FP + FN); 1 where neither mask has a pixel."""
    total = tp + fp + fn
    return np.where(total > 0, tp / np.maximum(total, 1), 1.0)


def sensitivity(
    tp: Integer[ndarray, " *s"], fp: Integer[ndarray, " *s"], fn: Integer[ndarray, " *s"]
) -> Float[ndarray, " *s"]:
    """TP / (TP + FN); where there is nothing to find, 1 if nothing was found, else 0."""
    return np.where(tp + fn > 0, tp / np.maximum(tp + fn, 1), (fp == 0).astype(float))


def precision(
    tp: Integer[ndarray, " *s"], fp: Integer[ndarray, " *s"], fn: Integer[ndarray, " *s"]
) -> Float[ndarray, " *s"]:
    """TP / (TP + FP); where nothing was found, 1 if there is nothing to find, else 0."""
    return sensitivity(tp, fn, fp)


def by_group(counts: Counts, groups: Sequence[str]) -> Counts:
    """The counts of all cases of a group together, such as the slices of a patient."""
    _, index = np.unique(groups, return_inverse=True)
    n = int(index.max()) + 1
    return Counts(*(_summed(count, index, n) for count in counts))


def _summed(count: Integer[ndarray, "n t c"], index: Integer[ndarray, " n"], n: int) -> ndarray:
    total = np.zeros((n, *count.shape[1:]), count.dtype)
    np.add.at(total, index, count)
    return total


def pooled(metric, counts: Counts) -> Float[ndarray, " t"]:
    """The metric over the pixels of all cases together, at each threshold."""
    total = Counts(*(count.sum(0) for count in counts))
    return _over_classes(metric(*total), total)


def per_case(metric, counts: Counts) -> Float[ndarray, "n t"]:
    """The metric of each case at each threshold; NaN of a case in which no class occurs."""
    return _over_classes(metric(*counts), counts)


def _over_classes(values: Float[ndarray, "*s c"], counts: Counts) -> Float[ndarray, "*s"]:
    """The mean over the foreground classes that occur in the truth; over the only one, if it is."""
    if values.shape[-1] == 1:
        return values[..., 0]
    return _mean(values, counts.tp + counts.fn > 0, axis=-1)


def over_cases(values: Float[ndarray, "n t"]) -> Float[ndarray, " t"]:
    """The mean over the cases that have a value; NaN if none has."""
    return _mean(values, ~np.isnan(values), axis=0)


def _mean(values: Float[ndarray, "..."], of: Bool[ndarray, "..."], axis: int) -> ndarray:
    """Along an axis, of those values alone; NaN where there is none."""
    n = of.sum(axis)
    total = np.where(of, values, 0.0).sum(axis)
    return np.where(n > 0, total / np.maximum(n, 1), np.nan)


def false_classes(counts: Counts) -> int:
    """How often a class was predicted in a case in which it does not occur, at one threshold."""
    return int(((counts.tp + counts.fn == 0) & (counts.fp > 0)).sum())


def absent_classes(counts: Counts) -> int:
    """How many foreground classes occur in no case."""
    return int(((counts.tp + counts.fn).sum((0, 1)) == 0).sum())


def counts_by_threshold(
    margin: Float[ndarray, " n *s"],
    true: Integer[ndarray, " n *s"],
    thresholds: Float[ndarray, " t"],
) -> Counts:
    """Counts of "foreground where its probability is above the threshold", two classes.

    margin: z₁ - z₀, the log-odds of the foreground, compared with logit(threshold): p > τ without
    the rounding of a softmax, so that τ = 0.5 is exactly the argmax (a tie is background). One
    pass: each pixel falls into one bin, and the counts of all thresholds are cumulative sums.
    thresholds: ascending, in [0, 1).
    """
    with np.errstate(divide="ignore"):
        logits = np.log(thresholds / (1 - thresholds))
    n, bins = len(margin), len(thresholds) + 1
    # The bin is the number of thresholds that lie below the pixel.
    below = np.searchsorted(logits, margin.reshape(n, -1).astype(np.float64), side="left")
    index = (np.arange(n)[:, None] * 2 + (true.reshape(n, -1) > 0)) * bins + below
    histogram = np.bincount(index.ravel(), minlength=n * 2 * bins).reshape(n, 2, bins)
    above = histogram[:, :, ::-1].cumsum(-1)[:, :, ::-1][:, :, 1:]  # (n, 2, t)
    tp, fp = above[:, 1], above[:, 0]
    fn = histogram[:, 1].sum(-1, keepdims=True) - tp
    return Counts(tp[..., None], fp[..., None], fn[..., None])


def counts_of_labels(
    predicted: Integer[ndarray, " n *s"], true: Integer[ndarray, " n *s"], classes: int
) -> Counts:
    """Counts of given label maps, one threshold axis of length 1, classes 1 … classes - 1."""
    pairs = zip(predicted, true, strict=True)
    found = np.stack([confusion([ours], [theirs], classes) for ours, theirs in pairs])
    tp = np.diagonal(found, axis1=1, axis2=2)[:, 1:]
    fp = found.sum(1)[:, 1:] - tp
    fn = found.sum(2)[:, 1:] - tp
    return Counts(tp[:, None], fp[:, None], fn[:, None])


def confusion(
    predicted: Sequence[Integer[ndarray, " *s"]],
    true: Sequence[Integer[ndarray, " *s"]],
    classes: int,
) -> Integer[ndarray, "k k"]:
    """Pixels of all cases by their true class (row) and their predicted one (column)."""
    found = np.zeros(classes**2, np.int64)
    for ours, theirs in zip(predicted, true, strict=True):
        index = theirs.ravel().astype(np.int64) * classes + ours.ravel()
        found += np.bincount(index, minlength=classes**2)
    return found.reshape(classes, classes)


def best_order(confusion: Integer[ndarray, "k k"]) -> list[int]:
    """The order of the predicted classes that fits the true ones best: class k is order[k].

    Its `ordered_dice` is the largest. The background and classes that do not occur keep their own
    where it is free, and of equal orders the one is taken that changes least.
    """
    from scipy.optimize import linear_sum_assignment  # slow to load, and seldom asked for

    gain = np.where(_counting(confusion)[:, None], _overlaps(confusion), 0.0)
    gain += 1e-9 * np.eye(len(gain))
    return linear_sum_assignment(gain, maximize=True)[1].tolist()


def ordered_dice(confusion: Integer[ndarray, "k k"], order: Sequence[int]) -> float:
    """Pooled Dice over the foreground classes that occur, in this order; NaN if none does."""
    scores = _overlaps(confusion)[np.arange(len(order)), order][_counting(confusion)]
    return float(scores.mean()) if len(scores) else float("nan")


def _overlaps(confusion: Integer[ndarray, "k k"]) -> Float[ndarray, "k k"]:
    """Dice of each true class with each predicted one."""
    total = confusion.sum(1)[:, None] + confusion.sum(0)[None]
    return 2 * confusion / np.maximum(total, 1)


def _counting(confusion: Integer[ndarray, "k k"]) -> Bool[ndarray, " k"]:
    """The foreground classes that occur."""
    return (confusion.sum(1) > 0) & (np.arange(len(confusion)) > 0)


class SurfaceDistances(NamedTuple):
    """How far two surfaces are apart, in the unit of the spacing, in the definitions that are used.

    The literature mixes them under one name. "joint": the distances of both directions pooled.
    "directed": each direction by itself. "to truth": from the prediction to the truth alone.
    """

    hd95_directed: float
    """The larger 95th percentile: MONAI 1.5 compute_hausdorff_distance(percentile=95)."""
    hd95_joint: float
    """MedPy 0.5 hd95."""
    asd_directed: float
    """The mean of both directed means: MedPy's assd up to 0.4."""
    asd_joint: float
    """MONAI 1.5 compute_average_surface_distance(symmetric=True), and MedPy's assd from 0.5."""
    asd_to_truth: float
    """MedPy 0.5 asd(result, reference): what tables of this literature print as ASD
    (HiLab-git/SSL4MIS@01ecaa9 code/test_2D_fully.py, calculate_metric_percase)."""


def surface_distances(
    predicted: Bool[ndarray, "*s"], true: Bool[ndarray, "*s"], spacing: Sequence[float]
) -> SurfaceDistances:
    """Distances between the boundaries of two masks.

    spacing: of the pixels, one number per axis: in mm, or 1 to measure in pixels. Both masks empty:
    0, as they agree. One of them empty: the diagonal of the image, a distance that no pair of
    pixels exceeds; never NaN, which would leave failures out of a mean.
    """
    if not predicted.any() and not true.any():
        return SurfaceDistances(0.0, 0.0, 0.0, 0.0, 0.0)
    if not predicted.any() or not true.any():
        return SurfaceDistances(*[diagonal(true.shape, spacing)] * len(SurfaceDistances._fields))
    to_true, to_predicted = _between(predicted, true, spacing)
    both = np.concatenate([to_true, to_predicted])
    return SurfaceDistances(
        hd95_directed=float(max(np.percentile(to_true, 95), np.percentile(to_predicted, 95))),
        hd95_joint=float(np.percentile(both, 95)),
        asd_directed=float((to_true.mean() + to_predicted.mean()) / 2),
        asd_joint=float(both.mean()),
        asd_to_truth=float(to_true.mean()),
    )


def surface_dice(
    predicted: Bool[ndarray, "*s"],
    true: Bool[ndarray, "*s"],
    spacing: Sequence[float],
    tolerance: float,
) -> float:
    """The share of both surfaces that lies within the tolerance of the other one (NSD).

    Nikolov et al., arXiv:1809.04430, on boundary pixels, as MONAI's compute_surface_dice. In the
    unit of the spacing. Both masks empty: 1; one of them: 0.
    """
    if not predicted.any() or not true.any():
        return float(predicted.any() == true.any())
    both = np.concatenate(_between(predicted, true, spacing))
    return float((both <= tolerance).mean())


def _between(
    predicted: Bool[ndarray, "*s"], true: Bool[ndarray, "*s"], spacing: Sequence[float]
) -> list[Float[ndarray, " n"]]:
    """From each boundary pixel of one mask to the other's boundary, and the other way round."""
    box = _box(predicted | true)  # beyond it there is no surface: the same, but faster
    surfaces = [boundary(mask[box], edge_is_boundary=True) for mask in (predicted, true)]
    return [distance_transform_edt(~b, sampling=spacing)[a] for a, b in (surfaces, surfaces[::-1])]


def diagonal(shape: Sequence[int], spacing: Sequence[float]) -> float:
    """From corner to corner of an image, in the unit of the spacing."""
    return float(np.linalg.norm(np.multiply(shape, spacing)))


def _box(mask: Bool[ndarray, "*s"]) -> tuple[slice, ...]:
    """The smallest box around the foreground."""
    return find_objects(mask.astype(np.uint8))[0]
