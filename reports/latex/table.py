"""A sheet as a LaTeX table: a float with caption and notes, or the tabular alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from reports.latex.cells import SETTINGS
from reports.latex.layouts import arranged, headed, is_grid
from reports.latex.pages import Page, paged
from reports.latex.text import beyond_latin, latex_escape
from reports.sheet import Sheet, key_lines, sentence, without_repeats

_HOW = ("bold: best, underlined: second best", "grey:")


@dataclass(frozen=True)
class Style:
    """How tables are typeset."""

    layout: str | None = None
    """One of `LAYOUTS`; None: wide, or split where that is too wide."""
    is_bare: bool = False
    """The tabular alone."""


def as_latex(sheet: Sheet, style: Style | None = None) -> str:
    """One float, or several where it fits no page; of the footer what is no key as comments."""
    style = style or Style()
    caption, notes = sheet.caption or sheet.title, key_lines(sheet, *_HOW)
    layout = style.layout if is_grid(sheet) else "wide"
    is_split = {"wide": False, "split": True}.get(layout)
    laid = headed(arranged(sheet, layout or "wide"))
    extra = 0 if style.is_bare else sum(map(len, notes))
    pages = paged(laid, is_split=is_split, extra=extra)
    comments = [*(notes if style.is_bare else []), *sheet.footer]
    lines = [f"% {' '.join(line.split())}" for line in comments]
    lines += [f"% packages: {', '.join(_packages(pages, style.is_bare))}"]
    for i, page in enumerate(pages):
        lines += [""] * bool(i)
        if style.is_bare:
            lines += _tabular(page)
        else:
            is_last = i == len(pages) - 1
            lines += _float(page, sheet.name, caption, notes if is_last else [], is_first=not i)
    if signs := beyond_latin("".join(lines)):
        how = "LuaLaTeX or XeLaTeX, and a font (package fontspec) that has them"
        lines.insert(len(comments), f"% {signs}: pdfLaTeX cannot print them; take {how}")
    return "\n".join(lines) + "\n"


def _packages(pages: list[Page], is_bare: bool) -> list[str]:
    """That the document has to load."""
    cells = [cell for page in pages for part in page.parts for row in part.rows for cell in row]
    has_numbers = any(one.spec.startswith("S") for page in pages for one in page.columns)
    needed = {
        "booktabs": True,
        "siunitx": has_numbers,
        "threeparttable": not is_bare,
        "rotating": not is_bare and any(page.is_on_side for page in pages),
        "xcolor": any(cell.is_grey for cell in cells),
    }
    return [name for name, is_needed in needed.items() if is_needed]


def _float(
    page: Page, name: str, caption: str, notes: list[str], *, is_first: bool
) -> Iterator[str]:
    """A table, upright or on its side; one that continues another has its number."""
    kind = "sidewaystable" if page.is_on_side else "table"
    yield rf"\begin{{{kind}}}" + "[tbp]" * (not page.is_on_side)
    yield r"\centering"
    yield rf"\{page.size.name}"
    yield r"\setlength{\tabcolsep}{3pt}"
    if not is_first:
        yield r"\addtocounter{table}{-1}"
    yield r"\begin{threeparttable}"
    yield rf"\caption{{{latex_escape(caption)}{'' if is_first else ' (continued)'}}}"
    if is_first:
        yield rf"\label{{tab:{name}}}"
    yield from _tabular(page)
    if notes:
        yield r"\begin{tablenotes}[flushleft]"
        yield rf"\{page.size.name}"
        yield rf"\item[] {latex_escape(' '.join(map(sentence, notes)))}"
        yield r"\end{tablenotes}"
    yield r"\end{threeparttable}"
    yield rf"\end{{{kind}}}"


def _tabular(page: Page) -> Iterator[str]:
    yield from SETTINGS
    yield rf"\begin{{tabular}}{{{' '.join(one.spec for one in page.columns)}}}"
    first = 0
    for part in page.parts:
        yield r"\midrule" if first else r"\toprule"
        yield from _heads(page, part)
        for i, line in enumerate(without_repeats(part)):
            if i == 0 or line[0].text:
                yield r"\midrule"
            cells = [one.cells[first + i] for one in page.columns]
            words = [text if cell.text else "" for text, cell in zip(cells, line, strict=False)]
            yield " & ".join([*words[: part.words], *cells[part.words :]]) + r" \\"
        first += len(part.rows)
    yield r"\bottomrule"
    yield r"\end{tabular}"


def _heads(page: Page, part: Sheet) -> Iterator[str]:
    """The labels; above them the groups, each with a rule under it, if there are any."""
    pairs = list(zip(part.heads, page.columns, strict=False))
    heads, rules, first = [], [], 1
    for group, members in groupby(pairs, lambda pair: pair[0].group):
        spans = [one.span for _, one in members]
        if group:
            heads.append(rf"\multicolumn{{{sum(spans)}}}{{c}}{{{latex_escape(group)}}}")
            rules.append(rf"\cmidrule(lr){{{first}-{first + sum(spans) - 1}}}")
        else:
            heads += [" & ".join([""] * span) for span in spans]
        first += sum(spans)
    if rules:
        yield " & ".join(heads) + r" \\"
        yield " ".join(rules)
    yield " & ".join(one.head(head.label) for head, one in pairs) + r" \\"
