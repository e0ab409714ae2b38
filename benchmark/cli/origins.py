"""Where the trials of a report come from, as its page says it: commands, settings, logs."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.data.split.budget import typed_budget
from benchmark.store import layout
from benchmark.study.syntax import typed_seeds
from benchmark.wording import command

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_ROLES = {"val_as": "--val-as", "unlabelled": "--unlabelled"}


def of(folder: Path, rows: "DataFrame", trials: "DataFrame") -> dict[str, Any]:
    """The fields of `reports.page.summary.Origins`. rows: what is shown; trials: all."""
    settings = folder / layout.SETTINGS
    logs = {
        key: layout.trial_folder(folder, key) / "log.txt"
        for key in trials[trials.status != "done"].key
    }
    return {
        "commands": commands(folder.name, rows),
        "settings": str(settings) if settings.is_file() else "",
        "logs": {key: str(file) for key, file in logs.items() if file.is_file()},
    }


def commands(study: str, rows: "DataFrame") -> list[str]:
    """Commands that run these trials, from their records: one of each preset with its overrides.

    Each runs a whole grid, which may have a few trials more where methods, datasets, budgets and
    seeds do not all go together.
    """
    own = rows[~rows.key.astype(str).str.contains("/", regex=False)]  # no further test sets
    groups = own.groupby(["preset", "overrides", "evaluate_on"], dropna=False, sort=True)
    return [
        command("bench", "run", "--preset", preset, "--study", study, *_grid(trials))
        + "".join(f" {word}" for word in _quoted(overrides))
        for (preset, overrides, _), trials in groups
    ]


def _quoted(overrides: str) -> list[str]:
    """As a shell takes them; records have them as one text, in which a value may have spaces."""
    words = overrides.split()
    return list(map(shlex.quote, words)) if all("=" in word for word in words) else [overrides]


def _grid(trials: "DataFrame") -> list[str]:
    """What is typed of a grid: methods, datasets, budgets, seeds, roles of the splits."""
    budgets = sorted(trials.budget.unique())
    words = [
        "--datasets", ",".join(sorted(trials.dataset.unique())),
        "--methods", ",".join(_in_order(trials.variant)),
        "--labels", ",".join(typed_budget(budget.text) for budget in budgets),
        *_seeds(trials),
    ]  # fmt: skip
    if (on := trials.evaluate_on.iloc[0]) != "test":
        words += ["--evaluate-on", on]
    for name, option in _ROLES.items():
        values = {settings.get(name) for settings in trials.settings} - {None}
        if len(values) == 1:
            words += [option, str(values.pop()).replace(" ", "")]
    if all(settings.get("slices") for settings in trials.settings):
        words.append("--slices")
    return words


def _in_order(values: "Series") -> list[str]:
    return list(dict.fromkeys(sorted(values)))


def _seeds(trials: "DataFrame") -> list[str]:
    subsets = trials.get("subset_seed", trials.seed).astype(float).fillna(trials.seed).astype(int)
    if (subsets == trials.seed).all():
        return ["--seeds", typed_seeds(trials.seed)]
    words = {(False, True): "subset", (True, False): "weights"}
    vary = words.get((trials.seed.nunique() > 1, subsets.nunique() > 1), "cross")
    return ["--seeds", typed_seeds([*trials.seed, *subsets]), "--vary", vary]
