"""Which trials one table may show together, and what is left out, in words."""

from collections import Counter
from typing import NamedTuple

import pandas as pd

from reports.select import WHERE, Reading, on_own, subset_seeds, with_budgets
from reports.sheet import counted, fits, shortened

_LONG = 120  # characters of an error in a footer


class Selected(NamedTuple):
    """The rows that one table may show together, and what was left out, in words."""

    rows: pd.DataFrame
    left_out: list[str]


def comparable(rows: pd.DataFrame, evaluate_on: str | None = None) -> Selected:
    """Done trials of one setting per configuration: of several, the one that finished last.

    A table never mixes development with test set (evaluate_on: which; None: the test set if there
    are trials of it), other data with other data, or two settings under one name; what it leaves
    out it says.
    """
    failed, rows = rows[rows.status != "done"], rows[rows.status == "done"]
    sets = set(rows.evaluate_on)
    chosen = evaluate_on or ("test" if "test" in sets else max(sets, default=""))
    failed = failed[failed.evaluate_on == chosen]
    left_out = [f"{counted(len(failed), 'trial')} failed: {reasons(failed)}"] if len(failed) else []
    others = rows[rows.evaluate_on != chosen]
    for name, trials in others.groupby("evaluate_on"):
        shown = f"{counted(len(trials), 'trial')} evaluated on {name} not shown"
        left_out.append(f"{shown} (--evaluate-on {name} does)")
    rows = rows[rows.evaluate_on == chosen]
    groups = (
        ("other data", ["dataset"], "data_hash"),
        ("other settings", WHERE, "configuration"),
    )
    for what, within, column in groups:
        kept = _newest(rows, within, column)
        if len(kept) < len(rows):
            left_out.append(
                f"{counted(len(rows) - len(kept), 'trial')} with {what} (older) not shown"
            )
        rows = kept
    kept = _of_one_subset(rows)
    if n := len(rows) - len(kept):
        left_out.append(
            f"{counted(n, 'trial')} with other labelled images under the same name (older) not "
            "shown: a list was changed, or another one is called alike"
        )
    return Selected(with_budgets(kept), left_out)


def _of_one_subset(rows: pd.DataFrame) -> pd.DataFrame:
    """Of trials that are compared, those that have the labelled images of the newest of them.

    A list is the same for every seed, all others are drawn by one. What is not known may be it.
    """
    if rows.empty or "subset_hash" not in rows:
        return rows
    is_list = rows.settings.map(lambda settings: "labelled" in settings)
    own = rows.assign(draw=subset_seeds(rows).where(~is_list, -1))
    known = own[own.subset_hash.fillna("") != ""]
    kept = _newest(known, ["dataset", "budget", "draw"], "subset_hash")
    return rows[~rows.index.isin(known.index.difference(kept.index))]


def with_reading(rows: pd.DataFrame, reading: Reading) -> Selected:
    """The trials that have what is to be read: a validation set, patients."""
    needed = {
        f"val_epoch_{reading.aggregate}": ("val", "a validation set", "--selection final"),
        f"oracle_epoch_{reading.aggregate}": ("patient", "known patients", "--aggregate case"),
    }  # a score itself may be NaN
    left_out = []
    if reading.selection != "final" and (further := len(rows) - len(on_own(rows))):
        left_out.append(
            f"{counted(further, 'score')} on further test sets not shown: no epoch was chosen there"
        )
        rows = on_own(rows)
    for column, (word, what, other) in needed.items():
        if word in (reading.selection, reading.aggregate):
            has_it = rows[column].notna() if column in rows else pd.Series(False, rows.index)
            if without := int((~has_it).sum()):
                left_out.append(
                    f"{counted(without, 'trial')} without {what} not shown ({other} does)"
                )
            rows = rows[has_it]
    return Selected(rows, left_out)


def independent(rows: pd.DataFrame) -> Selected:
    """Trials that count as repetitions of each other; `seed` then tells them apart.

    Where one source alone varies, that one's seed. Of every subset with every seed of weights only
    those with equal seeds: the others share a subset or weights with them, and an interval over
    all would be too narrow.
    """
    rows, again = without_repeats(rows)
    found = _independent(rows)
    return Selected(found.rows, [*again, *found.left_out])


def without_repeats(rows: pd.DataFrame) -> Selected:
    """Without trials that are another one under a further seed of the subset.

    A list, and all that there is, are one subset, whatever its seed.
    """
    if "subset_hash" not in rows or (subset_seeds(rows) == rows.seed).all():
        return Selected(rows, [])
    own_first = rows.assign(own=subset_seeds(rows) != rows.seed).sort_values("own", kind="stable")
    is_known = own_first.subset_hash.fillna("") != ""
    repeats = own_first.duplicated([*WHERE, "seed", "subset_hash"]) & is_known
    if not repeats.any():
        return Selected(rows, [])
    n, budgets = int(repeats.sum()), own_first[repeats].budget
    labels = ", ".join(budget.text for budget in sorted(budgets.unique()))
    said = f"{counted(n, 'trial')} that repeat another one: {labels} is one subset for every seed"
    return Selected(rows[~repeats.reindex(rows.index)], [said])


def _independent(rows: pd.DataFrame) -> Selected:
    subset = subset_seeds(rows)
    is_own = subset == rows.seed
    if is_own.all():
        return Selected(rows, [])
    if rows.seed.nunique() == 1:
        seed = rows.seed.iloc[0]
        said = f"seeds draw the labelled images alone: weights and order are of seed {seed}"
        return Selected(rows.assign(seed=subset), [said])
    if subset.nunique() == 1:
        said = (
            f"seeds move weights and order alone: the labelled images are of seed {subset.iloc[0]}"
        )
        return Selected(rows, [said])
    others = counted(int((~is_own).sum()), "trial")
    return Selected(
        rows[is_own],
        [f"{others} whose labelled images and weights are of different seeds: --table variance"],
    )


def reasons(failed: pd.DataFrame) -> str:
    """Why trials failed: the first line of each error, the most frequent first."""
    lines = [str(error).strip().partition("\n")[0] or "no reason given" for error in failed.error]
    counts = Counter(line if fits(len(line), _LONG) else line[:_LONG] + "…" for line in lines)
    return shortened([f"{line} ({n})" for line, n in counts.most_common()], shown=3)


def _newest(rows: pd.DataFrame, within: list[str], column: str) -> pd.DataFrame:
    """Within each group, the rows whose value in `column` belongs to the latest finished row."""
    if rows.empty:
        return rows
    ordered = rows.sort_values("finished_at", kind="stable")
    last = ordered.groupby(within)[column].transform("last")
    return rows[rows[column] == last.reindex(rows.index)]
