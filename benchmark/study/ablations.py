"""Which variants an ablation compares: every value of a factor that a method names."""

from collections.abc import Sequence

from benchmark.errors import UserError, unknown
from benchmark.study import methods
from benchmark.study.syntax import ALL, Variant


def ablated(texts: Sequence[str], factors: Sequence[str]) -> list[str]:
    """The variants, and for each factor every value that a method of theirs compares, as typed.

    texts: empty for those of all methods that have the factors, and none beside them; with "all",
    those beside all methods.
    """
    bases = [Variant.parse(text) for text in texts if text != ALL]
    if ALL in texts or not texts:
        bases += [Variant(name) for name in methods.names() if methods.ablations(name)]
    made, known = list(texts), set()
    for base in bases:
        methods.find(base.method)
        values = methods.ablations(base.method)
        known |= set(values)
        for factor in factors:
            made += [base.with_change(factor, value).name for value in values.get(factor, ())]
    for factor in factors:
        if factor not in known:
            raise _no_ablation(factor, bases, known)
    return list(dict.fromkeys(made))


def _no_ablation(factor: str, bases: Sequence[Variant], known: set[str]) -> UserError:
    """The error for a hyper-parameter that none of these compares, with those that do."""
    of = ", ".join(base.name for base in bases)
    owners = [name for name in methods.names() if factor in methods.ablations(name)]
    if not owners:
        return unknown(f"ablation of {of}", factor, known, "bench list methods -v")
    return UserError(
        f'no ablation of {of} "{factor}"; {", ".join(owners)} can be ablated so (--methods '
        f"{owners[0]} --ablation {factor}; bench list methods -v)"
    )
