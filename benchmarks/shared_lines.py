"""Share of each method's lines that stand in its nearest sibling too: what the toolkit lacks.

    python benchmarks/shared_lines.py

Lines of code without their indentation; without docstrings, comments, imports and lines of
brackets alone.
"""

import ast
import re
from collections import Counter
from pathlib import Path

METHODS = Path(__file__).parent.parent / "methods"


def main() -> None:
    found = {path.stem: lines(path.read_text()) for path in sorted(METHODS.glob("[a-z]*.py"))}
    print(f"{'method':14}{'file':>6}{'code':>6}  nearest sibling")
    for name, own in found.items():
        shared = {other: (own & its).total() for other, its in found.items() if other != name}
        nearest = max(shared, key=shared.__getitem__)
        whole = len((METHODS / f"{name}.py").read_text().splitlines())
        share = shared[nearest] / own.total()
        print(f"{name:14}{whole:6}{own.total():6}  {nearest} {share:.2f}")


def lines(code: str) -> Counter[str]:
    """How often each line of code occurs."""
    left_out = {number for node in ast.walk(ast.parse(code)) for number in _prose(node)}
    kept = (
        line.split("  #")[0].strip()
        for number, line in enumerate(code.splitlines(), 1)
        if number not in left_out
    )
    return Counter(line for line in kept if re.search(r"\w", line) and not line.startswith("#"))


def _prose(node: ast.AST) -> range:
    """Numbers of the lines of an import or a docstring."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if is_text or isinstance(node, ast.Import | ast.ImportFrom):
        return range(node.lineno, node.end_lineno + 1)
    return range(0)


if __name__ == "__main__":
    main()
