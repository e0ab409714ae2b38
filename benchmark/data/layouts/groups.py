"""Who a case is of, where the card says how to know it: by the case's name, or from a table."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

from benchmark.data.card import Card
from benchmark.data.layouts.layout import Case, Layout, column
from benchmark.data.layouts.names import without_ending
from benchmark.data.source import Source
from benchmark.wording import counted, shortened

_UNKNOWN = ("nan", "na", "n/a", "none", "null", "<na>", "?", "-")
"""What tables have in the place of a group that is not known, in small letters."""


def add_groups(layout: Layout, source: Source, card: Card) -> None:
    """Give each case the group that the card's `group` says; cases without one are a problem."""
    if not card.group:
        is_known = card.together or any(case.group for case in layout.cases)
        if card.subset == "groups" and not is_known:
            layout.problems.append(
                "the card says subset: groups, and nothing says whose the cases are: its field "
                "group takes a pattern or a table"
            )
        return
    is_table = card.group.lower().endswith(".csv")
    known = len(layout.problems)
    groups = (_in_table if is_table else _by_pattern)(layout, source, card.group)
    layout.cases = [case._replace(group=groups.get(case.id, "")) for case in layout.cases]
    without = [case.id for case in layout.cases if not (case.group or case.masks)]
    if without:
        layout.notes.append(
            f"nothing says whose {counted(len(without), 'image')} without masks are "
            f"({shortened(without)}): they may be of patients in the test set"
        )
    lacking = [case.id for case in layout.cases if case.masks and not case.group]
    if lacking and len(layout.problems) == known:
        layout.problems.append(
            f'the card\'s group "{card.group}" says nothing of {len(lacking)} of '
            f"{counted(len(layout.cases), 'case')} ({shortened(lacking)}): "
            + (
                "add them to the table, spelled as there (a spreadsheet makes 1 of 01); nan, NA, "
                "none and the like are nobody's"
                if is_table
                else "it is sought in the names of cases (and where it fits none, in the paths)"
            )
        )


def _by_pattern(layout: Layout, source: Source, pattern: str) -> dict[str, str]:
    """The first bracket of the pattern, or all that it matches: of names; if of none, of paths.

    Never of both: a number that one name lacks would be found somewhere in its path.
    """
    matches = {case.id: re.search(pattern, case.id) for case in layout.cases}
    if not any(matches.values()):
        matches = {case.id: re.search(pattern, case.images[0]) for case in layout.cases}
    return {
        case: match[1 if match.re.groups else 0] or "" for case, match in matches.items() if match
    }


def _in_table(layout: Layout, source: Source, table: str) -> dict[str, str]:
    """From the columns case and group; cases are named by id, or by id and file ending."""
    files = [name for name in source.files if f"/{name}".endswith(f"/{table}")]
    if len(files) != 1:
        found = f"{len(files)} such files ({shortened(files)})" if files else "no such file"
        layout.problems.append(f"the card takes groups from {table}, but there is {found}")
        return {}
    layout.stray = [name for name in layout.stray if name not in files]
    rows = column(source, files[0], "case", "group", layout)
    groups = {
        unicodedata.normalize("NFC", name): "" if group.lower() in _UNKNOWN else group
        for name, group in rows.items()
    }
    return {without_ending(name): group for name, group in groups.items()} | groups


def cut_groups(cases: Sequence[Case]) -> list[str]:
    """A note on groups that have cases in train and test, as splits of others may have them."""
    sides = defaultdict(set)
    for case in cases:
        if case.group:
            sides[case.group].add("train" if case.split == "unlabelled" else case.split)
    found = []
    further = sorted({case.split for case in cases if case.split.startswith("test_")})
    for one, other in combinations(("train", "val", "test", *further), 2):
        if both := sorted(group for group, its in sides.items() if {one, other} <= its):
            found.append(
                f"{len(both)} of {counted(len(sides), 'group')} (patients, subjects) have cases in "
                f"{one} and {other}: {shortened(both)}"
            )
    return found


def like_groups(cases: Sequence[Case]) -> list[str]:
    """A note on groups whose names differ as those of one patient do where several people type."""
    alike = defaultdict(set)
    for case in cases:
        if case.group:
            alike[_core(case.group)].add(case.group)
    found = sorted("=".join(sorted(names)) for names in alike.values() if len(names) > 1)
    if not found:
        return []
    return [
        "groups (patients, subjects) that differ by case, signs or leading zeros alone and are "
        f"kept apart: {shortened(found)}. If they are one, name them alike, or join their cases by "
        "together in the card"
    ]


def _core(group: str) -> str:
    """Letters and numbers without what is easily typed otherwise: "Pat-07" as "pat 7"."""
    words = re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFKC", group).casefold())
    return " ".join(str(int(word)) if word.isdecimal() else word for word in words)
