"""Which cases a dataset has, whose they are, and in which split."""

from itertools import chain

from benchmark.data import prepared
from benchmark.data.card import Card
from benchmark.data.layouts import Case, Layout
from benchmark.data.layouts.groups import cut_groups, like_groups
from benchmark.data.source import Source
from benchmark.data.split.draw import whole_groups
from benchmark.errors import ExitCode, UserError
from benchmark.wording import counted, shortened


def chosen(
    layout: Layout, card: Card, source: Source, allow_partial: bool
) -> tuple[list[Case], str]:
    """The cases, each with its group and split, and how they differ from the published dataset.

    What is to be known of them goes into the layout's notes. `UserError` (exit code 3) where the
    card contradicts the files, and for a part of a dataset unless allowed.
    """
    if not layout.problems:
        _require_nameable(layout.cases)
        layout.lacking += _require_named(card, layout.cases, allow_partial)
    is_drawn = any(not case.split for case in layout.cases)
    cases = _with_split(layout.cases, card)
    if is_drawn:
        cases = _without_tested_groups(cases, card, layout.notes)
    layout.notes += [*cut_groups(cases), *like_groups(cases)]
    if layout.problems:  # a missing mask is better named than counted
        return cases, ""
    return cases, _differences(cases, card, source, layout.lacking, allow_partial)


def _with_split(cases: list[Case], card: Card) -> list[Case]:
    """Cases sorted by id, each in a split: the files' own, the card's, or drawn by hash.

    Those of further test sets come last; their names are apart from the others'.
    """
    groups = _groups(cases, card)
    cases = [case._replace(group=groups[case.id]) for case in cases]
    further = [case for case in cases if case.further]
    cases = [case for case in cases if not case.further]
    validated = set(card.val_ids)
    if any(not case.split for case in cases):
        drawn = [case for case in cases if not case.split and case.id not in validated]
        ids = [case.id for case in drawn]
        kept = [case.group if card.keeps_groups else "" for case in drawn]
        test = set(card.test_ids) or whole_groups(ids, kept, card.test_share, card.name, "split")
        cases = [c._replace(split="test") if not c.split and c.id in test else c for c in cases]
    cases = [c._replace(split="val") if c.id in validated else c for c in cases]
    cases = [case if case.split else case._replace(split="train") for case in cases]
    cases.sort(key=lambda case: (prepared.SPLITS.index(case.split), case.id))
    return cases + sorted(further, key=lambda case: (case.split, case.id))


def _without_tested_groups(cases: list[Case], card: Card, notes: list[str]) -> list[Case]:
    """Without images that have no mask and are of a patient in the test set, if that was drawn.

    Whoever laid the files into folders decided it; a split that is drawn lets no patient in twice.
    """
    tested = {case.group for case in cases if case.split in ("val", "test")} - {""}
    out = [case for case in cases if case.split == "unlabelled" and case.group in tested]
    if not out or not card.keeps_groups:
        return cases
    notes.append(
        f"{counted(len(out), 'image')} without masks left out, as others of the same group "
        f"(patient, subject) are in the test set ({shortened([case.id for case in out])})"
    )
    return [case for case in cases if case not in out]


def _require_nameable(cases: list[Case]) -> None:
    """`UserError` where the name of a file is no text, of which no split can be drawn."""
    for case in cases:
        if not prepared.is_text(case.id):
            raise UserError(
                f"the name of {case.id!r} is not in UTF-8: rename the file", ExitCode.DATA
            )


