"""Cells of a column, aligned at the decimal point: a column S of siunitx, and what follows it.

What stands behind a number (± 0.36, n in brackets, a dagger) is a column of its own: within S it
would stick out of its box. A number is underlined by a rule that is laid under it afterwards.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reports.latex.text import latex_escape, width
from reports.sheet import Cell, Mark

_NUMBER = re.compile(r"(?P<sign>[+−]?)(?P<whole>\d+)(?:\.(?P<rest>\d+))?(?P<behind>.*)")
_BEHIND = re.compile(r"|†.*| ±.*| \(n=\d+\).*| \[.*")
SETTINGS = (
    r"\sisetup{detect-weight, retain-explicit-plus}",
    r"\sisetup{group-digits=false, table-align-text-after=false}",
    r"\providecommand{\secondbest}[1]{\llap{\underline{\phantom{#1}}}}",
)
"""What such cells need, before the tabular."""
_BOLD = 1.18  # wider than upright


@dataclass(frozen=True)
class Column:
    """One column of a table, which may be two of a tabular."""

    spec: str
    """As of `tabular`."""
    span: int
    """So many columns of the tabular."""
    cells: list[str]
    """Of each cell what stands between two &, with the & inside it."""
    width: float
    """Of its text at 10 pt, in points."""

    def head(self, label: str) -> str:
        """Of a label above it."""
        text = latex_escape(label)
        if self.span > 1:
            return rf"\multicolumn{{{self.span}}}{{c}}{{{text}}}"
        return f"{{{text}}}" if self.spec.startswith("S") else text


def column(cells: Sequence[Cell], label: str, *, is_words: bool = False) -> Column:
    """The column of these cells; label: the widest above it."""
    found = [_NUMBER.fullmatch(cell.text) for cell in cells]
    texts = [cell.text for cell, match in zip(cells, found, strict=True) if match is None]
    are_numbers = all(_BEHIND.fullmatch(match["behind"]) for match in found if match)
    if is_words or not any(found) or not are_numbers or not {*texts} <= {"", "–", "NaN", "inf"}:
        widest = max([width(label), *(width(cell.text) for cell in cells)])
        written = [_grey(cell, _marked(cell)) for cell in cells]
        return Column("l" if is_words else "r", 1, written, widest)
    return _of_numbers(cells, [match for match in found], label)


def _of_numbers(cells: Sequence[Cell], found: list[re.Match | None], label: str) -> Column:
    numbers = [match for match in found if match]
    whole = max(len(match["whole"]) for match in numbers)
    decimals = max(len(match["rest"] or "") for match in numbers)
    sign = "-" if any(match["sign"] for match in numbers) else ""
    behind = [_behind(cell, match) for cell, match in zip(cells, found, strict=True)]
    spec = f"S[table-format={sign}{whole}.{decimals}]"
    written = [_number(cell, match) for cell, match in zip(cells, found, strict=True)]
    is_bold = any(cell.mark == Mark.BEST for cell in cells)
    of_number = 5.0 * (whole + decimals) + 2.8 * bool(decimals) + 7.8 * bool(sign)
    of_number *= _BOLD if is_bold else 1
    if not any(behind):
        return Column(spec, 1, written, max(of_number, width(label)))
    of_behind = max(
        width(match["behind"].strip() if match else "") + 7 * cell.is_tied
        for cell, match in zip(cells, found, strict=True)
    )
    written = [f"{number} & {text}".rstrip() for number, text in zip(written, behind, strict=True)]
    return Column(spec + r"@{\,}l", 2, written, max(of_number + 2 + of_behind, width(label)))


def _number(cell: Cell, match: re.Match | None) -> str:
    """Its number, as siunitx reads it, with what marks it."""
    if match is None:
        return f"{{{_grey(cell, latex_escape(cell.text))}}}" if cell.text else ""
    text = match["sign"].replace("−", "-") + match["whole"]
    text += f".{match['rest']}" if match["rest"] else ""
    if cell.mark == Mark.SECOND:
        text += rf" {{\secondbest{{{text}}}}}"
    if cell.mark == Mark.BEST:
        text = rf"\bfseries {text}"
    return rf"\color{{gray}} {text}" if cell.is_grey else text


def _behind(cell: Cell, match: re.Match | None) -> str:
    text = latex_escape(match["behind"].strip()) if match else ""
    text = text.replace(r"$\pm$ ", r"$\pm$\,")
    text += r"$^{\approx}$" if cell.is_tied else ""
    return _grey(cell, text)


def _marked(cell: Cell) -> str:
    forms = {Mark.NONE: "{}", Mark.BEST: r"\textbf{{{}}}", Mark.SECOND: r"\underline{{{}}}"}
    text = forms[cell.mark].format(latex_escape(cell.text))
    return text + (r"$^{\approx}$" if cell.is_tied else "")


def _grey(cell: Cell, text: str) -> str:
    return rf"\textcolor{{gray}}{{{text}}}" if cell.is_grey and text else text
