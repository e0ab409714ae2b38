"""All tables of a report, from frames: which there are, and what they compare with what."""

from dataclasses import dataclass, field

import pandas as pd

from reports import comparisons, further, published, tables
from reports.aggregate import Reading, comparable
from reports.sheet import Sheet

BASELINE = "supervised"
TABLES = ("table", "differences", "optimism", "label-efficiency", "ranks", "published")
"""Names of the tables that there may be, in the order of a report."""


@dataclass(frozen=True)
class Options:
    """What the reader asked for."""

    reading: Reading = field(default_factory=Reading)
    control: str | None = None
    """None: the baseline if it is there."""
    test: str = "sign-flip"
    with_costs: bool = False


@dataclass(frozen=True)
class Report:
    """What a study says."""

    rows: pd.DataFrame
    """The trials that the tables show."""
    sheets: dict[str, Sheet]
    """By name, in order; those for which there is enough."""


def build(
    trials: pd.DataFrame,
    options: Options,
    *,
    cases: pd.DataFrame | None = None,
    papers: list[published.Paper] | None = None,
) -> Report:
    """Every table that the trials are enough for.

    cases: of all trials, needed by intervals over cases; papers: printed figures.
    Raises `comparisons.MissingPairs` if the control that was asked for lacks pairs.
    """
    rows, left_out = comparable(trials)
    reading = options.reading
    if options.control is not None:
        comparisons.require_pairs(rows, options.control)
    control = options.control or (BASELINE if BASELINE in set(rows.variant) else None)
    if control is None:
        left_out.append(f'no differences from a control: no "{BASELINE}" here, and no --control')
    if cases is not None:
        cases = _of(cases, rows)
    found: list[Sheet | None] = [
        tables.main(rows, reading, with_costs=options.with_costs, cases=cases, left_out=left_out)
    ]
    if control is not None and rows.variant.nunique() > 1:
        compared = comparisons.against_control(rows, reading, control, test=options.test)
        found.append(comparisons.sheet(compared, control, reading, options.test))
    found.append(further.optimism(rows, reading))
    found.append(further.label_efficiency(rows, reading))
    found.append(further.ranks(rows, reading))
    found.append(published.sheet(rows, reading, papers or []))
    return Report(rows, {sheet.name: sheet for sheet in found if sheet is not None})


def _of(cases: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Lines of the trials that are shown."""
    where = ["dataset", "ratio", "variant", "seed"]
    return cases.merge(rows[where], on=where)
