"""What is wrong with the files of a dataset, in few lines."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.data.layouts import Case
from benchmark.errors import ExitCode, UserError
from benchmark.wording import counted, shortened

_SHOWN = 20  # problems listed before "and n more"
_NUMBERS = re.compile(r"-?\d[\d.,×e+-]*(?:, -?\d[\d.,×e+-]*)*(?: …)?")  # one, or a list of them


def refuse(whole: Sequence[str], of_cases: Mapping[Case, str], path: Path) -> None:
    """`UserError` (exit code 3) that names what is wrong with the files together, and with each."""
    lines = [*whole, *_grouped(of_cases)]
    if not lines:
        return
    shown = "\n".join(f"  {line}" for line in lines[:_SHOWN])
    more = f"\n  and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    count = counted(len(whole) + len(of_cases), "problem")
    raise UserError(f"{count} in {path}; nothing was written:\n{shown}{more}", ExitCode.DATA)


def _grouped(problems: Mapping[Case, str]) -> list[str]:
    """Problems of many cases in one line, with the first of them; single ones as they are."""
    alike: dict[str, list[Case]] = {}
    for case, problem in problems.items():
        kind = _NUMBERS.sub("n", _of_any(case, problem))
        alike.setdefault(kind, []).append(case)
    return [_line(cases, problems) for cases in alike.values()]


def _line(cases: list[Case], problems: Mapping[Case, str]) -> str:
    first = cases[0]
    if len(cases) == 1:
        return f"{_shown(first)}: {problems[first]}"
    texts = {_of_any(case, problems[case]) for case in cases}
    names = shortened([_shown(case) for case in cases])
    if len(texts) == 1:
        return f"{names}: {texts.pop()} ({len(cases)} cases)"
    return f"{names} ({len(cases)} cases), such as {_shown(first)}: {problems[first]}"


def _of_any(case: Case, problem: str) -> str:
    """The problem without the names of this case's files."""
    for word, paths in (("the image", case.images), ("the mask", case.masks)):
        for path in sorted(paths, key=len, reverse=True):
            problem = problem.replace(path, word)
    return problem


def _shown(case: Case) -> str:
    return case.id if case.id.isprintable() else repr(case.images[0])
