"""What a preset would have made of a trial: to tell whether its settings were typed over."""

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

from benchmark import config, plugins
from benchmark.errors import UserError
from benchmark.study import Study
from benchmark.trials import DataFacts, trials


def expected(preset: str, trial: Mapping[str, Any]) -> dict[str, Any] | None:
    """The settings of this trial under the preset alone; None if preset or method is not here.

    trial: a row of `frames.trials`.
    """
    try:
        study = dataclasses.replace(
            _study(preset),
            methods=[trial["variant"]],
            datasets=[trial["dataset"]],
            ratios=[float(trial["ratio"])],
            seeds=[int(trial["seed"])],
        )
        methods = {trial["method"]: plugins.facts(trial["method"])}
        data = DataFacts(trial["data_hash"], trial["settings"].get("patch") is not None)
        (made,) = trials(study, methods, {trial["dataset"]: data})
    except UserError:
        return None
    return made.settings()


@cache
def _study(preset: str) -> Study:
    return config.load(preset)
