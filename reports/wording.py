"""Trials in words, for captions and sentences."""

import pandas as pd

from reports.select import datasets_of, variants_of
from reports.sheet import counted


def of_trials(rows: pd.DataFrame) -> str:
    """Of a title what follows it: "of 9 methods on glas with 5 % labelled, 10 seeds"."""
    methods, datasets = variants_of(rows), datasets_of(rows)
    who = methods[0] if len(methods) == 1 else counted(len(methods), "method")
    budgets = [budget.text for budget in sorted(rows.budget.unique())]
    return (
        f"of {who} on {listed(datasets)} with {listed(budgets)} labelled, "
        f"{counted(rows.seed.nunique(), 'seed')}"
    )


def listed(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
