"""Tables for papers: what may be typed of it, and the one function that makes one of a sheet.

`text` escapes · `cells` aligns numbers · `layouts` which column stands where · `pages` what fits
beside and below each other · `table` puts it together.
"""

from reports.latex.layouts import LAYOUTS
from reports.latex.table import Style, as_latex
from reports.latex.text import latex_escape

__all__ = ["LAYOUTS", "Style", "as_latex", "latex_escape"]
