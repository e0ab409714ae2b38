"""The verb report, and the one room that knows `reports`.

`options` what may be typed · `asked` what was typed, checked · `naming` a names file · `study` from
records to a report · `output` from a report to the terminal and to files · `verb` the verb itself.
"""

from benchmark.cli.report.study import published_listing
from benchmark.cli.report.verb import app, print_main

__all__ = ["app", "print_main", "published_listing"]
