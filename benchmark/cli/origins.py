"""Where the trials of a report come from, as its page says it: commands, settings, logs."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.store import layout
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
        + f" {overrides}" * bool(overrides)
        for (preset, overrides, _), trials in groups
    ]


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


def typed_budget(text: str) -> str:
    """As `--labels` reads it: "5 %" → "5%", "list NAME" → "list:NAME"."""
    if text.startswith("list "):
        return text.replace(" ", ":", 1)
    return text.replace(" ", "")


def _seeds(trials: "DataFrame") -> list[str]:
    subsets = trials.get("subset_seed", trials.seed).astype(float).fillna(trials.seed).astype(int)
    if (subsets == trials.seed).all():
        return ["--seeds", typed_seeds(trials.seed)]
    words = {(False, True): "subset", (True, False): "weights"}
    vary = words.get((trials.seed.nunique() > 1, subsets.nunique() > 1), "cross")
    return ["--seeds", typed_seeds([*trials.seed, *subsets]), "--vary", vary]


def typed_seeds(seeds: Iterable[int]) -> str:
    """As `--seeds` reads them: 0, 1, 2 → "3"; 0, 1, 4 → "0-1,4"; 7 → "7,"."""
    found = sorted(set(map(int, seeds)))
    if found == list(range(len(found))):
        return str(len(found))
    text = ",".join(_run(run) for run in _runs(found))
    return text if "," in text or "-" in text else f"{text},"


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Ascending numbers, those that follow each other together."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _run(run: Sequence[int]) -> str:
    return str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}"
