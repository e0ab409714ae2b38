"""Label budgets: how much of a train pool is labelled, in the field's own terms."""

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.data.text import listed
from benchmark.errors import UserError
from benchmark.wording import counted, percent

_CASES, _PATIENTS, _LIST = 1e3, 1e9, 1e15  # where each kind of budget begins to be sorted
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*(%|cases?|patients?|groups?|subjects?)?", re.IGNORECASE)


@dataclass(frozen=True)
class Budget:
    """One of a share of the images with masks, a number of them, of patients, or a list of cases.

    All but a list are drawn by hash for each seed; smaller ones lie in larger ones of their kind.
    """

    text: str
    """As tables print it: "5 %", "7 patients". It is the budget's part of a key."""
    share: float | None = None
    """In (0, 1]."""
    cases: int | None = None
    patients: int | None = None
    """Groups of the dataset's cases, each of them whole."""
    listed: str = ""
    """Name of a list of cases."""
    ids: tuple[str, ...] = ()
    """Of a list: its cases, where they are known."""

    @classmethod
    def of_share(cls, share: float) -> "Budget":
        """0.05 → 5 %."""
        return cls(percent(share), share=share)

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """5%, 5, 3cases, 7patients, list:NAME, list:FILE; `UserError` for others.

        The cases of a list that is no file are known to the card of each dataset.
        """
        if found := re.fullmatch(r"list:\s*(\S.*)", text.strip()):
            return _of_file(Path(found[1])) if is_file(found[1]) else of_list(found[1])
        return cls.recorded(text)

    @classmethod
    def recorded(cls, text: str) -> "Budget":
        """Of its `text`, as records have it, which may be strangers': no file is opened."""
        if found := re.fullmatch(r"list (\S.*)", text.strip()):
            return of_list(found[1])
        if not (found := _NUMBER.fullmatch(text.strip())):
            raise UserError(_WRITTEN.format(text))
        unit = (found[2] or "%").lower()
        if unit == "%":
            return cls._checked_share(round(float(found[1]) / 100, 12))
        if not found[1].isdigit() or (number := int(found[1])) < 1:
            raise UserError(_WRITTEN.format(text))
        if unit.startswith("case"):
            return cls(counted(number, "case"), cases=number)
        return cls(counted(number, "patient"), patients=number)

    @classmethod
    def _checked_share(cls, share: float) -> "Budget":
        budget = cls.of_share(share)
        if not 0 < share <= 1:
            raise UserError(
                f"--labels {budget.text} is outside (0, 100]; it is the percentage of the images "
                "with masks whose masks are given, such as 1,2,5,10,20,100"
            )
        return budget

    @property
    def order(self) -> float:
        """By which columns and rows of budgets are sorted: shares, cases, patients, lists."""
        if self.share is not None:
            return self.share
        if self.cases is not None:
            return _CASES + self.cases
        return _LIST if self.patients is None else _PATIENTS + self.patients

    @property
    def is_whole_pool(self) -> bool:
        """Is it 100 %?"""
        return self.share is not None and self.share >= 1

    @property
    def is_one_subset(self) -> bool:
        """Are its images the same with every seed: a list, or all?"""
        return bool(self.listed) or self.is_whole_pool


def part_of_unlabelled(text: str) -> Budget:
    """How many of the images without labels are used: "50%", "200cases"; `UserError` for others."""
    with contextlib.suppress(UserError):
        budget = Budget.parse(text)
        if budget.share is not None or budget.cases is not None:
            return budget
    raise UserError(
        f'--unlabelled is all, a share in (0, 100] such as "50%", or "200cases", got {text!r}'
    )


def is_file(name: str) -> bool:
    """Does what follows list: name a file, and no list of a card?"""
    return "/" in name or "\\" in name or name.endswith((".txt", ".list"))


def of_list(name: str, ids: Sequence[str] = ()) -> Budget:
    """A list by its name, which `UserError` refuses if it cannot be typed and shown."""
    if not re.fullmatch(r"\w[\w.-]{,99}", name):
        raise UserError(f"a list is named with letters, digits, ., - and _, got {name[:120]!r}")
    return Budget(f"list {name}", listed=name, ids=tuple(ids))


def _of_file(file: Path) -> Budget:
    """A case a line; tables show the list under its file's name."""
    try:
        ids = listed(file.read_bytes(), str(file))
    except (OSError, ValueError) as error:
        raise UserError(f"the list of labelled cases {file} cannot be read: {error}") from error
    if not ids:
        raise UserError(f"the list of labelled cases {file} names none")
    return of_list(re.sub(r"[^\w.-]+", "_", file.stem).lstrip("-.") or "list", ids)


_WRITTEN = (
    'how much is labelled is written in percent ("1,5,20"), "3cases", "7patients" or "list:NAME", '
    "got {!r}"
)


def require_distinct(budgets: Iterable[Budget]) -> None:
    """`UserError` for two lists that tables could not tell apart."""
    names: dict[str, Budget] = {}
    for budget in budgets:
        if names.setdefault(budget.text, budget) != budget:
            raise UserError(
                f'two lists of labelled cases are called "{budget.listed}" after their files, and '
                "tables could not tell them apart: rename one"
            )


def parse_budgets(text: str) -> list[str]:
    """`5%,3cases` → ["5 %", "3 cases"], each once; a file stays the path that it is."""
    parsed = {part.strip(): Budget.parse(part) for part in _parts(text)}
    return list(dict.fromkeys(typed if b.ids else b.text for typed, b in parsed.items()))


def _parts(text: str) -> Sequence[str]:
    parts = [part for part in text.split(",") if part.strip()]
    if not parts:
        raise UserError(_WRITTEN.format(text))
    return parts


def typed_budget(text: str) -> str:
    """As `--labels` reads it: "5 %" → "5%", "list NAME" → "list:NAME"."""
    if text.startswith("list "):
        return text.replace(" ", ":", 1)
    return text.replace(" ", "")
