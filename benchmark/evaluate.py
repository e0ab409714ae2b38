"""A trained method on the evaluation set: metrics per case and pooled, and the trivial floors."""

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from benchmark import metrics
from benchmark.data.pool import Labelled, TrialData
from benchmark.method import Method
from benchmark.metrics import Counts

_BATCH = 16  # images at a time; no influence on the numbers beyond rounding


class Evaluation(NamedTuple):
    """reading: figures by column name; cases: one row a case; predicted: class masks."""

    reading: dict[str, float | int]
    cases: list[dict[str, Any]]
    predicted: UInt8[ndarray, " n *s"]


def evaluate(method: Method, data: TrialData, device: torch.device) -> Evaluation:
    """The method's network on `data.evaluation`.

    reading holds dc_pooled, ji_pooled, dc_case, ji_case at the argmax; best_* at the threshold with
    the highest Jaccard on these very images, pooled and per case (the optimistic reading of this
    literature; more than two classes: the argmax again); and counts of empty masks.
    Leaves the method, its buffers and torch's random state as they were.
    """
    true = data.evaluation.masks[data.evaluation.indices]
    counts, predicted = [], []
    with _as_tested(method):
        for start, logits in _logits(method, data, device):
            batch_true = true[start : start + len(logits)]
            labels = logits.argmax(1).cpu().numpy().astype(np.uint8)
            predicted.append(labels)
            counts.append(_counts(logits, labels, batch_true))
    all_counts = Counts(*(np.concatenate(parts) for parts in zip(*counts, strict=True)))
    final = all_counts.at(metrics.ARGMAX if data.classes == 2 else 0)
    reading = _read(final) | _best(all_counts) | _empty(final)
    return Evaluation(reading, _case_rows(data.evaluation, final), np.concatenate(predicted))


def floors(evaluation: Labelled) -> dict[str, dict[str, float]]:
    """What predicting one class everywhere scores: "all background" and "all foreground".

    All foreground is class 1 where there are several. A method below the better of the two has
    learnt nothing.
    """
    true = evaluation.masks[evaluation.indices]
    classes = max(2, int(true.max()) + 1)
    return {
        name: _read(metrics.counts_of_labels(np.full_like(true, value), true, classes))
        for name, value in (("all background", 0), ("all foreground", 1))
    }


@contextlib.contextmanager
def _as_tested(method: Method) -> Iterator[None]:
    """Evaluation mode, without gradients, with torch's random state put back afterwards."""
    was_training = method.training
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices), torch.inference_mode():
        method.eval()
        try:
            yield
        finally:
            method.train(was_training)


def _logits(method, data: TrialData, device) -> Iterator[tuple[int, Float[Tensor, "b k *s"]]]:
    evaluation = data.evaluation
    for start in range(0, len(evaluation), _BATCH):
        indices = evaluation.indices[start : start + _BATCH]
        yield start, method(images_to(device, evaluation.images[indices], data)).float()


def images_to(
    device: torch.device, images: UInt8[ndarray, "b *s c"], data: TrialData
) -> Float[Tensor, "b c *s"]:
    """Bytes, channels last → standardised floats on the device, channels first."""
    # A copy: arrays from an object store are read-only, which torch refuses to wrap.
    x = torch.from_numpy(images.copy()).to(device).movedim(-1, 1).float() / 255
    shape = (1, -1, *[1] * (x.ndim - 2))
    mean = torch.tensor(data.mean, device=device).reshape(shape)
    std = torch.tensor(data.std, device=device).reshape(shape)
    return ((x - mean) / std).contiguous()


def _counts(
    logits: Float[Tensor, "b k *s"], labels: UInt8[ndarray, " b *s"], true: UInt8[ndarray, " b *s"]
) -> Counts:
    if logits.shape[1] > 2:
        return metrics.counts_of_labels(labels, true, logits.shape[1])
    margin = (logits[:, 1] - logits[:, 0]).cpu().numpy()
    return metrics.counts_by_threshold(margin, true, metrics.THRESHOLDS)


def _read(counts: Counts) -> dict[str, float]:
    """Dice and Jaccard, pooled and as the mean over cases, of counts at one threshold."""
    return {
        f"{name}_{aggregate}": float(value)
        for name, metric in (("dc", metrics.dice), ("ji", metrics.jaccard))
        for aggregate, value in (
            ("pooled", metrics.pooled(metric, counts)[0]),
            ("case", metrics.per_case(metric, counts).mean(0)[0]),
        )
    }


def _best(counts: Counts) -> dict[str, float]:
    """The reading at the threshold with the highest Jaccard, chosen for each aggregate apart."""
    curves = {
        "pooled": metrics.pooled(metrics.jaccard, counts),
        "case": metrics.per_case(metrics.jaccard, counts).mean(0),
    }
    best = {}
    for aggregate, curve in curves.items():
        at = int(curve.argmax())
        read = _read(counts.at(at))
        best[f"best_dc_{aggregate}"] = read[f"dc_{aggregate}"]
        best[f"best_ji_{aggregate}"] = read[f"ji_{aggregate}"]
        thresholds = metrics.THRESHOLDS if len(curve) > 1 else [float("nan")]
        best[f"best_threshold_{aggregate}"] = float(thresholds[at])
    return best


def _empty(counts: Counts) -> dict[str, int]:
    """How many cases have no foreground: in the prediction, in the truth."""
    predicted = (counts.tp + counts.fp).sum((1, 2))
    true = (counts.tp + counts.fn).sum((1, 2))
    return {"n_empty_pred": int((predicted == 0).sum()), "n_empty_true": int((true == 0).sum())}


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
