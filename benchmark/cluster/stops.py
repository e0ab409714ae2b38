"""What ends a run before all trials have: a full disk, a variant that only fails. Pure."""

from collections import Counter

from benchmark.errors import ExitCode, UserError
from benchmark.store.failures import without_numbers


class Stops:
    """Told how jobs end; keeps the error that the whole run should end with."""

    ALIKE = 3
    """So many first trials of a variant that fail with one message: the others would too."""

    def __init__(self, *, keeps_going: bool = False):
        """keeps_going: failures end nothing, however many and however alike."""
        self.error: Exception | None = None
        self._keeps_going = keeps_going
        self._alike: dict[str, Counter[str]] = {}  # of each variant, while it has only failed
        self._works: set[str] = set()  # variants of which a trial was done

    def done(self, variant: str) -> None:
        """To be told of a trial with a result."""
        self._works.add(variant)

    def failed(self, variant: str, error: str) -> None:
        """To be told of a trial without one."""
        if self._keeps_going or variant in self._works:
            return
        seen = self._alike.setdefault(variant, Counter())
        seen[without_numbers(error)] += 1
        if len(seen) == 1 and seen.total() == self.ALIKE:
            self.error = UserError(
                f"stopped: the first {self.ALIKE} trials of {variant} failed alike: {error} "
                "(--keep-going runs the others all the same)",
                ExitCode.SOME_TRIALS_FAILED,
            )

    def disk(self, error: OSError) -> None:
        """To be told that records cannot be written: no trial's fault."""
        self.error = error
