"""What stands under the tables of a report that only the study's folder tells: of its data."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.data.prepared import Manifest
from benchmark.store import datasets
from benchmark.store.record import Record
from benchmark.study import labels
from benchmark.study.trials import budget_of
from benchmark.wording import counted

if TYPE_CHECKING:
    from pandas import DataFrame

_Manifests = Callable[[str], Manifest | None]  # by hash


def of(folder: Path, rows: "DataFrame", records: list[Record]) -> list[str]:
    """Lines on the trials that are shown. records: all of the study."""
    manifest_of = cache(lambda data_hash: datasets.kept(folder, data_hash))
    return [
        *_about_data(folder, rows, records, manifest_of),
        *_about_labels(rows, records, manifest_of),
        *_about_sizes(rows),
    ]


def _about_data(
    folder: Path, rows: "DataFrame", records: list[Record], manifest_of: _Manifests
) -> list[str]:
    """What is wrong with the data of the shown trials, and in what those of others differ."""
    lines = []
    shown = dict(zip(rows.dataset, rows.data_hash, strict=True))  # one of each dataset
    for name, data_hash in sorted(shown.items()):
        kept = manifest_of(data_hash)
        if kept:
            lines += datasets.others(folder, records, kept)
            lines += [f"{name}: {fault}" for fault in kept.faults]
            lines += _without_masks(name, kept)
        elif any(r.dataset == name and r.data_hash != data_hash for r in records):
            lines.append(f"{name}: no list of the shown cases was kept ({data_hash})")
    return lines


def _without_masks(name: str, kept: Manifest) -> list[str]:
    if not (without := kept.ids("unlabelled")):
        return []
    return [
        f"{name}: {counted(len(without), 'image')} without masks, unlabelled under every budget"
    ]


def _about_labels(rows: "DataFrame", records: list[Record], manifest_of: _Manifests) -> list[str]:
    """Where the label budgets of the shown trials are odd: by their data, else by their records."""

    def subset_of(found: Record) -> labels.Subset:
        budget = budget_of(found.budget, found.settings)
        if manifest := manifest_of(found.data_hash):
            return labels.subset_of(manifest, found.roles, budget, found.subset)
        return labels.Subset(
            found.dataset,
            budget,
            found.subset,
            n_labelled=found.n_labelled,
            n_pool=found.n_labelled + found.n_unlabelled,
            n_unlabelled=found.n_unlabelled,
            has_foreground=found.n_labelled_foreground != 0,
            subset_hash=found.subset_hash,
        )

    shown = set(rows.key)
    one_of_each = {
        (r.dataset, r.budget_order, r.budget, r.subset, r.data_hash, r.roles): r
        for r in records
        if r.key in shown and None not in (r.n_labelled, r.n_unlabelled)
    }
    return labels.notes(subset_of(found) for _, found in sorted(one_of_each.items()))


def _about_sizes(rows: "DataFrame") -> list[str]:
    """Where resizing to the size of the run took small objects from the masks that are tested."""
    if "n_lost_classes" not in rows:
        return []
    worst = rows.groupby(["dataset", "size"]).n_lost_classes.max()
    return [
        f"{dataset}: at {size} resizing takes {counted(int(n), 'object')} out of the evaluated "
        "masks: nobody can miss them"
        for (dataset, size), n in worst.items()
        if n > 0
    ]
