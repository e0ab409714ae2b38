"""The least batches: what batch norm, and what a method, cannot do with fewer images or values.

Without this PyTorch would stop every trial, once it has started.
"""

from collections.abc import Iterator, Mapping, Sequence

from benchmark.data.prepared import Manifest
from benchmark.study.labels import Subset
from benchmark.study.settings import BASELINE
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Method
from benchmark.wording import counted, times

Objection = tuple[Trial, str]
"""A trial that cannot run, and why: to be told to who typed it."""


def of_values(grid: Sequence[Trial], manifests: Mapping[str, Manifest]) -> Iterator[Objection]:
    """Batches of one image of which the network leaves one pixel.

    Batch normalisation has nothing to normalise by.
    """
    for trial in grid:
        network, training = trial.conditions.network, trial.training
        patch, size = trial.conditions.patch, trial.conditions.size
        sides = patch or size or manifests[trial.dataset].card.size
        if any(side > 2**network.halvings for side in sides):
            continue
        kind = "_3d" if patch else ""  # settings of volumes win over those of all data
        batches = {f"training{kind}.batch_labelled": training.batch_labelled}
        if trial.method != BASELINE:
            batches[f"training{kind}.batch_unlabelled"] = training.batch_unlabelled
        if trial.pretraining is not None:
            batches[f"pretraining{kind}.batch"] = trial.pretraining.settings.batch
        for name, batch in batches.items():
            if batch == 1:
                why = (
                    f"{trial.variant} on {trial.dataset} has {name}=1, and of {times(sides)} the "
                    f"network {network.name} leaves a single value at its coarsest level, which "
                    f"cannot be normalised: use {name}=2 or more, or a larger "
                    f"{'patch' if patch else 'size'}"
                )
                yield trial, why


def of_images(
    grid: Sequence[Trial],
    built: Mapping[str, Method | ValueError | None],
    subsets: Sequence[Subset],
) -> Iterator[Objection]:
    """Batches with fewer images than a method's `LEAST_BATCH`.

    built: each variant's method, where it could be built. A batch is the smallest of the trial.
    """
    n_labelled = {(s.dataset, s.budget.text, s.seed): s.n_labelled for s in subsets}
    for trial in grid:
        method = built[trial.variant]
        if not isinstance(method, Method):
            continue
        n = n_labelled[trial.dataset, trial.budget.text, trial.subset]
        for kind, least, (found, why) in zip(
            ("labelled", "unlabelled"), method.LEAST_BATCH, _smallest(trial, n), strict=True
        ):
            if found < least:
                needs = counted(least, f"{kind} image")
                where = f"{trial.variant} on {trial.dataset}"
                yield trial, f"{where} needs {needs} in a batch, and has {found}: {why}"


def _smallest(trial: Trial, n_labelled: int) -> Iterator[tuple[int, str]]:
    """Labelled and unlabelled images of the trial's smallest batch, and what to change for more."""
    training = trial.training
    kind = "training_3d" if trial.conditions.is_3d else "training"
    labelled, setting = training.batch_labelled, f"{kind}.batch_labelled"
    why = f"raise {setting}, which is {labelled}"
    left = training.labelled_passes * n_labelled % training.batch_labelled
    if training.short_batches and left:
        labelled = left
        why = (
            f"the last batch of an epoch is short; add {kind}.short_batches=false, or another "
            f"{setting}"
        )
    yield labelled, why
    unlabelled = training.batch_unlabelled
    if training.cut_unlabelled and labelled < unlabelled:
        yield labelled, f"no more than labelled ones; {why}, or add {kind}.cut_unlabelled=false"
    else:
        yield unlabelled, f"raise {kind}.batch_unlabelled, which is {unlabelled}"