def _require_named(card: Card, cases: list[Case], allow_partial: bool) -> list[str]:
    """What the card names and is not there, of a part of a dataset.

    `UserError` where that is not allowed, or the test set is another. Where there are fewer cases
    than the card expects, `_differences` says it better.
    """
    masked = [case for case in cases if case.split != "unlabelled" and not case.further]
    is_short = len(masked) < sum(card.expected.values())
    lacking = []
    ids = {case.id for case in cases}
    fields = {
        "test_ids": card.test_ids,
        "val_ids": card.val_ids,
        "together": [*chain(*card.together)],
        **{f"list {name}": named for name, named in card.lists.items()},
    }
    for field, named in fields.items():
        unknown = [id for id in named if id not in ids]
        is_none_there = field != "together" and len(unknown) == len(named)
        if unknown and (is_none_there or not (allow_partial or is_short)):
            raise UserError(
                f"the card's {field} name {counted(len(unknown), 'case')} that {_are(unknown)} not "
                f"there: {shortened(unknown)} (cases are called {shortened(sorted(ids))}). If a "
                "part of the dataset is what you have, add --allow-partial",
                ExitCode.DATA,
            )
        if unknown and not is_short:
            lacking.append(
                f"{len(named) - len(unknown)} of {len(named)} cases that the card's {field} name"
            )
    has_mask = {case.id for case in cases if case.split != "unlabelled"}
    tested = {*card.test_ids, *(case.id for case in cases if case.split == "test")}
    if both := sorted(tested & set(card.val_ids)):
        raise UserError(
            f"the card's val_ids name {counted(len(both), 'case')} of the test set: "
            f"{shortened(both)}",
            ExitCode.DATA,
        )
    for field, named in (("test_ids", card.test_ids), ("val_ids", card.val_ids)):
        if without := [id for id in named if id in ids - has_mask]:
            raise UserError(
                f"the card's {field} name {counted(len(without), 'image')} without a mask: "
                f"{shortened(without)}",
                ExitCode.DATA,
            )
    test = {case.id for case in cases if case.split == "test"}
    if card.test_ids and all(case.split for case in cases) and test != set(card.test_ids) & ids:
        raise UserError(
            f"the files come with a test set of {counted(len(test), 'case')}, and the card's "
            f"test_ids name another ({len(set(card.test_ids) & ids)} of these): take one away",
            ExitCode.DATA,
        )
    return lacking


def _are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _groups(cases: list[Case], card: Card) -> dict[str, str]:
    """Case → its group; what the card's `together` joins is one, with the groups of its members."""
    of = {case.id: case.group for case in cases}
    joined = [set(named) for named in card.together]
    for number, members in enumerate(joined):
        groups = {of[id] for id in members if of.get(id)}
        members |= {id for id, group in of.items() if group in groups}
        of |= dict.fromkeys(members & of.keys(), f"together {number}")
    return of


def _differences(
    cases: list[Case], card: Card, source: Source, lacking: list[str], allow_partial: bool
) -> str:
    """How the data differ from the dataset as published; `UserError` for a part, if not allowed."""
    found = {split: sum(c.split == split for c in cases) for split in prepared.SPLITS}
    if not (found["train"] and found["test"]):
        groups = {case.group for case in cases}
        why = (
            f" (all are of one group, {cases[0].group})"
            if groups - {""} and len(groups) == 1
            else ""
        )
        raise UserError(
            f"{card.name} needs training and test cases, found {found['train']} and "
            f"{found['test']}{why}",
            ExitCode.DATA,
        )
    differing = [
        f"{found[split]} of {expected} {split} cases"
        for split, expected in card.expected.items()
        if found[split] != expected
    ] + lacking
    if differing and not allow_partial:
        raise UserError(
            f"this is not the whole of {card.name}: {', '.join(differing)}. Numbers from a "
            "part cannot be compared with published ones; if a part is what you have, add "
            "--allow-partial",
            ExitCode.DATA,
        )
    synthetic = ["synthetic images, no ranking"] if source.is_synthetic and not card.phantom else []
    if card.expected and found["unlabelled"]:
        differing.append(f"{counted(found['unlabelled'], 'image')} without masks beside them")
    cropped = ["volumes cropped around their labels, which tells where to look"]
    return ", ".join(synthetic + differing + (cropped if card.crop == "label_box" else []))
