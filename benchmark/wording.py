"""Words and numbers for people."""


def counted(n: int, noun: str) -> str:
    """1 trial, 2 trials."""
    return f"{n} {noun}{'s' * (n != 1)}"


def percent(share: float) -> str:
    """0.05 → "5 %"."""
    return f"{100 * share:.10g} %"
