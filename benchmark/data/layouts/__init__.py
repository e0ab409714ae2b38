"""Layouts in which data come, and which file is which case's image or mask.

A reader looks at names only (and at small tables); decoding and checking is `prepare`'s. Adding
a layout: write a `Reader`, list it in `READERS`, name it in a card.
"""

from benchmark.data.layouts.layout import Case, Layout
from benchmark.data.layouts.readers import READERS, read

__all__ = ["READERS", "Case", "Layout", "read"]
