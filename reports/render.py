"""Sheets as text, Markdown, LaTeX and CSV."""

from collections.abc import Callable
from itertools import groupby

from reports.sheet import Cell, Mark, Sheet

_TEXT_MARKS = {Mark.NONE: "", Mark.BEST: "*", Mark.SECOND: "+"}
GREY_MARK = "◦"
"""In text, at the first grey number of a line; a terminal dims the lines that have it."""
_GREY = {"markdown": "*{}*", "latex": r"\textcolor{{gray}}{{{}}}"}


def as_text(sheet: Sheet) -> str:
    """Aligned columns and the footer: * best, + second, ≈ like the best, ◦ grey."""
    grid = [
        list(zip((cell.text for cell in line), _text_marks(line, sheet.words), strict=True))
        for line in _without_repeats(sheet)
    ]
    # Marks stand to the right of the numbers, which stay aligned.
    marks = [max(len(mark) for _, mark in column) for column in zip(*grid, strict=True)]
    body = [
        [text + mark.ljust(width) for (text, mark), width in zip(line, marks, strict=True)]
        for line in grid
    ]
    heads = [
        f"{h.group} {h.label}".strip() + " " * width
        for h, width in zip(sheet.heads, marks, strict=True)
    ]
    lines = [heads, *body]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]

    def row(line: list[str]) -> str:
        left = [text.ljust(w) for text, w in zip(line[: sheet.words], widths, strict=False)]
        right = zip(line[sheet.words :], widths[sheet.words :], strict=True)
        return "  ".join([*left, *(text.rjust(w) for text, w in right)]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    parts = [
        row(lines[0]),
        rule,
        *map(row, lines[1:]),
        "",
        *footer_lines(sheet, "* best, + second best", GREY_MARK),
    ]
    return "\n".join(parts) + "\n"


def footer_lines(sheet: Sheet, how: str, grey: str) -> list[str]:
    """What the marks mean first, in the format's own way of marking; then the footer."""
    has_grey = any(cell.is_grey for line in sheet.rows for cell in line)
    marks = [f"{how} {sheet.marked}"] if sheet.marked else []
    return [*marks, *[f"{grey} {sheet.greyed}"] * has_grey, *sheet.footer]


def _text_marks(line: list[Cell], words: int) -> list[str]:
    """Of each cell; of the grey ones behind the words the first speaks for all."""
    marks = [_TEXT_MARKS[cell.mark] + ("≈" if cell.is_tied else "") for cell in line]
    first = next((i for i, cell in enumerate(line) if cell.is_grey and i >= words), None)
    if first is not None:
        marks[first] += GREY_MARK
    return marks


def _without_repeats(sheet: Sheet) -> list[list[Cell]]:
    lines, previous = [], None
    for first, *rest in sheet.rows:
        lines.append([first if first.text != previous else Cell(""), *rest])
        previous = first.text
    return lines


def as_markdown(sheet: Sheet) -> str:
    """A pipe table and the footer: best bold, second underlined, ≈ like the best, grey italic."""
    heads = [f"{head.group} {head.label}".strip() for head in sheet.heads]
    rule = ["---"] * sheet.words + ["---:"] * (len(heads) - sheet.words)
    grid = [[_markdown_cell(cell) for cell in line] for line in _without_repeats(sheet)]
    lines = [f"| {' | '.join(line)} |" for line in (heads, rule, *grid)]
    footer = footer_lines(sheet, "**bold** best, <u>underlined</u> second best", "*italics*:")
    return "\n".join([*lines, "", *(f"{line}  " for line in footer)]) + "\n"


def _markdown_cell(cell: Cell) -> str:
    text = cell.text.replace("|", r"\|")
    forms = {Mark.NONE: "{}", Mark.BEST: "**{}**", Mark.SECOND: "<u>{}</u>"}
    text = forms[cell.mark].format(text) + ("<sup>≈</sup>" if cell.is_tied else "")
    return _GREY["markdown"].format(text) if cell.is_grey and text else text


def as_latex(sheet: Sheet) -> str:
    """A tabular for booktabs, with xcolor where cells are grey; the footer as comments."""
    columns = "l" * sheet.words + "r" * (len(sheet.heads) - sheet.words)
    footer = footer_lines(sheet, "bold: best, underlined: second best", "grey (package xcolor):")
    lines = [
        *(f"% {' '.join(line.split())}" for line in footer),
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        *_latex_groups(sheet),
        " & ".join(latex_escape(head.label) for head in sheet.heads) + r" \\",
    ]
    for i, line in enumerate(_without_repeats(sheet)):
        if i == 0 or line[0].text:
            lines.append(r"\midrule")
        lines.append(" & ".join(map(_latex_cell, line)) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _latex_groups(sheet: Sheet) -> list[str]:
    """The line above the labels, with a rule under each group; nothing if there are no groups."""
    heads, rules, first = [], [], 1
    for group, members in groupby(head.group for head in sheet.heads):
        n = len(list(members))
        if group:
            heads.append(rf"\multicolumn{{{n}}}{{c}}{{{latex_escape(group)}}}")
            rules.append(rf"\cmidrule(lr){{{first}-{first + n - 1}}}")
        else:
            heads += [""] * n
        first += n
    return [" & ".join(heads) + r" \\", " ".join(rules)] if rules else []


def _latex_cell(cell: Cell) -> str:
    forms = {Mark.NONE: "{}", Mark.BEST: r"\textbf{{{}}}", Mark.SECOND: r"\underline{{{}}}"}
    text = forms[cell.mark].format(latex_escape(cell.text))
    text += "$^{\\approx}$" if cell.is_tied else ""
    return _GREY["latex"].format(text) if cell.is_grey and text else text


_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
        "±": r"$\pm$", "–": "--", "−": "$-$", "≈": r"$\approx$", "≥": r"$\geq$",
        "≤": r"$\leq$", "<": "$<$", ">": "$>$", "λ": r"$\lambda$",
        "²": r"\textsuperscript{2}", "₂": r"\textsubscript{2}", "χ": r"$\chi$",
        "†": r"$^{\dagger}$",
    }
)  # fmt: skip


def latex_escape(text: str) -> str:
    """Text that LaTeX prints as it stands; "5 %" keeps its number and sign together."""
    return text.translate(_LATEX).replace(r" \%", r"\,\%")


def as_csv(sheet: Sheet) -> str:
    """The scores in full precision."""
    return sheet.data.map(_without_formula).to_csv(index=False)


def _without_formula(value: object) -> object:
    """Spreadsheet programs run a text that begins like a formula."""
    is_text = isinstance(value, str) and len(value) > 1
    is_formula = is_text and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value


def title(sheet: Sheet, form: str) -> str:
    """The line above a table where several are printed."""
    return {
        "text": f"{sheet.title}\n{'=' * len(sheet.title)}\n\n",
        "markdown": f"## {sheet.title}\n\n",
        "latex": f"% {sheet.title}\n",
        "csv": f"# {sheet.title}\n",
    }[form]


FORMS: dict[str, tuple[str, Callable[[Sheet], str]]] = {
    "text": ("txt", as_text),
    "markdown": ("md", as_markdown),
    "latex": ("tex", as_latex),
    "csv": ("csv", as_csv),
}
"""Of each format the ending of its files, and what makes it of a sheet."""
