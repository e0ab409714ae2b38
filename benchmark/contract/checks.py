"""The contract: each check once, what it asks, and of which forms; for `bench check` and pytest."""

import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmark.contract import cost, learning, prediction, writing
from benchmark.contract.subject import ENCODER, IMAGES, VOLUMES, Form, Subject

_ONCE, _BOTH_NETWORKS, _EVERY = (IMAGES,), (IMAGES, ENCODER), (IMAGES, VOLUMES, ENCODER)


class Check(NamedTuple):
    """A rule, and what finds where a method breaks it."""

    rule: str
    find: Callable[[Subject, Form], Iterator[str]]
    forms: tuple[Form, ...]
    exempt: Mapping[str, str] = {}
    """Module of a method that is not asked → why."""
    of_defaults: bool = False
    """Is it said of the defaults alone?"""
    is_slow: bool = False

    def left_out(self, subject: Subject) -> str:
        """Why the method is not asked; "" if it is."""
        if self.of_defaults and not subject.has_defaults:
            return "it is said of the defaults"
        return self.exempt.get(subject.method.__module__, "")


class Finding(NamedTuple):
    """What is wrong with a method, in words; trace: of an error that it raised."""

    text: str
    trace: str = ""


CHECKS = (
    Check("the header has its six parts", writing.header, _ONCE),
    Check("every hyper-parameter is explained", writing.explained, _ONCE),
    Check("hyper-parameters are kept under their names", writing.stored, _ONCE),
    Check("it imports mathematics, no plumbing", writing.imports, _ONCE),
    Check("the loss is finite and its terms are named", learning.terms, _EVERY),
    Check("a gradient reaches what is trained, and no more", learning.gradients, _EVERY),
    Check("unlabelled images change what is learnt", learning.unlabelled, _BOTH_NETWORKS),
    Check("one seed gives the same gradients again", learning.same_seed, _BOTH_NETWORKS),
    Check("images and masks stay as they are", learning.inputs, _BOTH_NETWORKS),
    Check("a state_dict carries the whole method", learning.state, _BOTH_NETWORKS),
    Check("diagnostics are detached", learning.diagnostics, _BOTH_NETWORKS),
    Check("forward gives logits of the images' size", prediction.logits, _EVERY),
    Check("evaluation repeats and leaves no trace", prediction.repeatable, _BOTH_NETWORKS),
    Check(
        "all methods start from the same tested network",
        prediction.same_start,
        _BOTH_NETWORKS,
        prediction.OTHER_NETWORK,
    ),
    Check(
        "all methods test an equally large network",
        prediction.same_size,
        _EVERY,
        prediction.OTHER_NETWORK,
    ),
    Check("the passes are those under Cost", cost.passes, _BOTH_NETWORKS, of_defaults=True),
    Check("it fits one batch", learning.one_batch, _ONCE, is_slow=True),
)


def findings(check: Check, subject: Subject, form: Form) -> list[Finding]:
    """What the check finds; what the method raises is a finding."""
    try:
        return [Finding(text) for text in check.find(subject, form)]
    except Exception as error:
        return [Finding(_said(error, subject), traceback.format_exc())]


def _said(error: Exception, subject: Subject) -> str:
    """The error in a line, with the place in the method's file that it came through last."""
    first = (str(error).strip().splitlines() or [""])[0]
    said = f"{type(error).__name__}: {first}".rstrip(": ")
    places = [
        f"{Path(frame.f_code.co_filename).name}, line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__") == subject.method.__module__
    ]
    return f"it raises {said}" + (f" ({places[-1]})" if places else "")
