"""What a preset alone makes of a recorded trial."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from benchmark.data.split.budget import Budget
from benchmark.errors import UserError
from benchmark.study import methods, presets
from benchmark.study.settings import DataFacts, Study
from benchmark.study.syntax import Variant
from benchmark.study.trials import budget_of, trials


def expected_settings(preset: str, trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a preset alone would make of a trial: to tell whether its settings were typed over.

    trial: a row of `store.tables.trials`, its budget a text. None if preset or method is not here.
    """
    try:
        settings = trial["settings"]
        budget = budget_of(trial["budget"], settings)
        study = replace(
            _alone(preset),
            datasets=[trial["dataset"]],
            labels=[budget.text],
            seeds=[int(trial["seed"])],
        )
        facts = {trial["method"]: methods.facts(trial["method"])}
        lists = {budget.text: budget}
        data = _facts_of(settings, trial["data_hash"], lists)
        variants = [Variant.parse(trial["variant"])]
        (made,) = trials(study, variants, facts, {trial["dataset"]: data})
    except UserError:
        return None
    return made.settings()


def _facts_of(
    settings: Mapping[str, Any], data_hash: str, lists: Mapping[str, Budget]
) -> DataFacts:
    """What a trial's settings say of its data; of a slice's size only that it was the one used."""
    are_slices, is_3d = settings.get("slices", False), settings.get("patch") is not None
    dims, size = (2 if are_slices else None), settings.get("size")
    return DataFacts(
        data_hash, is_3d or are_slices, dims, size, has_without_masks=True, lists=lists
    )  # as the trial was made at all, it could be


@cache
def _alone(preset: str) -> Study:
    return presets.load(preset)
