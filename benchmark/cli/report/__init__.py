"""The verb report, and the one room that knows `reports`.

`options` what may be typed · `asked` what was typed, checked · `naming` a names file · `study` from
records to a report · `output` from a report to the terminal and to files · `verb` the verb itself.
"""

from benchmark.cli.report.study import published_listing, published_methods
from benchmark.cli.report.verb import app, one_table, print_main, report

__all__ = ["app", "one_table", "print_main", "published_listing", "published_methods", "report"]
