"""The comparison table as text, Markdown, LaTeX and CSV. Frames in, strings out."""

import csv
import io
import math
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import pandas as pd

from reports.aggregate import Cost, Interval, cells, comparable, costs

FORMATS = ("text", "markdown", "latex", "csv")
_METRICS = (("DC", "dc"), ("JI", "ji"))
_COSTS = ("M param.", "GFLOP/step", "s/step", "MiB")


@dataclass(frozen=True)
class Reading:
    """Which of the stored figures a table shows."""

    selection: str = "final"  # final | oracle
    aggregate: str = "pooled"  # pooled | case
    ci_level: float = 0.90

    def column(self, metric: str) -> str:
        """Name of the column in `results.csv`."""
        prefix = "oracle_" if self.selection == "oracle" else ""
        return f"{prefix}{metric}_{self.aggregate}"


@dataclass(frozen=True)
class Table:
    """Labels and intervals by row and column, before any formatting."""

    datasets: list[str]
    rows: list[tuple[str, str, dict[tuple[str, str], Interval]]]
    """(ratio, variant, {(dataset, metric): interval})"""
    full_n: int
    footer: list[str]
    costs: list[dict[str, Cost]]
    """Of each row by dataset; all empty unless asked for."""

    @property
    def has_costs(self) -> bool:
        return any(self.costs)


def build(trials: pd.DataFrame, reading: Reading, *, with_costs: bool = False) -> Table:
    """The table of all done trials: rows grouped by labelled ratio, DC and JI of each dataset.

    Its first row is the better trivial prediction of each dataset. with_costs: also what a trial
    of each row takes.
    """
    rows, left_out = comparable(trials)
    datasets = sorted(rows.dataset.unique())
    values = {
        metric: cells(rows, reading.column(metric), reading.ci_level) for _, metric in _METRICS
    }
    floor, floor_cells = _floor(rows, datasets, reading)
    taken = costs(rows) if with_costs else {}
    lines, line_costs = [("", floor, floor_cells)], [{}]
    for ratio in sorted(rows.ratio.unique()):
        variants = rows[rows.ratio == ratio].variant.unique()
        for variant in sorted(variants, key=lambda name: (name != "supervised", name)):
            found = {
                (dataset, metric): values[metric][dataset, ratio, variant]
                for dataset in datasets
                for _, metric in _METRICS
                if (dataset, ratio, variant) in values[metric]
            }
            lines.append((f"{100 * ratio:g} %", variant, found))
            keys = [(dataset, ratio, variant) for dataset in datasets]
            line_costs.append({key[0]: taken[key] for key in keys if key in taken})
    counts = [interval.n for _, _, found in lines[1:] for interval in found.values()]
    full_n = max(counts, default=0)
    footer = _footer(rows, reading, full_n) + left_out
    if with_costs:
        footer.append(
            "costs: parameters of all networks in training; operations and seconds of a step, "
            "forward and backward; peak memory; medians over seeds"
        )
    return Table(datasets, lines, full_n, footer, line_costs)


def _floor(
    rows: pd.DataFrame, datasets: list[str], reading: Reading
) -> tuple[str, dict[tuple[str, str], Interval]]:
    """Name and cells of the row of trivial predictions."""
    names, found = {}, {}
    for dataset in datasets:
        first = rows[rows.dataset == dataset].iloc[0]  # all trials of a dataset share them
        column = f"all_{{}}_dc_{reading.aggregate}"
        names[dataset] = max(("foreground", "background"), key=lambda n: first[column.format(n)])
        for _, metric in _METRICS:
            value = first[f"all_{names[dataset]}_{metric}_{reading.aggregate}"]
            found[dataset, metric] = Interval(float(value), math.nan, 0)
    if len(set(names.values())) == 1:
        return f"floor: all {names[datasets[0]]}", found
    return "floor: " + ", ".join(f"{d} all {n}" for d, n in names.items()), found


def _footer(rows: pd.DataFrame, reading: Reading, full_n: int) -> list[str]:
    selection = {
        "final": "final step, argmax (nothing chosen on the evaluation set)",
        "oracle": "ORACLE: best epoch and threshold chosen on the evaluation set itself",
    }[reading.selection]
    aggregate = {"pooled": "pooled over all pixels", "case": "mean over cases"}[reading.aggregate]
    lines = [
        f"DC and JI in %, mean ± {100 * reading.ci_level:g} % t half-width over seeds, "
        f"n = {full_n} unless given in brackets",
        f"selection: {selection}; aggregation: {aggregate}",
    ]
    sets = sorted(set(rows.evaluate_on))
    sizes = rows.groupby("dataset").n_test.max()
    evaluated = ", ".join(f"{name} {sizes[name]:.0f}" for name in sizes.index)
    lines.append(
        f"evaluated on: {'/'.join(sets)} ({evaluated} images); presets: {_list(rows.preset)}"
    )
    budgets = rows.groupby(["dataset", "ratio"]).steps.nunique()
    if (budgets > 1).any():
        lines.append("the number of training steps differs between methods (column steps)")
    partial = rows[rows.data_partial.fillna("") != ""]
    for name, note in partial.groupby("dataset").data_partial.first().items():
        lines.append(f"{name} is not the dataset as published: {note}")
    if rows.dataset.str.startswith("phantom_").any():
        lines.append("phantoms are invented images: this is no ranking of methods")
    if rows.code_version.nunique() > 1:
        lines.append(f"made with several code versions: {_list(rows.code_version)}")
    return lines


def _list(values: pd.Series) -> str:
    return ", ".join(sorted(set(values)))


