"""A real TeX: what pdflatex makes of tables, and what it says of them."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGES = ("booktabs", "siunitx", "threeparttable", "rotating", "xcolor")
DEBIAN = "texlive-latex-extra, texlive-science"


class Typeset(NamedTuple):
    """Of a document."""

    text: str
    """As pdftotext finds it; "" where there is none."""
    log: str
    pages: int

    @property
    def complaints(self) -> list[str]:
        """Boxes that stick out, characters that are missing, floats that fit no page."""
        return re.findall(r"^Overfull .*|^Missing character.*|.*Float too large.*", self.log, re.M)


def require() -> None:
    """Skip the test where TeX or a package is missing."""
    if shutil.which("pdflatex") is None:
        pytest.skip(f"no pdflatex here (Debian: {DEBIAN})")
    for name in PACKAGES:
        found = subprocess.run(["kpsewhich", f"{name}.sty"], capture_output=True, text=True)
        if not found.stdout.strip():
            pytest.skip(f"no {name}.sty here (Debian: {DEBIAN})")


def typeset(folder: Path, *texts: str) -> Typeset:
    """The texts in a document of the class article, at its own size and margins."""
    folder.mkdir(parents=True, exist_ok=True)
    body = "\n\\clearpage\n".join(texts)
    (folder / "page.tex").write_text(
        f"\\documentclass{{article}}\n\\usepackage{{{','.join(PACKAGES)}}}\n"
        f"\\begin{{document}}\n{body}\n\\end{{document}}\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"],
        cwd=folder, capture_output=True, text=True, errors="replace", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    log = (folder / "page.log").read_text(encoding="utf-8", errors="replace")
    text = ""
    if shutil.which("pdftotext") is not None:
        text = subprocess.run(
            ["pdftotext", "-layout", "page.pdf", "-"], cwd=folder, capture_output=True, text=True
        ).stdout
    return Typeset(text, log, int(re.search(r"\((\d+) pages?", log)[1]))
