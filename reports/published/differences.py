"""Why a result of ours and a printed one may differ by more than the method, a sentence each."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pandas as pd

from reports.published.matching import Beside, foreground_of, list_of, network_of
from reports.published.paper import DRAWN, NONE, UNKNOWN
from reports.select import GIVEN, HARMLESS, Reading, flat, recorded
from reports.sheet import counted, shortened

Expected = Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]
"""Preset and a trial → the settings that the preset gives such a trial; None if unknown."""


class Reason(NamedTuple):
    """One of them."""

    text: str
    is_essential: bool = True
    """Does it shift the score itself? Else it only says how sure the printed one is."""


def reasons(each: Beside, reading: Reading, expected: Expected | None) -> list[Reason]:
    """All that is known of, in the order of a footer.

    Of a row that the paper copies its own protocol says nothing.
    """
    found = [*_settings(each, expected), *_spread(each)]
    if each.printed.is_own:
        found += [*_reading(each, reading), *_images(each)]
    else:
        found.append(_COPIED)
    found += [*_subset(each), *_classes(each, reading)]
    if not each.paper.is_trusted:
        found.append(_DIGEST)
    partial = sorted(set(each.ours.data_partial.fillna("")) - {""})
    return found + [Reason(f"data incomplete: {note}") for note in partial]


_COPIED = Reason(
    "the paper copies this row from another one: checkpoint, evaluated set, size and network of it "
    "are unknown"
)
_DIGEST = Reason("a digest of the paper was read, not the paper: low trust")


def _settings(each: Beside, expected: Expected | None) -> Iterator[Reason]:
    """Against those of the preset that replicates the paper, if there is one."""
    presets, theirs = "/".join(sorted(set(each.ours.preset))), each.paper.preset
    if theirs == NONE:
        return
    if presets != theirs:
        yield Reason(f"preset {presets}, not {theirs}: another budget, other settings")
    elif expected is not None:
        yield from map(Reason, _departures(recorded(each.ours).iloc[0], theirs, expected))


def _departures(trial: pd.Series, preset: str, expected: Expected) -> list[str]:
    """Settings that were typed over those of the preset; a trial has the same name with them."""
    wanted = expected(preset, trial.to_dict() | {"budget": trial.budget.text})
    if wanted is None:
        return [f"settings could not be compared with those of the preset {preset}"]
    own, theirs = (dict(flat(v, GIVEN | HARMLESS)) for v in (trial.settings, wanted))
    found = [
        f"{name} {own.get(name, '–')} (not {theirs.get(name, '–')})"
        for name in dict.fromkeys([*theirs, *own])
        if own.get(name) != theirs.get(name)
    ]
    return [f"settings changed from the preset {preset}: {shortened(found)}"] if found else []


def _spread(each: Beside) -> Iterator[Reason]:
    """Without one over seeds there is no test."""
    runs, over = each.paper.runs, each.paper.plus_minus
    if over == NONE:
        number = "an unknown number of runs" if runs is None else counted(runs, "run")
        yield Reason(f"no ± is printed there ({number}): no p", is_essential=False)
        return
    if over != "seeds":
        yield Reason(f"the printed ± is over {over}, ours over seeds: no p", is_essential=False)
    if len(each.ours) != runs:
        number = UNKNOWN if runs is None else runs
        yield Reason(f"not as many runs as theirs ({number}): n in brackets", is_essential=False)


def _reading(each: Beside, reading: Reading) -> Iterator[Reason]:
    """Which of a trial's scores is read."""
    theirs = each.printed.protocol
    if reading.selection != theirs.selection:
        yield Reason(f"selection {reading.selection}, theirs {theirs.selection}")
    if reading.aggregate != theirs.aggregate:
        yield Reason(f"aggregation {reading.aggregate}, theirs {theirs.aggregate}")


def _images(each: Beside) -> Iterator[Reason]:
    """At what size, by which network, on which of them."""
    theirs, sizes = each.printed.protocol, set(each.ours["size"])
    if sizes != {theirs.size}:
        known = f"not {theirs.size}" if theirs.size != UNKNOWN else f"theirs {UNKNOWN}"
        yield Reason(f"images of {'/'.join(sorted(sizes)) or 'the prepared size'}, {known}")
    network = network_of(each.ours)
    if network and network != theirs.network:
        yield Reason(f"network {network}, theirs {theirs.network}")
    if set(each.ours.evaluate_on) != {"test"}:
        yield Reason("evaluated on a part of the training images, not on the test set")
    if theirs.evaluated_on == UNKNOWN:
        yield Reason("on which images it was evaluated there is unknown")
    elif theirs.evaluated_on != "test":
        yield Reason(f"evaluated there on {_SETS[theirs.evaluated_on]}, not on the test set alone")


_SETS = {
    "val": "the validation set",
    "val+test": "the validation and the test set together",
}


def _subset(each: Beside) -> Iterator[Reason]:
    """Which images are labelled, where that is not all of them."""
    ours, theirs = list_of(each.key[1]), each.printed.protocol.labelled_list
    if each.printed.labelled_percent >= 100 or theirs in (ours, ours or DRAWN):
        return
    if theirs == UNKNOWN:
        yield Reason("which images are labelled there is unknown")
    elif theirs == DRAWN:
        yield Reason(f"labelled subset of the list {ours}, theirs drawn by seed")
    elif ours:
        yield Reason(f"labelled subset of the list {ours}, not {theirs}")
    else:
        yield Reason(f"labelled subset drawn by seed, not the list {theirs}")


def _classes(each: Beside, reading: Reading) -> Iterator[Reason]:
    """Which the score is of."""
    theirs, name = each.printed.protocol, reading.of_class
    ours = foreground_of(each.ours)
    if theirs.classes and ours and len(theirs.classes) != len(ours):
        yield Reason(f"{_named_classes(ours)}, theirs {_named_classes(theirs.classes)}")
    elif name and name.lower() not in map(str.lower, theirs.classes):
        number = ours.index(name) + 1
        other = theirs.classes[number - 1] if theirs.classes else "a class without a name"
        yield Reason(f"{name} is class {number} here, which is {other} there")
    if name:
        return
    if theirs.mean_over == "all":
        yield Reason("mean over the foreground classes, theirs over all with the background")
    if each.printed.is_mean_of_classes:
        yield Reason("they print the classes alone: the mean of these is taken", is_essential=False)


def _named_classes(names: list[str] | tuple[str, ...]) -> str:
    return f"{len(names)} class{'es' * (len(names) > 1)} ({', '.join(names)})"
