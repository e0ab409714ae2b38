"""Sheets as text, Markdown and CSV, and as LaTeX by `reports.latex`."""

from reports.latex import Style, as_latex
from reports.sheet import Cell, Mark, Sheet, footer_lines, without_repeats

_TEXT_MARKS = {Mark.NONE: "", Mark.BEST: "*", Mark.SECOND: "+"}
GREY_MARK = "◦"
"""In text, at the first grey number of a line; a terminal dims the lines that have it."""


def as_text(sheet: Sheet) -> str:
    """Aligned columns and the footer: * best, + second, ≈ like the best, ◦ grey."""
    grid = [
        list(zip((cell.text for cell in line), _text_marks(line, sheet.words), strict=True))
        for line in without_repeats(sheet)
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


def _text_marks(line: list[Cell], words: int) -> list[str]:
    """Of each cell; of the grey ones behind the words the first speaks for all."""
    marks = [_TEXT_MARKS[cell.mark] + ("≈" if cell.is_tied else "") for cell in line]
    first = next((i for i, cell in enumerate(line) if cell.is_grey and i >= words), None)
    if first is not None:
        marks[first] += GREY_MARK
    return marks


def as_markdown(sheet: Sheet) -> str:
    """A pipe table and the footer: best bold, second underlined, ≈ like the best, grey italic."""
    heads = [_escaped(f"{head.group} {head.label}".strip()) for head in sheet.heads]
    rule = ["---"] * sheet.words + ["---:"] * (len(heads) - sheet.words)
    grid = [[_markdown_cell(cell) for cell in line] for line in without_repeats(sheet)]
    lines = [f"| {' | '.join(line)} |" for line in (heads, rule, *grid)]
    footer = footer_lines(sheet, "**bold** best, <u>underlined</u> second best", "*italics*:")
    return "\n".join([*lines, "", *(f"{line}  " for line in footer)]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("<", "&lt;")


def _markdown_cell(cell: Cell) -> str:
    text = _escaped(cell.text)
    forms = {Mark.NONE: "{}", Mark.BEST: "**{}**", Mark.SECOND: "<u>{}</u>"}
    text = forms[cell.mark].format(text) + ("<sup>≈</sup>" if cell.is_tied else "")
    return f"*{text}*" if cell.is_grey and text else text


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


ENDINGS = {"text": "txt", "markdown": "md", "latex": "tex", "csv": "csv"}
"""Of the files of each format."""


def rendered(sheet: Sheet, form: str, style: Style | None = None) -> str:
    """In one of the formats of `ENDINGS`. style: of LaTeX."""
    if form == "latex":
        return as_latex(sheet, style)
    return {"text": as_text, "markdown": as_markdown, "csv": as_csv}[form](sheet)
