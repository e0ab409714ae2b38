"""The one exception that stands for a user's mistake."""

import difflib
from collections.abc import Iterable
from enum import IntEnum

from benchmark.wording import printable


class ExitCode(IntEnum):
    """What the shell gets to see."""

    DONE = 0
    SOME_TRIALS_FAILED = 1
    USAGE = 2
    DATA = 3
    RESOURCES = 4
    PLUGIN = 5
    STATISTICS = 7
    INTERRUPTED = 130


class UserError(Exception):
    """A mistake that the user can mend: printed without traceback, ends with `exit_code`.

    The text says what the rule is, what was found, and what to do.
    """

    def __init__(self, text: str, exit_code: ExitCode = ExitCode.USAGE):
        super().__init__(text)
        self.exit_code = exit_code

    def _render_traceback_(self) -> list[str]:
        """What IPython, and so a notebook, shows in place of a traceback."""
        return [f"error: {printable(str(self))}"]


def is_out_of_memory(error: BaseException) -> bool:
    """Of the processor or a GPU: PyTorch says it in three ways, two of them without a class."""
    is_own = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_own or "can't allocate memory" in str(error) or "CUDA out of memory" in str(error)


def require_choice(what: str, value: object, choices: Iterable[str]) -> None:
    """Raise the error for a value that is none of the choices."""
    choices = list(choices)
    if value not in choices:
        raise UserError(f"{what} must be one of {', '.join(choices)}; got {value!r}")


def unknown(kind: str, name: str, known: Iterable[str], see: str = "") -> UserError:
    """The error for a name that does not exist, with the nearest one that does."""
    known = sorted(known)
    close = _nearest(name, known)
    hint = f'; did you mean "{close}"?' if close else f"; known: {', '.join(known) or 'none'}"
    return UserError(f'no {kind} "{name}"{hint}' + (f" ({see})" if see else ""))


def _nearest(name: str, known: list[str]) -> str:
    """The known name that is most like it, capital letters apart; "" if none is like it."""
    folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    return folded[close[0]] if close else ""