def number(value: float, half_width: float = math.nan) -> tuple[str, str]:
    """Percentages of a mean and its half width, half-even: the width to 2 significant digits.

    Never more than two decimals nor fewer than one: (0.8460, 0.00365) → ("84.60", "0.36").
    """
    if math.isnan(half_width):
        return _rounded(value, 2), ""
    decimals = 2 if 100 * half_width < 0.995 else 1
    return _rounded(value, decimals), _rounded(half_width, decimals)


def _rounded(value: float, decimals: int) -> str:
    # Through the shortest decimal that stands for the float: 0.125 is a tie, 0.1249999 is not.
    exact = Decimal(repr(float(value))) * 100
    return str(exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN))


def _cell(interval: Interval | None, full_n: int, plus_minus: str) -> str:
    if interval is None:
        return "–"
    mean, half_width = number(interval.mean, interval.half_width)
    text = f"{mean}{plus_minus}{half_width}" if half_width else mean
    return f"{text} (n={interval.n})" if 0 < interval.n < full_n or interval.n == 1 else text


def _grid(table: Table, plus_minus: str) -> list[list[str]]:
    grid, previous = [], None
    for (ratio, variant, found), taken in zip(table.rows, table.costs, strict=True):
        figures = [
            _cell(found.get((dataset, metric)), table.full_n, plus_minus)
            for dataset in table.datasets
            for _, metric in _METRICS
        ]
        if table.has_costs:
            figures += [text for d in table.datasets for text in _cost(taken.get(d))]
        grid.append([ratio if ratio != previous else "", variant, *figures])
        previous = ratio
    return grid


def _cost(cost: Cost | None) -> list[str]:
    if cost is None:
        return ["–"] * len(_COSTS)
    figures = (cost.parameters / 1e6, cost.flops / 1e9, cost.seconds, cost.memory)
    formats = ("{:.2f}", "{:.3g}", "{:.3g}", "{:.0f}")
    texts = zip(figures, formats, strict=True)
    return ["–" if math.isnan(figure) else form.format(figure) for figure, form in texts]


def _heads(table: Table) -> list[str]:
    figures = [f"{dataset} {label}" for dataset in table.datasets for label, _ in _METRICS]
    if table.has_costs:
        prefix = "{} {}" if len(table.datasets) > 1 else "{1}"
        figures += [prefix.format(dataset, c) for dataset in table.datasets for c in _COSTS]
    return ["labelled", "method", *figures]


def as_text(table: Table) -> str:
    """Aligned columns and the footer, for a terminal."""
    lines = [_heads(table), *_grid(table, " ± ")]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]

    def row(line: list[str]) -> str:
        left = [cell.ljust(width) for cell, width in zip(line[:2], widths, strict=False)]
        right = [cell.rjust(width) for cell, width in zip(line[2:], widths[2:], strict=True)]
        return "  ".join(left + right).rstrip()

    body = [row(lines[0]), "  ".join("-" * width for width in widths), *map(row, lines[1:])]
    return "\n".join([*body, "", *table.footer]) + "\n"


def as_markdown(table: Table) -> str:
    """A pipe table and the footer."""
    heads = _heads(table)
    rule = ["---", "---", *["---:"] * (len(heads) - 2)]
    lines = [f"| {' | '.join(line)} |" for line in (heads, rule, *_grid(table, " ± "))]
    return "\n".join([*lines, "", *(f"{line}  " for line in table.footer)]) + "\n"


def as_latex(table: Table) -> str:
    """A tabular for the package booktabs; the footer as comments."""
    blocks = [[label for label, _ in _METRICS]] * len(table.datasets)
    spans = list(table.datasets)
    if table.has_costs:
        blocks += [list(_COSTS)] * len(table.datasets)
        spans += [f"costs of {name}" for name in table.datasets]
    columns = "ll" + "r" * sum(map(len, blocks))
    lines = [
        *(f"% {line}" for line in table.footer),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
    ]
    heads, rules, first = ["", ""], [], 3
    for name, block in zip(spans, blocks, strict=True):
        last = first + len(block) - 1
        heads.append(rf"\multicolumn{{{len(block)}}}{{c}}{{{latex_escape(name)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{last}}}")
        first = last + 1
    labels = ["labelled", "method", *(label for block in blocks for label in block)]
    lines += [" & ".join(heads) + r" \\", " ".join(rules), " & ".join(labels) + r" \\"]
    for i, (ratio, variant, *figures) in enumerate(_grid(table, r" $\pm$ ")):
        if i == 0 or ratio:
            lines.append(r"\midrule")
        figures = [figure.replace("–", "--") for figure in figures]
        lines.append(" & ".join([latex_escape(ratio), latex_escape(variant), *figures]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; "5 %" keeps its number and sign together."""
    for character in "&%$#_{}":
        text = text.replace(character, "\\" + character)
    return text.replace(r" \%", r"\,\%")


def as_csv(table: Table) -> str:
    """One line per cell in full precision: dataset, labelled ratio, method, metric, mean, …"""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["dataset", "labelled", "method", "metric", "mean", "ci_half_width", "n"])
    for (ratio, variant, found), taken in zip(table.rows, table.costs, strict=True):
        for (dataset, metric), (mean, half, n) in found.items():
            writer.writerow(
                [dataset, ratio, variant, metric, mean, "" if math.isnan(half) else half, n]
            )
        for dataset, cost in taken.items():
            for name, value in cost._asdict().items():
                writer.writerow([dataset, ratio, variant, name, value, "", ""])
    return out.getvalue()


def render(table: Table, form: str) -> str:
    """The table in one of `FORMATS`."""
    return {"text": as_text, "markdown": as_markdown, "latex": as_latex, "csv": as_csv}[form](table)
