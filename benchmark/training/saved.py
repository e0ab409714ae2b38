"""Trained networks out of a trial and into a method: what their files say, and their tensors."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from benchmark import provenance
from benchmark.data.card import Card
from benchmark.data.prepared import CaseEntry, Manifest
from benchmark.data.split.trial_data import TrialData
from benchmark.errors import ExitCode, UserError
from benchmark.store.weights import About, Score
from benchmark.study import methods, sources
from benchmark.study.trials import Trial
from benchmark.toolkit.method import Method
from benchmark.training import outputs

_CASES_BY_NAME = ("test_ids", "val_ids", "lists", "together")  # fields of a card


def described(
    trial: Trial,
    manifest: Manifest,
    data: TrialData,
    metrics: Mapping[str, float | int | None],
    parameters: int,
) -> About:
    """What its file says of the trial's tested network.

    metrics: of the record. parameters: of that network.
    """
    conditions, code = trial.conditions, sources.code_of(trial.method)
    trained = [case for case in manifest.cases if case.split in ("train", "unlabelled")]
    has_own = manifest.card.is_volume
    return About(
        key=trial.key,
        label=trial.label,
        method=trial.method,
        variant=trial.variant,
        settings=trial.settings(),
        card=_without_cases(manifest.card),
        data_hash=trial.data_hash,
        data_partial=manifest.partial,
        seen_as="volumes" if conditions.is_3d else "slices" if conditions.slices else "images",
        sides=list(conditions.patch or data.sides),
        standardised_by="each volume" if has_own else "train pool",
        mean=[] if has_own else manifest.mean,
        std=[] if has_own else manifest.std,
        came_as=_range([_sides(case) for case in trained]),
        spacing=_range([case.spacing for case in trained]),
        labelled=len(data.labelled),
        unlabelled=len(data.unlabelled),
        parameters=parameters,
        score=Score(
            evaluated_on=conditions.evaluate_on,
            images=len(data.evaluation),
            dice=metrics["dc_pooled"],
            floor=max(metrics[f"all_{name}_dc_pooled"] for name in ("foreground", "background")),
        ),
        terms=manifest.card.terms,
        code_version=provenance.code_version(),
        method_code=code.method,
        tool_code=code.tool,
        packages=provenance.package_versions() | methods.package_of(trial.method),
    )


def _without_cases(card: Card) -> Card:
    """Without names of cases, which may be patients', and without what only splits need."""
    default = Card(name=card.name)
    return card.model_copy(update={name: getattr(default, name) for name in _CASES_BY_NAME})


def _sides(case: CaseEntry) -> list[int]:
    """Of a volume as it is stored, of an image as its file has it, if that was kept."""
    return case.shape or case.source_shape


def _range(sides: Sequence[Sequence[int | float]]) -> list[list[int | float]]:
    """The least and the greatest of each side; nothing where a case has none."""
    if not sides or not all(sides):
        return []
    columns = list(zip(*sides, strict=True))
    return [[min(column) for column in columns], [max(column) for column in columns]]


def load_tested(
    method: Method, stored: Mapping[str, Tensor], file: Path, channels: int, sides: Sequence[int]
) -> None:
    """Put saved tensors into the modules that are tested, and no fewer.

    channels, sides: of an image or window that the method sees. `UserError` (exit code 3) if the
    tensors are of another network; file: they are from there.
    """
    wanted = outputs.tensors_of(outputs.tested_modules(method, channels, sides))
    if stored.keys() != wanted.keys() or any(
        stored[name].shape != wanted[name].shape for name in wanted
    ):
        raise UserError(f"{file} is not of this trial's network", ExitCode.DATA)
    method.load_state_dict(stored, strict=False)
